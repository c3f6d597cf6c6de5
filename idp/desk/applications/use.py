"""Who used an application: numbers of guardians and sign-ins, never their names."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, cast, extract, func, select, true

from idp import clock
from idp.clients.models import Client
from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.desk.applications.service import get_application
from idp.oidc.models import Grant
from idp.people import platform_counts
from idp.people.models import Child

DAYS: Final = 30
NAME: Final = "use "
"""Before an application's id: the name of its figures on the whole platform."""
_DAY: Final = 86_400  # seconds
_NOBODY: Final = {"guardians": 0, "sign_ins": 0, "last_at": None}


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
    counted_at: datetime | None = None
    """None: now."""


def use_of(staff: Staff, client_id: str, zone: tzinfo) -> Use | None:
    """How much it was used, as far as this member of staff may know. Two queries, by index.

    At a school counts a sign-in for one of its own pupils and no other: not one without a
    pupil either, which may be for a brother at another school (security rule C3). ``zone``:
    where a day begins. None where nobody counted it yet. Raises ``NotFound``.
    """
    get_application(staff, client_id)
    school_scope = staff.school_scope(Right.SEE_CLIENTS)
    if not school_scope.everywhere:
        return _use(_counted(zone, Grant.client_id == client_id, school_scope)[client_id])
    whole = platform_counts.counted(
        NAME + client_id, lambda: _counted(zone, Grant.client_id == client_id)[client_id]
    )
    return _use(whole.numbers, whole.at) if whole else None


def count(zone: tzinfo) -> dict[str, Any]:
    """The use of every application on the whole platform, by the name of its figures, as JSON
    has them: two queries, over every sign-in of the last 30 days.
    """
    counted = _counted(zone, true())
    ids = db.session.scalars(select(Client.id))
    return {NAME + client_id: counted[client_id] for client_id in ids}


def _counted(
    zone: tzinfo, which: ColumnElement[bool], school_scope: SchoolScope | None = None
) -> dict[str, dict[str, Any]]:
    today = clock.now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=DAYS - 1)
    query = (
        select(Grant.client_id, func.count(Grant.account_id.distinct()), func.count())
        .where(which, Grant.created_at >= since)
        .group_by(Grant.client_id)
    )
    if school_scope is not None:
        query = query.join(Child, Child.id == Grant.child_id).where(scope.children(school_scope))
    counted: dict[str, dict[str, Any]] = defaultdict(lambda: {**_NOBODY, "days": []})
    for client_id, guardians, sign_ins, last_at in db.session.execute(
        query.add_columns(func.max(Grant.created_at))
    ):
        counted[client_id] |= {
            "guardians": guardians,
            "sign_ins": sign_ins,
            "last_at": last_at.isoformat(),
        }
    by_day = query.add_columns(_number_of_day(since)).group_by("passed")
    for client_id, guardians, sign_ins, passed in db.session.execute(by_day):
        begins = since + timedelta(days=int(passed))
        counted[client_id]["days"].append([begins.isoformat(), guardians, sign_ins])
    return counted


def _use(counted: dict[str, Any], at: datetime | None = None) -> Use:
    days = [
        Day(datetime.fromisoformat(begins), guardians, sign_ins)
        for begins, guardians, sign_ins in counted["days"]
    ]
    days.sort(key=lambda each: each.begins, reverse=True)
    last_at = counted["last_at"] and datetime.fromisoformat(counted["last_at"])
    return Use(counted["guardians"], counted["sign_ins"], days, last_at, at)


def _number_of_day(since: datetime) -> Any:
    """How many days after ``since`` a grant was made; a change of the clocks moves an hour."""
    seconds = cast(func.floor(extract("epoch", Grant.created_at)), Integer)
    # By its name in GROUP BY: PostgreSQL takes two bound values for two expressions.
    return ((seconds - int(since.timestamp())) // _DAY).label("passed")
