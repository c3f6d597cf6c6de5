"""Waits until every part of the demo answers."""

import socket
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from examples.demo.ports import HOST, Ports
from examples.demo.processes import Parts

START_SECONDS = 60
PAUSE_SECONDS = 0.1
_opener = build_opener(ProxyHandler({}))


class TooSlow(Exception):
    """A part runs but does not answer."""


def wait(document: Mapping[str, Any], ports: Ports, parts: Parts) -> None:
    """Return once all answer, or a stop is asked; raises ``TooSlow`` or ``PartEnded``."""
    checks: dict[str, Callable[[], bool]] = {
        "the mailbox": lambda: _greets(ports.smtp),
        "the provider": lambda: _answers(f"{document['issuer']}/health/ready"),
        "the portal": lambda: _answers(f"http://{HOST}:{ports.portal}/health"),
        "the second portal": lambda: _answers(f"http://{HOST}:{ports.portal2}/health"),
    }
    for each in document["providers"]:
        address = f"{each['url']}/health"
        checks[each["label"]] = lambda address=address: _answers(address)  # type: ignore[misc]
    end = monotonic() + START_SECONDS
    for name, ready in checks.items():
        while not ready():
            parts.check()
            if parts.stop.wait(PAUSE_SECONDS):
                return
            if monotonic() > end:
                raise TooSlow(f"{name} does not answer after {START_SECONDS} seconds")


def _answers(url: str) -> bool:
    try:
        with _opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            return connection.recv(3) == b"220"
    except OSError:
        return False
