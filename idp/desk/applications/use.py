"""Who used an application: numbers of guardians and sign-ins, never their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from sqlalchemy import Integer, Select, cast, extract, func, select

from idp import clock
from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.desk.applications.service import get_application
from idp.oidc.models import Grant
from idp.people.models import Child

DAYS: Final = 30
_DAY: Final = 86_400  # seconds


@dataclass(frozen=True)
class Day:
    """What one day saw."""

    begins: datetime
    guardians: int
    sign_ins: int


@dataclass(frozen=True)
class Use:
    """The last 30 days, today included: each day that saw a sign-in, the newest first."""

    guardians: int
    """Different ones, in all of these days."""
    sign_ins: int
    days: Sequence[Day]
    last_at: datetime | None


def use_of(staff: Staff, client_id: str, zone: tzinfo) -> Use:
    """How much it was used, as far as this member of staff may know. Two queries, by index.

    At a school counts a sign-in for one of its own pupils and no other: not one without a
    pupil either, which may be for a brother at another school (security rule C3). ``zone``:
    where a day begins. Raises ``NotFound``.
    """
    get_application(staff, client_id)
    school_scope = staff.school_scope(Right.SEE_CLIENTS)
    today = clock.now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=DAYS - 1)
    total, sign_ins, last_at = db.session.execute(_in(school_scope, client_id, since)).one()
    by_day = (
        _in(school_scope, client_id, since).add_columns(_number_of_day(since)).group_by("passed")
    )
    days = [
        Day(since + timedelta(days=int(passed)), guardians, count)
        for guardians, count, _last, passed in db.session.execute(by_day)
    ]
    days.sort(key=lambda each: each.begins, reverse=True)
    return Use(total, sign_ins, days, last_at)


def _in(school_scope: SchoolScope, client_id: str, since: datetime) -> Select[*tuple[Any, ...]]:
    statement: Select[*tuple[Any, ...]] = select(
        func.count(Grant.account_id.distinct()), func.count(), func.max(Grant.created_at)
    ).where(Grant.client_id == client_id, Grant.created_at >= since)
    if not school_scope.everywhere:
        statement = statement.join(Child, Child.id == Grant.child_id).where(
            scope.children(school_scope)
        )
    return statement


def _number_of_day(since: datetime) -> Any:
    """How many days after ``since`` a grant was made; a change of the clocks moves an hour."""
    seconds = cast(func.floor(extract("epoch", Grant.created_at)), Integer)
    # By its name in GROUP BY: PostgreSQL takes two bound values for two expressions.
    return ((seconds - int(since.timestamp())) // _DAY).label("passed")
