"""What visitors do: sign in, walk the code flow, refresh, ask UserInfo, look at the desk.

What was answered as done is kept: it must be so still, whatever broke meanwhile.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import urllib3
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.factories import PASSWORD
from tests.faults.door import NAME, Door, Trouble
from tests.relying_party import form_of, way_on

CALLBACK = "https://portal.example/callback"
SCOPE = "openid child offline_access"
SESSION = "__Host-idp_session"
GOOD = (200, 302, 303)
"""What a browser is answered that gets what it came for."""
ORIGIN = f"https://{NAME}"


@dataclass
class Done:
    """What was answered as done, by the secrets that were handed out for it."""

    sessions: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    access: list[str] = field(default_factory=list)
    refresh: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    """The newest refresh token of each sign-in, which nobody has used yet."""


class Application:
    """A relying party. It keeps our keys for an hour and asks for no others meanwhile."""

    def __init__(self, door: Door, registered: tuple[str, str], done: Done) -> None:
        self._door, self._done = door, done
        self.client_id, secret = registered
        pair = f"{self.client_id}:{secret}"
        self._authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._keys: KeySet | None = None  # no test lasts an hour
        self.last_kid = ""
        """The key that signed the last ID token."""
        self.last_issued_at = 0
        """When that was, by the provider's clock."""

    def learn_keys(self) -> None:
        if self._keys is None:
            answer = self._door.ask("keys", "GET", "/oauth2/jwks")
            self._keys = KeySet.import_key_set(answer.json())

    def redeem(self, code: str, verifier: str) -> dict[str, Any]:
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
        tokens = self._tokens("code", {**form, "redirect_uri": CALLBACK})
        self._done.codes.append(code)
        self._keep(tokens)
        return tokens

    def refresh(self, token: str) -> dict[str, Any]:
        tokens = self._tokens("refresh", {"grant_type": "refresh_token", "refresh_token": token})
        self._keep(tokens)
        return tokens

    def user_info(self, access_token: str) -> None:
        bearer = {"Authorization": f"Bearer {access_token}"}
        answer = self._door.ask("UserInfo", "GET", "/oauth2/userinfo", headers=bearer)
        assert "child" in answer.json()

    def ask_about(self, access_token: str) -> None:
        """Introspect it (RFC 7662)."""
        answer = self._send("introspection", "/oauth2/introspect", {"token": access_token})
        assert answer.json()["active"] is True

    def give_back(self, refresh_token: str) -> None:
        """Revoke it (RFC 7009)."""
        self._send("revocation", "/oauth2/revoke", {"token": refresh_token})

    def push(self) -> None:
        """Push an authorization request that nobody follows (RFC 9126)."""
        form = authorization_request(self.client_id, secrets.token_urlsafe(32))
        self._send("PAR", "/oauth2/par", form, good=(201,))

    def _tokens(self, kind: str, form: dict[str, str]) -> dict[str, Any]:
        tokens: dict[str, Any] = self._send(kind, "/oauth2/token", form).json()
        return tokens

    def _send(
        self, kind: str, path: str, form: dict[str, str], good: tuple[int, ...] = (200,)
    ) -> urllib3.BaseHTTPResponse:
        sender = {"Authorization": self._authorization}
        return self._door.ask(kind, "POST", path, form=form, headers=sender, good=good)

    def _keep(self, tokens: dict[str, Any]) -> None:
        self._done.access.append(tokens["access_token"])
        self._done.refresh.append(tokens["refresh_token"])
        self._verify(tokens["id_token"])

    def _verify(self, id_token: str) -> None:
        self.learn_keys()
        assert self._keys is not None
        try:
            token = jwt.decode(id_token, self._keys, algorithms=["RS256"])
            self.last_kid = token.header["kid"]
            self.last_issued_at = token.claims["iat"]
        except (JoseError, ValueError) as error:
            trouble = type(error).__name__
        else:
            trouble = ""
        self._door.answers.note("ID token", trouble)
        if trouble:
            raise Trouble(trouble)


def authorization_request(client_id: str, verifier: str) -> dict[str, str]:
    """Its fields, with PKCE (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "scope": SCOPE,
        "state": secrets.token_urlsafe(8),
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }


class Browser:
    """A browser without JavaScript: it keeps cookies, and goes where it is led to."""

    def __init__(self, door: Door, **cookies: str) -> None:
        self._door = door
        self.cookies = dict(cookies)
        self.page = ""

    def open(self, kind: str, path: str) -> str:
        """Open a page; the address where it leads to elsewhere, else nothing."""
        return self._follow(kind, self._ask(kind, "GET", path))

    def submit(
        self,
        kind: str,
        form_id: str,
        file: tuple[str, bytes] | None = None,
        good: tuple[int, ...] = GOOD,
        **fields: str,
    ) -> str:
        """Fill in and send a form of the page; the same."""
        action, hidden = form_of(self.page, form_id)
        answer = self._ask(kind, "POST", action, {**hidden, **fields}, file, good)
        return self._follow(kind, answer, good)

    def send(self, kind: str, path: str, **fields: str) -> str:
        """Send a form that the page has, but for its name; the same."""
        return self._follow(kind, self._ask(kind, "POST", path, fields))

    def _follow(
        self, kind: str, answer: urllib3.BaseHTTPResponse, good: tuple[int, ...] = GOOD
    ) -> str:
        for _ in range(8):
            self.page = answer.data.decode()
            on = answer.headers.get("Location") or way_on(self.page)
            if not on or urlsplit(on).netloc not in {"", NAME}:
                return on
            answer = self._ask(kind, "GET", on.removeprefix(ORIGIN), good=good)
        raise Trouble(f"{kind}: led in a circle")

    def _ask(
        self,
        kind: str,
        method: str,
        path: str,
        form: dict[str, str] | None = None,
        file: tuple[str, bytes] | None = None,
        good: tuple[int, ...] = GOOD,
    ) -> urllib3.BaseHTTPResponse:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies, "Origin": ORIGIN, "Referer": f"{ORIGIN}/"}
        answer = self._door.ask(
            kind, method, path, form=form, file=file, headers=headers, good=good
        )
        for each in answer.headers.getlist("Set-Cookie"):
            name, _, value = each.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer


class Visit:
    """A parent's visit, from the application to us and back."""

    def __init__(self, door: Door, application: Application, done: Done) -> None:
        self._application, self._done = application, done
        self.browser = Browser(door)
        self.tokens: dict[str, Any] = {}

    def sign_in(self, username: str, password: str = PASSWORD) -> None:
        """By password, in an empty browser."""
        path, verifier = self.request()
        self.browser.open("way in", path)
        on = self.browser.submit("sign-in", "login-form", username=username, password=password)
        self._done.sessions.append(self.browser.cookies[SESSION])
        self.redeem(on, verifier)

    def come_again(self) -> None:
        """With the session that is there: nothing is asked."""
        path, verifier = self.request()
        self.redeem(self.browser.open("way in", path), verifier)

    def look_in(self) -> None:
        """What the application does with its tokens, and the parent at home with us."""
        self._application.user_info(self.tokens["access_token"])
        self.tokens = self._application.refresh(self.tokens["refresh_token"])
        self.browser.open("home", "/")
        assert 'id="sign-out"' in self.browser.page

    def leave(self) -> None:
        self._done.ends.append(self.tokens["refresh_token"])

    def request(self, **more: str) -> tuple[str, str]:
        """The address that the application sends them to, and its verifier."""
        verifier = secrets.token_urlsafe(32)
        query = authorization_request(self._application.client_id, verifier) | more
        return f"/oauth2/authorize?{urlencode(query)}", verifier

    def redeem(self, on: str, verifier: str) -> None:
        """Have the application exchange the code with which they are sent back."""
        fields = parse_qs(urlsplit(on).query)
        if "code" not in fields:
            raise Trouble(f"no code at {on[:80]!r}: {self.browser.page[:500]}")
        self.tokens = self._application.redeem(fields["code"][0], verifier)
