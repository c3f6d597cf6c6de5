"""Networks of machines that are trusted, as settings name them, and their addresses as written."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a connection or a proxy's header names; None where it names none.

    A proxy may write a port behind it, and IPv6 in brackets (RFC 7239 §6). Who comes by IPv4 to a
    server that listens at both is written as IPv6 (RFC 4291 §2.5.5.2), and is the same as ever.
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
