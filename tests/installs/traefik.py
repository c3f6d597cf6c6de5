"""What Traefik does with ``forwardAuth``: each request is first asked about, with these headers.

``forwardAuth.ServeHTTP`` and ``writeHeader`` of ``pkg/middlewares/auth/forward.go``, without
``trustForwardHeader``. Its module does not let itself be built by ``go install``.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import requests

from tests.installs.stacks import PAGES

PAGE = (PAGES / "traefik.md").read_text()
_HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers"),
    *("transfer-encoding", "upgrade", "content-length", "content-encoding", "date", "server"),
}


def response_headers() -> list[str]:
    """Those that the page hands to what is behind."""
    found = re.search(r"authResponseHeaders:\n((?: +- \".*\"\n)+)", PAGE)
    assert found, "the page hands nothing on"
    return re.findall(r'"(.*)"', found[1])


def changed(settings: str) -> str:
    """oauth2-proxy's settings with those that the page changes."""
    found = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found
    own = [line.partition(" = ")[0] for line in found[1].splitlines()]
    kept = [line for line in settings.splitlines() if line.partition(" = ")[0] not in own]
    return "\n".join([*kept, found[1]])


class _Traefik(ThreadingHTTPServer):
    school = homework = ""


class _Request(BaseHTTPRequestHandler):
    server: _Traefik

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        asking = self._plain() | self._forwarded()
        if self.path.startswith("/oauth2/"):
            return self._answers(f"{self.server.school}{self.path}", asking)
        asked = self._asks(f"{self.server.school}/", asking)
        if not 200 <= asked.status_code < 300:
            return self._passes_on(asked)
        handed = {each: asked.headers[each] for each in response_headers()}
        kept = {name: value for name, value in self._plain().items() if name not in handed}
        return self._answers(f"{self.server.homework}{self.path}", {**kept, **handed})

    def _plain(self) -> dict[str, str]:
        return {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}

    def _forwarded(self) -> dict[str, str]:
        return {
            "X-Forwarded-For": self.client_address[0],
            "X-Forwarded-Method": self.command,
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": self.headers["Host"],
            "X-Forwarded-Uri": self.path,
        }

    def _asks(self, address: str, headers: dict[str, str]) -> requests.Response:
        return requests.get(address, headers=headers, allow_redirects=False, timeout=30)

    def _answers(self, address: str, headers: dict[str, str]) -> None:
        self._passes_on(self._asks(address, headers))

    def _passes_on(self, response: requests.Response) -> None:
        self.send_response(response.status_code)
        for name, value in response.raw.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.content)


@contextmanager
def routing(port: int, school: str, homework: str) -> Iterator[None]:
    """At this port, as the page routes: ``school`` is oauth2-proxy, ``homework`` what is behind."""
    server = _Traefik(("127.0.0.1", port), _Request)
    server.school, server.homework = school, homework
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
