"""Who is guardian of whom now, and what that means: a guardianship is live as long as it has not
ended and the pupil has not left.

That stands here alone: as a condition (``live``) where a query reads both tables or locks a row,
and as the view ``live_guardianships`` for all else, the SQL of ``roster`` too.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    MetaData,
    Select,
    SQLColumnExpression,
    String,
    Table,
    and_,
    func,
    select,
)
from sqlalchemy.orm import Mapped

from idp.database import Model, OpaqueId, UtcDateTime, db
from idp.people.models import Account, Child, Guardianship, School
from idp.people.names import sort_key

BY_ROSTER: Final = "not in the school's roster any more"
"""What is stored as the reason of a guardianship that an import ended."""


class LiveGuardianship(Model):
    """A row of the view: a guardian, and a pupil at a school whom they may see.

    A view knows its tables by name: a migration that makes ``guardianships`` or ``children`` anew
    (SQLite), or another column of those here, drops it first and makes it again.
    """

    # Of no metadata of ours: nothing that walks our tables is to make, empty or fill a view
    __table__ = Table(
        "live_guardianships",
        MetaData(),
        Column("id", OpaqueId, primary_key=True),
        Column("account_id", OpaqueId),
        Column("child_id", OpaqueId),
        Column("relationship", String(16)),
        Column("created_at", UtcDateTime),
        Column("school_id", OpaqueId),
        Column("class_name", String(40)),
    )

    id: Mapped[str]
    account_id: Mapped[str]
    child_id: Mapped[str]
    relationship: Mapped[str]
    created_at: Mapped[datetime]
    school_id: Mapped[str]
    class_name: Mapped[str]


def live() -> ColumnElement[bool]:
    """A guardian may see the pupil now; a condition on ``Guardianship`` and its ``Child``."""
    return and_(not_ended(), Child.left_at.is_(None))


def beside_accounts(statement: Select[Any]) -> Select[Any]:
    """A statement about accounts, with each child that a guardian may see beside them, and one row
    with none for who has none. By two joins, each by a key: of a guardianship whose pupil has left
    there is a row without a child.
    """
    guardianship = and_(Guardianship.account_id == Account.id, not_ended())
    child = and_(Child.id == Guardianship.child_id, Child.left_at.is_(None))
    return statement.outerjoin(Guardianship, guardianship).outerjoin(Child, child)


def not_ended() -> ColumnElement[bool]:
    """Nobody has ended it, wherever the pupil is: what can still end, and of which one pair has
    one at most (``uq_guardianships_live``); a condition on ``Guardianship``.
    """
    return Guardianship.ended_at.is_(None)


def ended_at(moment: datetime) -> ColumnElement[bool]:
    """Ended by the act of this moment; a condition on ``Guardianship``."""
    return Guardianship.ended_at == moment


def over_since() -> ColumnElement[Any]:
    """When it stopped being live; null while it is. Reads ``Guardianship`` and its ``Child``."""
    return func.coalesce(Guardianship.ended_at, Child.left_at)


def sql_not_ended(guardianships: str) -> str:
    """``not_ended`` as SQL; ``guardianships``: what the query calls the table."""
    return f"{guardianships}.ended_at IS NULL"


def sql_over_since(guardianships: str, children: str) -> str:
    """``over_since`` as SQL."""
    return f"coalesce({guardianships}.ended_at, {children}.left_at)"


def ended_after(moment: SQLColumnExpression[datetime]) -> ColumnElement[bool]:
    """Which have ended later than this; a condition on ``Guardianship``."""
    return Guardianship.ended_at > moment


def find(account_id: str, child_id: str, *, lock: bool = False) -> Guardianship | None:
    """The one guardianship of a pair that has not ended; ``lock``: for a change of it."""
    query = select(Guardianship).where(
        Guardianship.account_id == account_id, Guardianship.child_id == child_id, not_ended()
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return db.session.scalars(query).one_or_none()


def lock_guardianship(account_id: str, child_id: str) -> bool:
    """Whether a guardianship is live, and stays so until this transaction ends (rule C6)."""
    query = (
        select(Guardianship.id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(Guardianship.account_id == account_id, Guardianship.child_id == child_id, live())
        .with_for_update(read=True, of=Guardianship)
    )
    return db.session.scalar(query) is not None


def live_children(
    account_id: str, school_ids: Sequence[str] | None = None
) -> list[tuple[Child, Guardianship]]:
    """The guardian's children now, at these schools (``None``: at any), by given name."""
    query = (
        select(Child, Guardianship)
        .join(Guardianship, Guardianship.child_id == Child.id)
        .where(Guardianship.account_id == account_id, live())
    )
    if school_ids is not None:
        query = query.where(Child.school_id.in_(school_ids))
    pairs = [(child, guardianship) for child, guardianship in db.session.execute(query)]
    return sorted(pairs, key=lambda pair: _by_name(pair[0]))


def schools_of(account_id: str) -> list[School]:
    """The schools of the guardian's live children, by name; one query."""
    theirs = select(LiveGuardianship.school_id).where(LiveGuardianship.account_id == account_id)
    return list(
        db.session.scalars(select(School).where(School.id.in_(theirs)).order_by(School.name))
    )


def _by_name(child: Child) -> tuple[str, str, str]:
    return sort_key(child.given_name), sort_key(child.family_name), child.id
