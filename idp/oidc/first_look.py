"""What the authorization endpoint asks the database of a browser with a session: all at once.

Which application, whose session, which children: three questions whose answers hang on each other,
by one statement in place of three. What it tells of the client is its version (``clients.kept``).
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, bindparam, select

from idp.clients import kept, registration
from idp.clients.models import Client, ClientVersion
from idp.database.prepared import Prepared, columns
from idp.oidc import child_selection
from idp.oidc.child_selection import Candidate
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


_PARTS: Final = (ClientVersion, SessionRow, AccountRow)
_WITHOUT_CHILDREN: Final[Prepared[Any]] = Prepared(_statement(), *_PARTS)
_WITH_CHILDREN: Final[Prepared[Any]] = Prepared(
    child_selection.with_candidates(_statement()), *_PARTS, ChildRow
)


def look_at_once(client_id: str, secret: str, *, children: bool) -> FirstLook | None:
    """None where no client of this id is in use.

    ``secret``: of the browser's session; ``children``: whether they will be asked for.
    """
    if not registration.is_id(client_id):
        return None
    asks = _WITH_CHILDREN if children else _WITHOUT_CHILDREN
    rows = asks.all(client_id=client_id, **sessions.parameters_of(secret))
    if not rows:
        return None
    version, session, account, *_ = rows[0]
    client = OAuthClient(kept.client(version))
    if session.id is None:
        return FirstLook(client)
    signed_in = sessions.seen(SignedIn(session, account))
    if not children:
        return FirstLook(client, signed_in)
    candidates = child_selection.candidates_among(row[len(_PARTS) :] for row in rows)
    return FirstLook(client, signed_in, candidates)
