"""The refresh token grant (RFC 6749 §6): every use gives a new token and ends the old one.

Under the profile ``fapi2`` the token stays: it hangs on a key that its client proves at each use,
so that a copy is worth nothing, and a lost answer can be asked again (FAPI 2.0 §5.3.2.1).
"""

from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidGrantError
from sqlalchemy import bindparam, update

from idp import clock, settings
from idp.clients import profiles
from idp.database import keyed_hash, retried
from idp.database.atomic_insert import AtomicInsert
from idp.oidc import access_token as access_tokens
from idp.oidc import id_token, registered, resources, sender, tokens
from idp.oidc.grants import Exchange, GrantType
from idp.oidc.grants.authorization_code import ENDED
from idp.oidc.grants.first_tokens import token_answer
from idp.oidc.grants.reuse import OF_REFRESH_TOKEN, refuse_reuse
from idp.oidc.models import RefreshToken
from idp.oidc.tokens import FoundToken, LiveGrant

_USABLE: Final = update(RefreshToken).where(
    RefreshToken.token_hash == bindparam("hash"),
    RefreshToken.rotated_at.is_(None),
    RefreshToken.revoked_at.is_(None),
    tokens.holds(RefreshToken.grant_id),
)
_ROTATE: Final = _USABLE.values(rotated_at=bindparam("now"))
_SUCCEED: Final = AtomicInsert(tokens.ACCESS_TOKENS, tokens.REFRESH_TOKENS, gate=_ROTATE)
_PROLONG: Final = _USABLE.values(expires_at=bindparam("until"), token_hash=bindparam("anew"))
_USE_AGAIN: Final = AtomicInsert(tokens.ACCESS_TOKENS, gate=_PROLONG)


def _check_usable(exchange: Exchange[FoundToken]) -> None:
    if not _is_usable(exchange.presented):
        raise InvalidGrantError


def _check_scope(exchange: Exchange[FoundToken]) -> None:
    granted, client = exchange.presented.token.scope, exchange.presented.client
    registered.check_narrowing(granted, exchange.form.get("scope", ""), client)
    now = registered.scope(granted, client)
    if "offline_access" in granted.split() and "offline_access" not in now.split():
        # Core §11: it is what the token was given for
        raise InvalidGrantError("The client is not registered for offline_access any more")


def _check_key(exchange: Exchange[FoundToken]) -> None:
    # RFC 9449 §5, RFC 8705 §4: of a public client, the key that it had at first
    bound = exchange.presented.token.confirmation
    if bound is not None and not sender.is_same(bound, exchange.confirmation):
        raise InvalidGrantError("The refresh token is bound to a key that was not proved")


def _redeem(exchange: Exchange[FoundToken]) -> dict[str, Any]:
    """Sign, then rotate: no lock is held meanwhile. What was signed leaves us only if the
    rotation or repetition happens, which holds the guardianship (security rule C6).
    """
    token, presented = exchange.presented, exchange.form["refresh_token"]
    successor = _repeated(token, presented)
    live = token.live_grant(tokens.narrowed(token.token.scope, exchange.form.get("scope")))
    if live is None:
        raise InvalidGrantError(ENDED)
    resource = resources.of_token(exchange.form, exchange.client, live.grant.resource)
    access_token = access_tokens.new(live, resource, exchange.confirmation)
    answer = token_answer(access_token, live.scope, exchange.confirmation)
    stays = successor is None and profiles.is_fapi2(live.client.metadata_)
    following = successor or tokens.successor_of(presented)
    answer["refresh_token"] = presented if stays else following
    if "openid" in live.scopes:
        # Core §12.2: same iss, sub, aud and auth_time as at first; no nonce.
        answer["id_token"] = id_token.issue(live, access_token=access_token, nonce=None)
    access = tokens.access_row(
        access_token, token.grant, live.scope, exchange.confirmation, resource
    )
    if stays:
        _use_again(token, presented, access)
    elif successor or not _rotate(token, access, following):
        answer["refresh_token"] = _repeat(live, presented, access)
    return answer


def _is_usable(token: FoundToken) -> bool:
    """Whether token and grant go on. A token that was used before is judged later."""
    ended = token.token.revoked_at is not None or token.grant.ended_at is not None
    return not ended and not token.is_expired()


def _repeated(token: FoundToken, presented: str) -> str | None:
    """What followed a token that was used before, and is answered once more for a lost answer;
    None for one that was not.

    Raises ``InvalidGrantError`` for any other second use, which ends the grant.
    """
    rotated_at = getattr(token.token, "rotated_at", None)
    if rotated_at is None:
        return None
    successor = tokens.find_successor(presented)
    used = successor is None or getattr(successor.token.token, "rotated_at", None) is not None
    if successor is None or used or not tokens.is_in_grace(rotated_at):
        refuse_reuse(OF_REFRESH_TOKEN, token.grant, token.account)
    return successor.text


def _repeat(live: LiveGrant, presented: str, access: dict[str, Any]) -> str:
    """Answer once more, with the same successor. Where another request was first a moment ago,
    look again; what ended meanwhile is refused.
    """
    token = tokens.find_refresh(presented)
    successor = _repeated(token, presented) if token is not None and _is_usable(token) else None
    if successor is None or not tokens.add_access(live, access):
        raise InvalidGrantError(ENDED)
    return successor


@retried
def _rotate(token: FoundToken, access: dict[str, Any], successor: str) -> bool:
    """End the presented token and keep its successor; false where it was used before, or
    where its grant has ended.
    """
    return _SUCCEED.execute(
        {"hash": token.token.token_hash, "now": clock.now()},
        access_tokens=access,
        # RFC 6749 §6: the new refresh token keeps the whole scope of the old one.
        refresh_tokens=tokens.refresh_row(
            successor, token.grant, token.token.scope, token.token.confirmation
        ),
    )


@retried
def _use_again(token: FoundToken, presented: str, access: dict[str, Any]) -> None:
    """Keep one more access token, and the refresh token for as long again as at first, hashed
    under our newest key.
    """
    gate = {
        "hash": token.token.token_hash,
        "until": clock.now() + settings.current().refresh_token_lifetime,
        "anew": str(keyed_hash("refresh token", presented)),
    }
    if not _USE_AGAIN.execute(gate, access_tokens=access):
        raise InvalidGrantError(ENDED)


GRANT_TYPE: Final = GrantType(
    name="refresh_token",
    parameter="refresh_token",
    unknown=None,
    find=tokens.find_refresh,
    checks=(_check_usable, _check_scope, _check_key),
    redeem=_redeem,
)
