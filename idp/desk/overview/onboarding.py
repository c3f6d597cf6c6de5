"""How far a school's guardians have come, from the invitation to their child's page.

Counted are guardians of pupils at the school now, whose account is not disabled. Each step
holds whoever came as far as that or farther, so that no step is larger than the one before.
What an account did is the same at each of its schools; which application was visited counts
only for the schools that the application serves, and letters only for the school that printed
them (security rule C3).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select

from idp.audit.models import AuditEvent
from idp.clients.models import ClientSchool
from idp.credentials.models import OneTimeToken
from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.mail.kinds import WITH_TOKEN
from idp.mail.models import OutboxMessage
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account, Child, School

STEPS: Final = ("guardians", "invited", "sent", "opened", "password", "visited")
"""``sent``: a mail with a token left, or a letter was printed; ``visited``: an application of the
school.
"""


@dataclass(frozen=True)
class Row:
    """A class, a school, or all together. ``counts`` follows ``STEPS``."""

    id: str
    """A school's id, or a class's name."""
    name: str
    counts: tuple[int, ...]

    @property
    def stopped(self) -> tuple[int, ...]:
        """How many came exactly so far: a member for each step, all together the guardians."""
        return tuple(a - b for a, b in zip(self.counts, (*self.counts[1:], 0), strict=True))


@dataclass(frozen=True)
class Funnel:
    """The steps of all together, and of each class or school."""

    total: Row
    rows: tuple[Row, ...]


def schools(staff: Staff) -> list[School]:
    """The schools whose overview this person sees, by name."""
    return scope.schools_by_name(staff.school_scope(Right.SEE_OVERVIEW))


def school(staff: Staff, school_id: str) -> School:
    """The school, if this person sees its overview. Raises ``NotFound``."""
    return scope.school(staff.school_scope(Right.SEE_OVERVIEW), school_id)


def by_class(staff: Staff, school_id: str) -> Funnel:
    """The classes of one school; a guardian of two classes counts in both, in all once.

    One query. Raises ``NotFound``.
    """
    name = school(staff, school_id).name
    guardians = live_guardianships(staff.school_scope(Right.SEE_OVERVIEW), school_id)
    query = _with_level(guardians, guardians.c.class_name)
    classes: dict[str, list[int]] = {}
    everybody: dict[str, int] = {}
    for class_name, account_id, level in db.session.execute(query):
        classes.setdefault(class_name, []).append(level)
        everybody[account_id] = level
    return Funnel(
        Row(school_id, name, _counts(everybody.values())),
        tuple(Row(each, each, _counts(classes[each])) for each in sorted(classes)),
    )


def by_school(staff: Staff, stopped: Mapping[str, Sequence[int]] | None = None) -> Funnel:
    """The schools of the scope; a guardian of two schools counts at both.

    ``stopped``: as ``stopped_by_school`` counted them. One query more without.
    """
    if stopped is None:
        stopped = stopped_by_school(staff.school_scope(Right.SEE_OVERVIEW))
    rows = tuple(
        Row(each.id, each.name, _steps(stopped.get(each.id, _NOBODY))) for each in schools(staff)
    )
    sums = tuple(sum(row.counts[n] for row in rows) for n in range(len(STEPS)))
    return Funnel(Row("", "", sums), rows)


def stopped_by_school(school_scope: SchoolScope) -> dict[str, list[int]]:
    """For each school how many guardians came exactly so far, in the order of ``STEPS``; one
    query, over everybody of the scope.
    """
    guardians = live_guardianships(school_scope, None)
    levels = _with_level(guardians, guardians.c.school_id)
    # Grouped by the step itself: SQLite works a column of a subquery out at each use
    of_school, _account_id, level = levels.selected_columns
    query = levels.with_only_columns(of_school, level, func.count()).group_by(of_school, "level")
    stopped: dict[str, list[int]] = {}
    for school_id, step, count in db.session.execute(query):
        stopped.setdefault(school_id, list(_NOBODY))[step] = count
    return stopped


def live_guardianships(school_scope: SchoolScope, school_id: str | None) -> Any:
    """School, class and guardian of each live guardianship of the scope, each once."""
    of_school = LiveGuardianship.school_id
    columns = (of_school, LiveGuardianship.class_name) if school_id else (of_school,)
    query = select(*columns, LiveGuardianship.account_id).where(scope.at(school_scope, of_school))
    if school_id:
        query = query.where(of_school == school_id)
    return query.distinct().subquery()


def _with_level(guardians: Any, key: ColumnElement[str]) -> Select[Any]:
    """For each guardian how many steps they came: 0 to 5."""
    active = Account.status == "active"
    level = case(
        (and_(active, _visited(guardians)), 5),
        (active, 4),
        (exists().where(_OPENED), 3),
        (_sent(guardians), 2),
        (_invited(), 1),
        else_=0,
    )
    return (
        select(key, guardians.c.account_id, level.label("level"))
        .join(Account, Account.id == guardians.c.account_id)
        .where(Account.status != "disabled")
    )


_NOBODY: Final = (0,) * len(STEPS)
_OPENED: Final = and_(OneTimeToken.account_id == Account.id, OneTimeToken.opened_at.is_not(None))


def _visited(guardians: Any) -> ColumnElement[bool]:
    """Whether an application of the school was given a grant, without a child or with one of
    this school. From the audit log: grants themselves are purged soon after their tokens.
    """
    school_id = guardians.c.school_id
    # Correlated by name: SQLAlchemy by itself looks one level up, and would take any school
    of_school = (
        exists()
        .where(ClientSchool.client_id == AuditEvent.client_id, ClientSchool.school_id == school_id)
        .correlate(AuditEvent, guardians)
    )
    pupil_here = (
        exists()
        .where(Child.id == AuditEvent.child_id, Child.school_id == school_id)
        .correlate(AuditEvent, guardians)
    )
    return (
        exists()
        .where(
            AuditEvent.account_id == Account.id,
            AuditEvent.event == "grant_made",
            or_(AuditEvent.child_id.is_(None), pupil_here),
            of_school,
        )
        .correlate(Account, guardians)
    )


def _sent(guardians: Any) -> ColumnElement[bool]:
    letter_here = and_(
        AuditEvent.event == "letter_printed", AuditEvent.school_id == guardians.c.school_id
    )
    return (
        exists()
        .where(AuditEvent.account_id == Account.id, or_(_of_token("mail_sent"), letter_here))
        .correlate(Account, guardians)
    )


def _invited() -> ColumnElement[bool]:
    # One row, not EXISTS: of that PostgreSQL 18 reads the whole outbox into a hash table, for the
    # few who came no farther
    queued = (
        select(OutboxMessage.id)
        .where(OutboxMessage.account_id == Account.id, OutboxMessage.kind.in_(WITH_TOKEN))
        .limit(1)
        .scalar_subquery()
        .is_not(None)
    )
    refused = exists().where(AuditEvent.account_id == Account.id, _of_token("mail_refused"))
    return or_(queued, refused)


def _of_token(event: str) -> ColumnElement[bool]:
    """What became of a mail that invites. A notice about the account invites nobody, on the
    guardian's page as here.
    """
    kind = AuditEvent.detail["kind"].as_string()
    return and_(AuditEvent.event == event, kind.in_(WITH_TOKEN))


def _steps(stopped: Sequence[int]) -> tuple[int, ...]:
    return tuple(sum(stopped[step:]) for step in range(len(STEPS)))


def _counts(levels: Iterable[int]) -> tuple[int, ...]:
    reached = list(levels)
    return tuple(sum(level >= step for level in reached) for step in range(len(STEPS)))
