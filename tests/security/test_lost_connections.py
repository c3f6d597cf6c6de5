"""A connection that is lost in the middle of a request, at any statement: no error of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from idp.database import db
from tests.relying_party import world

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
MOST = 60


class Cut:
    """Ends the connection of the ``at``-th statement just before it is sent, once."""

    def __init__(self, url: str, at: int) -> None:
        self._url, self._left = url, at
        self.happened = False

    def __call__(self, connection: Any, *_: Any) -> None:
        self._left -= 1
        if self._left or self.happened:
            return
        self.happened = True
        pid = connection.connection.dbapi_connection.info.backend_pid
        with psycopg.connect(self._url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


class Demotion(Cut):
    """From just before the ``at``-th statement on, its connection takes no write."""

    def __call__(self, connection: Any, *_: Any) -> None:
        self._left -= 1
        if self._left or self.happened:
            return
        self.happened = True
        driver = connection.connection.dbapi_connection
        driver.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        driver.execute("SET transaction_read_only = on")


@contextmanager
def cutting(url: str, at: int, kind: type[Cut] = Cut) -> Iterator[Cut]:
    cut = kind(url, at)
    event.listen(db.engine, "before_cursor_execute", cut)
    try:
        yield cut
    finally:
        event.remove(db.engine, "before_cursor_execute", cut)


@pytest.mark.long
def test_a_sign_in_loses_its_connection_at_each_of_its_statements_in_turn(
    client: FlaskClient, app: Flask, database_url: str
) -> None:
    """It is done all the same, or told to come again; whoever goes on without what was asked for,
    such as the school's face, leaves a connection that can be used (rule R2)."""
    here = world(client, "Lina", signed_in=False)
    answers = []
    for at in range(1, MOST):
        client.delete_cookie("idp_session")
        here.browser.open(here.portal.authorize_path())
        with cutting(database_url, at) as cut:
            answer = here.browser.sign_in("claire")
        if not cut.happened:
            break
        answers.append(answer.status_code)
        if answer.status_code == 503:
            assert "Retry-After" in answer.headers
        else:
            assert not here.browser.shows("login-form")
    assert len(answers) > 15
    assert set(answers) == {200, 503}, answers


@pytest.mark.long
@pytest.mark.parametrize("kind", [Cut, Demotion])
def test_a_consent_loses_its_connection_or_its_primary_at_each_of_its_statements_in_turn(
    client: FlaskClient, database_url: str, kind: type[Cut]
) -> None:
    """The next request finds another one, and nothing is half done (rule R2)."""
    here = world(client, "Lina", first_party=False)
    answers = []
    for at in range(1, MOST):
        here.ask(scope="openid child", prompt="consent")
        assert here.browser.shows("consent-form")
        with cutting(database_url, at, kind) as cut:
            answers.append(here.browser.press("consent-allow").status_code)
        if not cut.happened:
            break
    assert len(answers) > 8
    assert set(answers) <= {200, 302, 303, 503}, answers
    assert 503 in answers
