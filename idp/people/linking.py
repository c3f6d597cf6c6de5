"""Guardianships made, named otherwise, ended: each change noted, and found by the desk at once.

What hangs on a guardianship ends with it in ``idp.lifecycle``.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, select

from idp.audit import events
from idp.database import Ids, db, retried, transaction, update_asking
from idp.errors import Invalid
from idp.people import guardianships, link_questions, search_index
from idp.people.accounts import lock_account
from idp.people.children import find_child
from idp.people.link_models import LinkRequest
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
        known, is_asked = _known(account_id, child_id)
        if is_asked:
            link_questions.settle(*link_questions.of_pair(account_id, child_id))
        if known:
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


def _known(account_id: str, child_id: str) -> tuple[Guardianship | None, bool]:
    """The pair's live guardianship, and whether a question about the two has no answer yet."""
    unanswered = exists().where(
        *link_questions.of_pair(account_id, child_id), LinkRequest.answered_at.is_(None)
    )
    theirs = (
        Guardianship.child_id == Child.id,
        Guardianship.account_id == account_id,
        guardianships.not_ended(),
    )
    query = select(Guardianship, unanswered).select_from(Child)
    row = db.session.execute(
        query.outerjoin(Guardianship, and_(*theirs)).where(Child.id == child_id)
    ).one()
    return row[0], bool(row[1])


def change_relationship(link: Guardianship, child: Child, relationship: str) -> bool:
    """Say otherwise what a live guardian is to a pupil; false where nothing changes.

    ``link``: locked. Raises ``Invalid`` for a word that is none of ``RELATIONSHIPS``.
    """
    check_relationship(relationship)
    with transaction():
        if link.relationship == relationship:
            return False
        before, link.relationship = link.relationship, relationship
        events.record(
            "guardianship_changed",
            account_id=link.account_id,
            child_id=child.id,
            school_id=child.school_id,
            changes={"relationship": [before, relationship]},
        )
    return True


@dataclass(frozen=True)
class Ended:
    """How many guardianships ended, and whether that is to be told of any."""

    count: int
    heard: bool


def mark_ended(
    ended: Ids,
    reason: str,
    code: str | None = None,
    *,
    at: datetime,
    heard: ColumnElement[bool],
    **detail: Any,
) -> Ended:
    """End those of these guardianships that have not ended.

    ``code``: one of ``END_REASONS``, where somebody at a school says so, who reads it in the
    audit log. ``heard``: whether others are to be told of one.
    """
    these = Guardianship.id.in_(ended)
    values = {"ended_at": at, "ended_reason": reason[:REASON_LENGTH], "ended_code": code}
    whom: Select[*tuple[Any, ...]] = select(Guardianship.account_id, Guardianship.child_id)
    if code is not None:
        whom = whom.add_columns(Child.school_id).join(Child, Child.id == Guardianship.child_id)
        detail["changes"] = {"ended": [None, code]}
    with transaction():
        changed = update_asking(Guardianship, these, guardianships.not_ended(), ask=heard, **values)
        marked = Ended(*changed)
        if marked.count:
            just_ended = whom.where(these, guardianships.ended_at(at))
            events.record_each("guardianship_ended", just_ended, **detail)
    return marked
