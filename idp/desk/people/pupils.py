"""Pupils by hand: added, corrected, gone, back. Raises ``NotFound`` and ``Invalid``."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select

from idp.database import db, retried
from idp.desk.access import scope
from idp.desk.access.acts import Act, act, act_at_school, act_on_pupil
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.desk.people import meanwhile
from idp.desk.people.page import live_guardian
from idp.lifecycle import endings
from idp.people import guardianships
from idp.people.children import change_child, create_child, mark_left, mark_returned
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Child, Guardianship, School


def school(staff: Staff, school_id: str) -> School:
    """A school at which this person changes people; raises ``NotFound``."""
    return scope.school(staff.school_scope(Right.CHANGE_PEOPLE), school_id)


@retried
def add(
    staff: Staff, school_id: str, given_name: str, family_name: str, class_name: str, number: str
) -> Child:
    """Enrol a pupil; ``number``: the school's own for it, or nothing."""
    with act_at_school(staff, Right.CHANGE_PEOPLE, school_id):
        return create_child(school_id, given_name, family_name, class_name, number or None)


@retried
def change(
    staff: Staff,
    child_id: str,
    given_name: str,
    family_name: str,
    class_name: str,
    shown: Mapping[str, str] | None = None,
) -> bool:
    """Correct a pupil's name or class; false where nothing differs. ``shown``: see
    ``meanwhile.kept``.
    """
    typed = {"given_name": given_name, "family_name": family_name, "class_name": class_name}
    with act_on_pupil(staff, Right.CHANGE_PEOPLE, child_id) as on:
        stored = {name: getattr(on.child, name) for name in typed}
        return change_child(on.child, **meanwhile.kept(typed, shown, stored))


@retried
def leave(staff: Staff, child_id: str) -> bool:
    """Note that a pupil has left: its guardianships end, as an import ends them. False where
    that was known.
    """
    with act_on_pupil(staff, Right.CHANGE_PEOPLE, child_id) as on:
        return bool(_left(on, [on.child]))


def of_family(staff: Staff, account_id: str) -> list[Child]:
    """The pupils at school of a guardian, within the scope: who leaves where the family does.

    Raises ``NotFound``.
    """
    school_scope = staff.school_scope(Right.CHANGE_PEOPLE)
    live_guardian(school_scope, account_id)
    return _children_of(school_scope, account_id)


def _children_of(school_scope: SchoolScope, account_id: str) -> list[Child]:
    theirs = select(LiveGuardianship.child_id).where(LiveGuardianship.account_id == account_id)
    query = select(Child).where(scope.children(school_scope))
    return list(db.session.scalars(query.where(Child.id.in_(theirs)).order_by(Child.given_name)))


@retried
def family_leaves(staff: Staff, account_id: str, child_ids: Collection[str]) -> int:
    """Note that these pupils of a guardian have left together; returns how many did.

    Whoever is not the guardian's pupil within the scope is passed over. Raises ``NotFound``.
    """
    with act(staff, Right.CHANGE_PEOPLE, account_id, wider_roles=True) as on:
        theirs = _children_of(on.school_scope, account_id)
        return _left(on, [each for each in theirs if each.id in child_ids])


def _left(_on: Act, children: Sequence[Child]) -> int:
    """Pupils go, and every guardianship of theirs ends."""
    gone = [child.id for child in children if mark_left(child)]
    if gone:
        ids = db.session.scalars(
            select(Guardianship.id).where(
                Guardianship.child_id.in_(gone), guardianships.not_ended()
            )
        ).all()
        endings.end_guardianships(ids, "", "left")
    return len(gone)


@retried
def come_back(staff: Staff, child_id: str) -> bool:
    """Note that a pupil is back; whoever was its guardian is linked again by hand."""
    with act_on_pupil(staff, Right.CHANGE_PEOPLE, child_id) as on:
        return mark_returned(on.child)
