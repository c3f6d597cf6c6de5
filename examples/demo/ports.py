"""Which TCP ports the demo's parts listen at, and whether they are free."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
DEFAULTS = {
    "IDP_PORT": 8000,
    "PORTAL_PORT": 8001,
    "PORTAL2_PORT": 8002,
    "SMTP_PORT": 8025,
    "GOOGLE_PORT": 8003,
    "FACEBOOK_PORT": 8004,
    "CABANGA_PORT": 8005,
}


class PortTrouble(Exception):
    """A port can't be used; the text is one line for whoever started the demo."""


@dataclass(frozen=True)
class Ports:
    """The port of each part."""

    provider: int
    portal: int
    portal2: int
    smtp: int
    google: int
    facebook: int
    cabanga: int


def choose(environment: Mapping[str, str]) -> Ports:
    """The ports that the environment asks for; raises ``PortTrouble`` unless all are free."""
    chosen: dict[int, str] = {}
    for variable, default in DEFAULTS.items():
        port = _number(variable, environment.get(variable) or str(default))
        if port in chosen:
            raise PortTrouble(f"{chosen[port]} and {variable} are both {port}: choose another")
        chosen[port] = variable
    for port, variable in chosen.items():
        _check_free(variable, port)
    return Ports(*chosen)


def _number(variable: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise PortTrouble(f"{variable} is {text[:40]!r}, not a port between 1 and 65535")
    return int(text)


def _check_free(variable: str, port: int) -> None:
    with socket.socket() as probe:
        # As servers do: the closed connections of an earlier run don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            reason = "is taken by another program"
            if error.errno != errno.EADDRINUSE:
                reason = f"can't be used ({error.strerror})"
            advice = f"choose another with {variable}=… make demo"
            raise PortTrouble(f"port {port} ({variable}) {reason}: {advice}") from None
