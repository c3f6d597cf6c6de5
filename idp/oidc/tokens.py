"""Access and refresh tokens: opaque, stored hashed, worth what their grant is worth now."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, bindparam, insert, select

from idp import clock, settings
from idp.clients.models import Client
from idp.database import db, keyed_hash
from idp.oidc import child_selection
from idp.oidc.models import AccessToken, Grant, RefreshToken
from idp.people.models import Account, Child


@dataclass(frozen=True)
class LiveGrant:
    """A grant that holds now: not ended, its guardian active, its guardianship live."""

    grant: Grant
    account: Account
    client: Client
    scope: str
    child: Child | None = None
    relationship: str = ""

    @property
    def scopes(self) -> list[str]:
        return self.scope.split()


@dataclass(frozen=True)
class FoundToken:
    """A token that was presented, with all that tells whether it still works."""

    token: AccessToken | RefreshToken
    grant: Grant
    account: Account
    client: Client
    kind: str
    """``access_token`` or ``refresh_token`` (RFC 7009 §2.1)."""

    def check_client(self, client: Any) -> bool:
        return bool(self.grant.client_id == client.get_client_id())

    def get_scope(self) -> str:
        return self.token.scope

    def is_expired(self) -> bool:
        return self.token.expires_at <= clock.now()

    def is_revoked(self) -> bool:
        rotated = isinstance(self.token, RefreshToken) and self.token.rotated_at is not None
        dead = self.token.revoked_at is not None or self.grant.ended_at is not None
        gone = self.account.status != "active" or self.client.disabled_at is not None
        return dead or rotated or gone


def find_access(text: str) -> FoundToken | None:
    """The access token of this text, with grant, guardian and client; one query by its hash."""
    return _find(_ACCESS, "access_token", keyed_hash("access token", text))


def find_refresh(text: str) -> FoundToken | None:
    """The refresh token of this text, with grant, guardian and client; one query by its hash."""
    return _find(_REFRESH, "refresh_token", keyed_hash("refresh token", text))


def live_grant(found: FoundToken) -> LiveGrant | None:
    """What a token is worth now; None where its guardianship has ended (security rule C2)."""
    return _live(found.grant, found.account, found.client, found.token.scope, lock=False)


def hold(grant: Grant, account: Account, client: Client, scope: str) -> LiveGrant | None:
    """The grant as it holds now, its guardianship kept from ending until the transaction does."""
    return _live(grant, account, client, scope, lock=True)


def _live(
    grant: Grant, account: Account, client: Client, scope: str, *, lock: bool
) -> LiveGrant | None:
    if grant.ended_at is not None or account.status != "active":
        return None
    if grant.child_id is None:
        return LiveGrant(grant, account, client, scope)
    link = child_selection.live_link(account.id, grant.child_id, client.id, lock=lock)
    if link is None:
        return None
    return LiveGrant(grant, account, client, scope, child=link[0], relationship=link[1])


def save_access(grant: Grant, scope: str) -> str:
    """A new access token of this grant, in the caller's transaction; returns it in clear."""
    text = secrets.token_urlsafe(32)
    now = clock.now()
    db.session.execute(
        _INSERT_ACCESS,
        {
            "token_hash": keyed_hash("access token", text),
            "grant_id": grant.id,
            "scope": scope,
            "issued_at": now,
            "expires_at": now + settings.current().access_token_lifetime,
        },
    )
    return text


def save_refresh(grant: Grant, scope: str, text: str) -> None:
    """Store a refresh token of this grant, in the caller's transaction."""
    now = clock.now()
    db.session.execute(
        _INSERT_REFRESH,
        {
            "token_hash": keyed_hash("refresh token", text),
            "grant_id": grant.id,
            "scope": scope,
            "issued_at": now,
            "expires_at": now + settings.current().refresh_token_lifetime,
        },
    )


def new_refresh_text() -> str:
    """The first refresh token of a family."""
    return secrets.token_urlsafe(32)


def successor_of(text: str) -> str:
    """The refresh token that follows ``text``: derived, so that a lost answer can be repeated.

    Without our key nobody computes it, and we can only for who shows the predecessor.
    """
    return keyed_hash("refresh successor", text)


def is_in_grace(rotated_at: datetime) -> bool:
    """Whether a rotated token may be answered once more (a lost answer, not a theft)."""
    return clock.now() - rotated_at <= settings.current().refresh_grace


def _find(statement: Select[Any], kind: str, token_hash: str) -> FoundToken | None:
    row: Any = db.session.execute(statement, {"token_hash": token_hash}).one_or_none()
    return FoundToken(row[0], row[1], row[2], row[3], kind) if row is not None else None


def _by_hash(model: type[AccessToken] | type[RefreshToken]) -> Any:
    return (
        select(model, Grant, Account, Client)
        .join(Grant, Grant.id == model.grant_id)
        .join(Account, Account.id == Grant.account_id)
        .join(Client, Client.id == Grant.client_id)
        .where(model.token_hash == bindparam("token_hash"))
    )


_ACCESS: Final = _by_hash(AccessToken)
_REFRESH: Final = _by_hash(RefreshToken)
_INSERT_ACCESS: Final = insert(AccessToken.__table__)
_INSERT_REFRESH: Final = insert(RefreshToken.__table__)
