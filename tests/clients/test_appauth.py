"""AppAuth on a phone, which can't run here: the requests that its sources build, from each kind of
address that an app may have, made with what docs/integrate/appauth.md registers.

Followed: ``AuthorizationRequest.toUri``, ``TokenRequest.getRequestParameters`` with
``NoClientAuthentication``, ``IdToken.validate`` and ``EndSessionRequest.toUri`` of
AppAuth-Android 0.11; ``authorizationRequestURL``, ``OIDTokenRequest.URLRequest``,
``performTokenRequest`` and ``endSessionRequestURL`` of AppAuth-iOS's main branch, which writes
spaces as ``%20``, sends no ``Accept`` and names the charset of its forms.
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

import pytest
import requests

from idp.clients import registration
from idp.lifecycle import endings
from idp.people.models import Account, Child
from tests import factories
from tests.clients.test_authlib_client import issuer
from tests.installs.stacks import registered_as_printed
from tests.relying_party import forms_of, way_on

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SCHEME, CLAIMED = "example.homework:/back", "https://app.example/back"
OUT = "example.homework:/out"


def word(size: int) -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


@dataclass
class App:
    """An app on an Android phone, and the phone's browser."""

    discovered: dict[str, Any]
    client_id: str
    redirect_uri: str
    browser: requests.Session

    def begins(self, **more: str) -> requests.Response:
        """The page of the provider to which the app has sent the browser; ``more``: parameters."""
        self.state, self.nonce, self.verifier = word(16), word(16), word(64)
        digest = hashlib.sha256(self.verifier.encode("iso-8859-1")).digest()
        asked = {
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "response_type": "code",
            "state": self.state,
            "nonce": self.nonce,
            "scope": "openid profile child offline_access",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **more,
        }
        return self.browser.get(self.with_query("authorization_endpoint", asked), timeout=30)

    def with_query(self, endpoint: str, parameters: dict[str, str]) -> str:
        return f"{self.discovered[endpoint]}?{urlencode(parameters)}"

    def signs_in(self, username: str, child: int = 1) -> dict[str, Any]:
        """The parameters in the address by which the system wakes the app."""
        page = self.begins()
        page = self.sends(page, "login-form", username=username, password=factories.PASSWORD)
        return self.chooses(page, child)

    def chooses(self, page: requests.Response, child: int) -> dict[str, Any]:
        """The same for a parent who is signed in; ``child``: which on the page."""
        form = next((each for each in forms_of(page.text) if each.id == "child-form"), None)
        if form:
            page = self.sends(page, "child-form", child=form.buttons[f"child-submit-{child}"][1])
        if 'id="consent-form"' in page.text:
            page = self.sends(page, "consent-form", decision="allow")
        back = way_on(page.text)
        assert back.startswith(f"{self.redirect_uri}?"), back
        assert 'id="leaving-continue"' in page.text, "a browser that wants a touch has a button"
        answer = dict(parse_qsl(urlsplit(back).query))
        assert answer["state"] == self.state
        return answer

    def sends(self, page: requests.Response, form_id: str, **fields: str) -> requests.Response:
        form = next(each for each in forms_of(page.text) if each.id == form_id)
        address = urljoin(page.url, form.action)
        return self.browser.post(address, data={**form.hidden, **fields}, timeout=30)

    def token(self, **parameters: str) -> requests.Response:
        return requests.post(
            self.discovered["token_endpoint"],
            data={**parameters, "client_id": self.client_id},
            headers={"Accept": "application/json"},
            timeout=30,
        )

    def redeems(self, answer: dict[str, Any]) -> dict[str, Any]:
        response = self.token(
            grant_type="authorization_code",
            redirect_uri=self.redirect_uri,
            code=answer["code"],
            code_verifier=self.verifier,
        )
        assert response.status_code == 200, response.text
        return dict(response.json())

    def claims(self, id_token: str, *, nonce: bool) -> dict[str, Any]:
        """What is in it, once it has passed what AppAuth looks at."""
        middle = id_token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=="))
        assert claims["iss"] == self.discovered["issuer"]
        assert self.client_id in [claims["aud"], claims.get("azp")]
        assert abs(time.time() - claims["iat"]) < 600 < claims["exp"]
        if nonce:
            assert claims["nonce"] == self.nonce
        return claims

    def userinfo(self, access_token: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {access_token}"}
        return requests.get(self.discovered["userinfo_endpoint"], headers=headers, timeout=30)


class AppleApp(App):
    """An app on an iPhone."""

    def with_query(self, endpoint: str, parameters: dict[str, str]) -> str:
        return f"{self.discovered[endpoint]}?{urlencode(parameters, quote_via=quote)}"

    def token(self, **parameters: str) -> requests.Response:
        return requests.post(
            self.discovered["token_endpoint"],
            data=urlencode({**parameters, "client_id": self.client_id}, quote_via=quote),
            headers={
                "Accept": "*/*",
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            },
            timeout=30,
        )


@dataclass
class Phone:
    """A phone with the registered app, for a parent of two children."""

    app: App
    guardian: Account
    child: Child
    """The first."""


@pytest.fixture(
    params=[App, pytest.param(AppleApp, marks=pytest.mark.long)], ids=["Android", "iOS"]
)
def phone(issuer: str, request: pytest.FixtureRequest) -> Phone:
    school = factories.school()
    guardian, (child, _sibling) = factories.family(school, "Lina", "Noé", username="claire")
    made = registered_as_printed("appauth", school.id)
    found = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=30).json()
    return Phone(
        request.param(found, made["CLIENT_ID"], SCHEME, requests.Session()), guardian, child
    )


@pytest.mark.parametrize("redirect_uri", [SCHEME, CLAIMED])
def test_an_app_goes_the_whole_walk(phone: Phone, redirect_uri: str) -> None:
    app = phone.app
    app.redirect_uri = redirect_uri
    tokens = app.redeems(app.signs_in("claire"))
    claims = app.claims(tokens["id_token"], nonce=True)
    assert claims["child"]["given_name"] == "Lina"
    assert app.userinfo(tokens["access_token"]).json()["name"] == "Claire Dubois"

    tokens = app.redeems(app.chooses(app.begins(prompt="select_account"), child=2))
    claims = app.claims(tokens["id_token"], nonce=True)
    assert claims["child"]["given_name"] == "Noé"

    renewed = app.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    again = app.claims(renewed["id_token"], nonce=False)
    assert (again["sub"], again["child"]) == (claims["sub"], claims["child"])

    out = {"id_token_hint": renewed["id_token"], "state": word(16), "post_logout_redirect_uri": OUT}
    leaving = app.browser.get(
        app.with_query("end_session_endpoint", out), allow_redirects=False, timeout=30
    )
    assert leaving.headers["Location"] == f"{OUT}?state={out['state']}"
    page = app.browser.get(f"{app.discovered['issuer']}/", timeout=30)
    assert 'id="login-form"' in page.text


def test_a_desktop_program_comes_from_whichever_port_it_has(phone: Phone) -> None:
    app = phone.app
    document = dict(registration.get_client(app.client_id).metadata_)
    document["redirect_uris"] = [*document["redirect_uris"], "http://127.0.0.1/back"]
    registration.change(app.client_id, document)

    for port in (49152, 61234):
        app.redirect_uri = f"http://127.0.0.1:{port}/back"
        app.browser = requests.Session()
        assert app.redeems(app.signs_in("claire"))["id_token"]


def test_another_app_that_takes_the_address_gets_nothing_for_the_code(phone: Phone) -> None:
    app = phone.app
    answer = app.signs_in("claire")

    response = app.token(grant_type="authorization_code", redirect_uri=SCHEME, code=answer["code"])

    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


def test_the_end_of_a_guardianship_comes_with_the_next_renewal(phone: Phone) -> None:
    app = phone.app
    tokens = app.redeems(app.signs_in("claire"))

    endings.end_guardianship(phone.guardian.id, phone.child.id, "court")

    assert app.userinfo(tokens["access_token"]).status_code == 401
    renewal = app.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (renewal.status_code, renewal.json()["error"]) == (400, "invalid_grant")
