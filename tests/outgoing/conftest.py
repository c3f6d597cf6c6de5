"""Servers with and without TLS, and names that mean what a test says."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from idp.outgoing import session
from tests.outgoing import servers
from tests.outgoing.servers import Server

NAME = "client.example"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server without TLS."""
    with servers.running() as made:
        yield made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return servers.certificate(tmp_path_factory.mktemp("tls"), NAME)


@pytest.fixture
def tls_server(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of the name ``NAME``, whose certificate this system trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    session._tls.cache_clear()
    with servers.running(context) as made:
        yield made
    session._tls.cache_clear()


class Names:
    """What names mean; ``lookups`` holds those that were asked for."""

    def __init__(self) -> None:
        self.lookups: list[str] = []
        self.answers: dict[str, list[list[str]]] = {}

    def mean(self, name: str, *answers: list[str]) -> None:
        """One answer after the other, the last one for ever."""
        self.answers[name] = list(answers)

    def getaddrinfo(self, host: str, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if host not in self.answers:
            return _getaddrinfo(host, port, *args, **kwargs)
        self.lookups.append(host)
        coming = self.answers[host]
        addresses = coming.pop(0) if len(coming) > 1 else coming[0]
        return [
            (
                socket.AF_INET6 if ":" in each else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (each, port),
            )
            for each in addresses
        ]


_getaddrinfo = socket.getaddrinfo


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    return made


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def strict(app: Flask, no_proxy: None) -> Flask:
    """The provider as it runs in earnest: the demo's loopback is nothing special."""
    change(app, demo=False)
    return app


def change(app: Flask, **settings: object) -> None:
    """Change settings of the running application."""
    app.extensions["idp.settings"] = replace(app.extensions["idp.settings"], **settings)
