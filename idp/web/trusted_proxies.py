"""Which proxies before us are believed, and which are not, though they speak for others.

Behind one that ``IDP_TRUSTED_PROXIES`` does not name every visitor has the proxy's address, in the
throttle and in the audit log, and nothing else shows that: it is noted for ``idp check``.
One row a machine, once an hour: what strangers send costs no more.
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
from idp.settings.networks import address_of, is_within

log = logging.getLogger(__name__)

EVERY: Final = 3600.0  # seconds between two notes of a process

_turn = Lock()
_next = [0.0]


def nearest(address: str, forwarded: str, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """The address nearest to us that is no trusted proxy's (security rule E8).

    ``address`` is the connection's, ``forwarded`` the header X-Forwarded-For.
    """
    named = address_of(address)
    senders = forwarded.split(",")
    while trusted and senders and named and any(named in network for network in trusted):
        nearer = address_of(senders.pop().strip())
        if nearer is None:
            break
        named = nearer
    return str(named or address)


def note_unbelieved(
    address: str, forwarded: str, trusted: Sequence[IPv4Network | IPv6Network]
) -> None:
    """Note a request from ``address`` whose X-Forwarded-For says nothing to us: nobody trusts who
    sent it, or the last that it names is no address.
    """
    if monotonic() < _next[0]:
        return
    kind, why = marks.UNBELIEVED_PROXY, "is not believed: see IDP_TRUSTED_PROXIES"
    if is_within(address, trusted):
        if address_of(forwarded.rpartition(",")[2].strip()):
            return
        kind, why = marks.UNREADABLE_PROXY, "names no address"
    if not _turn.acquire(blocking=False):
        return
    try:
        _next[0] = monotonic() + EVERY
        sender = str(address_of(address) or address)[:45]
        log.warning("X-Forwarded-For from %s %s", sender, why)
        with marks.connection() as now, now.begin():
            marks.write(now, f"{kind} {socket.gethostname()[:40]}", sender)
    except SQLAlchemyError as error:
        log.info("not noted: %s", type(error).__name__)
    finally:
        _turn.release()
