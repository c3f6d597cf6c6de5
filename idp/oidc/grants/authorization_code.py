"""The authorization code grant (RFC 6749 §4.1, OpenID Connect Core §3.1.3)."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant as AuthlibCodeGrant
from sqlalchemy import bindparam, select, update

from idp import clock, settings
from idp.audit import events
from idp.database import base64url, db, keyed_hash, transaction
from idp.oidc import authorization_request, grants_service, id_token, tokens
from idp.oidc.client_authentication import METHODS
from idp.oidc.errors import UntrustedRedirect
from idp.oidc.models import AuthorizationCode, Grant
from idp.people.models import Account
from idp.sessions.models import BrowserSession

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 §4.1


_CODE: Final = (
    select(AuthorizationCode, Grant, Account, BrowserSession.ended_at)
    .join(Grant, Grant.id == AuthorizationCode.grant_id)
    .join(Account, Account.id == Grant.account_id)
    .join(BrowserSession, BrowserSession.id == Grant.session_id)
    .where(
        AuthorizationCode.code_hash == bindparam("code_hash"),
        Grant.client_id == bindparam("client_id"),
    )
)
_REDEEM: Final = (
    update(AuthorizationCode.__table__)
    .where(
        AuthorizationCode.code_hash == bindparam("hash"),
        AuthorizationCode.redeemed_at.is_(None),
    )
    .values(redeemed_at=bindparam("now"))
)


@dataclass(frozen=True)
class FoundCode:
    """A code that was presented by its own client, with grant, guardian and session."""

    code: AuthorizationCode
    grant: Grant
    account: Account
    session_ended_at: datetime | None

    def get_redirect_uri(self) -> str:
        return self.code.redirect_uri

    def get_scope(self) -> str:
        return self.grant.scope


class AuthorizationCodeGrant(AuthlibCodeGrant):  # type: ignore[misc]
    """Codes that work once: one UPDATE decides who was first.

    ``server.token_response`` holds the transaction around the whole request.
    """

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    # The authorization endpoint

    @staticmethod
    def validate_authorization_redirect_uri(request: Any, client: Any) -> str:
        redirect_uri = request.payload.redirect_uri
        if not redirect_uri or not client.check_redirect_uri(redirect_uri):
            raise UntrustedRedirect("The redirect_uri is not registered", error="invalid_request")
        return str(redirect_uri)

    def validate_requested_scope(self) -> None:
        """Called once client and redirect URI are trusted: our own rules follow here."""
        authorization_request.check(self.request.payload.data, self.request.client)

    # The token endpoint

    def query_authorization_code(self, code: str, client: Any) -> FoundCode | None:
        row = db.session.execute(
            _CODE, {"code_hash": keyed_hash("code", code), "client_id": client.get_client_id()}
        ).one_or_none()
        if row is None:
            return None
        found = FoundCode(*row)
        if found.code.redeemed_at is not None:
            self._refuse_reuse(found)
        if found.code.expires_at <= clock.now() or found.session_ended_at is not None:
            return None
        return found

    def validate_token_request(self) -> None:
        super().validate_token_request()
        _check_verifier(
            self.request.authorization_code.code, self.request.form.get("code_verifier")
        )

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        found: FoundCode = self.request.authorization_code
        client = self.request.client
        if not self._redeem(found.code):
            self._refuse_reuse(found)
        live = tokens.hold(found.grant, found.account, client.record, found.grant.scope)
        if live is None:
            raise InvalidGrantError("The grant has ended")
        access_token = tokens.save_access(found.grant, live.scope)
        answer = token_answer(access_token, live.scope)
        if "offline_access" in live.scopes and client.check_grant_type("refresh_token"):
            answer["refresh_token"] = tokens.new_refresh_text()
            tokens.save_refresh(found.grant, live.scope, answer["refresh_token"])
        answer["id_token"] = id_token.issue(live, access_token=access_token, nonce=found.code.nonce)
        return 200, answer, self.TOKEN_RESPONSE_HEADER

    @staticmethod
    def _redeem(code: AuthorizationCode) -> bool:
        with transaction() as session:
            redeemed = session.execute(
                _REDEEM, {"hash": code.code_hash, "now": clock.now()}
            ).rowcount
        return bool(redeemed)

    @staticmethod
    def _refuse_reuse(found: FoundCode) -> None:
        # RFC 6749 §4.1.2, RFC 9700 §4.5: a second use revokes what the first one gave.
        with transaction():
            grants_service.end(found.grant.id, "code reused")
            events.record(
                "code_reused",
                result="refused",
                account_id=found.account.id,
                client_id=found.grant.client_id,
                grant=found.grant.id,
            )
        raise InvalidGrantError("The code was used before")


def token_answer(access_token: str, scope: str) -> dict[str, Any]:
    """The successful answer of RFC 6749 §5.1."""
    lifetime = int(settings.current().access_token_lifetime.total_seconds())
    return {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": lifetime,
        "scope": scope,
    }


def _check_verifier(code: AuthorizationCode, verifier: str | None) -> None:
    if code.code_challenge is None:
        # RFC 9700 §2.1.1: a verifier without a challenge is a downgrade, and is refused.
        if verifier is not None:
            raise InvalidGrantError("The request had no code_challenge")
        return
    if not verifier:
        raise InvalidGrantError("The code_verifier is missing")
    if not _VERIFIER.fullmatch(verifier):
        raise InvalidRequestError("The code_verifier is malformed")
    challenge = base64url(hashlib.sha256(verifier.encode("ascii")).digest())
    if not hmac.compare_digest(challenge, code.code_challenge):
        raise InvalidGrantError("The code_verifier does not match")
