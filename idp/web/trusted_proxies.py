"""Which proxies before us are believed, and which are not, though they speak for others.

Behind one that ``IDP_TRUSTED_PROXIES`` does not name every visitor has the proxy's address, in the
throttle and in the audit log, and nothing else shows that: it is noted for ``idp check``.
One row a machine, once an hour: what strangers send costs no more.
"""

import logging
import socket
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from threading import Lock
from time import monotonic
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from idp.readiness import marks
from idp.settings.networks import is_within

log = logging.getLogger(__name__)

EVERY: Final = 3600.0  # seconds between two notes of a process

_turn = Lock()
_next = [0.0]


def nearest(address: str, forwarded: str, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """The address nearest to us that is no trusted proxy's (security rule E8).

    ``address`` is the connection's, ``forwarded`` the header X-Forwarded-For.
    """
    senders = [part.strip() for part in forwarded.split(",")]
    while trusted and senders and is_within(address, trusted):
        nearer = senders.pop()
        if not _is_address(nearer):
            break
        address = nearer
    return address


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def note_unbelieved(address: str, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
    """Note a request from ``address`` that carried X-Forwarded-For, unless it is trusted."""
    if monotonic() < _next[0] or is_within(address, trusted) or not _turn.acquire(blocking=False):
        return
    try:
        _next[0] = monotonic() + EVERY
        log.warning("X-Forwarded-For from %s is not believed: see IDP_TRUSTED_PROXIES", address)
        with marks.connection() as now, now.begin():
            marks.write(now, f"{marks.UNBELIEVED_PROXY} {socket.gethostname()[:40]}", address[:45])
    except SQLAlchemyError as error:
        log.info("not noted: %s", type(error).__name__)
    finally:
        _turn.release()
