"""A reach as conditions of queries: what lies outside it is not found (security rule A2).

A guardian is within the reach of a school where they are or were guardian of one of its
pupils. What they have at other schools is not looked at: no condition here, and no column that
a page of the desk shows, depends on it (security rule C3).
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, true

from idp.desk.staff import Reach
from idp.people.models import Account, Child, Guardianship, School


def schools(reach: Reach) -> ColumnElement[bool]:
    """The schools of the reach; a condition on ``School``."""
    return true() if reach.everywhere else School.id.in_(sorted(reach.school_ids))


def children(reach: Reach) -> ColumnElement[bool]:
    """The pupils of these schools, those who left as well; a condition on ``Child``."""
    return true() if reach.everywhere else Child.school_id.in_(sorted(reach.school_ids))


def guardians(reach: Reach) -> ColumnElement[bool]:
    """Whoever is or was guardian of such a pupil; a condition on ``Account``."""
    return true() if reach.everywhere else Account.id.in_(_guardians_of(children(reach)))


def live_guardians(reach: Reach) -> ColumnElement[bool]:
    """Whoever is guardian of such a pupil now; a condition on ``Account``."""
    if reach.everywhere:
        return true()
    now = and_(children(reach), Guardianship.ended_at.is_(None), Child.left_at.is_(None))
    return Account.id.in_(_guardians_of(now))


def _guardians_of(condition: ColumnElement[bool]) -> Select[Any]:
    return (
        select(Guardianship.account_id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(condition)
    )
