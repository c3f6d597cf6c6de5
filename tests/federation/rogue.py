"""A provider that answers what a test tells it, over a raw socket's worth of HTTP.

It shares no code with the provider under test: the standard library serves, joserfc signs.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "our-client"
SECRET = "our-secret-at-the-provider"
KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k2", "use": "sig", "alg": "RS256"})


@dataclass
class Reply:
    """What is sent back; ``raw`` in place of everything."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    wait: float = 0
    drip: float = 0
    """Seconds between two bytes of the body."""

    @classmethod
    def json(cls, document: Any, **more: Any) -> "Reply":
        return cls(json.dumps(document).encode(), **more)


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


class Rogue:
    """The provider: ``metadata``, ``keys``, ``claims`` and whole ``replies`` may be changed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[Asked] = []
        self.metadata: dict[str, Any] = {
            "issuer": address,
            "authorization_endpoint": f"{address}/authorize",
            "token_endpoint": f"{address}/token",
            "jwks_uri": f"{address}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": True,
        }
        self.keys = [KEY]
        self.sign_with: RSAKey = KEY
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "k1"}
        self.claims: dict[str, Any] = {}
        self.without: set[str] = set()
        self.replies: dict[str, Reply | Callable[[Asked], Reply]] = {}
        self.nonce = ""
        self.person = "1001"
        self.debug: dict[str, Any] = {}
        self.profile: dict[str, Any] = {}

    def count(self, path: str) -> int:
        return sum(1 for each in self.asked if each.path == path)

    def last(self, path: str) -> Asked:
        return [each for each in self.asked if each.path == path][-1]

    def reply(self, asked: Asked) -> Reply:
        told = self.replies.get(asked.path)
        if told is not None:
            return told(asked) if callable(told) else told
        match asked.path:
            case "/.well-known/openid-configuration":
                return Reply.json(self.metadata)
            case "/keys":
                public = [key.as_dict(private=False) for key in self.keys]
                return Reply.json({"keys": public})
            case "/token":
                return Reply.json(
                    {
                        "access_token": "upstream-token",
                        "token_type": "Bearer",
                        "expires_in": 300,
                        "id_token": self.id_token(),
                    }
                )
            case "/v26.0/oauth/access_token":
                return Reply.json({"access_token": "fb-token", "token_type": "bearer"})
            case "/debug_token":
                data = {
                    "app_id": CLIENT_ID,
                    "is_valid": True,
                    "type": "USER",
                    "user_id": self.person,
                    **self.debug,
                }
                return Reply.json({"data": data})
            case "/v26.0/me":
                return Reply.json({"id": self.person, "name": "Luc", **self.profile})
        return Reply(b"no", 404)

    def id_token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.address,
            "sub": self.person,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "email": "claire@example.org",
            "email_verified": True,
            **self.claims,
        }
        kept = {name: value for name, value in claims.items() if name not in self.without}
        return jwt.encode(self.header, kept, self.sign_with, algorithms=["RS256", "HS256"])

    def answer(self, address: str, **changes: str | None) -> str:
        """The callback's path, as if the person had agreed at ``address``."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.nonce = asked.get("nonce", "")
        fields = {"code": "c0de", "state": asked["state"], "iss": self.address, **changes}
        given = {name: text for name, text in fields.items() if text is not None}
        return f"{urlsplit(asked['redirect_uri']).path}?{urlencode(given)}"


def signed_request(secret: str = SECRET, **payload: Any) -> str:
    """What Facebook posts to its callbacks."""
    document = {"algorithm": "HMAC-SHA256", "user_id": "1001", **payload}
    text = base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=")
    signature = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return f"{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}.{text.decode()}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        rogue, stopping = self.server.rogue, self.server.stopping  # type: ignore[attr-defined]
        asked = self._asked()
        rogue.asked.append(asked)
        reply = rogue.reply(asked)
        if stopping.wait(reply.wait):
            return
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            pieces = [bytes([each]) for each in reply.body] if reply.drip else [reply.body]
            for piece in pieces:
                self.wfile.write(piece)
                if stopping.wait(reply.drip):
                    return
        except OSError:
            return  # the other end had enough

    def _asked(self) -> Asked:
        length = int(self.headers.get("Content-Length") or 0)
        form = parse_qs(self.rfile.read(length).decode())
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        return Asked(
            self.command,
            parts.path,
            {name: values[0] for name, values in query.items()},
            {name: values[0] for name, values in form.items()},
            dict(self.headers),
        )

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def serving() -> Iterator[Rogue]:
    """Run a rogue provider until the block ends."""

    stopping = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    rogue = Rogue(f"http://127.0.0.1:{server.server_port}")
    server.rogue, server.stopping = rogue, stopping  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield rogue
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
