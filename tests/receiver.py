"""An application's own server, over HTTP: it writes down what it is told, and answers as told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qsl

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet


@dataclass(frozen=True)
class Heard:
    """A request that came."""

    path: str
    content_type: str
    body: str

    @property
    def token(self) -> str:
        """The token that it carries: in a form field, or as the whole body."""
        if self.content_type == "application/secevent+jwt":
            return self.body
        ((name, value),) = parse_qsl(self.body)
        assert name == "logout_token"
        return value


@dataclass
class Receiver:
    """Where it listens, what it heard, and what it answers."""

    address: str
    heard: list[Heard] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    """What a browser asked for; it gets a page."""
    status: int = 200
    answer: bytes = b""
    location: str | None = None
    wait: float = 0
    """Seconds before it answers."""
    echoes: bool = False
    """Whether it refuses everything with what it was sent in its error."""

    def registered(self, *events: str) -> dict[str, Any]:
        """The metadata by which it hears of everything, of these events or of all."""
        return {
            "redirect_uris": [f"{self.address}/callback"],
            "post_logout_redirect_uris": [],
            "backchannel_logout_uri": f"{self.address}/logout",
            "security_events_uri": f"{self.address}/events",
            **({"security_events": list(events)} if events else {}),
        }

    def refuses(self, status: int, **said: str) -> None:
        self.status, self.answer = status, json.dumps(said).encode() if said else b""

    def tokens(self, path: str) -> list[str]:
        return [each.token for each in self.heard if each.path == path]

    def logouts(self, http: FlaskClient) -> list[dict[str, Any]]:
        """The claims of the logout tokens that came, each verified with the published keys."""
        return [claims(http, each, "logout+jwt") for each in self.tokens("/logout")]

    def events(self, http: FlaskClient) -> list[dict[str, Any]]:
        """The same of security events."""
        return [claims(http, each, "secevent+jwt") for each in self.tokens("/events")]


def claims(http: FlaskClient, token: str, kind: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(http.get("/oauth2/jwks").json)  # type: ignore[arg-type]
    found = jwt.decode(token, keys, algorithms=["RS256", "ES256", "EdDSA"])
    assert found.header["typ"] == kind
    return dict(found.claims)


@contextmanager
def running() -> Iterator[Receiver]:
    """A receiver on a port of its own until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    server.receiver = receiver  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(condition: Any, seconds: float = 15) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "waited in vain"
        sleep(0.02)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        receiver.heard.append(Heard(self.path, self.headers.get("Content-Type", ""), body))
        sleep(receiver.wait)
        if receiver.echoes:
            receiver.refuses(400, error=body)
        self.send_response(receiver.status)
        if receiver.location:
            self.send_header("Location", receiver.location)
        self.send_header("Content-Length", str(len(receiver.answer)))
        self.end_headers()
        self.wfile.write(receiver.answer)

    def do_GET(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        receiver.opened.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>application</title><p>here</p>")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
