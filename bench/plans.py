"""What visitors do: fetch discovery, refresh tokens, walk the code flow, sign in.

Each function is one such visit as a plan (see ``bench.exchange``). It checks what it gets,
so that a fast wrong answer counts as an error.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Generator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import quote, unquote, urlencode

from bench.exchange import (
    Answer,
    Call,
    Cookies,
    Plan,
    Reconnect,
    Unexpected,
    Wait,
    expect,
    get_request,
    keep_cookies,
    post_request,
)

REDIRECT_URI = "http://127.0.0.1:9/callback"
CODE_SCOPE = "openid child"
REFRESH_SCOPE = "openid child offline_access"
MOST_HOPS = 8

_CODE = re.compile(r"[?&]code=([^&]+)")
_FORM = re.compile(rb"<form\b[^>]*\bid=\"login-form\"[^>]*>(.*?)</form>", re.DOTALL)
_ACTION = re.compile(rb"\baction=\"([^\"]*)\"")
_REFRESH = re.compile(rb'<meta http-equiv="refresh" content="0;url=([^"]*)"')
_CSRF_INPUT = re.compile(rb"<input\b[^>]*\bname=\"csrf_token\"[^>]*>")
_VALUE = re.compile(rb"\bvalue=\"([^\"]*)\"")


@dataclass(frozen=True)
class Target:
    """The provider, and the application that sends the visitors."""

    port: int
    client_id: str
    client_secret: str

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def issuer(self) -> str:
        return f"http://{self.host}"

    @property
    def authorization(self) -> str:
        """The header line of ``client_secret_basic`` (RFC 6749 §2.3.1)."""
        pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
        return f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"


@dataclass
class Visitor:
    """A guardian's browser."""

    username: str = ""
    password: str = ""
    cookies: Cookies = field(default_factory=dict)


@dataclass
class Chain:
    """A family of refresh tokens, by its newest one."""

    refresh_token: str


def discovery(target: Target, step: str = "discovery") -> Plan:
    """Read the provider's metadata."""
    answer = yield Call(step, get_request("/.well-known/openid-configuration", target.host))
    expect(answer, 200, step)


def refresh(target: Target, chain: Chain) -> Plan:
    """Use a refresh token and keep its successor."""
    form = {"grant_type": "refresh_token", "refresh_token": chain.refresh_token}
    answer = yield Call(
        "refresh", post_request("/oauth2/token", target.host, form, target.authorization)
    )
    tokens = tokens_of(answer, "refresh")
    if tokens["refresh_token"] == chain.refresh_token:
        raise Unexpected("refresh: the refresh token was not rotated")
    chain.refresh_token = tokens["refresh_token"]


def key_set(target: Target, step: str = "key set") -> Plan:
    """Read the provider's keys."""
    answer = yield Call(step, get_request("/oauth2/jwks", target.host))
    expect(answer, 200, step)


def code_flow(target: Target, visitor: Visitor, scope: str = CODE_SCOPE) -> Plan:
    """Authorization with a living session, the code's exchange, UserInfo."""
    proof = Proof(scope)
    location = yield from authorized(proof.path(target), target, visitor)
    answer = yield Call("token", proof.exchange(target, location))
    access_token = tokens_of(answer, "token")["access_token"]
    bearer = f"Authorization: Bearer {access_token}\r\n"
    answer = yield Call("userinfo", get_request("/oauth2/userinfo", target.host, bearer))
    expect(answer, 200, "userinfo")
    if "child" in scope and b'"child"' not in answer.body:
        raise Unexpected("userinfo: names no child")


def new_chain(target: Target, visitor: Visitor, chain: Chain) -> Plan:
    """Fill ``chain`` with a first refresh token, by a code flow."""
    proof = Proof(REFRESH_SCOPE)
    location = yield from authorized(proof.path(target), target, visitor)
    answer = yield Call("token", proof.exchange(target, location))
    chain.refresh_token = tokens_of(answer, "token")["refresh_token"]


def sign_in(target: Target, visitor: Visitor) -> Plan:
    """Come from the application with an empty browser, sign in, and leave with a code."""
    yield Reconnect()
    cookies: Cookies = {}
    language = "Accept-Language: fr-BE,fr;q=0.9\r\n"
    path = Proof(CODE_SCOPE).path(target)
    answer = yield Call("authorize", get_request(path, target.host, language, cookies))
    for _ in range(MOST_HOPS):
        keep_cookies(answer, cookies)
        if answer.status == 200 and (onward := _REFRESH.search(answer.body)):
            _code(unescape(onward[1].decode()))
            return
        if answer.status == 200:
            step, request = "password", _filled_in(answer, path, target, visitor, cookies)
        else:
            path = _path(_location(answer, "sign-in"), target)
            step = "login page" if path.endswith("/login") else "resume"
            request = get_request(path, target.host, language, cookies)
        answer = yield Call(step, request)
    raise Unexpected("sign-in: goes round in circles")


class Proof:
    """One authorization request with PKCE (RFC 7636), and its exchange."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._verifier = secrets.token_urlsafe(32)
        self._state = secrets.token_urlsafe(8)
        self._nonce = secrets.token_urlsafe(8)

    def path(self, target: Target) -> str:
        return f"/oauth2/authorize?{urlencode(self.query(target))}"

    def query(self, target: Target) -> dict[str, str]:
        digest = hashlib.sha256(self._verifier.encode()).digest()
        return {
            "response_type": "code",
            "client_id": target.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": self._scope,
            "state": self._state,
            "nonce": self._nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

    def exchange(self, target: Target, location: str, headers: str | None = None) -> bytes:
        """``headers``: others than those by which the application authenticates."""
        if f"state={self._state}" not in location:
            raise Unexpected("authorize: state was not returned")
        form = {
            "grant_type": "authorization_code",
            "code": _code(location),
            "redirect_uri": REDIRECT_URI,
            "code_verifier": self._verifier,
        }
        return post_request("/oauth2/token", target.host, form, headers or target.authorization)


def _filled_in(
    page: Answer, path: str, target: Target, visitor: Visitor, cookies: Cookies
) -> bytes:
    """The login form of a page, with user name and password typed in."""
    form = _FORM.search(page.body)
    csrf = form and _CSRF_INPUT.search(form[1])
    value = csrf and _VALUE.search(csrf[0])
    if not form or not value:
        title = re.search(rb"<title>(.*?)</title>", page.body, re.DOTALL)
        raise Unexpected(f"sign-in: no login form on {title[1] if title else page.body[:80]!r}")
    action = _ACTION.search(form[0].split(b">", 1)[0])
    fields = {
        "csrf_token": unescape(value[1].decode()),
        "username": visitor.username,
        "password": visitor.password,
    }
    to = unescape(action[1].decode()) if action and action[1] else path
    origin = f"Origin: {target.issuer}\r\nReferer: {target.issuer}{path}\r\n"
    return post_request(_path(to, target), target.host, fields, origin, cookies)


def authorized(
    path: str, target: Target, visitor: Visitor
) -> Generator[Call | Wait | Reconnect, Answer, str]:
    """Ask, and go on where the provider leads; the address with the code at the end."""
    answer = yield Call("authorize", get_request(path, target.host, cookies=visitor.cookies))
    for _ in range(MOST_HOPS):
        keep_cookies(answer, visitor.cookies)
        location = _location(answer, "authorize")
        if location.startswith(REDIRECT_URI):
            return location
        answer = yield Call(
            "resume", get_request(_path(location, target), target.host, cookies=visitor.cookies)
        )
    raise Unexpected("authorize: goes round in circles")


def _location(answer: Answer, step: str) -> str:
    location = answer.header(b"location")
    if answer.status not in {302, 303} or location is None:
        expect(answer, 302, step)
        raise Unexpected(f"{step}: a redirect to nowhere")
    return location


def _path(location: str, target: Target) -> str:
    path = location.removeprefix(target.issuer)
    if not path.startswith("/"):
        raise Unexpected(f"a redirect to {location[:80]}")
    return path


def _code(location: str) -> str:
    match = _CODE.search(location)
    if not match:
        raise Unexpected(f"authorize: no code in {location[:200]}")
    return unquote(match[1])


def tokens_of(answer: Answer, step: str) -> dict[str, str]:
    """The answer of the token endpoint."""
    expect(answer, 200, step)
    tokens: dict[str, str] = json.loads(answer.body)
    if "access_token" not in tokens or "id_token" not in tokens:
        raise Unexpected(f"{step}: no access token or no ID token")
    return tokens
