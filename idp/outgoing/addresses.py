"""Which addresses a host has, asked once and in time, and which of them clients may name."""

import socket
from collections.abc import Sequence
from functools import cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread
from typing import Final

from idp import settings
from idp.outgoing.trouble import Away, Busy, NotAllowed

Address = IPv4Address | IPv6Address

LOOKUPS_AT_ONCE: Final = 16
"""Threads of a worker that ask for names: a resolver that is silent must not collect them."""
MOST_ADDRESSES: Final = 8

_NAT64: Final = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")
_NOT_PUBLIC: Final = tuple(
    ip_network(each)
    for each in (
        *("192.0.0.0/24", "192.88.99.0/24"),
        *("64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16"),
    )
)
"""IANA's registries of special-purpose addresses, where some releases of Python lag behind."""
_lookups: Final = BoundedSemaphore(LOOKUPS_AT_ONCE)


def resolve(host: str, port: int, seconds: float) -> list[Address]:
    """The addresses of a host, asked for once. Raises ``Away`` where none comes in time.

    In a thread of its own: the resolver of the system knows no deadline.
    """
    try:
        return [ip_address(host)]
    except ValueError:
        pass
    if not _lookups.acquire(blocking=False):
        raise Busy("busy")
    answers: SimpleQueue[list[Address]] = SimpleQueue()
    Thread(target=_look_up, args=(host, port, answers), daemon=True).start()
    try:
        addresses = answers.get(timeout=max(seconds, 0.001))
    except Empty:
        raise Away("slow") from None
    if not addresses:
        raise Away("unknown host")
    return addresses


def check_allowed(host: str, addresses: Sequence[Address], *, plain: bool) -> None:
    """Refuse what only this machine or its network reaches, unless the operator lists it.

    ``plain``: without TLS, which is for this machine alone. One wrong address among several is
    enough: the next look-up may put it first. Raises ``NotAllowed``.
    """
    for address in addresses:
        if plain and not address.is_loopback:
            raise NotAllowed("not https")
        if not (is_public(address) or _is_listed(host, address)):
            raise NotAllowed("private address")


def is_public(address: Address) -> bool:
    """Whether an address is anybody's on the Internet; one that carries another one is as public
    as that.
    """
    if isinstance(address, IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return is_public(carried)
        if address.is_site_local:
            return False
    return (
        address.is_global
        and not any(address in network for network in _NOT_PUBLIC)
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
    )


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def _is_listed(host: str, address: Address) -> bool:
    if settings.current().demo and address.is_loopback:
        return True
    name = host.rstrip(".").lower()
    for each in settings.current().outgoing_private_hosts:
        network = _network(each)
        if network is not None and address in network:
            return True
        if each == name or (each.startswith(".") and name.endswith(each)):
            return True
    return False


@cache
def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def _look_up(host: str, port: int, answers: "SimpleQueue[list[Address]]") -> None:
    addresses: list[Address] = []
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(ip_address(row[4][0]) for row in rows))[:MOST_ADDRESSES]
    except (OSError, UnicodeError, ValueError):
        pass  # an empty list says so
    finally:
        _lookups.release()
        answers.put(addresses)
