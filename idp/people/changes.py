"""What a school changes about its people, and opening an account again.

Each notes before and after in the audit trail, where the school may read it.
"""

from datetime import datetime

from sqlalchemy import update

from idp import clock
from idp.audit import events
from idp.database import transaction
from idp.people import directory
from idp.people.models import RELATIONSHIPS, Account, Child, Guardianship
from idp.people.names import Refused, clean_text, stored_names

CLASS_LENGTH = 40


def mark_enabled(account: Account) -> None:
    """Make a disabled account what it was: active where its holder had claimed it, else invited.

    The caller holds it and uses ``lifecycle.families``.
    """
    account.status = "active" if account.claimed_at else "invited"
    account.closed_at = None
    account.updated_at = clock.now()
    events.record("account_enabled", account_id=account.id)


def change_child(child: Child, given_name: str, family_name: str, class_name: str) -> bool:
    """Give a pupil other names or another class; false where nothing differs.

    Raises ``Refused``. Of names the trail tells only that they changed (security rule L1).
    """
    given, family = stored_names(given_name, family_name)
    in_class = clean_text("class_name", class_name, longest=CLASS_LENGTH)
    if (given, family, in_class) == (child.given_name, child.family_name, child.class_name):
        return False
    changes: dict[str, list[str]] = {}
    if (given, family) != (child.given_name, child.family_name):
        changes["name"] = ["", ""]
    if in_class != child.class_name:
        changes["class"] = [child.class_name, in_class]
    with transaction():
        child.given_name, child.family_name, child.class_name = given, family, in_class
        events.record(
            "child_changed", child_id=child.id, school_id=child.school_id, changes=changes
        )
        directory.refresh_children([child.id])
    return True


def mark_left(child: Child) -> bool:
    """Note that a pupil has left; false where that was known.

    Callers use ``desk.pupils``, which ends the guardianships.
    """
    return _set_left(child, clock.now())


def mark_returned(child: Child) -> bool:
    """Note that a pupil is back; false where it never left."""
    return _set_left(child, None)


def _set_left(child: Child, left_at: datetime | None) -> bool:
    """The UPDATE decides, so that two clicks note it once."""
    was = Child.left_at.is_(None) if left_at else Child.left_at.is_not(None)
    with transaction() as writes:
        changed = writes.execute(
            update(Child)
            .where(Child.id == child.id, was)
            .values(left_at=left_at)
            .execution_options(synchronize_session=False)
        ).rowcount
        if changed:
            event = "child_left" if left_at else "child_returned"
            events.record(event, child_id=child.id, school_id=child.school_id)
            writes.refresh(child)
            directory.refresh_children([child.id])
    return bool(changed)


def change_relationship(account_id: str, child: Child, relationship: str) -> bool:
    """Say otherwise what a live guardian is to a pupil; false where nothing changes.

    Raises ``Refused`` for a word that is none of ``RELATIONSHIPS``.
    """
    if relationship not in RELATIONSHIPS:
        raise Refused("relationship", f"is none of {', '.join(RELATIONSHIPS)}")
    with transaction() as writes:
        live = writes.query(Guardianship).filter_by(
            account_id=account_id, child_id=child.id, ended_at=None
        )
        row = live.with_for_update().populate_existing().one_or_none()
        if row is None or row.relationship == relationship:
            return False
        before, row.relationship = row.relationship, relationship
        events.record(
            "guardianship_changed",
            account_id=account_id,
            child_id=child.id,
            school_id=child.school_id,
            changes={"relationship": [before, relationship]},
        )
    return True
