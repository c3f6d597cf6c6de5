"""Who waits for a printed letter, and who has one: what staff see before they print.

Only printings of the school itself are told: that a guardian has a letter of another school is
for nobody here to know (security rule C3).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from idp import clock
from idp.audit.models import AuditEvent
from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.people import guardianships
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account, Child, Guardianship, School
from idp.settings import current as settings


@dataclass(frozen=True)
class Waiting:
    """A class, and its guardians who are invited and have not signed in.

    ``without_email``, ``with_letter``: of these. ``to_print``: have neither an address nor a
    letter that works.
    """

    class_name: str
    invited: int
    without_email: int
    with_letter: int
    to_print: int
    printed_at: datetime | None
    """When a letter of this class was printed last."""
    seen: int
    """The newest of these printings, for ``letters.print_class``."""


@dataclass(frozen=True)
class Person:
    """A guardian, the school whose letter would be printed, and when one was printed last."""

    account: Account
    school: School
    printed_at: datetime | None
    seen: int


def schools(staff: Staff) -> list[School]:
    """The schools where this person prints, by name."""
    return scope.schools_by_name(staff.school_scope(Right.PRINT_LETTERS))


def school(staff: Staff, school_id: str) -> School:
    """The school, if this person prints there. Raises ``NotFound``."""
    return scope.school(staff.school_scope(Right.PRINT_LETTERS), school_id)


def person(staff: Staff, account_id: str, *, school_id: str | None = None) -> Person | None:
    """The guardian, at the first school by name where this person prints; two queries."""
    school_scope = staff.school_scope(Right.PRINT_LETTERS)
    query = (
        select(Account, School)
        .join(Guardianship, Guardianship.account_id == Account.id)
        .join(Child, Child.id == Guardianship.child_id)
        .join(School, School.id == Child.school_id)
        .where(Account.id == account_id, guardianships.live(), scope.children(school_scope))
        .order_by(School.name, School.id)
        .limit(1)
        .execution_options(populate_existing=True)
    )
    if school_id is not None:
        query = query.where(School.id == school_id)
    row = db.session.execute(query).one_or_none()
    if row is None:
        return None
    account, of_school = row
    printed_at, seen = _last(of_school.id, AuditEvent.account_id == account_id)
    return Person(account, of_school, printed_at, seen)


def classes(of_school: School) -> list[Waiting]:
    """The school's classes in which somebody waits, by name; one query."""
    return [Waiting(*row) for row in db.session.execute(_by_class(of_school.id))]


def one_class(of_school: School, class_name: str) -> Waiting | None:
    """One class; None where nobody waits."""
    row = db.session.execute(_by_class(of_school.id, class_name)).one_or_none()
    return Waiting(*row) if row is not None else None


def live_in(school_id: str, class_name: str | None) -> ColumnElement[bool]:
    """Whoever is guardian in this class, or at this school; a condition on ``Account``."""
    query = select(LiveGuardianship.account_id).where(LiveGuardianship.school_id == school_id)
    if class_name is not None:
        query = query.where(LiveGuardianship.class_name == class_name)
    return Account.id.in_(query)


def still_live(school_scope: SchoolScope, school_id: str, account_ids: Collection[str]) -> set[str]:
    """Those of these accounts who are guardians at the school, if it is within the scope."""
    return set(
        db.session.scalars(
            select(LiveGuardianship.account_id).where(
                LiveGuardianship.school_id == school_id,
                scope.at(school_scope, LiveGuardianship.school_id),
                LiveGuardianship.account_id.in_(account_ids),
            )
        )
    )


def have_a_letter(school_id: str) -> Select[Any]:
    """Whose letter of this school has not expired: ids of accounts."""
    since = clock.now() - settings().first_sign_in_lifetime
    return select(AuditEvent.account_id).where(
        *_printings(school_id), AuditEvent.at > since, AuditEvent.account_id.is_not(None)
    )


def printed_since(school_id: str, account_ids: Collection[str], known: int) -> set[str]:
    """Those of these accounts for whom this school printed after the event ``known``."""
    return set(
        db.session.scalars(
            select(AuditEvent.account_id).where(
                *_printings(school_id),
                AuditEvent.id > known,
                AuditEvent.account_id.in_(account_ids),
            )
        )
    )


def newest(school_id: str, class_name: str | None = None) -> int:
    """The newest printing of this school, or for guardians in a class; 0 where there is none."""
    if class_name is None:
        return _last(school_id)[1]
    guardians = select(Account.id).where(live_in(school_id, class_name))
    return _last(school_id, AuditEvent.account_id.in_(guardians))[1]


def _last(school_id: str, *which: ColumnElement[bool]) -> tuple[datetime | None, int]:
    at, number = db.session.execute(
        select(func.max(AuditEvent.at), func.max(AuditEvent.id)).where(
            *_printings(school_id), *which
        )
    ).one()
    return at, number or 0


def _printings(school_id: str) -> tuple[ColumnElement[bool], ...]:
    return AuditEvent.school_id == school_id, AuditEvent.event == "letter_printed"


def _by_class(school_id: str, class_name: str | None = None) -> Select[Any]:
    since = clock.now() - settings().first_sign_in_lifetime
    guardians = (
        select(LiveGuardianship.class_name, LiveGuardianship.account_id)
        .where(LiveGuardianship.school_id == school_id)
        .distinct()
    )
    if class_name is not None:
        guardians = guardians.where(LiveGuardianship.class_name == class_name)
    live = guardians.subquery()
    printed = (
        select(
            AuditEvent.account_id,
            func.max(AuditEvent.at).label("at"),
            func.max(AuditEvent.id).label("id"),
        )
        .where(*_printings(school_id))
        .group_by(AuditEvent.account_id)
        .subquery()
    )
    no_email, has_letter = Account.email.is_(None), printed.c.at > since
    to_print = and_(no_email, or_(printed.c.at.is_(None), printed.c.at <= since))
    return (
        select(
            live.c.class_name,
            func.count(),
            *(func.sum(case((each, 1), else_=0)) for each in (no_email, has_letter, to_print)),
            func.max(printed.c.at),
            func.coalesce(func.max(printed.c.id), 0),
        )
        .join(Account, Account.id == live.c.account_id)
        .outerjoin(printed, printed.c.account_id == Account.id)
        .where(Account.status == "invited")
        .group_by(live.c.class_name)
        .order_by(live.c.class_name)
    )
