"""Notes who is to be told of what ended: one statement for a set, in the transaction of the act.

An application is told of those alone whom it has known: it had a grant in that session, for that
child, of that guardian.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    insert,
    literal,
    select,
    union,
    union_all,
)

from idp.clients.models import Client
from idp.database import Ids, OpaqueId, UtcDateTime, transaction
from idp.deliveries.hearing import hears
from idp.deliveries.models import EventDelivery
from idp.oidc.models import Consent, Grant
from idp.people.guardianships import ended_at
from idp.people.models import Guardianship
from idp.sessions.models import BrowserSession

_COLUMNS: Final = (
    *("client_id", "event", "account_id", "session_id", "child_id"),
    *("status", "attempts", "created_at", "due_at"),
)


def sessions_ended(at: datetime, *which: ColumnElement[bool], replaced: bool = False) -> int:
    """Those of these sessions that ended at this moment; returns how many rows went in.

    ``replaced``: by another session of the same guardian in the same browser.
    """
    query = select(Grant.client_id).join(BrowserSession, BrowserSession.id == Grant.session_id)
    ended = query.where(*which, BrowserSession.ended_at == at)
    events = ("session-replaced",) if replaced else ("logout", "session-revoked")
    return _note(at, dict.fromkeys(events, ended), session=True)


def guardianships_ended(at: datetime, ended: Ids) -> int:
    """Those of these guardianships that ended at this moment, to who was told of this child by
    this guardian: never of a sibling (security rule C11).
    """
    pair = and_(
        Guardianship.account_id == Grant.account_id, Guardianship.child_id == Grant.child_id
    )
    query = select(Grant.client_id).join(Guardianship, pair)
    these = query.where(Guardianship.id.in_(ended), ended_at(at))
    return _note(at, {"guardianship-ended": these}, child=True)


def grants_ended(at: datetime, *which: ColumnElement[bool]) -> int:
    """The sessions at the application, of these grants, which ended at this moment."""
    query = select(Grant.client_id).where(*which, Grant.ended_at == at)
    return _note(at, {"logout": query}, session=True)


def consents_withdrawn(at: datetime, *which: ColumnElement[bool]) -> int:
    """Those of these consents that ended at this moment, to an application that ever got anything
    by one: what it was given may have ended with a session long before, and what it copied is
    there still.
    """
    theirs = and_(Consent.account_id == Grant.account_id, Consent.client_id == Grant.client_id)
    query = select(Grant.client_id).join(Consent, theirs)
    return _note(at, {"consent-withdrawn": query.where(*which, Consent.withdrawn_at == at)})


def accounts_disabled(at: datetime, these: Ids) -> int:
    """These accounts, to who had anything of them."""
    query = select(Grant.client_id).where(Grant.account_id.in_(these))
    return _note(at, {"account-disabled": query})


def accounts_enabled(at: datetime, these: Ids) -> int:
    """That these accounts are open again: to who was told that they are not, however long ago,
    and to who would have been.
    """
    query = select(Grant.client_id).where(Grant.account_id.in_(these))
    disabled = (EventDelivery.account_id.in_(these), EventDelivery.event == "account-disabled")
    noted = select(EventDelivery.client_id).where(*disabled)
    return _note(at, {"account-enabled": query}, also=noted)


def _note(
    at: datetime,
    whose: dict[str, Select[Any]],
    *,
    session: bool = False,
    child: bool = False,
    also: Select[Any] | None = None,
) -> int:
    """``whose``: by event, the grants of who is to be told of it; ``also``: their deliveries."""
    rows = [
        _rows(at, event, Grant, query, session=session, child=child)
        for event, query in whose.items()
    ]
    if also is not None:
        rows += [_rows(at, event, EventDelivery, also) for event in whose]
    joined = union_all if also is None else union  # whom both find is told once
    source = rows[0] if len(rows) == 1 else joined(*rows)
    statement = insert(EventDelivery.__table__).from_select(
        list(_COLUMNS), source, include_defaults=False
    )
    with transaction() as writes:
        noted: int = writes.execute(statement).rowcount
    return noted


def _rows(
    at: datetime,
    event: str,
    of: type[Grant | EventDelivery],
    query: Select[Any],
    *,
    session: bool = False,
    child: bool = False,
) -> Select[*tuple[Any, ...]]:
    nothing = literal(None, OpaqueId)
    return (
        query.join(Client, Client.id == of.client_id)
        .where(hears(event))
        .with_only_columns(
            of.client_id,
            literal(event, String).label("event"),
            of.account_id,
            of.session_id if session else nothing.label("session_id"),
            of.child_id if child else nothing.label("child_id"),
            literal("waiting", String).label("status"),
            literal(0, Integer).label("attempts"),
            literal(at, UtcDateTime).label("created_at"),
            literal(at, UtcDateTime).label("due_at"),
        )
        .distinct()
    )
