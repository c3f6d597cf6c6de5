"""A scope as conditions of queries: what lies outside it is not found (security rule A2).

A guardian is within the scope of a school where they are or were guardian of one of its
pupils. What they have at other schools is not looked at: no condition here, and no column that
a page of the desk shows, depends on it (security rule C3).
"""

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, exists, false, or_, select, true

from idp.database import db
from idp.desk.access.rights import RIGHTS, Right, SchoolScope, Staff
from idp.errors import NotFound
from idp.people import link_questions
from idp.people.guardianships import LiveGuardianship
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child, Guardianship, School, StaffRole

T = TypeVar("T")


def at(school_scope: SchoolScope, school_id: Any) -> ColumnElement[bool]:
    """What belongs to a school of the scope; ``school_id``: the column that says which."""
    return true() if school_scope.everywhere else school_id.in_(sorted(school_scope.school_ids))


def schools(school_scope: SchoolScope) -> ColumnElement[bool]:
    """The schools of the scope; a condition on ``School``."""
    return at(school_scope, School.id)


def children(school_scope: SchoolScope) -> ColumnElement[bool]:
    """The pupils of these schools, those who left as well; a condition on ``Child``."""
    return at(school_scope, Child.school_id)


def guardians(school_scope: SchoolScope) -> ColumnElement[bool]:
    """Whoever is or was guardian of such a pupil; a condition on ``Account``."""
    if school_scope.everywhere:
        return true()
    theirs = select(Guardianship.account_id).join(Child, Child.id == Guardianship.child_id)
    return Account.id.in_(theirs.where(children(school_scope)))


def live_guardians(school_scope: SchoolScope) -> ColumnElement[bool]:
    """Whoever is guardian of such a pupil now; a condition on ``Account``."""
    if school_scope.everywhere:
        return true()
    theirs = select(LiveGuardianship.account_id).where(at(school_scope, LiveGuardianship.school_id))
    return Account.id.in_(theirs)


def questioned(school_scope: SchoolScope) -> ColumnElement[bool]:
    """Whoever such a school asks about a pupil, and nobody has answered; a condition on
    ``Account``.
    """
    theirs = select(LinkRequest.account_id).join(Child, Child.id == LinkRequest.child_id)
    return Account.id.in_(theirs.where(link_questions.waits(), children(school_scope)))


def people(school_scope: SchoolScope) -> ColumnElement[bool]:
    """Guardians of now and staff of these schools; a condition on ``Account``."""
    if school_scope.everywhere:
        return true()
    colleagues = select(StaffRole.account_id).where(at(school_scope, StaffRole.school_id))
    return or_(live_guardians(school_scope), Account.id.in_(colleagues))


def is_peer(staff: Staff) -> ColumnElement[bool]:
    """Whoever ``Staff.refuse_peer`` refuses; a condition on ``Account``."""
    if not staff.account_id:
        return false()
    two = [role for role, rights in RIGHTS.items() if Right.RESET_FACTORS in rights]
    peers = ["operator"] if staff.is_operator else sorted(two)
    return exists().where(StaffRole.account_id == Account.id, StaffRole.role.in_(peers))


def schools_by_name(school_scope: SchoolScope, most: int | None = None) -> list[School]:
    """The schools of the scope; ``most``: how many at most."""
    query = select(School).where(schools(school_scope)).order_by(School.name, School.id).limit(most)
    return list(db.session.scalars(query))


def school(school_scope: SchoolScope, school_id: str, *, lock: bool = False) -> School:
    """The school, as it is now; raises ``NotFound`` where it is not of the scope.

    ``lock``: of two who act on it at once, the second waits.
    """
    query = select(School).where(School.id == school_id, schools(school_scope))
    return one(query.with_for_update(key_share=True) if lock else query, "school", school_id)


def one(query: Select[T], what: str, row_id: str) -> T:
    """The one row of a query, as it is now; raises ``NotFound`` where there is none."""
    row = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound(what, row_id)
    return row
