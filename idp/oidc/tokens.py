"""Access and refresh tokens: opaque, stored hashed, worth what their grant is worth now."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, false, or_, select

from idp import clock, settings
from idp.clients import kept
from idp.clients.models import Client, ClientRow, ClientSchool, ClientVersion
from idp.database import hashes, keyed_hash, retried, transaction
from idp.database.atomic_insert import AtomicInsert
from idp.database.prepared import Prepared, columns
from idp.oidc import child_selection, registered
from idp.oidc.models import (
    AccessToken,
    AccessTokenRow,
    Consent,
    Grant,
    GrantRow,
    RefreshToken,
    RefreshTokenRow,
)
from idp.people import guardianships
from idp.people.models import Account, AccountRow, Child, ChildRow, Guardianship, School
from idp.sessions.models import BrowserSession

_SUCCESSOR: Final = "refresh successor"


@dataclass(frozen=True)
class LiveGrant:
    """A grant that holds now: not ended, its guardian active, its guardianship live; its scope
    within the registration of now.
    """

    grant: GrantRow
    account: AccountRow
    client: ClientRow
    scope: str
    child: ChildRow | None = None
    relationship: str = ""
    allowed: frozenset[str] | None = None
    """The fields of the ``child`` claim, where nobody was asked for consent: in a sample token."""

    @property
    def scopes(self) -> list[str]:
        return self.scope.split()

    def requested(self, place: str) -> dict[str, Any]:
        """The claims asked for by name in ``id_token`` or ``userinfo``, as far as they may be."""
        return registered.claims(self.grant.claims, place, self.client)


@dataclass(frozen=True)
class FoundToken:
    """A token that was presented, with all that tells whether it still works."""

    kind: str
    """``access_token`` or ``refresh_token`` (RFC 7009 §2.1)."""
    token: AccessTokenRow | RefreshTokenRow
    grant: GrantRow
    account: AccountRow
    client: ClientRow
    child: ChildRow
    """Its fields are None where the grant names no child."""
    relationship: str | None
    """None unless the guardianship is live at a school of the client (security rule C2)."""

    @property
    def resource(self) -> str | None:
        """The resource server that an access token is for; None: ourselves."""
        return self.token.resource if isinstance(self.token, AccessTokenRow) else None

    def check_client(self, client: Any) -> bool:
        return bool(self.grant.client_id == client.get_client_id())

    def is_expired(self) -> bool:
        return self.token.expires_at <= clock.now()

    def is_revoked(self) -> bool:
        rotated = isinstance(self.token, RefreshTokenRow) and self.token.rotated_at is not None
        dead = self.token.revoked_at is not None or self.grant.ended_at is not None
        gone = self.account.status != "active" or self.client.disabled_at is not None
        return dead or rotated or gone

    def live_grant(self, scope: str | None = None) -> LiveGrant | None:
        """What it is worth now, for ``scope`` or its own; None where its guardianship has ended, or
        where nothing of its scope is registered any more.
        """
        return live_grant(
            self.grant,
            self.account,
            self.client,
            self.token.scope if scope is None else scope,
            self.child,
            self.relationship,
        )


def find_access(text: str) -> FoundToken | None:
    """The access token of this text, with all that hangs on it; one query by its hash."""
    return _ACCESS.one_or_none(token_hash=keyed_hash("access token", text))


def find_refresh(text: str) -> FoundToken | None:
    """The refresh token of this text, with all that hangs on it; one query by its hash."""
    return _REFRESH.one_or_none(token_hash=keyed_hash("refresh token", text))


def live_grant(
    grant: GrantRow,
    account: AccountRow,
    client: ClientRow,
    scope: str,
    child: ChildRow,
    relationship: str | None,
) -> LiveGrant | None:
    """The grant as it was found, if it holds: a pure function of what was read together.

    ``scope``: cut down to what its client is registered for now (security rule O18).
    """
    scope = registered.scope(scope, client)
    if grant.ended_at is not None or account.status != "active" or not scope:
        return None
    if grant.child_id is None:
        return LiveGrant(grant, account, client, scope)
    if relationship is None:
        return None
    return LiveGrant(grant, account, client, scope, child=child, relationship=relationship)


def lock_grant(live: LiveGrant) -> bool:
    """Whether its guardianship is still live, and stays so until the transaction ends."""
    grant = live.grant
    if grant.child_id is None:
        return True
    return child_selection.lock_link(grant.account_id, grant.child_id, grant.client_id)


@retried
def add_access(live: LiveGrant, row: dict[str, Any]) -> bool:
    """Keep one more access token, if the grant's guardianship still lives."""
    with transaction():
        return lock_grant(live) and _ADD_ACCESS.execute(access_tokens=row)


def holds(grant_id: Any) -> ColumnElement[bool]:
    """As the condition of an UPDATE: the grant is not ended, and its guardianship is live and
    stays so until the transaction ends (security rule C6).
    """
    link = child_selection.bare_link(Grant.account_id, Grant.child_id, Grant.client_id)
    return (
        select(Grant.id)
        .where(Grant.id == grant_id, Grant.ended_at.is_(None))
        .where(or_(Grant.child_id.is_(None), link.correlate(Grant).exists()))
        .exists()
    )


def holds_with_session(grant_id: Any) -> ColumnElement[bool]:
    """``holds``, and the session that the grant was made in goes on, too (security rules O5, R1).

    The guardianship is asked first, as whoever ends both of them ends it first.
    """
    lasts = (
        select(BrowserSession.id)
        .join(Grant, Grant.session_id == BrowserSession.id)
        .where(Grant.id == grant_id, BrowserSession.ended_at.is_(None))
        .with_for_update(read=True, of=BrowserSession)
    )
    return case((holds(grant_id), lasts.exists()), else_=false())


def access_row(
    text: str,
    grant: GrantRow,
    scope: str,
    confirmation: str | None = None,
    resource: str | None = None,
    lifetime: timedelta | None = None,
) -> dict[str, Any]:
    """The row of a new access token. ``confirmation``: the key that it is bound to;
    ``resource``: the resource server that it is for.
    """
    lasts = settings.current().access_token_lifetime if lifetime is None else lifetime
    row = _row(keyed_hash("access token", text), grant, scope, lasts, confirmation)
    return {**row, "resource": resource}


def refresh_row(
    text: str, grant: GrantRow, scope: str, confirmation: str | None = None
) -> dict[str, Any]:
    """The row of a new refresh token. ``confirmation``: the key that it is bound to."""
    lifetime = settings.current().refresh_token_lifetime
    return _row(keyed_hash("refresh token", text), grant, scope, lifetime, confirmation)


def narrowed(scope: str, requested: str | None) -> str:
    """What of a scope was asked for; all of it where nothing was said (RFC 6749 §6)."""
    if not requested:
        return scope
    return " ".join(each for each in scope.split() if each in requested.split())


def new_text() -> str:
    """A new access token, or the first refresh token of a family."""
    return secrets.token_urlsafe(32)


def successor_of(text: str) -> str:
    """The refresh token that follows ``text``: derived, so that a lost answer can be repeated.

    Without our key nobody computes it, and we can only for who shows the predecessor.
    """
    return hashes.derived(_SUCCESSOR, text)


@dataclass(frozen=True)
class Successor:
    """The refresh token that has followed another one."""

    text: str
    token: FoundToken


def find_successor(text: str) -> Successor | None:
    """The token that has followed ``text``, under whichever of our keys; one query."""
    texts = {
        each: following
        for following in hashes.each_derived(_SUCCESSOR, text)
        for each in hashes.all_of(keyed_hash("refresh token", following))
    }
    token = _REFRESH.one_or_none(token_hash=hashes.of_all(list(texts)))
    return None if token is None else Successor(texts[token.token.token_hash], token)


def is_in_grace(rotated_at: datetime) -> bool:
    """Whether a rotated token may be answered once more (a lost answer, not a theft)."""
    return clock.is_within(rotated_at, settings.current().refresh_grace)


def with_grant(statement: Select[Any]) -> Select[Any]:
    """Add guardian, client, child and relationship to a statement that reads grants.

    The relationship is there while the guardianship is live at a school of the client.
    """
    live = and_(
        Guardianship.account_id == Grant.account_id,
        Guardianship.child_id == Grant.child_id,
        guardianships.live(),
        ClientSchool.client_id.is_not(None),
    )
    return (
        statement.add_columns(*_OF_GRANT)
        .join(Account, Account.id == Grant.account_id)
        .join(Client, Client.id == Grant.client_id)
        .outerjoin(Child, Child.id == Grant.child_id)
        .outerjoin(School, School.id == Child.school_id)
        .outerjoin(
            ClientSchool,
            and_(
                ClientSchool.client_id == Grant.client_id,
                ClientSchool.school_id == Child.school_id,
            ),
        )
        .outerjoin(Guardianship, live)
    )


def with_consent(statement: Select[Any]) -> Select[Any]:
    """Add the scopes that the guardian allows the client, to a statement that reads grants.

    A grant may be made by who takes the application for the schools' own still: whoever gives the
    first tokens for it asks once more (security rule C5).
    """
    allowed = and_(
        Consent.account_id == Grant.account_id,
        Consent.client_id == Grant.client_id,
        Consent.withdrawn_at.is_(None),
    )
    return statement.outerjoin(Consent, allowed).add_columns(Consent.scope)


def _row(
    token_hash: str, grant: GrantRow, scope: str, lifetime: timedelta, confirmation: str | None
) -> dict[str, Any]:
    now = clock.now()
    return {
        "token_hash": token_hash,
        "grant_id": grant.id,
        "scope": scope,
        "issued_at": now,
        "expires_at": now + lifetime,
        "confirmation": confirmation,
    }


def _by_hash(
    kind: str, model: type[AccessToken] | type[RefreshToken], row: type[Any]
) -> Prepared[FoundToken]:
    into = kept.with_client(partial(FoundToken, kind), 1 + CLIENT_OF_GRANT)
    return Prepared(finding(model, row), row, *OF_GRANT, into=into)


def finding(model: type[AccessToken] | type[RefreshToken], row: type[Any]) -> Select[Any]:
    """The statement that finds a token by its hash, with all that hangs on it."""
    return with_grant(
        select(*columns(model, row))
        .select_from(model)
        .join(Grant, Grant.id == model.grant_id)
        .where(model.token_hash == bindparam("token_hash"))
    )


OF_GRANT: Final = (GrantRow, AccountRow, ClientVersion, ChildRow)
"""What ``with_grant`` adds; the relationship follows."""
CLIENT_OF_GRANT: Final = OF_GRANT.index(ClientVersion)
"""Where among these the client is, for ``kept.with_client``."""
_OF_GRANT: Final = (
    *columns(Grant, GrantRow),
    *columns(Account, AccountRow),
    *columns(Client, ClientVersion),
    *columns(Child, ChildRow, school_name=School.name),
    Guardianship.relationship,
)
_ACCESS: Final = _by_hash("access_token", AccessToken, AccessTokenRow)
_REFRESH: Final = _by_hash("refresh_token", RefreshToken, RefreshTokenRow)
TOKEN_COLUMNS: Final = (
    *("token_hash", "grant_id", "scope", "issued_at", "expires_at"),
    "confirmation",
)
ACCESS_TOKENS: Final = (AccessToken.__table__, (*TOKEN_COLUMNS, "resource"))
_ADD_ACCESS: Final = AtomicInsert(ACCESS_TOKENS)
REFRESH_TOKENS: Final = (RefreshToken.__table__, TOKEN_COLUMNS)
