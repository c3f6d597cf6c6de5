"""The classes of a school: how far each has come, who is in one, and a token for all who wait.

What lies outside the scope is not found (security rule A2). Of a guardian counts alone what they
are at this school.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Select, and_, case, distinct, func, select

from idp import clock
from idp.database import db, retried
from idp.desk.access import scope
from idp.desk.access.acts import act_at_school
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.desk.people.onboarding import Onboarding, onboarding_of
from idp.errors import NotFound
from idp.mail import spread
from idp.mail.kinds import WITH_TOKEN
from idp.mail.models import OutboxMessage
from idp.people import guardianships
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account, Child, Guardianship, School, full_name
from idp.people.search_index import DirectoryEntry

SCHOOLS_PER_PAGE: Final = 50
PUPILS_PER_PAGE: Final = 100
TOGETHER: Final = 3
"""Whoever works for so many schools sees the classes of all on one page."""
PER_HOUR: Final = 600
"""A class is written to within some minutes, and no mail server takes that amiss."""
SENT_JUST_NOW: Final = timedelta(hours=1)
"""Who was sent a token since then is not sent another: a second click, a colleague's click."""


@dataclass(frozen=True)
class ClassCount:
    """A class in numbers. A guardian of two of its pupils counts once."""

    name: str
    pupils: int
    guardians: int
    active: int
    invited: int


@dataclass(frozen=True)
class SchoolClasses:
    """A school and its classes, in the order in which people count: 2A before 10A."""

    school: School
    classes: list[ClassCount]


@dataclass(frozen=True)
class Guardian:
    """A pupil's guardian, and how far they have come."""

    id: str
    name: str
    onboarding: Onboarding | None


@dataclass(frozen=True)
class Row:
    """A pupil of a class with the guardians of today."""

    id: str
    name: str
    guardians: list[Guardian]


@dataclass(frozen=True)
class ClassList:
    """A page of the pupils of a class, by name; ``waiting``: whom a token can be mailed to."""

    school: School
    name: str
    pupils: int
    rows: list[Row]
    waiting: int
    page: int
    pages: int


def school(staff: Staff, school_id: str) -> School:
    """The school; raises ``NotFound``."""
    return scope.school(staff.school_scope(Right.LOOK_UP), school_id)


def schools(staff: Staff, *, page: int = 1) -> tuple[list[School], int, int]:
    """Some schools of the scope by name, which page that is, and of how many."""
    mine = scope.schools(staff.school_scope(Right.LOOK_UP))
    count = db.session.scalar(select(func.count()).select_from(School).where(mine)) or 0
    page, pages = _page(page, count, SCHOOLS_PER_PAGE)
    rows = db.session.scalars(
        select(School)
        .where(mine)
        .order_by(School.name, School.id)
        .limit(SCHOOLS_PER_PAGE)
        .offset((page - 1) * SCHOOLS_PER_PAGE)
    )
    return list(rows), page, pages


def classes_of(schools_shown: Sequence[School]) -> list[SchoolClasses]:
    """The classes of schools that ``school`` or ``schools`` returned; one query."""
    counts: dict[str, list[ClassCount]] = {}
    for row in db.session.execute(_counting([each.id for each in schools_shown])):
        counts.setdefault(row[0], []).append(ClassCount(*row[1:]))
    return [
        SchoolClasses(each, sorted(counts.get(each.id, ()), key=lambda one: _counted(one.name)))
        for each in schools_shown
    ]


def school_class(staff: Staff, school_id: str, name: str, *, page: int = 1) -> ClassList:
    """The pupils of a class with their guardians; raises ``NotFound``."""
    school_scope = staff.school_scope(Right.LOOK_UP)
    school_row = scope.school(school_scope, school_id)
    in_class = _pupils_of(school_id, name)
    count = db.session.scalar(select(func.count()).select_from(Child).where(*in_class)) or 0
    if not count:
        raise NotFound("class", name)
    page, pages = _page(page, count, PUPILS_PER_PAGE)
    pupils = db.session.execute(
        select(Child.id, Child.given_name, Child.family_name)
        .join(DirectoryEntry, DirectoryEntry.child_id == Child.id)
        .where(*in_class)
        .order_by(DirectoryEntry.text, Child.id)  # by name, accents don't count
        .limit(PUPILS_PER_PAGE)
        .offset((page - 1) * PUPILS_PER_PAGE)
    ).all()
    theirs = _guardians_of([row.id for row in pupils], school_scope)
    waiting = (
        db.session.scalar(select(func.count()).select_from(_waiting(in_class).subquery())) or 0
    )
    rows = [
        Row(row.id, full_name(row.given_name, row.family_name), theirs.get(row.id, []))
        for row in pupils
    ]
    return ClassList(school_row, name, count, rows, waiting, page, pages)


@retried
def send_tokens(staff: Staff, school_id: str, name: str) -> int:
    """Mail a token to every guardian of the class who is invited; returns to how many one goes.

    Those who were sent one within the hour are counted, and sent no other: a second click
    answers as the first. Raises ``NotFound``.
    """
    in_class = _pupils_of(school_id, name)
    # Of two clicks at once the second waits
    with act_at_school(staff, Right.SEND_TOKENS, school_id) as on:
        writes = db.session()
        if not writes.scalar(select(func.count()).select_from(Child).where(*in_class)):
            raise NotFound("class", name)
        everybody = _waiting(in_class)
        count = writes.scalar(select(func.count()).select_from(everybody.subquery())) or 0
        just_now = select(OutboxMessage.account_id).where(
            OutboxMessage.account_id.in_(select(everybody.subquery().c.id)),
            OutboxMessage.kind.in_(WITH_TOKEN),
            OutboxMessage.status.in_(("queued", "sent")),
            OutboxMessage.created_at > clock.now() - SENT_JUST_NOW,
        )
        recipients = writes.execute(everybody.where(Account.id.not_in(just_now))).all()
        spread.bring_forward("invitation", writes.scalars(select(everybody.subquery().c.id)).all())
        spread.enqueue_spread(
            "invitation",
            [(row.id, row.email_key) for row in recipients],
            per_hour=PER_HOUR,
            after_others=False,
        )
        # Without their number: it would tell whom somebody else has just sent one (rule C3)
        on.record("class_tokens_sent", after={"class": name})
    return int(count)


def _pupils_of(school_id: str, name: str) -> tuple[Any, ...]:
    return Child.school_id == school_id, Child.class_name == name, Child.left_at.is_(None)


def _counting(school_ids: list[str]) -> Select[Any]:
    def guardians(status: str) -> Any:
        return func.count(distinct(case((Account.status == status, Account.id))))

    live = and_(Guardianship.child_id == Child.id, guardianships.live())
    return (
        select(
            Child.school_id,
            Child.class_name,
            func.count(distinct(Child.id)),
            func.count(distinct(Account.id)),
            guardians("active"),
            guardians("invited"),
        )
        .outerjoin(Guardianship, live)
        .outerjoin(Account, Account.id == Guardianship.account_id)
        .where(Child.school_id.in_(school_ids), Child.left_at.is_(None))
        .group_by(Child.school_id, Child.class_name)
    )


def _guardians_of(child_ids: list[str], school_scope: SchoolScope) -> dict[str, list[Guardian]]:
    rows = db.session.execute(
        select(
            LiveGuardianship.child_id,
            Account.id,
            Account.given_name,
            Account.family_name,
        )
        .join(Account, Account.id == LiveGuardianship.account_id)
        .where(LiveGuardianship.child_id.in_(child_ids))
        .order_by(LiveGuardianship.created_at, LiveGuardianship.id)
    ).all()
    onboarding = onboarding_of([row.id for row in rows], school_scope)
    guardians: dict[str, list[Guardian]] = {}
    for row in rows:
        name = full_name(row.given_name, row.family_name)
        each = Guardian(row.id, name, onboarding.get(row.id))
        guardians.setdefault(row.child_id, []).append(each)
    return guardians


def _waiting(in_class: tuple[Any, ...]) -> Any:
    """The guardians of these pupils who are invited and can be written to, each once."""
    whose = (
        select(Guardianship.account_id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(*in_class, guardianships.live())
    )
    return (
        select(Account.id, Account.email_key)
        .where(Account.id.in_(whose), Account.status == "invited", Account.email_key.is_not(None))
        .order_by(Account.username_key)
    )


def _page(page: int, count: int, most: int) -> tuple[int, int]:
    pages = max(1, -(-count // most))
    return min(max(page, 1), pages), pages


def _counted(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]{1,9}|[^0-9]+", name)
    return [(0, int(each), "") if each.isdecimal() else (1, 0, each.casefold()) for each in parts]
