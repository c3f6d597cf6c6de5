"""What travels: a request as bytes, an answer, and the plan of a visitor.

A plan is a generator: it yields a ``Call`` and gets the ``Answer``. It knows no socket, so
the same plan runs over the network (``bench.wire``) and inside the provider's own process
(``bench.inside``), where it can be profiled.
"""

from collections.abc import Generator
from typing import NamedTuple
from urllib.parse import urlencode

Cookies = dict[str, str]


class Call(NamedTuple):
    """One request. ``step`` names it in the table of steps."""

    step: str
    request: bytes


class Answer(NamedTuple):
    """One response, with the seconds from the last byte sent to the last byte read."""

    status: int
    head: bytes
    body: bytes
    seconds: float

    def header(self, name: bytes) -> str | None:
        """The value of the first header ``name`` (lower case, without the colon)."""
        start = self.head.lower().find(b"\r\n" + name + b":")
        if start < 0:
            return None
        end = self.head.find(b"\r\n", start + 2)
        value = self.head[start + len(name) + 3 : end if end > 0 else None]
        return value.strip().decode("latin-1")


class Wait(NamedTuple):
    """Let others go on until this moment of ``time.perf_counter()``."""

    until: float


class Reconnect(NamedTuple):
    """Close the connection; the next call opens another, as the next visitor's browser would."""


Plan = Generator[Call | Wait | Reconnect, Answer, None]


class Unexpected(Exception):
    """The provider answered something else than the plan needs."""


def get_request(path: str, host: str, headers: str = "", cookies: Cookies | None = None) -> bytes:
    """A GET request. ``headers``: complete lines, each with its line end."""
    return (f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}{cookie_line(cookies)}\r\n").encode(
        "latin-1"
    )


def post_request(
    path: str,
    host: str,
    form: dict[str, str],
    headers: str = "",
    cookies: Cookies | None = None,
) -> bytes:
    """A form post."""
    body = urlencode(form)
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n{headers}{cookie_line(cookies)}\r\n{body}"
    ).encode("latin-1")


def cookie_line(cookies: Cookies | None) -> str:
    """The Cookie header, or nothing."""
    if not cookies:
        return ""
    return "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()) + "\r\n"


def keep_cookies(answer: Answer, cookies: Cookies) -> None:
    """Do as the answer's Set-Cookie headers say."""
    if b"et-cookie:" not in answer.head and b"et-Cookie:" not in answer.head:
        return
    for line in answer.head.split(b"\r\n"):
        if line[:11].lower() == b"set-cookie:":
            name, _, value = line[11:].partition(b";")[0].strip().partition(b"=")
            if value:
                cookies[name.decode("latin-1")] = value.decode("latin-1")
            else:
                cookies.pop(name.decode("latin-1"), None)


def expect(answer: Answer, status: int, step: str) -> None:
    """Raise ``Unexpected`` unless the answer has this status."""
    if answer.status != status:
        body = answer.body[:160].decode("utf-8", "replace").replace("\n", " ")
        raise Unexpected(f"{step}: {answer.status} instead of {status}: {body}")
