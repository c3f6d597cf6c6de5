"""C6 step by step: a token request that meets the end of its guardianship half-way.

The end is written but not committed when the request has read that all is well. Whatever it
has made by then, it must wait for the outcome, and follow it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, update

from idp import clock
from idp.database import WRITES, db
from idp.oidc.models import AccessToken, RefreshToken
from idp.people.models import Guardianship
from tests.relying_party import World, claims_of, world

pytestmark = pytest.mark.long_on("postgresql")

SCOPE = "openid child offline_access"


@contextmanager
def half_ended(there: World) -> Iterator[Connection]:
    """Another worker that has ended the guardianship, and not committed yet."""
    db.session.rollback()
    with db.engine.connect() as connection:
        connection.execution_options(**WRITES[db.engine.dialect.name])
        connection.execute(
            update(Guardianship)
            .where(Guardianship.account_id == there.guardian.id)
            .values(ended_at=clock.now())
        )
        yield connection


def meanwhile(app: Flask, ask: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """The request in a thread of its own, which by now waits."""
    answers: list[Any] = []

    def run() -> None:
        with app.app_context():
            answers.append(ask())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(1.0)
    assert thread.is_alive(), answers
    return thread, answers


def ways(there: World, client: FlaskClient) -> dict[str, Callable[[], Any]]:
    """Each request that could make a token, ready to be sent."""
    code = there.answer(scope=SCOPE)["code"]
    first = there.redeem(scope=SCOPE)["refresh_token"]
    used = there.redeem(scope=SCOPE)["refresh_token"]
    assert there.portal.refresh(client, used).status_code == 200
    return {
        "code": lambda: there.portal.redeem(client, code),
        "refresh": lambda: there.portal.refresh(client, first),
        "lost answer": lambda: there.portal.refresh(client, used),
    }


@pytest.mark.parametrize("way", ["code", "refresh", "lost answer"])
def test_c6_a_token_request_waits_for_the_end_and_is_refused(
    app: Flask, client: FlaskClient, way: str
) -> None:
    there = world(client, "Lina")
    ask = ways(there, client)[way]
    before = _tokens()
    with half_ended(there) as connection:
        thread, answers = meanwhile(app, ask)
        connection.commit()
    thread.join(30)

    assert (answers[0].status_code, answers[0].json["error"]) == (400, "invalid_grant")
    assert "id_token" not in answers[0].json
    assert _tokens() == before


@pytest.mark.parametrize("way", ["code", "refresh", "lost answer"])
def test_c6_a_token_request_goes_on_where_the_end_is_taken_back(
    app: Flask, client: FlaskClient, way: str
) -> None:
    there = world(client, "Lina")
    ask = ways(there, client)[way]
    with half_ended(there) as connection:
        thread, answers = meanwhile(app, ask)
        connection.rollback()
    thread.join(30)

    assert answers[0].status_code == 200
    assert claims_of(client, answers[0].json["id_token"])["child"]["given_name"] == "Lina"


def _tokens() -> tuple[int, int]:
    db.session.rollback()
    counts = [db.session.query(model).count() for model in (AccessToken, RefreshToken)]
    return counts[0], counts[1]
