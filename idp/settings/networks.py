"""Networks of machines that are trusted, as settings name them."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address


def is_within(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether ``address`` lies in one of these; false for what is no address."""
    try:
        return any(ip_address(address) in network for network in networks)
    except ValueError:
        return False
