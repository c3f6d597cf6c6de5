"""Guardianships made, named otherwise, ended: each change noted, and found by the desk at once.

What hangs on a guardianship ends with it in ``idp.lifecycle``.
"""

from typing import Any

from sqlalchemy import Select, and_, select, update

from idp import clock
from idp.audit import events
from idp.database import db, retried, transaction
from idp.errors import Invalid
from idp.people import guardianships, search_index
from idp.people.accounts import lock_account
from idp.people.children import find_child
from idp.people.models import RELATIONSHIPS, Child, Guardianship

REASON_LENGTH = 200


def check_relationship(relationship: str) -> None:
    """Raise ``Invalid`` for a word that is none of OneRoster's."""
    if relationship not in RELATIONSHIPS:
        raise Invalid("relationship", "none_of", allowed=RELATIONSHIPS)


@retried
def link_guardian(account_id: str, child_id: str, relationship: str = "parent") -> Guardianship:
    """Let a guardian see a child; a guardianship that has not ended is returned as it is.

    Raises ``Invalid`` for an unknown account, child or relationship (a word of OneRoster).
    """
    check_relationship(relationship)
    with transaction():
        if lock_account(account_id) is None:
            raise Invalid("account", "unknown")
        child = find_child(child_id)
        if child is None:
            raise Invalid("child", "unknown")
        if known := guardianships.find(account_id, child_id):
            return known
        made = Guardianship(account_id=account_id, child_id=child_id, relationship=relationship)
        db.session.add(made)
        db.session.flush()
        events.record(
            "guardianship_made",
            account_id=account_id,
            child_id=child_id,
            school_id=child.school_id,
            changes={"relationship": [None, relationship]},
        )
        search_index.refresh_accounts([account_id])
    return made


def change_relationship(account_id: str, child: Child, relationship: str) -> bool:
    """Say otherwise what a live guardian is to a pupil; false where nothing changes.

    Raises ``Invalid`` for a word that is none of ``RELATIONSHIPS``.
    """
    check_relationship(relationship)
    with transaction():
        row = guardianships.find(account_id, child.id, lock=True)
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


def mark_guardianship_ended(
    account_id: str, child_id: str, reason: str, code: str | None = None
) -> bool:
    """End a guardianship; false where none is left to end. ``code``: one of ``END_REASONS``.

    Callers use ``lifecycle.families.end_guardianship``, which ends what hangs on it.
    """
    with transaction() as writes:
        ended = writes.execute(
            update(Guardianship)
            .where(
                Guardianship.account_id == account_id,
                Guardianship.child_id == child_id,
                guardianships.not_ended(),
            )
            .values(ended_at=clock.now(), ended_reason=reason[:REASON_LENGTH], ended_code=code)
        ).rowcount
        if ended:
            child = find_child(child_id)
            events.record(
                "guardianship_ended",
                account_id=account_id,
                child_id=child_id,
                school_id=child.school_id if child else None,
                changes={"ended": [None, code or "other"]},
            )
            search_index.refresh_accounts([account_id])
    return bool(ended)


def mark_guardianships_ended(
    ended: Select[Any], reason: str, code: str | None = None, **detail: Any
) -> int:
    """``mark_guardianship_ended`` for many: ``ended`` yields ids; returns how many had not ended.

    Callers use ``lifecycle.households.end_guardianships``, which ends what hangs on them, and
    then refresh the search index.
    """
    which = and_(Guardianship.id.in_(ended), guardianships.not_ended())
    whom: Select[*tuple[Any, ...]] = select(Guardianship.account_id, Guardianship.child_id).where(
        which
    )
    if code is not None:  # somebody at a school says so: it reads it in its journal
        whom = whom.add_columns(Child.school_id).join(Child, Child.id == Guardianship.child_id)
        detail["changes"] = {"ended": [None, code]}
    with transaction() as writes:
        events.record_each("guardianship_ended", whom, **detail)
        count: int = writes.execute(
            update(Guardianship)
            .where(which)
            .values(ended_at=clock.now(), ended_reason=reason[:REASON_LENGTH], ended_code=code)
            .execution_options(synchronize_session=False)
        ).rowcount
    return count
