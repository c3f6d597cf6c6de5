"""The life of what applications are given, as rules: what may come after what, and what holds.

A guardian of two children, one at each of two schools; an application of each school and one of
both, one whose tokens are bound to a key and one whose tokens are bound to a certificate, and
screens. The model says what each code and token hangs on.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from flask.testing import FlaskClient
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from werkzeug.test import TestResponse

from idp import clock
from idp.clients.metadata import GUARDIANSHIP_ENDED
from idp.database import db, keyed_hash, update_all
from idp.deliveries import worker
from idp.lifecycle import endings
from idp.oidc import pushed_requests, subjects
from idp.oidc.keyring import keyring
from idp.oidc.models import PushedRequest
from tests import factories
from tests.certificates import HEADER, Holder, holder
from tests.conformance.test_device_grant import allow, asked, kiosk, poll, type_in
from tests.protocol.proofs import Prover
from tests.receiver import Receiver
from tests.relying_party import Browser, RelyingParty, World, answer, claims_of, leads_to

API = "https://api.example"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_numbers = count(1)


@dataclass
class Bound(RelyingParty):
    """An application that shows what its tokens are bound to, where it asks for some or uses one:
    a key, or a certificate.
    """

    key: Prover | Holder = field(default_factory=Prover)

    def shown(self, method: str, path: str, token: str = "") -> dict[str, str]:
        if isinstance(self.key, Holder):
            return {HEADER: self.key.escaped}
        return {"DPoP": self.key.proof(method, path, token=token or None)}

    def post(self, http: FlaskClient, path: str, data: dict[str, str]) -> TestResponse:
        return self.post_with(http, path, data, self.shown("POST", path))

    def post_with(
        self, http: FlaskClient, path: str, data: dict[str, str], headers: dict[str, str]
    ) -> TestResponse:
        server = http.application.test_client(use_cookies=False)
        identity = (self.client_id, str(self.registered.secret))
        return server.post(path, data=data, auth=identity, headers=headers)

    def userinfo(self, http: FlaskClient, access_token: str) -> TestResponse:
        return self.use(http, access_token, self)

    def use(self, http: FlaskClient, token: str, shown_by: "Bound") -> TestResponse:
        """Ask UserInfo, and show the key of this application or of another one."""
        scheme = "Bearer" if isinstance(self.key, Holder) else "DPoP"
        headers = shown_by.shown("GET", "/oauth2/userinfo", token)
        server = http.application.test_client(use_cookies=False)
        return server.get(
            "/oauth2/userinfo", headers={"Authorization": f"{scheme} {token}", **headers}
        )


@dataclass
class Given:
    """A grant as the model knows it."""

    portal: RelyingParty
    child: int
    offline: bool
    live: bool = True
    code: str = ""
    redeemed: bool = False
    access: list[str] = field(default_factory=list)
    refresh: str = ""
    used: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    session: int = 0
    sid: str = ""
    """What the application calls the session."""


@dataclass
class Pushed:
    """A request that was pushed, as the model knows it."""

    portal: RelyingParty
    child: int
    offline: bool
    uri: str
    open: bool = True


class Life(RuleBasedStateMachine):
    """Two applications and a screen at once."""

    app: Flask
    authority: Holder
    receiver: Receiver

    @initialize()
    def begin(self) -> None:
        self.schools = [factories.school(f"École {next(_numbers)}") for _ in range(2)]
        self.name = f"claire{next(_numbers)}"
        self.guardian = factories.account(self.name)
        self.children = [
            factories.child(school, name)
            for school, name in zip(self.schools, ("Lina", "Tom"), strict=True)
        ]
        for child in self.children:
            factories.guardianship(self.guardian, child)
        registered = {
            "grant_types": ["authorization_code", "refresh_token", EXCHANGE],
            "resources": [API],
            **self.receiver.registered(),
        }
        worker.deliver_due()  # what a life that failed has left
        self.receiver.heard.clear()
        self.portals = [RelyingParty.of(school, **registered) for school in self.schools]
        self.joint = RelyingParty.of(*self.schools, **registered)
        bound = [
            Bound.of(self.schools[0], **registered, dpop_bound_access_tokens=True),
            Bound.of(
                self.schools[1], **registered, tls_client_certificate_bound_access_tokens=True
            ),
        ]
        bound[1].key = holder("CN=portal,O=École", self.authority)
        self.bound = bound
        self.thieves = [Bound(each.registered, key=each.key) for each in bound]
        self.thieves[0].key, self.thieves[1].key = Prover(), holder("CN=other", self.authority)
        self.screens = [
            kiosk(World(school, self.guardian, [], self.portals[0], Browser(self.http())))
            for school in self.schools
        ]
        self.linked = [True, True]
        self.given: list[Given] = []
        self.pushed: list[Pushed] = []
        self.session = 0
        self.ends: set[tuple[str, str]] = set()
        """Of which child which application is to be told."""
        self.logouts: set[tuple[str, int]] = set()
        """Of which session which application is to be told."""
        self.heard_ends: set[tuple[str, str]] = set()
        self.heard_logouts: set[tuple[str, str]] = set()
        self.called = {
            (each.client_id, subjects.of_child(child, each.registered.client)): child.id
            for each in (*self.portals, self.joint, *self.bound)
            for child in self.children
        }
        """Which child it is, by the application and what that calls it: it may be told of the end
        of what it was allowed, and never asked for.
        """
        self.browser = Browser(self.http())
        self.browser.sign_in_at_home(self.name)
        for number in (0, 1):  # there is something that may outlive, and somebody to be told
            for bound in (False, True):
                self.authorize(number=number, offline=bool(number), signed=False, bound=bound)
                given = self.given[-1]
                self.keep(given, given.portal.redeem(self.http(), given.code), works=True)
                given.redeemed = True
        for number in (0, 1):  # and somebody who knows both, and is told of the one alone
            self.authorize_one_of_both(number=number)
            given = self.given[-1]
            self.keep(given, given.portal.redeem(self.http(), given.code), works=True)
            given.redeemed = True

    def teardown(self) -> None:
        """Whatever a life did, it ends with an end, and with both questions."""
        if all(self.linked):
            self.end_a_guardianship(number=0)
        assert self.ends
        self.nothing_outlives_what_it_hangs_on()
        self.every_end_is_told_and_none_of_the_sibling()

    def http(self) -> Any:
        return self.app.test_client()

    @rule(
        number=st.integers(0, 1), offline=st.booleans(), signed=st.booleans(), bound=st.booleans()
    )
    def authorize(self, number: int, offline: bool, signed: bool, bound: bool) -> None:
        portal = self.bound[number] if bound else self.portals[number]
        scope = "openid child offline_access" if offline else "openid child"
        resource = API if signed else None
        page = self.browser.open(portal.authorize_path(scope=scope, resource=resource))
        if not self.linked[number]:
            assert self.browser.shows("no-child-back")
            return
        self.give(portal, number, offline, answer(page)["code"])

    @rule(number=st.integers(0, 1))
    def authorize_one_of_both(self, number: int) -> None:
        """By the application of both schools: the guardian chooses."""
        if not all(self.linked):
            return
        asked = {"scope": "openid child", "prompt": "select_account"}
        self.browser.open(self.joint.authorize_path(**asked))
        page = self.browser.press(f"child-submit-{number + 1}")
        self.give(self.joint, number, False, answer(page)["code"])

    @rule(number=st.integers(0, 1), offline=st.booleans())
    def push(self, number: int, offline: bool) -> None:
        portal = self.portals[number]
        scope = "openid child offline_access" if offline else "openid child"
        made = portal.post(self.http(), "/oauth2/par", portal.request(scope=scope))
        assert made.status_code == 201
        self.pushed.append(Pushed(portal, number, offline, (made.json or {})["request_uri"]))

    @rule(data=st.data())
    def bring_what_was_pushed(self, data: st.DataObject) -> None:
        each = data.draw(st.sampled_from(self.pushed)) if self.pushed else None
        if each is None or not self.linked[each.child]:
            return
        fields = answer(self.bring(each, each.portal))
        if not each.open:
            assert fields["error"] == "invalid_request_uri"
            return
        each.open = False
        self.give(each.portal, each.child, each.offline, fields["code"])

    @rule(data=st.data())
    def bring_what_another_pushed(self, data: st.DataObject) -> None:
        each = data.draw(st.sampled_from(self.pushed)) if self.pushed else None
        if each is not None:
            page = self.bring(each, self.portals[1 - each.child])
            assert page.status_code == 400
            assert not leads_to(page)

    @rule(data=st.data())
    def wait_too_long(self, data: st.DataObject) -> None:
        each = data.draw(st.sampled_from(self.pushed)) if self.pushed else None
        if each is not None:
            name = keyed_hash("pushed request", each.uri.removeprefix(pushed_requests.PREFIX))
            past = clock.now() - timedelta(seconds=1)
            assert update_all(PushedRequest, PushedRequest.uri_hash == name, expires_at=past) == 1
            each.open = False

    @rule(number=st.integers(0, 1))
    def refuse_a_screen(self, number: int) -> None:
        screen = self.screens[number]
        codes = asked(screen, self.browser.client)
        type_in(self.browser, codes["user_code"])
        self.browser.press("device-refuse")
        for _ in range(2):
            refused = poll(screen, self.http(), codes["device_code"])
            assert (refused.status_code, (refused.json or {})["error"]) == (400, "access_denied")

    @rule(number=st.integers(0, 1))
    def answer_a_screen(self, number: int) -> None:
        screen = self.screens[number]
        codes = asked(screen, self.browser.client)
        allow(self.browser, codes["user_code"])
        assert self.browser.shows("device-allowed") is self.linked[number]
        if not self.linked[number]:
            assert poll(screen, self.http(), codes["device_code"]).status_code == 400
            return
        made = self.give(screen, number, False, codes["device_code"])
        self.keep(made, poll(screen, self.http(), made.code), works=True)
        made.redeemed = True

    @rule(data=st.data())
    def redeem(self, data: st.DataObject) -> None:
        each = self.one(data)
        if each is None or each.portal in self.screens:
            return
        works = each.live and not each.redeemed
        self.keep(each, each.portal.redeem(self.http(), each.code), works=works)
        if each.redeemed:
            each.live = False  # a code that comes twice ends what it gave
        each.redeemed = True

    @rule(data=st.data())
    def poll_once_more(self, data: st.DataObject) -> None:
        each = self.one(data)
        if each is None or each.portal not in self.screens:
            return
        assert poll(each.portal, self.http(), each.code).status_code == 400
        each.live = False

    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        each = self.one(data)
        if each is not None and each.refresh:
            self.refresh_of(each)

    def refresh_of(self, each: Given) -> None:
        before = each.refresh
        self.keep(each, each.portal.refresh(self.http(), before), works=each.live)
        if each.live:
            each.used.append(before)

    @rule(data=st.data())
    def come_with_nothing_to_show(self, data: st.DataObject) -> None:
        """Without proof or certificate nothing is given, and nothing is used up."""
        each = self.one(data)
        if each is None or not isinstance(each.portal, Bound) or not each.refresh or not each.live:
            return
        form = {"grant_type": "refresh_token", "refresh_token": each.refresh}
        assert each.portal.post_with(self.http(), "/oauth2/token", form, {}).status_code == 400
        self.refresh_of(each)

    @rule(data=st.data())
    def reuse(self, data: st.DataObject) -> None:
        each = self.one(data)
        if each is None or len(each.used) < 2:
            return
        # Its successor was used: no lost answer
        assert each.portal.refresh(self.http(), each.used[0]).status_code == 400
        each.live = False

    @rule(data=st.data())
    def exchange(self, data: st.DataObject) -> None:
        each = self.one(data)
        if each is None or not each.access or each.portal in self.screens:
            return
        subject = each.access[0]
        request = {
            "grant_type": EXCHANGE,
            "subject_token": subject,
            "subject_token_type": ACCESS_TOKEN,
            "resource": API,
        }
        works = each.live and subject not in each.revoked
        response = each.portal.post(self.http(), "/oauth2/token", request)
        self.keep(each, response, works=works)

    @rule(data=st.data(), whole=st.booleans())
    def revoke(self, data: st.DataObject, whole: bool) -> None:
        each = self.one(data)
        if each is None or not each.access:
            return
        token = each.refresh if whole and each.refresh else each.access[-1]
        revoked = each.portal.post(self.http(), "/oauth2/revoke", {"token": token})
        assert revoked.status_code == 200
        if token == each.refresh:
            each.live = False
        else:
            each.revoked.add(token)

    @rule()
    def sign_out(self) -> None:
        self.browser.sign_out()
        theirs = {each.portal.client_id for each in self.given if each.session == self.session}
        self.logouts |= {(client_id, self.session) for client_id in theirs - self.deaf()}
        self.session += 1
        for each in self.given:
            if not each.offline or not each.redeemed:
                each.live = False
        self.browser.sign_in_at_home(self.name)

    @rule(number=st.integers(0, 1))
    def end_a_guardianship(self, number: int) -> None:
        ended = endings.end_guardianship(self.guardian.id, self.children[number].id, "moved")
        assert ended is self.linked[number]
        if self.linked[number]:
            knew = {each.portal.client_id for each in self.given if each.child == number}
            self.ends |= {(each, self.children[number].id) for each in knew - self.deaf()}
        self.linked[number] = False
        for each in self.given:
            each.live = each.live and each.child != number

    @rule()
    def rotate_keys(self) -> None:
        keyring().rotate(force=True)

    @rule()
    def nothing_outlives_what_it_hangs_on(self) -> None:
        for each in self.given:
            for token in each.access:
                told = each.portal.introspect(self.browser.client, token)
                assert told["active"] is (each.live and token not in each.revoked)
            if each.access:
                other = self.portals[1 - each.child]
                assert other.introspect(self.browser.client, each.access[0]) == {"active": False}
            if each.access and isinstance(each.portal, Bound):
                self.the_key_counts(each, each.portal, each.access[-1])

    def the_key_counts(self, each: Given, portal: Bound, token: str) -> None:
        """Who has stolen a token has nothing; who was given it uses it for as long as it lives."""
        http, is_for_us = self.browser.client, token.count(".") != 2
        works = is_for_us and each.live and token not in each.revoked
        assert portal.userinfo(http, token).status_code == (200 if works else 401)
        thief = self.thieves[each.child]
        assert portal.use(http, token, thief).status_code == 401
        assert RelyingParty.userinfo(portal, http, token).status_code == 401

    @rule()
    def every_end_is_told_and_none_of_the_sibling(self) -> None:
        """By what the applications' server has got, once the worker has gone round."""
        worker.deliver_due()
        db.session.rollback()  # what was read before would hide what was told since
        self.hear()
        assert self.heard_ends == self.ends
        told = {client_id for client_id, _sid in self.heard_logouts}
        assert told == {client_id for client_id, _session in self.logouts}
        assert len(self.heard_logouts) == len(self.logouts)
        for each in self.given:
            if each.sid:
                ended = (each.portal.client_id, each.session) in self.logouts
                assert ((each.portal.client_id, each.sid) in self.heard_logouts) is ended

    def hear(self) -> None:
        """Read what has come, each token verified with the keys that are published now."""
        for told in self.receiver.events(self.browser.client):
            (about,) = told["events"].items()
            assert about[0] == GUARDIANSHIP_ENDED
            self.heard_ends.add((told["aud"], self.called[told["aud"], about[1]["child"]["sub"]]))
        for told in self.receiver.logouts(self.browser.client):
            self.heard_logouts.add((told["aud"], told["sid"]))
        self.receiver.heard.clear()

    def deaf(self) -> set[str]:
        """Screens register no address."""
        return {screen.client_id for screen in self.screens}

    def give(self, portal: RelyingParty, child: int, offline: bool, code: str) -> Given:
        made = Given(portal, child, offline, code=code, session=self.session)
        self.given.append(made)
        return made

    def bring(self, each: Pushed, portal: RelyingParty) -> Any:
        asked = urlencode({"client_id": portal.client_id, "request_uri": each.uri})
        return self.browser.open(f"/oauth2/authorize?{asked}")

    def one(self, data: st.DataObject) -> Given | None:
        return data.draw(st.sampled_from(self.given)) if self.given else None

    def keep(self, each: Given, response: Any, *, works: bool) -> None:
        assert response.status_code == (200 if works else 400), response.text
        if not works:
            return
        told = response.json
        each.access.append(told["access_token"])
        each.refresh = told.get("refresh_token", each.refresh)
        for name in ("id_token", "access_token"):
            token = told.get(name, "")
            if token.count(".") == 2:
                claims = claims_of(self.browser.client, token)
                assert claims["child"]["school"]["id"] == self.schools[each.child].id
                known = self.called.get((each.portal.client_id, claims["child"]["sub"]))
                assert known == self.children[each.child].id or each.portal in self.screens
                each.sid = claims.get("sid", each.sid)
