"""What became of mails: none is lost, and none comes twice."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

from sqlalchemy import Connection, text

from tests.faults import outcomes
from tests.smtp import Letter

LEFT_WITHIN = 10.0
"""Seconds after which what waited for the mail server has left, once it is back, on a machine
that does nothing else."""


CLOCKS_DIFFER = timedelta(minutes=2)
"""What is later than this was made by a clock that was ahead."""

_ENDED_OTHERWISE = """
    SELECT status, kind, coalesce(answer, ''), count(*) FROM outbox o
    WHERE status NOT IN ('queued', 'sent')
    AND NOT (status = 'dropped' AND kind = 'email_changed' AND EXISTS (
        SELECT 1 FROM outbox later WHERE later.kind = o.kind
        AND later.account_id = o.account_id AND (later.created_at > o.created_at
            OR later.status <> 'dropped' AND later.id <> o.id AND EXISTS (
                SELECT 1 FROM outbox WHERE created_at > :ahead))))
    GROUP BY status, kind, answer"""
"""One is right so: to an address that was corrected again before the mail left. Whatever else there
is has to be said here to be right. Where a clock was ahead, no time says which came first.
"""


def lost(now: Connection, letters: Iterable[Letter]) -> dict[str, int]:
    """Mails that are told to have left, and never came; and those that ended in any other way."""
    # In this order: a mail comes before it is told to have left, and others leave meanwhile
    left = set(now.scalars(text("SELECT id FROM outbox WHERE status = 'sent'")))
    came = {row for row, _ in _counted(letters)}
    ahead = datetime.now(UTC) + CLOCKS_DIFFER
    others = {
        f"mails that ended otherwise ({kind}: {status}, {why})": many
        for status, kind, why, many in now.execute(text(_ENDED_OTHERWISE), {"ahead": ahead}).all()
    }
    return {"mails that never came": len(left - came), **others}


def twice(letters: Iterable[Letter]) -> int:
    """How many came more than once, at whichever attempt."""
    return sum(times > 1 for times in _counted(letters).values())


@dataclass(frozen=True)
class Emptied:
    """How long it took until what waited had left."""

    seconds: float
    busy: float
    """How many times as long as alone a process took meanwhile, where visitors come, too."""

    @property
    def is_in_time(self) -> bool:
        return self.seconds <= LEFT_WITHIN * self.busy


def emptied(now: Connection, seconds: float) -> Emptied:
    """Wait until what waits at present has left; no longer than so many seconds."""
    began, moment = monotonic(), datetime.now(UTC)
    before = outcomes.busy()
    while _waiting(now, moment) and monotonic() < began + seconds:
        sleep(0.1)
    took = monotonic() - began
    return Emptied(took, max(before, outcomes.busy()))


def waiting(now: Connection) -> int:
    """How many are due, or wait for their next attempt."""
    return _waiting(now, datetime.now(UTC))


def _waiting(now: Connection, moment: datetime) -> int:
    query = """
        SELECT count(*) FROM outbox WHERE status = 'queued'
        AND (created_at <= :moment OR created_at > :ahead)"""
    ahead = moment + CLOCKS_DIFFER
    many: int = now.scalar(text(query), {"moment": moment, "ahead": ahead}) or 0
    now.rollback()
    return many


def _counted(letters: Iterable[Letter]) -> Counter[tuple[str, str]]:
    """By the row that each is of, and its number among several of one row."""
    names = (str(each.message["Message-ID"]).strip("<>").partition("@")[0] for each in letters)
    parts = (name.split(".") for name in names)
    return Counter((row, number) for row, _attempt, number in parts)
