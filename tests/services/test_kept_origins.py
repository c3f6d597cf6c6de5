"""Security rule S9: which origins may read answers, the database says now, to every worker."""

from time import monotonic
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp import create_app
from idp.clients import origins, registration
from idp.settings import Settings
from tests import factories
from tests.parallel import Queries
from tests.relying_party import RelyingParty, World, world

pytestmark = pytest.mark.quick_on("sqlite")
ORIGIN = "https://app.example"


@pytest.fixture
def there(client: FlaskClient) -> World:
    """A worker that has let the application read a moment ago."""
    site = world(client, origins=[ORIGIN])
    assert is_readable(client.application, ORIGIN)
    return site


@pytest.fixture
def elsewhere(app: Flask, settings: Settings) -> Flask:
    """Another worker."""
    return create_app(settings)


def is_readable(app: Flask, origin: str) -> bool:
    """Whether a page of this origin may read what the token endpoint says to it."""
    asked = app.test_client(use_cookies=False).options("/oauth2/token", headers={"Origin": origin})
    return asked.headers.get("Access-Control-Allow-Origin") == origin


def changed(portal: RelyingParty, **members: Any) -> None:
    client = registration.get_client(portal.client_id)
    registration.change(portal.client_id, {**client.metadata_, **members})


@pytest.mark.changed_elsewhere("clients/origins.py")
def test_s9_an_origin_that_another_worker_takes_away_reads_nothing_more(
    there: World, app: Flask, elsewhere: Flask
) -> None:
    with elsewhere.app_context():
        changed(there.portal, origins=["https://other.example"])

    assert not is_readable(app, ORIGIN)


def test_s9_an_application_that_another_worker_disables_reads_nothing_more(
    there: World, app: Flask, elsewhere: Flask
) -> None:
    with elsewhere.app_context():
        registration.disable(there.portal.client_id)

    assert not is_readable(app, ORIGIN)


def test_s9_an_origin_that_another_worker_adds_may_read_within_a_second(
    there: World, app: Flask, elsewhere: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = "https://new.example"
    assert not is_readable(app, added)
    with elsewhere.app_context():
        changed(there.portal, origins=[ORIGIN, added])
    now = monotonic()
    monkeypatch.setattr(origins, "monotonic", lambda: now + origins.PAUSE)

    assert is_readable(app, added)


def test_s9_whoever_else_names_the_origin_goes_on_with_it(there: World, app: Flask) -> None:
    there.other_portal(origins=[ORIGIN])
    registration.disable(there.portal.client_id)
    with app.app_context():
        origins._kept.clear()  # as after the pause: it knew of the first one alone

    assert is_readable(app, ORIGIN)


def test_the_answer_to_an_application_asks_nothing_about_its_own_origin(there: World) -> None:
    def userinfo(**headers: str) -> int:
        token = there.redeem()["access_token"]
        with Queries() as seen:
            answer = there.http.application.test_client(use_cookies=False).get(
                "/oauth2/userinfo", headers={"Authorization": f"Bearer {token}", **headers}
            )
        assert answer.headers.get("Access-Control-Allow-Origin") == headers.get("Origin")
        return len(seen)

    assert userinfo() == userinfo(Origin=ORIGIN)


def test_a_flood_of_unknown_origins_reads_the_registrations_once(app: Flask) -> None:
    factories.client_app(factories.school(), origins=[ORIGIN])
    is_readable(app, ORIGIN)

    with Queries() as seen:
        for number in range(20):
            assert not is_readable(app, f"https://stranger-{number}.example")

    assert len([each for each in seen if "clients" in each]) <= 1, seen


def test_who_reads_slowly_reads_more_rarely(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 0.0, 0.5, 9.9, 10.0, 10.0, 10.5])
    readings: list[int] = []
    monkeypatch.setattr(origins, "monotonic", lambda: next(moments))

    def read() -> dict[str, list[str]]:
        readings.append(1)
        return {}

    monkeypatch.setattr(origins, "_read", read)
    kept = origins.KeptOrigins()
    kept._not_before = -1.0

    assert [kept.is_registered("https://a.example") for _ in range(3)] == [False] * 3
    assert len(readings) == 2  # half a second each: the next one after ten
