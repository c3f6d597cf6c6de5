"""Refreshes the search index for the people whom an import, or an undo, changed at a school."""

from typing import Any

from sqlalchemy import Select, select, union

from idp.database import db
from idp.people import search_index
from idp.people.models import Guardianship
from idp.roster.models import RosterChange
from idp.roster.scope import Scope

_STREAMED = {"yield_per": search_index.CHUNK}


def refresh(scope: Scope) -> None:
    """Bring the directory up to date, in the transaction that changed the people."""
    children, accounts = (
        db.session.execute(ids, execution_options=_STREAMED).scalars()
        for ids in (_children(scope), _accounts(scope))
    )
    search_index.refresh_many(children, accounts)


def _children(scope: Scope) -> Select[Any]:
    return (
        select(RosterChange.child_id)
        .where(*changes_of(scope), RosterChange.kind.startswith("child_"))
        .order_by(RosterChange.child_id)
    )


def _accounts(scope: Scope) -> Select[Any]:
    """Whom a change names, and the guardians of the pupils that changed."""
    changed = select(RosterChange.child_id).where(
        *changes_of(scope),
        RosterChange.kind.in_(("child_changed", "child_returned", "child_left")),
    )
    both = union(
        select(RosterChange.account_id).where(
            *changes_of(scope), RosterChange.account_id.is_not(None)
        ),
        select(Guardianship.account_id).where(Guardianship.child_id.in_(changed)),
    ).subquery()
    # In one order: of two imports that meet at an account, one waits
    return select(both.c.account_id).order_by(both.c.account_id)


def changes_of(scope: Scope) -> tuple[Any, ...]:
    """The conditions for the changes of this run at this school."""
    return RosterChange.run_id == scope.run_id, RosterChange.school_id == scope.school_id
