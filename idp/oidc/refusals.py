"""Why an application was not answered: told to the log, and kept for its developer.

What is kept is bounded: each reason once for each application and endpoint, the newest
``MOST``, written ``EVERY`` so many seconds at most. It holds nothing of a person, and no secret:
the sentences are ours.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Lock
from time import monotonic
from typing import Final

from flask import Response, after_this_request
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from idp import clock
from idp.clients import registration
from idp.clients.models import ClientRefusal
from idp.database import db, keep_newest, transaction

log = logging.getLogger(__name__)

MOST: Final = 30
EVERY: Final = timedelta(seconds=10)
MOST_REMEMBERED: Final = 2_000
_LONGEST: Final = 200
_EXPECTED: Final = frozenset(
    {
        *("login_required", "consent_required", "account_selection_required"),
        *("interaction_required", "use_dpop_nonce"),
    }
)
"""What ``prompt=none`` and a first DPoP proof are there to find out: an answer, not a refusal."""


@dataclass(frozen=True)
class Refusal:
    """One reason at one endpoint; ``client_id`` is what the request named, perhaps nobody's."""

    endpoint: str
    error: str
    reason: str
    client_id: str | None


def note(endpoint: str, error: str, reason: str | None, client_id: str | None) -> None:
    """Log a refusal, and keep it once the answer stands, if it is time."""
    if error in _EXPECTED:
        return
    words = "".join(c if c.isascii() and c.isprintable() else "?" for c in reason or error)
    refusal = Refusal(endpoint, error[:60], words[:_LONGEST], client_id)
    known = registration.find(client_id) if client_id else None
    log.warning(
        "refused",
        extra={
            "endpoint": refusal.endpoint,
            "error": refusal.error,
            "reason": refusal.reason,
            "client_id": known.id if known else None,
        },
    )
    if known is not None:
        after_this_request(partial(_keep_after, refusal))


def newest_refusals(client_id: str, most: int = 10) -> list[ClientRefusal]:
    """The last refusals of an application, the newest first."""
    return list(
        db.session.scalars(
            select(ClientRefusal)
            .where(ClientRefusal.client_id == client_id)
            .order_by(ClientRefusal.last_at.desc(), ClientRefusal.id)
            .limit(most)
        )
    )


def _keep_after(refusal: Refusal, response: Response) -> Response:
    try:
        if _written.is_due(refusal):
            _keep(refusal)
    except DBAPIError as failed:  # the answer is what matters
        log.error("a refusal was not kept: %s", type(failed.orig).__name__)
        db.session.rollback()
    return response


def _keep(refusal: Refusal) -> None:
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    values = {
        "client_id": refusal.client_id,
        "endpoint": refusal.endpoint,
        "error": refusal.error,
        "reason": refusal.reason,
        "last_at": clock.now(),
    }
    statement = dialect.insert(ClientRefusal).values(values)
    with transaction() as writes:
        writes.execute(
            statement.on_conflict_do_update(
                index_elements=["client_id", "endpoint", "error", "reason"],
                set_={"last_at": statement.excluded.last_at},
            )
        )
        keep_newest(
            ClientRefusal.id,
            ClientRefusal.client_id == refusal.client_id,
            by=ClientRefusal.last_at,
            most=MOST,
        )


class _Written:
    """When this process last wrote each refusal: a flood of them is not a flood of writes."""

    def __init__(self) -> None:
        self._at: dict[Refusal, float] = {}
        self._lock = Lock()

    def is_due(self, refusal: Refusal) -> bool:
        now = monotonic()
        with self._lock:
            if now - self._at.get(refusal, -1e9) < EVERY.total_seconds():
                return False
            if len(self._at) >= MOST_REMEMBERED:
                self._at.clear()
            self._at[refusal] = now
        return True


_written: Final = _Written()
