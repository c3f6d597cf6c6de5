"""Pupils by hand: added, corrected, gone, back. Raises ``NotFound`` and ``people.Refused``."""

from sqlalchemy import select

from idp.database import db, retried, transaction
from idp.desk import reach as within
from idp.desk import search
from idp.desk.listed import PUPIL
from idp.desk.people import NotFound, child_within
from idp.desk.staff import Right, Staff
from idp.lifecycle import households
from idp.people import changes, directory
from idp.people import service as people
from idp.people.models import Child, Guardianship, School


def school(staff: Staff, school_id: str) -> School:
    """A school at which this person changes people; raises ``NotFound``."""
    reach = staff.reach(Right.CHANGE_PEOPLE)
    query = select(School).where(School.id == school_id, within.schools(reach))
    found = db.session.scalars(query).one_or_none()
    if found is None:
        raise NotFound(school_id)
    return found


def find(staff: Staff, text: str) -> list[Child]:
    """Pupils at school whom ``text`` may mean (``desk.search``), the likeliest first."""
    reach = staff.reach(Right.CHANGE_PEOPLE)
    ids = [each.id for each in search.find(staff, text, kind=PUPIL).people]
    query = select(Child).where(within.children(reach), Child.left_at.is_(None), Child.id.in_(ids))
    return sorted(db.session.scalars(query), key=lambda child: ids.index(child.id))


def add(
    staff: Staff, school_id: str, given_name: str, family_name: str, class_name: str, number: str
) -> Child:
    """Enrol a pupil; ``number``: the school's own for it, or nothing."""
    with transaction():
        found = school(staff, school_id)
        return people.create_child(found.id, given_name, family_name, class_name, number or None)


@retried
def change(staff: Staff, child_id: str, given_name: str, family_name: str, class_name: str) -> bool:
    """Correct a pupil's name or class; false where nothing differs."""
    with transaction():
        child = child_within(staff.reach(Right.CHANGE_PEOPLE), child_id)
        return changes.change_child(child, given_name, family_name, class_name)


@retried
def leave(staff: Staff, child_id: str) -> bool:
    """Note that a pupil has left: its guardianships end, as an import ends them. False where
    that was known.
    """
    with transaction():
        child = child_within(staff.reach(Right.CHANGE_PEOPLE), child_id)
        if not changes.mark_left(child):
            return False
        ids = db.session.scalars(
            select(Guardianship.id).where(
                Guardianship.child_id == child.id, Guardianship.ended_at.is_(None)
            )
        ).all()
        ended = select(Guardianship.id).where(Guardianship.id.in_(ids))
        households.end_guardianships(ended, "", "left")
        directory.refresh_children([child.id])
    return True


@retried
def come_back(staff: Staff, child_id: str) -> bool:
    """Note that a pupil is back; whoever was its guardian is linked again by hand."""
    with transaction():
        child = child_within(staff.reach(Right.CHANGE_PEOPLE), child_id)
        return changes.mark_returned(child)
