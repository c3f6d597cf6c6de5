"""Pupils: enrolled, found, changed, gone and back."""

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value

from idp import clock
from idp.audit import events
from idp.database import db, transaction, update_all
from idp.errors import Invalid
from idp.people import search_index
from idp.people.models import Child
from idp.people.names import clean_text, stored_names
from idp.people.schools import find_school

CLASS_LENGTH = 40

SOURCED_ID_LENGTH = 64


def create_child(
    school_id: str,
    given_name: str,
    family_name: str,
    class_name: str = "",
    sourced_id: str | None = None,
) -> Child:
    """Enrol a child; ``sourced_id`` is the school's own number for it. Raises ``Invalid``."""
    school = find_school(school_id)
    if school is None:
        raise Invalid("school", "unknown")
    given_name, family_name = stored_names(given_name, family_name)
    number = clean_text("sourced_id", sourced_id or "", longest=SOURCED_ID_LENGTH)
    child = Child(
        school_id=school_id,
        school=school,
        given_name=given_name,
        family_name=family_name,
        class_name=clean_text("class_name", class_name, longest=CLASS_LENGTH),
        sourced_id=number or None,
    )
    with transaction() as writes:
        try:
            with writes.begin_nested():
                writes.add(child)
        except IntegrityError as error:  # the unique index decides, not a look beforehand
            raise Invalid("sourced_id", "another_childs") from error
        events.record("child_created", child_id=child.id, school_id=school_id)
        search_index.refresh_pupils([child.id])
    return child


def find_child(child_id: str) -> Child | None:
    """The child, with its school."""
    return db.session.get(Child, child_id)


def change_child(child: Child, given_name: str, family_name: str, class_name: str) -> bool:
    """Give a pupil other names or another class; false where nothing differs.

    Raises ``Invalid``. Of names the audit log tells only that they changed (security rule L1).
    """
    given_name, family_name = stored_names(given_name, family_name)
    in_class = clean_text("class_name", class_name, longest=CLASS_LENGTH)
    if (given_name, family_name, in_class) == (
        child.given_name,
        child.family_name,
        child.class_name,
    ):
        return False
    changes: dict[str, list[str]] = {}
    if (given_name, family_name) != (child.given_name, child.family_name):
        changes["name"] = ["", ""]
    if in_class != child.class_name:
        changes["class"] = [child.class_name, in_class]
    with transaction():
        child.given_name, child.family_name, child.class_name = given_name, family_name, in_class
        events.record(
            "child_changed", child_id=child.id, school_id=child.school_id, changes=changes
        )
        search_index.refresh_children([child.id])
    return True


def mark_left(child: Child) -> bool:
    """Note that a pupil has left; false where that was known. Its guardianships end beside it."""
    return _set_left(child, clock.now())


def mark_returned(child: Child) -> bool:
    """Note that a pupil is back; false where it never left."""
    return _set_left(child, None)


def _set_left(child: Child, left_at: datetime | None) -> bool:
    """The UPDATE decides, so that two clicks note it once."""
    was = Child.left_at.is_(None) if left_at else Child.left_at.is_not(None)
    with transaction():
        changed = update_all(Child, Child.id == child.id, was, left_at=left_at)
        if changed:
            event = "child_left" if left_at else "child_returned"
            events.record(event, child_id=child.id, school_id=child.school_id)
            set_committed_value(child, "left_at", left_at)
            search_index.refresh_children([child.id])
    return bool(changed)
