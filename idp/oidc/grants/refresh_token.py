"""The refresh token grant (RFC 6749 §6): every use gives a new token and ends the old one."""

from typing import Any, Final, NoReturn

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant as AuthlibRefreshGrant
from sqlalchemy import bindparam, update

from idp import clock
from idp.audit import events
from idp.database import retried, transaction
from idp.database.prepared import AtomicInsert
from idp.oidc import grants_service, id_token, tokens
from idp.oidc.grants.authorization_code import AuthorizationCodeGrant, token_answer
from idp.oidc.models import RefreshToken, RefreshTokenRow
from idp.oidc.tokens import FoundToken, LiveGrant

_ROTATE: Final = (
    update(RefreshToken)
    .where(
        RefreshToken.token_hash == bindparam("hash"),
        RefreshToken.rotated_at.is_(None),
        RefreshToken.revoked_at.is_(None),
        tokens.holds(RefreshToken.grant_id),
    )
    .values(rotated_at=bindparam("now"))
)
_SUCCEED: Final = AtomicInsert(tokens.ACCESS_TOKENS, tokens.REFRESH_TOKENS, gate=_ROTATE)
_ADD_ACCESS: Final = AtomicInsert(tokens.ACCESS_TOKENS)


class RefreshTokenGrant(AuthlibRefreshGrant):  # type: ignore[misc]
    """Rotation with a short grace: RFC 9700 §4.14.2, and parents on trains lose answers."""

    TOKEN_ENDPOINT_AUTH_METHODS = AuthorizationCodeGrant.TOKEN_ENDPOINT_AUTH_METHODS

    def authenticate_refresh_token(self, refresh_token: str) -> FoundToken | None:
        return _usable(self.request.presented)

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        found: FoundToken = self.request.refresh_token
        presented: str = self.request.form["refresh_token"]
        repeats = self._repeats(found, presented)
        live = found.live_grant(self._narrowed_scope(found))
        if live is None:
            raise InvalidGrantError("The grant has ended")
        access_token = tokens.new_text()
        answer = token_answer(access_token, live.scope)
        answer["refresh_token"] = tokens.successor_of(presented)
        if "openid" in live.scopes:
            # Core §12.2: same iss, sub, aud and auth_time as at first; no nonce.
            # Signed before the rotation, so that no lock is held meanwhile. It leaves us only
            # if the rotation or repetition happens, which holds the guardianship (rule C6).
            answer["id_token"] = id_token.issue(live, access_token=access_token, nonce=None)
        if repeats or not _rotate(found, live, access_token, answer["refresh_token"]):
            self._repeat(live, presented, access_token)
        return 200, answer, self.TOKEN_RESPONSE_HEADER

    def _repeats(self, found: FoundToken, presented: str) -> bool:
        """Whether the token was used before, and is answered once more for a lost answer.

        Raises ``InvalidGrantError`` for any other second use, which ends the grant.
        """
        if not isinstance(found.token, RefreshTokenRow) or found.token.rotated_at is None:
            return False
        successor = tokens.find_refresh(tokens.successor_of(presented))
        unused = successor is not None and getattr(successor.token, "rotated_at", None) is None
        if not unused or not tokens.is_in_grace(found.token.rotated_at):
            _refuse_reuse(found)
        return True

    def _repeat(self, live: LiveGrant, presented: str, access_token: str) -> None:
        """Answer once more. Where another request was first a moment ago, look again; what
        ended meanwhile is refused.
        """
        found = _usable(tokens.find_refresh(presented))
        if found is None or not self._repeats(found, presented) or not _add(live, access_token):
            raise InvalidGrantError("The grant has ended")

    def _narrowed_scope(self, found: FoundToken) -> str:
        asked = self.request.payload.scope
        if not asked:
            return found.token.scope
        return " ".join(each for each in found.token.scope.split() if each in asked.split())


def _usable(found: FoundToken | None) -> FoundToken | None:
    """The token, unless it is unknown or has ended. One that was used before is judged later."""
    if found is None or found.is_expired() or found.token.revoked_at is not None:
        return None
    return found if found.grant.ended_at is None else None


@retried
def _rotate(found: FoundToken, live: LiveGrant, access_token: str, successor: str) -> bool:
    """End the presented token and keep its successor; false where it was used before, or
    where its grant has ended.
    """
    return _SUCCEED.execute(
        {"hash": found.token.token_hash, "now": clock.now()},
        access_tokens=tokens.access_row(access_token, found.grant, live.scope),
        # RFC 6749 §6: the new refresh token keeps the whole scope of the old one.
        refresh_tokens=tokens.refresh_row(successor, found.grant, found.token.scope),
    )


@retried
def _add(live: LiveGrant, access_token: str) -> bool:
    """Keep one more access token, if the grant's guardianship still lives."""
    with transaction():
        if not tokens.hold(live):
            return False
        row = tokens.access_row(access_token, live.grant, live.scope)
        return _ADD_ACCESS.execute(access_tokens=row)


@retried
def _refuse_reuse(found: FoundToken) -> NoReturn:
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
