"""What stands between the test provider and the world: it writes down, and answers wrongly.

A WSGI application around the provider's. Nothing in the provider knows of it; it changes what has
been answered already, and only while the robot says so (``while_answering``).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape, unescape
from io import BytesIO
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Request, Response

from idp.certify.forged import Forger
from idp.oidc.keys import Keyring

Fields = dict[str, str]
_ONWARD: Final = re.compile(r'http-equiv="refresh" content="0;url=([^"]*)"')
_HIDDEN: Final = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
_POSTED: Final = re.compile(r'<form id="form-post" method="post" action="([^"]*)"')
_LONGEST_BODY: Final = 64 * 1024


@dataclass
class Wrong:
    """How to answer from now on, and whether that has happened."""

    fields: Callable[[Fields], Fields] | None = None
    """Changes what the browser brings the application."""
    id_token: Forger | None = None
    userinfo: dict[str, Any] | None = None
    hold: bool = False
    """The browser stays with us; ``held`` is where it would have gone."""
    held: str = ""
    times: int = 0


@dataclass
class WrongAnswers:
    """``learn`` is told of each request that an application makes, before it is answered."""

    application: Callable[..., Iterable[bytes]]
    keyring: Keyring
    learn: Callable[[str, Request], None]
    requests: list[Fields] = field(default_factory=list)
    """The parameters of each authorization request, the newest last."""
    answered: list[str] = field(default_factory=list)
    """Where browsers were sent to the application, the newest last."""
    _wrong: Wrong | None = None

    @contextmanager
    def while_answering(self, wrong: Wrong) -> Iterator[Wrong]:
        """Answer wrongly until the block ends."""
        self._wrong = wrong
        try:
            yield wrong
        finally:
            self._wrong = None

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/oauth2/") and environ.get("REQUEST_METHOD") in {"GET", "POST"}:
            request = _readable(environ)
            if path == "/oauth2/authorize":
                self.requests.append(dict(request.values.items()))
            self.learn(path.removeprefix("/oauth2/"), request)
            environ["wsgi.input"].seek(0)
        chunks, status, headers = run_wsgi_app(self.application, environ, buffered=True)
        response = Response(chunks, status, headers)
        return self._changed(path, response)(environ, start_response)

    def _changed(self, path: str, response: Response) -> Response:
        if path == "/oauth2/token" and response.status_code == 200:
            return self._token(response)
        if path == "/oauth2/userinfo" and response.status_code == 200:
            return self._userinfo(response)
        return self._on_the_way(response)

    def _token(self, response: Response) -> Response:
        wrong, document = self._wrong, json.loads(response.get_data())
        if wrong is None or wrong.id_token is None or "id_token" not in document:
            return response
        wrong.times += 1
        document["id_token"] = wrong.id_token(document["id_token"], self.keyring)
        return _with_body(response, json.dumps(document))

    def _userinfo(self, response: Response) -> Response:
        wrong = self._wrong
        if wrong is None or wrong.userinfo is None:
            return response
        wrong.times += 1
        return _with_body(response, json.dumps(json.loads(response.get_data()) | wrong.userinfo))

    def _on_the_way(self, response: Response) -> Response:
        """An answer that sends the browser to the application, by one of three ways."""
        location = response.headers.get("Location", "")
        if _is_answer(location):
            response.headers["Location"] = self._address(location)
            return self._held(response)
        if response.mimetype != "text/html" or response.status_code != 200:
            return response
        page = response.get_data(as_text=True)
        onward = _ONWARD.search(page)
        if onward and _is_answer(unescape(onward[1])):
            changed = escape(self._address(unescape(onward[1])))
            return self._held(_with_body(response, page.replace(onward[1], changed)))
        if form := _POSTED.search(page):
            return self._held(_with_body(response, self._form(page, unescape(form[1]))))
        return response

    def _address(self, address: str) -> str:
        parts = urlsplit(address)
        fields = self._fields(dict(parse_qsl(parts.query, keep_blank_values=True)))
        changed = urlunsplit(parts._replace(query=urlencode(fields)))
        self._note(changed)
        return changed

    def _form(self, page: str, action: str) -> str:
        hidden = {name: unescape(value) for name, value in _HIDDEN.findall(page)}
        fields = self._fields(hidden)
        self._note(f"{action}?{urlencode(fields)}")
        kept = _HIDDEN.sub("", page)
        inputs = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in fields.items()
        )
        return _POSTED.sub(lambda form: form[0], kept).replace("</form>", f"{inputs}</form>")

    def _fields(self, fields: Fields) -> Fields:
        if self._wrong is None or self._wrong.fields is None or "error" in fields:
            return fields
        self._wrong.times += 1
        return self._wrong.fields(fields)

    def _note(self, address: str) -> None:
        self.answered.append(address)
        if self._wrong is not None and self._wrong.hold:
            self._wrong.held = address

    def _held(self, response: Response) -> Response:
        if self._wrong is None or not self._wrong.hold:
            return response
        return Response("<p>The robot keeps this answer.</p>", mimetype="text/html")


def _is_answer(address: str) -> bool:
    """Whether this is an authorization response (RFC 6749 §4.1.2), to whomever."""
    names = {name for name, _value in parse_qsl(urlsplit(address).query)}
    return bool(urlsplit(address).netloc) and bool(names & {"code", "error"})


def _readable(environ: dict[str, Any]) -> Request:
    """The request, whose body the provider reads after us."""
    length = min(int(environ.get("CONTENT_LENGTH") or 0), _LONGEST_BODY)
    body = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = BytesIO(body)
    return Request({**environ, "wsgi.input": BytesIO(body)})


def _with_body(response: Response, body: str) -> Response:
    response.set_data(body)
    return response
