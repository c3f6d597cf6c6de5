"""Pupils by hand: added, corrected, gone, back. Raises ``NotFound`` and ``Invalid``."""

from collections.abc import Collection, Sequence

from sqlalchemy import select

from idp.database import db, retried, transaction
from idp.desk import reach as within
from idp.desk import search
from idp.desk.listed import PUPIL
from idp.desk.people import child_within, live_guardian
from idp.desk.staff import Right, Staff
from idp.lifecycle import endings
from idp.people import guardianships, search_index
from idp.people.children import change_child, create_child, mark_left, mark_returned
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Child, Guardianship, School


def school(staff: Staff, school_id: str) -> School:
    """A school at which this person changes people; raises ``NotFound``."""
    return within.school(staff.reach(Right.CHANGE_PEOPLE), school_id)


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
        return create_child(found.id, given_name, family_name, class_name, number or None)


@retried
def change(staff: Staff, child_id: str, given_name: str, family_name: str, class_name: str) -> bool:
    """Correct a pupil's name or class; false where nothing differs."""
    with transaction():
        child = child_within(staff.reach(Right.CHANGE_PEOPLE), child_id)
        return change_child(child, given_name, family_name, class_name)


@retried
def leave(staff: Staff, child_id: str) -> bool:
    """Note that a pupil has left: its guardianships end, as an import ends them. False where
    that was known.
    """
    with transaction():
        child = child_within(staff.reach(Right.CHANGE_PEOPLE), child_id)
        return bool(_left([child]))


def of_family(staff: Staff, account_id: str) -> list[Child]:
    """The pupils at school of a guardian, within the reach: who leaves where the family does.

    Raises ``NotFound``.
    """
    reach = staff.reach(Right.CHANGE_PEOPLE)
    live_guardian(reach, account_id)
    theirs = select(LiveGuardianship.child_id).where(LiveGuardianship.account_id == account_id)
    query = select(Child).where(within.children(reach))
    return list(db.session.scalars(query.where(Child.id.in_(theirs)).order_by(Child.given_name)))


@retried
def family_leaves(staff: Staff, account_id: str, child_ids: Collection[str]) -> int:
    """Note that these pupils of a guardian have left together; returns how many did.

    Whoever is not the guardian's pupil within the reach is passed over. Raises ``NotFound``.
    """
    with transaction():
        return _left([each for each in of_family(staff, account_id) if each.id in child_ids])


def _left(children: Sequence[Child]) -> int:
    """Pupils go, and every guardianship of theirs ends; in the caller's transaction."""
    gone = [child.id for child in children if mark_left(child)]
    if gone:
        ids = db.session.scalars(
            select(Guardianship.id).where(
                Guardianship.child_id.in_(gone), guardianships.not_ended()
            )
        ).all()
        endings.end_guardianships(ids, "", "left")
        search_index.refresh_children(gone)
    return len(gone)


@retried
def come_back(staff: Staff, child_id: str) -> bool:
    """Note that a pupil is back; whoever was its guardian is linked again by hand."""
    with transaction():
        child = child_within(staff.reach(Right.CHANGE_PEOPLE), child_id)
        return mark_returned(child)
