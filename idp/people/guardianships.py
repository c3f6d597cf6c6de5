"""Guardianships: who may see whom, from when, until when."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, select, update

from idp import clock
from idp.audit import events
from idp.database import db, retried, transaction
from idp.errors import Invalid
from idp.people import search_index
from idp.people.accounts import lock_account
from idp.people.children import find_child
from idp.people.models import RELATIONSHIPS, Child, Guardianship, School
from idp.people.names import sort_key

REASON_LENGTH = 200


@retried
def check_relationship(relationship: str) -> None:
    """Raise ``Invalid`` for a word that is none of OneRoster's."""
    if relationship not in RELATIONSHIPS:
        raise Invalid("relationship", "none_of", allowed=RELATIONSHIPS)


def link_guardian(account_id: str, child_id: str, relationship: str = "parent") -> Guardianship:
    """Let a guardian see a child; a live guardianship is returned as it is.

    Raises ``Invalid`` for an unknown account, child or relationship (a word of OneRoster).
    """
    check_relationship(relationship)
    with transaction():
        if lock_account(account_id) is None:
            raise Invalid("account", "unknown")
        child = find_child(child_id)
        if child is None:
            raise Invalid("child", "unknown")
        if live := _live_guardianship(account_id, child_id):
            return live
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
    if relationship not in RELATIONSHIPS:
        raise Invalid("relationship", "none_of", allowed=RELATIONSHIPS)
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


def live_children(
    account_id: str, school_ids: Sequence[str] | None = None
) -> list[tuple[Child, Guardianship]]:
    """The guardian's children now, at these schools (``None``: at any), by given name.

    One query; an ended guardianship and a child that left its school are not among them.
    """
    query = (
        select(Child, Guardianship)
        .join(Guardianship, Guardianship.child_id == Child.id)
        .where(
            Guardianship.account_id == account_id,
            Guardianship.ended_at.is_(None),
            Child.left_at.is_(None),
        )
    )
    if school_ids is not None:
        query = query.where(Child.school_id.in_(school_ids))
    found = [(child, guardianship) for child, guardianship in db.session.execute(query)]
    return sorted(found, key=lambda pair: _by_name(pair[0]))


def has_live_children(account_id: str) -> bool:
    """Whether the account is guardian of a pupil anywhere now."""
    live = (
        select(Guardianship.id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(
            Guardianship.account_id == account_id,
            Guardianship.ended_at.is_(None),
            Child.left_at.is_(None),
        )
    )
    return db.session.scalar(live.limit(1)) is not None


def schools_of(account_id: str) -> list[School]:
    """The schools of the guardian's live children, by name; one query."""
    return list(
        db.session.scalars(
            select(School)
            .where(
                School.id.in_(
                    select(Child.school_id)
                    .join(Guardianship, Guardianship.child_id == Child.id)
                    .where(
                        Guardianship.account_id == account_id,
                        Guardianship.ended_at.is_(None),
                        Child.left_at.is_(None),
                    )
                )
            )
            .order_by(School.name)
        )
    )


def lock_guardianship(account_id: str, child_id: str) -> bool:
    """Whether a guardianship is live, and stays so until this transaction ends (rule C6)."""
    return _live_guardianship(account_id, child_id, hold=True) is not None


def mark_guardianship_ended(
    account_id: str, child_id: str, reason: str, code: str | None = None
) -> bool:
    """End a live guardianship; false where there is none. ``code``: one of ``END_REASONS``.

    Callers use ``lifecycle.families.end_guardianship``, which ends what hangs on it.
    """
    with transaction() as writes:
        ended = writes.execute(
            update(Guardianship)
            .where(
                Guardianship.account_id == account_id,
                Guardianship.child_id == child_id,
                Guardianship.ended_at.is_(None),
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
    """``mark_guardianship_ended`` for many: ``ended`` yields ids; returns how many were live.

    Callers use ``lifecycle.households.end_guardianships``, which ends what hangs on them, and
    then refresh the search index.
    """
    live = and_(Guardianship.id.in_(ended), Guardianship.ended_at.is_(None))
    whom: Select[*tuple[Any, ...]] = select(Guardianship.account_id, Guardianship.child_id).where(
        live
    )
    if code is not None:  # somebody at a school says so: it reads it in its journal
        whom = whom.add_columns(Child.school_id).join(Child, Child.id == Guardianship.child_id)
        detail["changes"] = {"ended": [None, code]}
    with transaction() as writes:
        events.record_each("guardianship_ended", whom, **detail)
        count: int = writes.execute(
            update(Guardianship)
            .where(live)
            .values(ended_at=clock.now(), ended_reason=reason[:REASON_LENGTH], ended_code=code)
            .execution_options(synchronize_session=False)
        ).rowcount
    return count


def _live_guardianship(
    account_id: str, child_id: str, *, hold: bool = False
) -> Guardianship | None:
    query = select(Guardianship).where(
        Guardianship.account_id == account_id,
        Guardianship.child_id == child_id,
        Guardianship.ended_at.is_(None),
    )
    return db.session.scalars(query.with_for_update(read=True) if hold else query).one_or_none()


def _by_name(child: Child) -> tuple[str, str, str]:
    return sort_key(child.given_name), sort_key(child.family_name), child.id
