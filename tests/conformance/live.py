"""Requests that are right and get through, each with values that were just given out.

What is changed in one of them meets the checks behind the first one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conformance.test_device_grant import allow, asked, kiosk
from tests.conformance.test_fapi2 import Bank
from tests.protocol.assertions import TYPE, Assertion, jwks, key_for
from tests.protocol.proofs import Prover
from tests.relying_party import RelyingParty, World, answer, world
from tests.request_objects import Signer

API = "https://api.example"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@dataclass
class Request:
    """A request as it is sent: in the query for GET, else as a form."""

    path: str
    fields: dict[str, str]
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    by: RelyingParty | None = None
    """Who authenticates itself with its secret, in the header."""


@dataclass
class Live:
    """A guardian who is signed in, and three applications: with a secret, with keys, a screen."""

    there: World
    bank: Bank
    screen: RelyingParty

    @classmethod
    def of(cls, client: FlaskClient) -> "Live":
        key = key_for("ES256")
        grants = ["authorization_code", "refresh_token", EXCHANGE]
        there = world(client, "Lina", grant_types=grants, resources=[API])
        strict = RelyingParty.of(
            there.school, profile="fapi2", jwks=jwks(key), client_name="Banque"
        )
        with_keys = World(there.school, there.guardian, there.children, strict, there.browser)
        bank = Bank(with_keys, Assertion(strict.client_id, key, "ES256"))
        return cls(there, bank, kiosk(there))

    def kinds(self) -> dict[str, Callable[[], Request]]:
        """What makes each kind of request anew, by its name."""
        return {
            "a code": self._code,
            "a code bound to a key": self._bound_code,
            "a refresh": self._refresh,
            "a refresh bound to a key": self._bound_refresh,
            "a poll": self._poll,
            "a poll too early": lambda: self._poll(allowed=False),
            "an exchange": self._exchange,
            "a push": self._push,
            "a pushed object": self._pushed_object,
            "what was pushed": self._pushed,
            "a request": lambda: Request("/oauth2/authorize", self._asks(), "GET"),
            "a request by a form": lambda: Request("/oauth2/authorize", self._asks()),
            "an object": self._object,
            "a screen's request": lambda: Request(
                "/oauth2/device_authorization", {"scope": "openid child"}, by=self.screen
            ),
            "a screen's code": lambda: Request(
                "/device", {"user_code": self._screens_codes()["user_code"]}, "GET"
            ),
            "introspection": lambda: self._about_a_token("/oauth2/introspect"),
            "revocation": lambda: self._about_a_token("/oauth2/revoke"),
            "claims": lambda: Request(
                "/oauth2/userinfo", {}, "GET", {"Authorization": f"Bearer {self._token()}"}
            ),
            "claims by a form": lambda: Request(
                "/oauth2/userinfo", {"access_token": self._token()}
            ),
            "claims with a proof": self._bound_claims,
            "a sign-out": self._sign_out,
        }

    def send(self, request: Request, fields: Any = None) -> TestResponse:
        """``fields``: others than its own, some of them twice, perhaps."""
        of_people = request.path in {"/oauth2/authorize", "/device"}
        application = self.there.http.application
        http = self.there.http if of_people else application.test_client(use_cookies=False)
        place = "query_string" if request.method == "GET" else "data"
        options: dict[str, Any] = {place: request.fields if fields is None else fields}
        if request.by is not None and "Authorization" not in request.headers:
            options["auth"] = (request.by.client_id, request.by.registered.secret)
        return http.open(request.path, method=request.method, headers=request.headers, **options)

    def _asks(self) -> dict[str, str]:
        portal = self.there.portal
        asked_for = {"scope": "openid child offline_access", "nonce": "n"}
        return portal.request(**portal.pkce(), **asked_for)

    def _tokens(self) -> dict[str, Any]:
        made = self._code()
        return dict(self.send(made).json or {})

    def _token(self) -> str:
        return str(self._tokens()["access_token"])

    def _code(self) -> Request:
        portal = self.there.portal
        fields = {
            "grant_type": "authorization_code",
            "code": answer(self.there.browser.open(portal.authorize_path(**self._asks())))["code"],
            "redirect_uri": portal.redirect_uri,
            "code_verifier": portal.verifier,
        }
        return Request("/oauth2/token", fields, by=portal)

    def _refresh(self) -> Request:
        fields = {"grant_type": "refresh_token", "refresh_token": self._tokens()["refresh_token"]}
        return Request("/oauth2/token", fields, by=self.there.portal)

    def _exchange(self) -> Request:
        fields = {
            "grant_type": EXCHANGE,
            "subject_token": self._token(),
            "subject_token_type": ACCESS_TOKEN,
            "resource": API,
        }
        return Request("/oauth2/token", fields, by=self.there.portal)

    def _about_a_token(self, path: str) -> Request:
        return Request(path, {"token": self._token()}, by=self.there.portal)

    # The application with keys

    def _proving(self) -> dict[str, str]:
        return {"client_assertion_type": TYPE, "client_assertion": self.bank.assertion.text()}

    def _bound(self, fields: dict[str, str]) -> Request:
        return Request(
            "/oauth2/token", {**fields, **self._proving()}, headers={"DPoP": self.key.proof()}
        )

    @property
    def key(self) -> Prover:
        return self.bank.key

    def _bound_code(self) -> Request:
        portal = self.bank.there.portal
        fields = {
            "grant_type": "authorization_code",
            "code": self.bank.code(scope="openid offline_access"),
            "redirect_uri": portal.redirect_uri,
            "code_verifier": portal.verifier,
        }
        return self._bound(fields)

    def _bound_refresh(self) -> Request:
        told = self.send(self._bound_code()).json or {}
        fields = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
        return self._bound(fields)

    def _bound_claims(self) -> Request:
        token = (self.send(self._bound_code()).json or {})["access_token"]
        proof = self.key.proof("GET", "/oauth2/userinfo", token=token)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof}
        return Request("/oauth2/userinfo", {}, "GET", headers)

    def _push(self) -> Request:
        portal = self.bank.there.portal
        asks = portal.request(**portal.pkce(), scope="openid", dpop_jkt=self.key.jkt)
        proof = {"DPoP": self.key.proof(path="/oauth2/par")}
        return Request("/oauth2/par", {**asks, **self._proving()}, headers=proof)

    def _pushed_object(self) -> Request:
        signer = Signer(self.bank.there, self.bank.assertion.key, "ES256")
        text = signer.text(**self.bank.there.portal.pkce())
        return Request("/oauth2/par", {"request": text, **self._proving()})

    def _pushed(self) -> Request:
        uri = str((self.send(self._push()).json or {})["request_uri"])
        fields = {"client_id": self.bank.there.portal.client_id, "request_uri": uri}
        return Request("/oauth2/authorize", fields, "GET")

    def _object(self) -> Request:
        """Of an application that has keys and need not push."""
        key = self.bank.assertion.key
        portal = RelyingParty.of(self.there.school, jwks=jwks(key), client_name="Signe")
        there = World(self.there.school, self.there.guardian, [], portal, self.there.browser)
        text = Signer(there, key, "ES256").text()
        fields = {"client_id": portal.client_id, "request": text, "response_type": "code"}
        return Request("/oauth2/authorize", fields, "GET")

    # The screen, and the way out

    def _screens_codes(self) -> dict[str, Any]:
        return asked(self.screen, self.there.http)

    def _poll(self, *, allowed: bool = True) -> Request:
        codes = self._screens_codes()
        if allowed:
            allow(self.there.browser, codes["user_code"])
        fields = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": codes["device_code"],
        }
        return Request("/oauth2/token", fields, by=self.screen)

    def _sign_out(self) -> Request:
        """By another browser: the guardian stays signed in for the next request."""
        fields = {
            "id_token_hint": self._tokens()["id_token"],
            "post_logout_redirect_uri": "https://portal.example/",
            "state": "s",
        }
        return Request("/oauth2/logout", fields, "GET")
