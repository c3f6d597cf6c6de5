"""Where a server of ours listens: at an address, or at a name that has one."""

import errno
import socket
from typing import Any

from idp.cli.errors import BadInput


def place_of(host: str, port: int | None) -> tuple[socket.AddressFamily, Any]:
    """The family and the address of a host, in brackets or not. Raises ``OSError``."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        family, _, _, _, address = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)[0]
    except UnicodeError as error:  # what can be no name
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from error
    return family, address


def resolved(host: str) -> str:
    """The address of a name, such as localhost, which not every server takes; an IPv6 address
    with its brackets, too. Raises ``BadInput``.
    """
    try:
        return str(place_of(host, None)[1][0])
    except socket.gaierror as error:
        raise BadInput(f"there is no address {host}") from error


def check_port(host: str, port: int) -> None:
    """Refuse an address that can't be listened at, or is taken. Raises ``BadInput``."""
    # The workers listen with SO_REUSEPORT and would silently share a port with a stranger.
    try:
        family, address = place_of(host, port)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise BadInput(f"port {port} at {host} is taken by another program") from error
        raise BadInput(f"can't listen at {host} port {port}: {error.strerror}") from error
