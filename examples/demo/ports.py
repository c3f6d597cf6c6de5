"""Which TCP ports the demo's parts listen at, and whether they are free."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
"""By what the provider may be called: browsers make passkeys for a name, never for a number."""
DEFAULTS = {
    "IDP_PORT": 8000,
    "PORTAL_PORT": 8001,
    "PORTAL2_PORT": 8002,
    "SMTP_PORT": 8025,
    "GOOGLE_PORT": 8003,
    "FACEBOOK_PORT": 8004,
    "CABANGA_PORT": 8005,
}
ANYWHERE = ("GOOGLE_PORT", "FACEBOOK_PORT", "CABANGA_PORT")
"""Parts that nobody has to know by heart: they step aside where their usual port is taken."""


class PortTrouble(Exception):
    """A port can't be used; the text is one line for whoever started the demo."""


@dataclass(frozen=True)
class Ports:
    """The port of each part, and the provider's name."""

    provider: int
    portal: int
    portal2: int
    smtp: int
    google: int
    facebook: int
    cabanga: int
    name: str = HOST

    @property
    def issuer(self) -> str:
        """The provider's address."""
        return f"http://{self.name}:{self.provider}"


def choose(environment: Mapping[str, str]) -> Ports:
    """The ports that the environment asks for; raises ``PortTrouble`` unless all are free."""
    name = environment.get("IDP_NAME") or HOST
    if name not in NAMES:
        raise PortTrouble(f"IDP_NAME is {name[:40]!r}, neither {' nor '.join(NAMES)}")
    chosen: dict[int, str] = {}
    for variable, default in DEFAULTS.items():
        wanted = environment.get(variable)
        if not wanted and variable in ANYWHERE:
            others = {*DEFAULTS.values()} - {default}
            chosen[_usual_or_free(default, {*chosen, *others})] = variable
            continue
        port = _number(variable, wanted or str(default))
        if port in chosen:
            raise PortTrouble(f"{chosen[port]} and {variable} are both {port}: choose another")
        _check_free(variable, port)
        chosen[port] = variable
    return Ports(*chosen, name=name)


def _usual_or_free(usual: int, others: set[int]) -> int:
    """The usual port, or one that is free now, where another program or part has it."""
    try:
        if usual not in others:
            _check_free("", usual)
            return usual
    except PortTrouble:
        pass
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            free = int(probe.getsockname()[1])
        if free not in others:
            return free


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
