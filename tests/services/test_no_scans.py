"""No request and no worker goes through a table that grows from end to end.

The walks of the pages and of the desk, its acts, what applications ask for, the workers and the
purge: PostgreSQL explains each of their statements. Every address of the application is reached by
one of them, so that a new one without a walk is told.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Final
from unittest.mock import patch
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import text

from idp import clock, purge
from idp.audit import events
from idp.clients.metadata import TOKEN_EXCHANGE
from idp.database import db, transaction
from idp.deliveries import worker as deliveries
from idp.desk.overview import counting
from idp.doctor.measured import State
from idp.federation import links
from idp.federation.identity import ForeignIdentity
from idp.mail import delivery
from idp.purge import steady
from idp.readiness import lateness
from idp.roster import work
from idp.settings.providers import FACEBOOK_ISSUER, ProviderSettings
from idp.settings.secrets import SecretText
from tests import factories
from tests.admin import test_statements_of_acts as acts
from tests.admin.places import Desk, desk_of
from tests.conformance.test_device_grant import allow, asked, kiosk, poll
from tests.conformance.test_registration_management import Managed
from tests.conformance.test_token_exchange import exchanged
from tests.federation.rogue import SECRET, signed_request
from tests.protocol.proofs import Prover
from tests.relying_party import World, world
from tests.security.whole_site import busy_world, csrf_of, forms, pages
from tests.services.scans import Scans, explained, ways_in
from tests.times import later
from tests.web import walks
from tests.web.places import place

pytestmark = [
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
    pytest.mark.long,
]

Doing = Callable[[Flask], object]
PARTS: Final = (
    *("clients", "imports", "letters_and_overview", "mails", "people", "person", "schools"),
    "staff",
)
SCOPE: Final = "openid profile email child offline_access"
_reached: Final[set[tuple[str, str]]] = set()
_done: Final[set[str]] = set()


def of_a_walk(walk: walks.Walk) -> Doing:
    return lambda app: list(walk(place(app)))


def of_a_part(name: str) -> Doing:
    walk = import_module(f"tests.admin.walks.{name}").walk
    return lambda app: list(walk(desk_of(app)))


def of_acts(acts_of: Callable[[Desk, acts.Acting, acts.Acting], acts.Done]) -> Doing:
    def act(app: Flask) -> None:
        desk = desk_of(app)
        manager = acts.Acting(desk, "manager", may_print=True)
        list(acts_of(desk, manager, acts.Acting(desk, "operator")))

    return act


def _application(app: Flask) -> World:
    return world(
        app.test_client(),
        "Lina",
        grant_types=["authorization_code", "refresh_token", TOKEN_EXCHANGE],
        origins=["https://app.example"],
        backchannel_logout_uri="https://app.example/ended",
    )


def of_tokens(app: Flask) -> None:
    """Tokens in every way, asked about, used, used again, and revoked."""
    there, key = _application(app), Prover()
    server = app.test_client(use_cookies=False)
    fields = there.answer(scope=SCOPE)
    given = there.tokens_of(fields)
    for ask in ("GET", "POST"):
        header = {"Authorization": f"Bearer {given['access_token']}"}
        assert server.open("/oauth2/userinfo", method=ask, headers=header).status_code == 200
    for kind in ("access_token", "refresh_token"):
        there.portal.introspect(server, given[kind])
    exchanged(there, given["access_token"])
    for _ in range(2):
        assert there.portal.refresh(server, given["refresh_token"]).status_code == 200
    bound = key.redeem(there.portal, server, there.answer(scope=SCOPE)["code"]).json or {}
    assert key.userinfo(server, bound["access_token"]).status_code == 200
    for kind in ("access_token", "refresh_token"):
        there.portal.post(server, "/oauth2/revoke", {"token": bound[kind]})
    assert there.portal.redeem(server, fields["code"]).status_code == 400  # a reuse
    for wrong in ("code", "refresh_token"):
        there.portal.post(server, "/oauth2/token", {"grant_type": wrong, wrong: "none"})
    server.post("/oauth2/token", data={}, auth=(there.portal.client_id, "wrong"))
    server.options("/oauth2/token", headers={"Origin": "https://app.example"})
    out = {"id_token_hint": given["id_token"], "state": "s"}
    there.browser.open(f"/oauth2/logout?{urlencode(out)}")
    there.http.post("/oauth2/logout", data={"client_id": there.portal.client_id})


def of_requests(app: Flask) -> None:
    """Requests that are pushed or answered at a screen."""
    there, key = _application(app), Prover()
    for proof in ({}, {"DPoP": key.proof(path="/oauth2/par")}):
        told = app.test_client(use_cookies=False).post(
            "/oauth2/par",
            data=there.portal.request(scope="openid child"),
            auth=(there.portal.client_id, there.portal.registered.secret),
            headers=proof,
        )
        name = (told.json or {})["request_uri"]
        query = urlencode({"client_id": there.portal.client_id, "request_uri": name})
        for _ in range(2):
            there.browser.open(f"/oauth2/authorize?{query}")
    there.http.post("/oauth2/authorize", data=there.portal.request(scope="openid"))
    screen = kiosk(there)
    device = asked(screen, there.http)
    assert poll(screen, there.http, device["device_code"]).status_code == 400
    allow(there.browser, device["user_code"])
    assert poll(screen, there.http, device["device_code"]).status_code == 200


def of_registrations(app: Flask) -> None:
    """A registration that an application makes, reads, changes and removes by itself."""
    managed = Managed(app.test_client())
    assert managed.call("GET").status_code == 200
    assert managed.put(client_name="Autre").status_code == 200
    assert managed.call("DELETE").status_code == 204


def of_documents(app: Flask) -> None:
    """Everything that is read without anybody's leave, and what other providers call."""
    reader = app.test_client(use_cookies=False)
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and rule.endpoint.startswith(("oauth2.", "health.")):
            values = dict.fromkeys(rule.arguments, "none")
            reader.get(app.url_map.bind("localhost").build(rule.endpoint, values))


def of_facebook(app: Flask) -> None:
    """What Facebook tells of somebody who has removed us there."""
    server = app.test_client(use_cookies=False)
    for number, callback in enumerate(("deauthorize", "deletion")):
        identity = ForeignIdentity("facebook", FACEBOOK_ISSUER, str(number), "")
        with transaction():
            links.make(factories.account().id, identity)
        told = signed_request(user_id=str(number), issued_at=int(time.time()))
        answer = server.post(f"/federation/facebook/{callback}", data={"signed_request": told})
        assert answer.status_code in {200, 204}, answer.text


def of_every_form(app: Flask) -> None:
    """Each page and form once more, as a parent and as an operator: what no walk has come by."""
    site = busy_world(app, app.test_client())
    desk = desk_of(app)
    for browser in (site.browser, desk.browser("operator")):
        token = csrf_of(browser)
        for path in pages(app, site):
            browser.client.get(path)
        for path, fields in forms(app, site):
            once = {"csrf_token": token, "once": secrets.token_urlsafe(16)}
            browser.client.post(path, data={**fields, **once})


def of_workers(app: Flask) -> None:
    """Mails, what applications are told, imports, figures, the purge; each with something to do."""
    there = _application(app)
    there.redeem(scope=SCOPE)
    there.browser.sign_out()
    events.record("client_refused")
    for look in (
        delivery.deliver_due,
        deliveries.deliver_due,
        work.work_once,
        counting.refresh,
        State().samples,
        lateness.words,
    ):
        look()
    # The database's clock does not travel
    with later(days=200), patch.object(steady, "_database_clock", clock.now):
        purge.run()


DOINGS: Final[dict[str, Doing]] = {
    **{each.__name__: of_a_walk(each) for each in walks.WALKS},
    **{f"desk: {name}": of_a_part(name) for name in PARTS},
    **{
        each.__name__: of_acts(each)
        for each in (
            *(acts.on_an_account, acts.on_a_pupil, acts.on_mails_and_letters, acts.on_a_school),
            acts.on_staff,
        )
    },
    **{
        each.__name__: each
        for each in (
            *(of_tokens, of_requests, of_registrations, of_documents, of_facebook),
            *(of_every_form, of_workers),
        )
    },
}


@pytest.fixture
def watched(database_url: str, keys_folder: Path) -> Iterator[tuple[Flask, Scans]]:
    facebook = ProviderSettings(
        key="facebook",
        client_id="us",
        client_secret=SecretText(SECRET),
        issuer=FACEBOOK_ISSUER,
        scopes="public_profile email",
    )
    with explained(database_url, keys_folder, providers=(facebook,)) as both:
        yield both


@pytest.mark.parametrize("doing", DOINGS)
def test_no_table_that_grows_is_gone_through(watched: tuple[Flask, Scans], doing: str) -> None:
    app, scans = watched
    DOINGS[doing](app)
    _reached.update(scans.reached)
    _done.add(doing)
    assert scans.statements > 3
    assert not scans.found, "\n".join(scans.found.values())


def test_whatever_is_gone_through_is_told(watched: tuple[Flask, Scans]) -> None:
    _app, scans = watched
    factories.account("claire")
    assert not scans.found
    db.session.execute(text("SELECT id FROM accounts WHERE given_name = 'Lina'")).all()
    assert [table for table, _text in scans.found] == ["accounts"]


def test_every_address_is_among_them(watched: tuple[Flask, Scans]) -> None:
    app, _scans = watched
    if _done != DOINGS.keys():
        pytest.skip("not all of them have run")
    left = sorted(ways_in(app) - _reached)
    assert not left, "\n".join(map(str, left))
