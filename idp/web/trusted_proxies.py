"""Which proxies before us are believed, and which are not, though they speak for others.

Behind one that ``IDP_TRUSTED_PROXIES`` does not name every visitor has the proxy's address, in the
throttle and in the audit log, and nothing else shows that: it is noted for ``idp check``. So is one
that is named and writes no address.
One row a machine and kind, once an hour: what strangers send costs no more.
"""

import logging
import socket
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from threading import Lock
from time import monotonic
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from idp.readiness import marks
from idp.settings.networks import address_of

log = logging.getLogger(__name__)

EVERY: Final = 3600.0  # seconds between two notes of a kind in a process

_WHY: Final = {
    marks.UNBELIEVED_PROXY: "is not believed: see IDP_TRUSTED_PROXIES",
    marks.UNREADABLE_PROXY: "names no address",
}
_turn = Lock()
_next: dict[str, float] = {}


def nearest(address: str, forwarded: str, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """The address nearest to us that is no trusted proxy's (security rule E8).

    ``address`` is the connection's, ``forwarded`` the header X-Forwarded-For.
    """
    return read(address, forwarded, trusted)[0]


def read(
    address: str, forwarded: str, trusted: Sequence[IPv4Network | IPv6Network]
) -> tuple[str, str | None]:
    """The nearest address, as ``nearest`` says, and why the header says nothing to us: nobody
    trusts who sent it, or one of the trusted wrote something else than an address. The kind of a
    mark; None where it says something.
    """
    named = address_of(address)
    senders = forwarded.split(",")
    trouble: str | None = marks.UNBELIEVED_PROXY
    while trusted and senders and named and any(named in network for network in trusted):
        nearer = address_of(senders.pop().strip())
        if nearer is None:
            return str(named), marks.UNREADABLE_PROXY
        named, trouble = nearer, None
    return str(named or address), trouble


def note(kind: str, sender: str) -> None:
    """Note for ``idp check`` who sent a header that says nothing to us."""
    # By kind: what a stranger sends must not keep quiet what a proxy does wrong
    if monotonic() < _next.get(kind, 0):
        return
    if not _turn.acquire(blocking=False):
        return
    try:
        _next[kind] = monotonic() + EVERY
        log.warning("X-Forwarded-For from %s %s", sender[:45], _WHY[kind])
        with marks.connection() as now, now.begin():
            marks.write(now, f"{kind} {socket.gethostname()[:40]}", sender[:45])
    except SQLAlchemyError as error:
        log.info("not noted: %s", type(error).__name__)
    finally:
        _turn.release()
