"""The authorization code grant (RFC 6749 §4.1, OpenID Connect Core §3.1.3)."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from sqlalchemy import bindparam, select, update

from idp import clock
from idp.clients import kept
from idp.clients.models import ClientRow
from idp.database import base64url, keyed_hash
from idp.database.prepared import Prepared, columns
from idp.oidc import sender, tokens
from idp.oidc.grants import Exchange, GrantType
from idp.oidc.grants.first_tokens import FirstTokens, is_allowed
from idp.oidc.grants.reuse import OF_CODE, refuse_reuse
from idp.oidc.models import AuthorizationCode, CodeRow, Grant, GrantRow
from idp.oidc.tokens import LiveGrant
from idp.people.models import AccountRow, ChildRow
from idp.sessions.models import BrowserSession

UNKNOWN: Final = "Invalid 'code' in request."
ENDED: Final = "The grant has ended"
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 §4.1


_FIRST_TOKENS: Final = FirstTokens(
    update(AuthorizationCode)
    .where(
        AuthorizationCode.code_hash == bindparam("hash"),
        AuthorizationCode.redeemed_at.is_(None),
        tokens.holds_with_session(AuthorizationCode.grant_id),
    )
    .values(redeemed_at=bindparam("now"))
)


@dataclass(frozen=True)
class FoundCode:
    """A code that was presented, with all that hangs on it."""

    code: CodeRow
    grant: GrantRow
    account: AccountRow
    client: ClientRow
    child: ChildRow
    relationship: str | None
    session_ended_at: datetime | None
    consented: str | None
    """The scopes that the guardian allows."""

    def live_grant(self) -> LiveGrant | None:
        """What it is worth now; None where its grant or its guardianship has ended, or where nobody
        has allowed a third party what it would get.
        """
        live = tokens.live_grant(
            self.grant, self.account, self.client, self.grant.scope, self.child, self.relationship
        )
        return live if live and is_allowed(live, self.consented) else None


_CODE: Final = Prepared(
    tokens.with_consent(
        tokens.with_grant(
            select(*columns(AuthorizationCode, CodeRow))
            .select_from(AuthorizationCode)
            .join(Grant, Grant.id == AuthorizationCode.grant_id)
            .join(BrowserSession, BrowserSession.id == Grant.session_id)
            .where(AuthorizationCode.code_hash == bindparam("code_hash"))
        ).add_columns(BrowserSession.ended_at)
    ),
    CodeRow,
    *tokens.OF_GRANT,
    into=kept.with_client(FoundCode, 1 + tokens.CLIENT_OF_GRANT),
)


def find(text: str) -> FoundCode | None:
    """The code of this text, with all that hangs on it; one query by its hash."""
    return _by_hash(keyed_hash("code", text))


def _by_hash(code_hash: str) -> FoundCode | None:
    return _CODE.one_or_none(code_hash=code_hash)


def _check_unused(exchange: Exchange[FoundCode]) -> None:
    if exchange.presented.code.redeemed_at is not None:
        exchange.spend_proof()  # the very same request again is no reuse
        refuse_reuse(OF_CODE, exchange.presented.grant, exchange.presented.account)


def _check_unexpired(exchange: Exchange[FoundCode]) -> None:
    presented = exchange.presented
    if presented.code.expires_at <= clock.now() or presented.session_ended_at is not None:
        raise InvalidGrantError(UNKNOWN)


def _check_redirect_uri(exchange: Exchange[FoundCode]) -> None:
    # RFC 6749 §4.1.3: identical to the one of the authorization request
    if exchange.form.get("redirect_uri") != exchange.presented.code.redirect_uri:
        raise InvalidGrantError("Invalid 'redirect_uri' in request.")
    if not exchange.client.check_redirect_uri(exchange.presented.code.redirect_uri):
        # Taken out since: nobody knows who reads there now (security rule O1)
        raise InvalidGrantError("The redirect_uri is not registered any more")


def _check_verifier(exchange: Exchange[FoundCode]) -> None:
    challenge, verifier = exchange.presented.code.code_challenge, exchange.form.get("code_verifier")
    if challenge is None:
        # RFC 9700 §2.1.1: a verifier without a challenge is a downgrade, and is refused.
        if verifier is not None:
            raise InvalidGrantError("The request had no code_challenge")
        return
    if not verifier:
        raise InvalidGrantError("The code_verifier is missing")
    if not _VERIFIER.fullmatch(verifier):
        raise InvalidRequestError("The code_verifier is malformed")
    hashed = base64url(hashlib.sha256(verifier.encode("ascii")).digest())
    if not hmac.compare_digest(hashed, challenge):
        raise InvalidGrantError("The code_verifier does not match")


def _check_key(exchange: Exchange[FoundCode]) -> None:
    # RFC 9449 §10: the key that the authorization request named, and no other
    bound = exchange.presented.code.dpop_jkt
    if bound is not None and not sender.is_same(sender.by_key(bound), exchange.confirmation):
        raise InvalidGrantError("The DPoP proof's key is not the one of the request's dpop_jkt")


def _redeem(exchange: Exchange[FoundCode]) -> dict[str, Any]:
    presented = exchange.presented
    live = presented.live_grant()
    if live is None:
        raise InvalidGrantError(ENDED)
    code = presented.code
    answer = _FIRST_TOKENS.redeem(exchange, live, code.code_hash, code.nonce)
    if answer is None:
        _refuse_late(presented)
    return answer


def _refuse_late(presented: FoundCode) -> NoReturn:
    """Another request was first, or what the code stands for ended a moment ago."""
    now = _by_hash(presented.code.code_hash)
    if now is not None and now.code.redeemed_at is not None:
        refuse_reuse(OF_CODE, presented.grant, presented.account)
    raise InvalidGrantError(ENDED)


GRANT_TYPE: Final = GrantType(
    name="authorization_code",
    parameter="code",
    unknown=UNKNOWN,
    find=find,
    checks=(_check_unused, _check_unexpired, _check_redirect_uri, _check_verifier, _check_key),
    redeem=_redeem,
    spends_proof=True,
)
