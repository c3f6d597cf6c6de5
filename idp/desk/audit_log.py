"""The audit log as a school reads it: what was done for it, by whom, on whom, before and after.

Everything comes from events that carry the school's id (``changes.record``); an operator also
reads acts of the platform, such as another operator named.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, or_, select, union_all

from idp import settings
from idp.audit.models import AuditEvent
from idp.audit.vocabulary import VOCABULARY
from idp.clients.models import Client
from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.people.models import Account, Child, School, StaffRole

PAGE: Final = 50
MOST_EXPORTED: Final = 10_000

PLATFORM: Final = frozenset(name for name, event in VOCABULARY.items() if event.is_platforms)
"""What operators read of the platform itself, where it is no school's."""


@dataclass(frozen=True)
class Person:
    """Somebody whom the reader may see: with a page of their own where ``is_guardian``."""

    id: str
    name: str
    is_guardian: bool = False


@dataclass(frozen=True)
class Entry:
    """An event with those of its names that the reader may see."""

    event: AuditEvent
    who: Person | None
    """None: the platform."""
    on: Person | None
    child: Person | None
    client: str
    school: str


@dataclass(frozen=True)
class Page:
    """Some entries, the newest first. ``older``: what the next page begins before, if any."""

    entries: list[Entry]
    older: int | None


def page(
    staff: Staff,
    *,
    before: int | None = None,
    kinds: Collection[str] = (),
    day: date | None = None,
    size: int = PAGE,
) -> Page:
    """The scope's events before the one numbered ``before``, of these kinds, of that day."""
    school_scope = staff.school_scope(Right.READ_AUDIT_LOG)
    which: list[ColumnElement[bool]] = []
    if before is not None:
        which.append(AuditEvent.id < before)
    if kinds:
        which.append(AuditEvent.event.in_(sorted(kinds)))
    if day is not None:
        begin, end = _bounds(day)
        which += [AuditEvent.at >= begin, AuditEvent.at < end]
    events = list(db.session.scalars(_newest(school_scope, which, size + 1)))
    shown = events[:size]
    return Page(_named(shown, school_scope), shown[-1].id if len(events) > size else None)


def _newest(
    school_scope: SchoolScope, which: list[ColumnElement[bool]], size: int
) -> Select[AuditEvent]:
    """The newest of each part, each from an index of its own: among a year of sign-ins what an
    operator reads stands far apart.
    """
    parts = [
        select(AuditEvent.id)
        .where(each, *which)
        .order_by(AuditEvent.id.desc())
        .limit(size)
        .subquery()
        for each in _parts(school_scope)
    ]
    ids = union_all(*(select(part.c.id) for part in parts))
    newest = select(AuditEvent).where(AuditEvent.id.in_(ids))
    return newest.order_by(AuditEvent.id.desc()).limit(size)


def _parts(school_scope: SchoolScope) -> list[ColumnElement[bool]]:
    """What the scope may read, as conditions that exclude each other."""
    if not school_scope.everywhere:
        return [scope.at(school_scope, AuditEvent.school_id)]
    of_platform = and_(AuditEvent.school_id.is_(None), AuditEvent.event.in_(sorted(PLATFORM)))
    return [AuditEvent.school_id.is_not(None), of_platform]


def _bounds(day: date) -> tuple[datetime, datetime]:
    """A day as the school's wall clock has it."""
    zone = ZoneInfo(settings.current().timezone)
    begin = datetime.combine(day, time(), zone)
    return begin, datetime.combine(day + timedelta(days=1), time(), zone)


def _named(events: list[AuditEvent], school_scope: SchoolScope) -> list[Entry]:
    """The events with names, by one query for each kind of name."""
    actors = colleagues(
        {each.actor for each in events if each.actor.startswith("a_")}, school_scope
    )
    accounts = {each.account_id for each in events if each.account_id}
    guardians = _people(
        select(Account).where(Account.id.in_(accounts), scope.guardians(school_scope))
    )
    staff = colleagues(accounts, school_scope)
    children = _people(
        select(Child).where(
            Child.id.in_({each.child_id for each in events if each.child_id}),
            scope.children(school_scope),
        )
    )
    clients = _names(Client, {each.client_id for each in events if each.client_id})
    schools = _names(School, {each.school_id for each in events if each.school_id})
    return [
        Entry(
            each,
            actors.get(each.actor) or _oneself(each, guardians),
            _person(guardians, staff, each.account_id),
            children.get(each.child_id or ""),
            clients.get(each.client_id or "", ""),
            schools.get(each.school_id or "", ""),
        )
        for each in events
    ]


def _oneself(event: AuditEvent, guardians: dict[str, Person]) -> Person | None:
    """A guardian who did it: the reader knows them anyhow."""
    return guardians.get(event.actor) if event.actor == event.account_id else None


def _person(
    guardians: dict[str, Person], staff: dict[str, Person], account_id: str | None
) -> Person | None:
    guardian = guardians.get(account_id or "")
    if guardian is not None:
        return Person(guardian.id, guardian.name, is_guardian=True)
    return staff.get(account_id or "")


def colleagues(account_ids: Collection[str], school_scope: SchoolScope) -> dict[str, Person]:
    """Those of the accounts that are or were staff at the schools of the scope."""
    if not account_ids:
        return {}
    now = select(StaffRole.account_id).where(
        StaffRole.account_id.in_(account_ids), scope.at(school_scope, StaffRole.school_id)
    )
    once = select(AuditEvent.account_id).where(
        AuditEvent.account_id.in_(account_ids),
        AuditEvent.event.in_(("role_granted", "role_revoked")),
        or_(*_parts(school_scope)),
    )
    # One list of a few: with OR between two of them every account is looked at
    return _people(select(Account).where(Account.id.in_(now.union(once))))


def _people(query: Select[Any]) -> dict[str, Person]:
    return {each.id: Person(each.id, each.full_name) for each in db.session.scalars(query)}


def _names(model: Any, ids: Iterable[str]) -> dict[str, str]:
    rows = db.session.execute(select(model.id, model.name).where(model.id.in_(sorted(ids))))
    return {each[0]: each[1] for each in rows}
