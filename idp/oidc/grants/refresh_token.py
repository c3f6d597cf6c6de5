"""The refresh token grant (RFC 6749 §6): every use gives a new token and ends the old one."""

from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant as AuthlibRefreshGrant
from sqlalchemy import bindparam, update

from idp import clock
from idp.audit import events
from idp.database import db, transaction
from idp.oidc import grants_service, id_token, tokens
from idp.oidc.grants.authorization_code import AuthorizationCodeGrant, token_answer
from idp.oidc.models import RefreshToken
from idp.oidc.tokens import FoundToken

_ROTATE: Final = (
    update(RefreshToken.__table__)
    .where(RefreshToken.token_hash == bindparam("hash"), RefreshToken.rotated_at.is_(None))
    .values(rotated_at=bindparam("now"))
)


class RefreshTokenGrant(AuthlibRefreshGrant):  # type: ignore[misc]
    """Rotation with a short grace: RFC 9700 §4.14.2, and parents on trains lose answers."""

    TOKEN_ENDPOINT_AUTH_METHODS = AuthorizationCodeGrant.TOKEN_ENDPOINT_AUTH_METHODS

    def authenticate_refresh_token(self, refresh_token: str) -> FoundToken | None:
        found = tokens.find_refresh(refresh_token)
        if found is None or found.is_expired() or found.token.revoked_at is not None:
            return None
        return found if found.grant.ended_at is None else None

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        found: FoundToken = self.request.refresh_token
        presented: str = self.request.form["refresh_token"]
        scope = self._narrowed_scope(found)
        first_use = self._rotate(found)
        if not first_use and not self._may_repeat(found, presented):
            self._refuse_reuse(found)
        live = tokens.hold(found.grant, found.account, self.request.client.record, scope)
        if live is None:
            raise InvalidGrantError("The grant has ended")
        access_token = tokens.save_access(found.grant, scope)
        answer = token_answer(access_token, scope)
        answer["refresh_token"] = tokens.successor_of(presented)
        if first_use:
            # RFC 6749 §6: the new refresh token keeps the whole scope of the old one.
            tokens.save_refresh(found.grant, found.token.scope, answer["refresh_token"])
        if "openid" in live.scopes:
            # Core §12.2: same iss, sub, aud and auth_time as at first; no nonce.
            answer["id_token"] = id_token.issue(live, access_token=access_token, nonce=None)
        return 200, answer, self.TOKEN_RESPONSE_HEADER

    def _narrowed_scope(self, found: FoundToken) -> str:
        asked = self.request.payload.scope
        if not asked:
            return found.token.scope
        return " ".join(each for each in found.token.scope.split() if each in asked.split())

    @staticmethod
    def _rotate(found: FoundToken) -> bool:
        with transaction() as session:
            rotated = session.execute(
                _ROTATE, {"hash": found.token.token_hash, "now": clock.now()}
            ).rowcount
        return bool(rotated)

    @staticmethod
    def _may_repeat(found: FoundToken, presented: str) -> bool:
        """Whether this is a lost answer: in the grace, and the successor not yet used."""
        db.session.refresh(found.token)
        successor = tokens.find_refresh(tokens.successor_of(presented))
        rotated_at = getattr(found.token, "rotated_at", None)
        if rotated_at is None or successor is None:
            return False
        unused = getattr(successor.token, "rotated_at", None) is None
        return unused and tokens.is_in_grace(rotated_at)

    @staticmethod
    def _refuse_reuse(found: FoundToken) -> None:
        with transaction():
            grants_service.end(found.grant.id, "refresh token reused")
            events.record(
                "refresh_reused",
                result="refused",
                account_id=found.account.id,
                client_id=found.grant.client_id,
                grant=found.grant.id,
            )
        raise InvalidGrantError("The refresh token was used before")
