"""A reach as conditions of queries: what lies outside it is not found (security rule A2).

A guardian is within the reach of a school where they are or were guardian of one of its
pupils. What they have at other schools is not looked at: no condition here, and no column that
a page of the desk shows, depends on it (security rule C3).
"""

from typing import Any

from sqlalchemy import ColumnElement, or_, select, true

from idp.database import db
from idp.desk.access.rights import Reach
from idp.errors import NotFound
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account, Child, Guardianship, School, StaffRole


def at(reach: Reach, school_id: Any) -> ColumnElement[bool]:
    """What belongs to a school of the reach; ``school_id``: the column that says which."""
    return true() if reach.everywhere else school_id.in_(sorted(reach.school_ids))


def schools(reach: Reach) -> ColumnElement[bool]:
    """The schools of the reach; a condition on ``School``."""
    return at(reach, School.id)


def children(reach: Reach) -> ColumnElement[bool]:
    """The pupils of these schools, those who left as well; a condition on ``Child``."""
    return at(reach, Child.school_id)


def guardians(reach: Reach) -> ColumnElement[bool]:
    """Whoever is or was guardian of such a pupil; a condition on ``Account``."""
    if reach.everywhere:
        return true()
    theirs = select(Guardianship.account_id).join(Child, Child.id == Guardianship.child_id)
    return Account.id.in_(theirs.where(children(reach)))


def live_guardians(reach: Reach) -> ColumnElement[bool]:
    """Whoever is guardian of such a pupil now; a condition on ``Account``."""
    if reach.everywhere:
        return true()
    theirs = select(LiveGuardianship.account_id).where(at(reach, LiveGuardianship.school_id))
    return Account.id.in_(theirs)


def people(reach: Reach) -> ColumnElement[bool]:
    """Guardians of now and staff of these schools; a condition on ``Account``."""
    if reach.everywhere:
        return true()
    colleagues = select(StaffRole.account_id).where(at(reach, StaffRole.school_id))
    return or_(live_guardians(reach), Account.id.in_(colleagues))


def schools_by_name(reach: Reach, most: int | None = None) -> list[School]:
    """The schools of the reach; ``most``: how many at most."""
    query = select(School).where(schools(reach)).order_by(School.name, School.id).limit(most)
    return list(db.session.scalars(query))


def school(reach: Reach, school_id: str, *, lock: bool = False) -> School:
    """The school, as it is now; raises ``NotFound`` where it is not of the reach.

    ``lock``: of two who act on it at once, the second waits.
    """
    query = select(School).where(School.id == school_id, schools(reach))
    if lock:
        query = query.with_for_update(key_share=True)
    found = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound("school", school_id)
    return found
