"""The device code grant (RFC 8628 §3.4, §3.5): a screen polls until somebody has answered."""

from typing import Any, Final, NoReturn

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidGrantError
from authlib.oauth2.rfc8628 import AuthorizationPendingError, ExpiredTokenError, SlowDownError
from sqlalchemy import bindparam, select, update

from idp import clock
from idp.clients import kept
from idp.clients.metadata import DEVICE_CODE
from idp.database.prepared import Prepared
from idp.oidc import device_codes, tokens
from idp.oidc.device_codes import FoundDevice
from idp.oidc.grants import Exchange, GrantType
from idp.oidc.grants.authorization_code import ENDED
from idp.oidc.grants.first_tokens import FirstTokens, is_allowed
from idp.oidc.grants.reuse import OF_CODE, refuse_reuse
from idp.oidc.models import DeviceCode, Grant, GrantRow
from idp.oidc.tokens import LiveGrant
from idp.people.models import AccountRow, ChildRow

_FIRST_TOKENS: Final = FirstTokens(
    update(DeviceCode)
    .where(
        DeviceCode.device_hash == bindparam("hash"),
        DeviceCode.redeemed_at.is_(None),
        tokens.holds(DeviceCode.grant_id),
    )
    .values(redeemed_at=bindparam("now"))
)


def _as_found(
    grant: GrantRow,
    account: AccountRow,
    client: Any,
    child: ChildRow,
    relationship: str | None,
    consented: str | None,
) -> tuple[GrantRow, AccountRow, LiveGrant | None]:
    live = tokens.live_grant(grant, account, client, grant.scope, child, relationship)
    return grant, account, live if live and is_allowed(live, consented) else None


_GRANT: Final = Prepared(
    tokens.with_consent(
        tokens.with_grant(select().select_from(Grant).where(Grant.id == bindparam("grant_id")))
    ),
    *tokens.OF_GRANT,
    into=kept.with_client(_as_found, tokens.CLIENT_OF_GRANT),
)


def _check_unused(exchange: Exchange[FoundDevice]) -> None:
    code = exchange.presented.code
    if code.redeemed_at is not None:
        _refuse_reuse(code.grant_id)


def _check_answered(exchange: Exchange[FoundDevice]) -> None:
    """§3.5: each error says whether to go on polling."""
    code = exchange.presented.code
    if code.denied_at is not None:
        raise AccessDeniedError(code.denied_because)
    if code.expires_at <= clock.now():
        raise ExpiredTokenError("The device code has expired")
    if code.grant_id is not None:
        return
    if not device_codes.asks_in_time(code):
        raise SlowDownError("Wait 5 seconds longer between two questions from now on")
    raise AuthorizationPendingError("Nobody has answered yet")


def _redeem(exchange: Exchange[FoundDevice]) -> dict[str, Any]:
    code = exchange.presented.code
    row = _GRANT.one_or_none(grant_id=code.grant_id)
    live = row[2] if row else None
    if live is None:
        raise InvalidGrantError(ENDED)
    nonce = code.request.get("nonce")
    answer = _FIRST_TOKENS.redeem(exchange, live, code.device_hash, nonce)
    if answer is None:
        _refuse_late(exchange.presented)
    return answer


def _refuse_late(presented: FoundDevice) -> NoReturn:
    """Another request was first, or what the code stands for ended a moment ago."""
    now = device_codes.find(presented.code.id)
    if now is not None and now.code.redeemed_at is not None:
        _refuse_reuse(now.code.grant_id)
    raise InvalidGrantError(ENDED)


def _refuse_reuse(grant_id: str | None) -> NoReturn:
    row = _GRANT.one_or_none(grant_id=grant_id)
    if row is not None:
        refuse_reuse(OF_CODE, row[0], row[1])
    raise InvalidGrantError(ENDED)


GRANT_TYPE: Final = GrantType(
    name=DEVICE_CODE,
    parameter="device_code",
    unknown="Invalid 'device_code' in request.",
    find=device_codes.find_by_device_code,
    checks=(_check_unused, _check_answered),
    redeem=_redeem,
)
