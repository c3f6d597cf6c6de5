"""What the authorization endpoint asks the database of a browser with a session: all at once.

Which application, whose session, which children, and what was pushed: questions whose answers hang
on each other, by one statement in place of four. What it tells of the client is its version
(``clients.kept``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, select

from idp.clients import kept, registration
from idp.clients.models import Client, ClientVersion
from idp.database.prepared import Prepared, columns
from idp.oidc import child_selection, pushed_requests
from idp.oidc.child_selection import Candidate
from idp.oidc.models import PushedRequest, PushedRequestRow
from idp.oidc.oauth_client import OAuthClient
from idp.people.models import Account, AccountRow, ChildRow
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, SessionRow
from idp.sessions.service import SignedIn


@dataclass(frozen=True)
class FirstLook:
    """What stands in the database at this moment."""

    client: OAuthClient
    signed_in: SignedIn | None = None
    children: tuple[Candidate, ...] | None = None
    """Those whom ``child_selection.candidates`` would tell; None where they were not asked for."""
    pushed: PushedRequestRow | None = None
    """What this client has pushed under the name that was brought."""


def _statement() -> Select[Any]:
    return (
        select(
            *columns(Client, ClientVersion),
            *columns(BrowserSession, SessionRow),
            *columns(Account, AccountRow),
        )
        .select_from(Client)
        .outerjoin(sessions.WITH_ACCOUNT, sessions.goes_on())
        .where(Client.id == bindparam("client_id"), Client.disabled_at.is_(None))
    )


def _with_pushed() -> Select[Any]:
    return (
        _statement()
        .add_columns(*columns(PushedRequest, PushedRequestRow))
        .outerjoin(
            PushedRequest,
            and_(
                PushedRequest.uri_hash == bindparam("uri_hash"),
                PushedRequest.client_id == Client.id,
            ),
        )
    )


_PARTS: Final = (ClientVersion, SessionRow, AccountRow)
_WITHOUT_CHILDREN: Final[Prepared[Any]] = Prepared(_statement(), *_PARTS)
_WITH_CHILDREN: Final[Prepared[Any]] = Prepared(
    child_selection.with_candidates(_statement()), *_PARTS, ChildRow
)
_PUSHED: Final[Prepared[Any]] = Prepared(
    child_selection.with_candidates(_with_pushed()), *_PARTS, PushedRequestRow, ChildRow
)


def look_at_once(client_id: str, secret: str, *, children: bool) -> FirstLook | None:
    """None where no client of this id is in use.

    ``secret``: of the browser's session; ``children``: whether they will be asked for.
    """
    if not registration.is_id(client_id):
        return None
    asks = _WITH_CHILDREN if children else _WITHOUT_CHILDREN
    rows = asks.all(client_id=client_id, **sessions.parameters_of(secret))
    return _seen(rows, secret, children=children)


def look_at_pushed(client_id: str, secret: str, request_uri: str) -> FirstLook | None:
    """``look_at_once``, and what this client has pushed: whether it is about a child is not known
    before that.
    """
    if not registration.is_id(client_id):
        return None
    named = {"client_id": client_id, "uri_hash": pushed_requests.hash_of(request_uri)}
    rows = _PUSHED.all(**named, **sessions.parameters_of(secret))
    looked = _seen([(*row[:3], *row[4:]) for row in rows], secret, children=True)
    pushed = rows[0][3] if rows else None
    if looked is None or pushed is None or pushed.uri_hash is None:
        return looked
    return replace(looked, pushed=pushed)


def _seen(rows: Sequence[Sequence[Any]], secret: str, *, children: bool) -> FirstLook | None:
    if not rows:
        return None
    version, session, account, *_ = rows[0]
    client = OAuthClient(kept.client(version))
    if session.id is None:
        return FirstLook(client)
    signed_in = sessions.seen(SignedIn(session, account), secret)
    if not children:
        return FirstLook(client, signed_in)
    candidates = child_selection.candidates_among(row[len(_PARTS) :] for row in rows)
    return FirstLook(client, signed_in, candidates)
