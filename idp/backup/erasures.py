"""Who was erased, as far as anybody knows: so that an older backup loses them again.

A backup holds those who were erased after it was made. The audit trail knows them by their ids,
which lead nowhere, and so does each newer backup, and each file that ``idp backup erasures`` wrote.
Such a file says who is erased for good in a restore: so it bears a seal, that whoever can write it
where it is kept can't make.
"""

import hmac
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, func, inspect, select

from idp import settings
from idp.audit.models import AuditEvent, DatabaseIdentity
from idp.audit.vocabulary import ERASED
from idp.backup.troubles import BackupTrouble
from idp.database import db
from idp.database.beginnings import base64url

ROWS: Final = 1_000
_HEAD: Final = "# erased of"
_NO_LIST: Final = "this is neither a backup nor what `idp backup erasures` wrote"
PEOPLE: Final = ("a_", "p_")
"""How the ids of accounts and children begin."""
_END: Final = "# end:"
"""Then how many: a list that was cut off, by a full disk say, must not count as a whole one."""
_SEAL: Final = "# seal:"
_NO_SEAL: Final = (
    "the list of who was erased does not bear the seal of this installation: it was cut off, a"
    " release before 0.9 wrote it, this machine has another IDP_SUBJECT_KEY, or somebody changed"
    " it. Take another list or a newer backup; where there is none, --erasures-unknown goes on"
    " without, and those people are to be erased by hand"
)


@dataclass(frozen=True)
class Span:
    """Of which database a list tells who was erased, and in which time: nobody is missing in it."""

    database: str
    since: datetime | None
    """None: from the beginning on."""
    until: datetime

    def covers(self, moment: datetime) -> bool:
        """Whether it tells of all that happened after that."""
        return self.since is None or self.since <= moment


@contextmanager
def reading() -> Iterator[Connection]:
    """A connection to the present database that reads one state, a piece at a time."""
    with db.engine.connect() as now:
        if now.dialect.name == "postgresql":
            now = now.execution_options(isolation_level="REPEATABLE READ")  # noqa: PLW2901
        yield now


def span_of(now: Connection, until: datetime) -> Span | None:
    """What the audit trail of this database tells; None where it has none."""
    there = inspect(now)
    if not (there.has_table("audit_events") and there.has_table("database_identity")):
        return None
    database = now.scalar(select(DatabaseIdentity.id)) or ""
    oldest, number = now.execute(select(func.min(AuditEvent.at), func.min(AuditEvent.id))).one()
    return Span(database, None if number in {None, 1} else oldest, until)


def erased_of(now: Connection) -> Iterator[tuple[str, datetime]]:
    """Whom the audit trail says to be erased, the earliest first; a piece at a time."""
    person = func.coalesce(AuditEvent.child_id, AuditEvent.account_id)
    query = select(person, AuditEvent.at).where(AuditEvent.event.in_(ERASED), person.is_not(None))
    rows = now.execution_options(yield_per=ROWS).execute(query.order_by(AuditEvent.id))
    for who, at in rows:  # noqa: UP028 – of rows, pairs
        yield who, at


def lines_of(now: Connection, until: datetime) -> Iterator[str]:
    """The list of a database as text: what it covers, an id and a time a line, how many."""
    span = span_of(now, until)
    if span is not None:
        since = span.since.isoformat() if span.since else "-"
        yield f"{_HEAD} {span.database} {since} {span.until.isoformat()}"
        number = 0
        for who, at in erased_of(now):
            number += 1
            yield f"{who} {at.isoformat()}"
        yield f"{_END} {number}"


def sealed(lines: Iterable[str]) -> Iterator[str]:
    """A list and, behind it, what only who has ``subject_key`` can write, which is one for ever."""
    seal = _seal()
    for line in lines:
        seal.update(f"{line}\n".encode())
        yield line
    yield f"{_SEAL} {base64url(seal.digest())}"


def proved(lines: Iterable[str]) -> Iterator[str]:
    """The list without its seal. Raises ``BackupTrouble`` behind the last line where that is not
    as it was sealed: until then nothing of it is to be believed.
    """
    seal, mark, is_whole = _seal(), "", False
    for each in lines:
        line = each.rstrip("\n")
        if not line.strip():
            continue
        if line.startswith(_SEAL):
            mark = line.removeprefix(_SEAL).strip()
            continue
        is_whole = is_whole or line.startswith(_END)
        seal.update(f"{line}\n".encode())
        yield line
    # Of one that is cut off, whoever counts its lines tells what happened
    if is_whole and not hmac.compare_digest(mark.encode(), base64url(seal.digest()).encode()):
        raise BackupTrouble(_NO_SEAL)


def _seal() -> hmac.HMAC:
    # Of a purpose of its own, as ``idp.oidc.subjects`` and ``beginnings.agreed`` have theirs
    key = hmac.digest(settings.current().subject_key, b"seal\0erasures", "sha256")
    return hmac.new(key, digestmod="sha256")


def read_span(line: str) -> Span:
    """The first line of such a list. Raises ``BackupTrouble``."""
    words = line.removeprefix(_HEAD).split()
    try:
        database, since, until = words
        begin = None if since == "-" else _moment(since)
        return Span(database, begin, _moment(until))
    except ValueError as error:
        raise BackupTrouble(_NO_LIST) from error


def read_erased(lines: Iterable[str]) -> Iterator[tuple[str, datetime]]:
    """Whom the other lines name, and when they were erased. Raises ``BackupTrouble``, too where
    its end is missing.
    """
    number, end = 0, ""
    for line in lines:
        if line.startswith(_END):
            end = line.removeprefix(_END).strip()
        elif line.strip():
            number += 1
            yield _erased(line)
    if end != str(number):
        raise BackupTrouble(
            "the list of who was erased is cut off: take the one before it, or a newer backup"
        )


def _erased(line: str) -> tuple[str, datetime]:
    try:
        who, at = line.split()
        if not who.startswith(PEOPLE):
            raise ValueError(who)
        return who, _moment(at)
    except ValueError as error:
        raise BackupTrouble(_NO_LIST) from error


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error
