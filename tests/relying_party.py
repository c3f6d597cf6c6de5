"""A relying party and a guardian's browser, driven over HTTP: what most protocol tests need."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from idp.people.models import Account, Child, School
from tests import factories
from tests.entrance import enter
from tests.factories import PASSWORD

CALLBACK = "https://portal.example/callback"
_REFRESH = re.compile(r'<meta http-equiv="refresh" content="0;url=([^"]*)">')


@dataclass
class Browser:
    """A guardian's browser: follows our own redirects, submits the forms that pages show."""

    client: FlaskClient
    page: TestResponse | None = None

    def open(self, path: str, **kwargs: Any) -> TestResponse:
        """Open a page of ours and follow redirects as long as they stay with us."""
        self.page = self._follow(self.client.get(path, **kwargs))
        return self.page

    def follow(self, link: str) -> TestResponse:
        """Open a mail's link whose secret stands behind « # », and do what our script does."""
        path, _, secret = link.partition("#")
        self.open(path)
        return self.submit("mailed-link-form", link=secret)

    def submit(self, form_id: str, _button: str | None = None, **fields: str) -> TestResponse:
        """Fill in and send the form of this id on the current page."""
        form = self._form(form_id)
        if _button:
            name, _, value = _button.partition("=")
            fields = {name: value, **fields}
        return self._send(form, fields)

    def press(self, button_id: str, **fields: str) -> TestResponse:
        """Press a button of the current page: sends its form with its name and value."""
        form, pressed = self._button(button_id)
        return self._send(form, {**pressed, **fields})

    def shows(self, element_id: str) -> bool:
        """Whether the current page has an element of this id."""
        return self.page is not None and f'id="{element_id}"' in self.page.text

    def sign_in(self, username: str, password: str = PASSWORD) -> TestResponse:
        """Fill in the sign-in page that is open."""
        return self.submit("login-form", username=username, password=password)

    def sign_in_at_home(self, username: str) -> None:
        """Sign in without any application."""
        self.open("/")
        self.sign_in(username)
        assert self.shows("sign-out"), self.page and self.page.text[:2000]

    def sign_out(self) -> None:
        """Sign out on the guardian's own page."""
        self.open("/")
        self.press("sign-out")

    def _form(self, form_id: str) -> "Form":
        assert self.page is not None, "no page is open"
        found = [form for form in forms_of(self.page.text) if form.id == form_id]
        assert found, f"no form {form_id} in: {self.page.status} {self.page.text[:3000]}"
        return found[0]

    def _button(self, button_id: str) -> tuple["Form", dict[str, str]]:
        assert self.page is not None, "no page is open"
        for form in forms_of(self.page.text):
            if button_id in form.buttons:
                name, value = form.buttons[button_id]
                return form, {name: value} if name else {}
        raise AssertionError(f"no button {button_id} in: {self.page.text[:3000]}")

    def _send(self, form: "Form", fields: dict[str, str]) -> TestResponse:
        assert self.page is not None
        action = form.action or self.page.request.path
        response = self.client.post(action, data={**form.hidden, **fields})
        self.page = self._follow(response)
        return self.page

    def _follow(self, response: TestResponse) -> TestResponse:
        for _ in range(10):
            location = response.headers.get("Location")
            if response.status_code not in {301, 302, 303} or not location:
                return response
            if urlsplit(location).scheme:
                return response
            response = self.client.get(location)
        raise AssertionError("redirected in a circle")


@dataclass
class RelyingParty:
    """A client application that speaks the protocol by hand."""

    registered: Any
    redirect_uri: str = CALLBACK
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @classmethod
    def of(cls, *schools: School, **metadata: Any) -> Self:
        """A newly registered application of these schools."""
        uris = metadata.get("redirect_uris", [CALLBACK])
        return cls(factories.client_app(*schools, **metadata), redirect_uri=uris[0])

    @property
    def client_id(self) -> str:
        return str(self.registered.client.id)

    def authorize_path(self, **parameters: str | None) -> str:
        """The address of an authorization request; a parameter set to None is left out."""
        return f"/oauth2/authorize?{urlencode(self.request(**parameters))}"

    def request(self, **parameters: str | None) -> dict[str, str]:
        """The parameters of an authorization request."""
        values: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid",
            "state": "st4te",
            **parameters,
        }
        return {name: value for name, value in values.items() if value is not None}

    def pkce(self) -> dict[str, str]:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return {"code_challenge": challenge, "code_challenge_method": "S256"}

    def redeem(self, http: FlaskClient, code: str, **changes: str | None) -> TestResponse:
        """Exchange a code, with client_secret_basic (or none for a public client)."""
        data: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            **changes,
        }
        given = {name: value for name, value in data.items() if value is not None}
        return self.post(http, "/oauth2/token", given)

    def refresh(self, http: FlaskClient, refresh_token: str, **changes: str) -> TestResponse:
        data = {"grant_type": "refresh_token", "refresh_token": refresh_token, **changes}
        return self.post(http, "/oauth2/token", data)

    def post(self, http: FlaskClient, path: str, data: dict[str, str]) -> TestResponse:
        """A request of the application's server, which has no cookies."""
        server = http.application.test_client(use_cookies=False)
        if self.registered.secret is None:
            return server.post(path, data={"client_id": self.client_id, **data})
        return server.post(path, data=data, auth=(self.client_id, self.registered.secret))

    def userinfo(self, http: FlaskClient, access_token: str) -> TestResponse:
        """UserInfo by GET, the token in the header."""
        server = http.application.test_client(use_cookies=False)
        return server.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {access_token}"})

    def introspect(self, http: FlaskClient, token: str, **changes: str) -> dict[str, Any]:
        """The answer of the introspection endpoint."""
        response = self.post(http, "/oauth2/introspect", {"token": token, **changes})
        assert response.status_code == 200, response.text
        return dict(response.json or {})

    def sign_in(self, browser: Browser, username: str, **parameters: str | None) -> dict[str, str]:
        """The whole walk of a guardian with one child or none asked: the fields of the answer."""
        browser.open(self.authorize_path(**parameters))
        return answer(browser.sign_in(username))

    def tokens(self, browser: Browser, username: str, **parameters: str | None) -> dict[str, Any]:
        """Sign in and redeem the code: the token answer."""
        fields = self.sign_in(browser, username, **parameters)
        response = self.redeem(browser.client, fields["code"])
        assert response.status_code == 200, response.text
        return dict(response.json or {})


@dataclass
class World:
    """A school, its application, and a guardian with children in front of a browser."""

    school: School
    guardian: Account
    children: list[Child]
    portal: RelyingParty
    browser: Browser

    @property
    def http(self) -> FlaskClient:
        return self.browser.client

    def ask(self, **parameters: str | None) -> TestResponse:
        """Send the browser with an authorization request; follows our own redirects."""
        return self.browser.open(self.portal.authorize_path(**parameters))

    def answer(self, **parameters: str | None) -> dict[str, str]:
        """The fields of the answer to a request that needs no page."""
        return answer(self.ask(**parameters))

    def redeem(self, **parameters: str | None) -> dict[str, Any]:
        """The token answer to a request that needs no page."""
        return self.tokens_of(self.answer(**parameters))

    def tokens_of(self, fields: dict[str, str], **changes: str) -> dict[str, Any]:
        """The token answer for the code of an authorization response."""
        assert "code" in fields, fields
        response = self.portal.redeem(self.http, fields["code"], **changes)
        assert response.status_code == 200, response.text
        return dict(response.json or {})

    def claims(self, **parameters: str | None) -> dict[str, Any]:
        """The ID token's claims for a request that needs no page."""
        return claims_of(self.http, self.redeem(**parameters)["id_token"])

    def other_portal(self, *schools: School, **metadata: Any) -> RelyingParty:
        """Another application, of the same school unless others are named."""
        return RelyingParty.of(*(schools or (self.school,)), **metadata)


def world(client: FlaskClient, *children: str, signed_in: bool = True, **metadata: Any) -> World:
    """A guardian called « claire » with children of these names, signed in unless told."""
    school = factories.school()
    guardian, made = factories.family(
        school, *children, username="claire", email="claire@dubois.example"
    )
    browser = Browser(client)
    if signed_in:
        enter(client, guardian)
    return World(school, guardian, made, RelyingParty.of(school, **metadata), browser)


def leads_to(response: TestResponse) -> str:
    """Where the browser goes from here by itself: by a redirect, or by a page of ours that goes
    on (docs/decisions/leaving-by-a-page.md). Empty where it stays.
    """
    on = way_on(response.text) if response.mimetype == "text/html" else ""
    if not on or response.status_code != 200:
        return response.headers.get("Location", "")
    assert "Location" not in response.headers
    return on


def way_on(page: str) -> str:
    """Where a page of ours goes on to by itself; empty where it stays."""
    refresh = _REFRESH.search(page)
    return unescape(refresh[1]) if refresh else ""


def answer(response: TestResponse) -> dict[str, str]:
    """The fields of an authorization response that was sent by redirect, or by a page of ours."""
    location = leads_to(response)
    assert response.status_code in {200, 302, 303}, response.text[:2000]
    assert ":" in location[:40], f"still with us: {location} {response.text[:2000]}"
    return dict(parse_qsl(urlsplit(location).query, keep_blank_values=True))


def error_of(response: TestResponse) -> tuple[int, str]:
    """Status and code of a JSON error answer (RFC 6749 §5.2)."""
    return response.status_code, str((response.json or {}).get("error"))


def claims_of(http: FlaskClient, id_token: str) -> dict[str, Any]:
    """The claims of an ID token whose signature was checked against the published key set."""
    keys = KeySet.import_key_set(http.get("/oauth2/jwks").json)  # type: ignore[arg-type]
    return dict(jwt.decode(id_token, keys, algorithms=["RS256", "PS256", "ES256", "EdDSA"]).claims)


@dataclass
class Form:
    """A form of a page: where it goes, its hidden fields, its named buttons."""

    id: str
    action: str
    hidden: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    """Its ``data-`` attributes, which scripts read."""


class _Forms(HTMLParser):
    """Reads the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            data = {name: value for name, value in given.items() if name.startswith("data-")}
            self.found.append(Form(given.get("id", ""), given.get("action", ""), data=data))
            self._open = True
        elif self._open and tag == "input" and given.get("type") == "hidden":
            self.found[-1].hidden[given.get("name", "")] = given.get("value", "")
        elif self._open and tag == "button":
            button = (given.get("name", ""), given.get("value", ""))
            self.found[-1].buttons[given.get("id", "")] = button

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


def forms_of(page: str) -> list[Form]:
    """Every form of a page."""
    reader = _Forms()
    reader.feed(page)
    return reader.found


def form_of(page: str, form_id: str) -> tuple[str, dict[str, str]]:
    """The action and the hidden fields of a form."""
    form = next(form for form in forms_of(page) if form.id == form_id)
    return form.action, form.hidden
