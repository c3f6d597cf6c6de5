"""Networks of machines that are trusted, as settings name them, and their addresses as written."""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

_MAPPED: Final = IPv6Network("::ffff:0:0/96")
"""IPv4 as written where a server listens at both (RFC 4291 §2.5.5.2)."""


def network_of(text: str) -> IPv4Network | IPv6Network:
    """The network that a setting names. Raises ``ValueError`` where it names none.

    One of IPv4 that is written as IPv6 is the one of IPv4, as its addresses are.
    """
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        first = int(network.network_address) - int(_MAPPED.network_address)
        return IPv4Network((first, network.prefixlen - _MAPPED.prefixlen))
    return network


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a connection or a proxy's header names; None where it names none.

    A proxy may write a port behind it, and IPv6 in brackets (RFC 7239 §6). Who comes by IPv4 to a
    server that listens at both is the same as ever.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether ``address`` lies in one of these, however it is written; false for what is none."""
    if not networks:
        return False
    named = address_of(address)
    return named is not None and any(named in network for network in networks)
