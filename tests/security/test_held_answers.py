"""R1 and C5 step by step: an answer that meets the end of what it stands on half-way.

The end is written but not committed when the request has read that all is well. What the browser
itself would carry away – an ID token, a code – waits for the outcome, and follows it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, select, update
from werkzeug.test import TestResponse

from idp import clock
from idp.database import WRITES, db
from idp.lifecycle import endings, passwords
from idp.oidc.models import Consent, Grant
from idp.people.models import Guardianship
from idp.sessions.models import BrowserSession
from tests.outgoing.conftest import change
from tests.relying_party import World, leads_to, world
from tests.security.test_held_guardianship import meanwhile
from tests.security.test_races import copy_of, in_turn, raced

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]
TYPES = ("id_token", "code id_token", "code")
NEW = "Brouette-Citadelle-Orage-9"


def there_with(app: Flask, client: FlaskClient, **metadata: Any) -> World:
    """A guardian of one child who is signed in, and has allowed what a third party asks."""
    change(app, front_channel_id_tokens=True)
    there = world(client, "Lina", response_types=list(TYPES), require_pkce=False, **metadata)
    there.ask(scope="openid child")
    if there.browser.shows("consent-allow"):
        there.browser.press("consent-allow")
    return there


def asks(there: World, response_type: str, **more: str) -> Callable[[], TestResponse]:
    """The request, ready to be sent by a copy of the browser."""
    path = there.portal.authorize_path(
        response_type=response_type, nonce="n", scope="openid child", **more
    )
    return partial(copy_of(there).get, path)


@contextmanager
def half_ended(there: World, what: type[Any]) -> Iterator[Connection]:
    """Another worker that has ended it, and not committed yet."""
    column = what.withdrawn_at if what is Consent else what.ended_at
    db.session.rollback()
    with db.engine.connect() as connection:
        connection.execution_options(**WRITES[db.engine.dialect.name])
        of_guardian = update(what).where(what.account_id == there.guardian.id)
        connection.execute(of_guardian.values({column: clock.now()}))
        yield connection


def carried(response: TestResponse) -> str:
    """Where the browser is sent, with what it carries."""
    return leads_to(response)


@pytest.mark.parametrize("response_type", TYPES[:2])
@pytest.mark.parametrize("what", [BrowserSession, Guardianship, Consent], ids=lambda w: w.__name__)
def test_r1_an_id_token_on_the_way_waits_for_the_end_and_is_not_given(
    app: Flask, client: FlaskClient, what: type[Any], response_type: str
) -> None:
    there = there_with(app, client, first_party=what is not Consent)
    with half_ended(there, what) as connection:
        thread, answers = meanwhile(app, asks(there, response_type))
        connection.commit()
    thread.join(30)

    assert answers[0].status_code in {302, 303}
    assert "/interaction/" in carried(answers[0]), carried(answers[0])


@pytest.mark.parametrize("what", [BrowserSession, Guardianship, Consent], ids=lambda w: w.__name__)
def test_r1_it_is_given_where_the_end_is_taken_back(
    app: Flask, client: FlaskClient, what: type[Any]
) -> None:
    there = there_with(app, client, first_party=what is not Consent)
    with half_ended(there, what) as connection:
        thread, answers = meanwhile(app, asks(there, "id_token"))
        connection.rollback()
    thread.join(30)

    assert "id_token=" in carried(answers[0])


def test_r1_a_silent_request_is_told_that_somebody_has_to_sign_in(
    app: Flask, client: FlaskClient
) -> None:
    there = there_with(app, client)
    with half_ended(there, BrowserSession) as connection:
        thread, answers = meanwhile(app, asks(there, "id_token", prompt="none"))
        connection.commit()
    thread.join(30)

    assert "error=login_required" in carried(answers[0])


def test_c5_a_third_partys_code_waits_for_a_consent_that_is_withdrawn(
    app: Flask, client: FlaskClient
) -> None:
    there = there_with(app, client, first_party=False)
    with half_ended(there, Consent) as connection:
        thread, answers = meanwhile(app, asks(there, "code"))
        connection.commit()
    thread.join(30)

    assert carried(answers[0]).endswith("/consent")


def test_r1_a_code_waits_for_its_sessions_end_and_is_worth_nothing(
    app: Flask, client: FlaskClient
) -> None:
    there = there_with(app, client)
    code = there.answer(scope="openid child offline_access")["code"]
    with half_ended(there, BrowserSession) as connection:
        thread, answers = meanwhile(app, lambda: there.portal.redeem(client, code))
        connection.commit()
    thread.join(30)

    assert (answers[0].status_code, answers[0].json["error"]) == (400, "invalid_grant")


def reset(there: World) -> None:
    passwords.set_first_password(there.guardian.id, NEW)


def close(there: World) -> None:
    endings.disable_account(there.guardian.id)


def part(there: World) -> None:
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")


def withdraw(there: World) -> None:
    endings.withdraw_consent(there.guardian.id, there.portal.client_id)


@pytest.mark.parametrize(
    ("ends", "response_type"),
    [
        *((reset, "id_token"), (close, "code id_token"), (part, "id_token")),
        *((withdraw, "id_token"), (withdraw, "code"), (reset, "code")),
    ],
)
def test_r1_answers_raced_with_an_end_leave_no_grant_that_outlives_it(
    app: Flask, client: FlaskClient, ends: Callable[[World], None], response_type: str
) -> None:
    there = there_with(app, client, first_party=ends is not withdraw)
    steps: list[Callable[[], Any]] = [asks(there, response_type) for _ in range(7)]
    steps.insert(2, lambda: ends(there))

    responses = [each for each in raced(app, 8, in_turn(steps)) if each is not None]

    assert {each.status_code for each in responses} <= {302, 303}
    db.session.commit()
    live = select(Grant).where(Grant.ended_at.is_(None))
    for each in db.session.scalars(live):
        # A code of a session that has ended, or of a child that is nobody's any more, is refused
        assert response_type == "code", each
    for response in responses:
        if "code=" in carried(response):
            code = carried(response).partition("code=")[2].partition("&")[0]
            assert there.portal.redeem(client, code).status_code == 400
