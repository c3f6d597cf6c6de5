"""One test provider for the whole folder; each application gets a fresh test school."""

from collections.abc import Callable, Iterator, Mapping
from threading import Thread
from typing import Any
from urllib.parse import urljoin

import pytest
from flask import Flask
from werkzeug.serving import make_server

from idp.certify import provider, run
from idp.certify.provider import TestProvider
from idp.certify.robot import HttpBrowser
from idp.certify.trial import Trial
from idp.certify.visitor import Target
from idp.clients.certification import Report

PATIENCE = 3

Tried = Callable[..., Report]


@pytest.fixture(scope="session")
def test_provider() -> Iterator[TestProvider]:
    with provider.running(port=0) as running:
        yield running


@pytest.fixture
def tried(test_provider: TestProvider) -> Tried:
    """Tries what answers at an address.

    ``told``: where it takes what it is told; ``changes``: of ``Target``.
    """

    def tried(
        home: str,
        *only: str,
        patience: float = PATIENCE,
        told: Mapping[str, str] | None = None,
        **changes: str,
    ) -> Report:
        test_provider.registration.home = home
        test_provider.registration.told_at = {
            field: urljoin(home, path) for field, path in (told or {}).items()
        }
        school = test_provider.enrol()
        target = Target(home, **changes)
        return run.report(Trial(test_provider, school, target, HttpBrowser, patience), only)

    return tried


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[str], Flask]], str]]:
    """Serves an application that is made for the address that it gets; returns the address."""
    running: list[tuple[Any, Thread]] = []

    def serve(make: Callable[[str], Flask]) -> str:
        server = make_server("127.0.0.1", 0, Flask("not yet"), threaded=True)
        home = f"http://127.0.0.1:{server.port}/"
        server.app = make(home)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        running.append((server, thread))
        return home

    yield serve
    for server, thread in running:
        server.shutdown()
        thread.join(10)
        server.server_close()
