"""What Prometheus asks the database and the keys for: how old the oldest of what waits is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import SQLAlchemyError

from idp import clock
from idp.database import db
from idp.deliveries import listing
from idp.mail.models import OutboxMessage
from idp.oidc.keyring import keyring
from idp.oidc.keys import KeyTrouble
from idp.readiness import proofs
from idp.roster import jobs
from idp.roster.models import RosterJob

KEPT_FOR: Final = 10.0
"""Seconds for which an answer is given again: two that ask cost what one does."""


@dataclass(frozen=True)
class Sample:
    """One number, with what it is of."""

    name: str
    meaning: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


class State:
    """What waits and how old the keys are, asked at most every ten seconds."""

    def __init__(self) -> None:
        self._asked_at = -KEPT_FOR
        self._samples: list[Sample] = []

    def samples(self) -> list[Sample]:
        """Needs an application context. With the database away only that is told."""
        if monotonic() - self._asked_at >= KEPT_FOR:
            self._samples = list(_keys())
            try:
                self._samples += [*_waiting(), *_proved(), Sample(*_REACHED, 1)]
            except SQLAlchemyError:
                self._samples.append(Sample(*_REACHED, 0))
            finally:
                db.session.remove()
            self._asked_at = monotonic()
        return self._samples


_REACHED: Final = ("idp_database_up", "Whether the database answered")


def _proved() -> Iterator[Sample]:
    """0 where none ever was: as old as can be."""
    proof = proofs.last_proof()
    yield Sample(
        "idp_backup_last_proof_timestamp_seconds",
        "When a backup was last proved to be one that can be restored",
        proof.at.timestamp() if proof else 0,
    )
    yield Sample(
        "idp_backup_proved_state_timestamp_seconds",
        "Of when the newest state is that was proved to come back",
        proof.state_of.timestamp() if proof else 0,
    )


def _waiting() -> Iterator[Sample]:
    now = clock.now()
    queued = (OutboxMessage.status == "queued", OutboxMessage.due_at < now)
    waits = {
        "mails": _oldest(OutboxMessage.due_at, *queued),
        "deliveries": listing.overdue(now),
        "imports": _oldest(RosterJob.asked_at, jobs.waits_for_a_worker()),
    }
    for what, (count, since) in waits.items():
        labels = (("what", what),)
        age = max(0.0, (now - since).total_seconds()) if since else 0.0
        yield Sample("idp_waiting", "What is due, and waits for its worker", count, labels)
        yield Sample("idp_waiting_seconds", "How long the oldest of it has waited", age, labels)


def _oldest(column: Any, *which: ColumnElement[bool]) -> tuple[int, datetime | None]:
    query = select(func.count(), func.min(column)).where(*which)
    count, oldest = db.session.execute(query).one()
    return count, oldest


def _keys() -> Iterator[Sample]:
    now = clock.now()
    try:
        entries = keyring().entries()
    except (KeyTrouble, OSError):
        return
    for entry in entries:
        if entry.state in {"current", "next"}:
            since = datetime.fromisoformat(entry.signs_since or entry.created_at)
            labels = (("alg", entry.alg), ("state", entry.state))
            yield Sample(
                "idp_key_age_seconds",
                "Since when a key is what it is",
                (now - since).total_seconds(),
                labels,
            )
