"""The device code grant (RFC 8628 §3.4, §3.5): a screen polls until somebody has answered."""

from typing import Any, Final

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidGrantError
from authlib.oauth2.rfc8628 import AuthorizationPendingError, ExpiredTokenError, SlowDownError
from sqlalchemy import bindparam, select, update

from idp import clock
from idp.clients.metadata import DEVICE_CODE
from idp.database import retried
from idp.database.prepared import AtomicInsert, Prepared
from idp.oidc import access_token as access_tokens
from idp.oidc import device_codes, id_token, resources, sender, tokens
from idp.oidc.device_codes import FoundDevice
from idp.oidc.grants import Exchange, GrantType
from idp.oidc.grants.authorization_code import ENDED, refuse_reuse, token_answer
from idp.oidc.models import DeviceCode, Grant, GrantRow
from idp.oidc.tokens import LiveGrant
from idp.people.models import AccountRow, ChildRow

_REDEEM: Final = (
    update(DeviceCode)
    .where(
        DeviceCode.device_hash == bindparam("hash"),
        DeviceCode.redeemed_at.is_(None),
        tokens.holds(DeviceCode.grant_id),
    )
    .values(redeemed_at=bindparam("now"))
)
_GIVE: Final = AtomicInsert(tokens.ACCESS_TOKENS, gate=_REDEEM)
_GIVE_WITH_REFRESH: Final = AtomicInsert(tokens.ACCESS_TOKENS, tokens.REFRESH_TOKENS, gate=_REDEEM)


def _as_found(
    grant: GrantRow,
    account: AccountRow,
    client: Any,
    child: ChildRow,
    relationship: str | None,
) -> tuple[GrantRow, AccountRow, LiveGrant | None]:
    live = tokens.live_grant(grant, account, client, grant.scope, child, relationship)
    return grant, account, live


_GRANT: Final = Prepared(
    tokens.with_grant(select().select_from(Grant).where(Grant.id == bindparam("grant_id"))),
    *tokens.OF_GRANT,
    into=_as_found,
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
    """Sign, then redeem: as a code of a browser is (``authorization_code``)."""
    code = exchange.presented.code
    row = _GRANT.one_or_none(grant_id=code.grant_id)
    live = row[2] if row else None
    if live is None:
        raise InvalidGrantError(ENDED)
    resource = resources.of_token(exchange.form, exchange.client, live.grant.resource)
    text = access_tokens.new(live, resource, exchange.confirmation)
    answer = token_answer(text, live.scope, exchange.confirmation)
    if "offline_access" in live.scopes and exchange.client.check_grant_type("refresh_token"):
        answer["refresh_token"] = tokens.new_text()
    answer["id_token"] = id_token.issue(live, access_token=text, nonce=code.request.get("nonce"))
    access = tokens.access_row(text, live.grant, live.scope, exchange.confirmation, resource)
    if not _give(exchange, live, access, answer.get("refresh_token")):
        _refuse_late(exchange.presented)
    return answer


def _refuse_late(presented: FoundDevice) -> None:
    """Another request was first, or what the code stands for ended a moment ago."""
    now = device_codes.find(presented.code.id)
    if now is not None and now.code.redeemed_at is not None:
        _refuse_reuse(now.code.grant_id)
    raise InvalidGrantError(ENDED)


def _refuse_reuse(grant_id: str | None) -> None:
    row = _GRANT.one_or_none(grant_id=grant_id)
    if row is not None:
        refuse_reuse(row[0], row[1])
    raise InvalidGrantError(ENDED)


@retried
def _give(
    exchange: Exchange[FoundDevice],
    live: LiveGrant,
    access: dict[str, Any],
    refresh_token: str | None,
) -> bool:
    gate = {"hash": exchange.presented.code.device_hash, "now": clock.now()}
    if refresh_token is None:
        return _GIVE.execute(gate, access_tokens=access)
    kept = sender.of_refresh_token(exchange.client, exchange.confirmation)
    refresh = tokens.refresh_row(refresh_token, live.grant, live.scope, kept)
    return _GIVE_WITH_REFRESH.execute(gate, access_tokens=access, refresh_tokens=refresh)


GRANT_TYPE: Final = GrantType(
    name=DEVICE_CODE,
    parameter="device_code",
    unknown="Invalid 'device_code' in request.",
    find=device_codes.find_by_device_code,
    checks=(_check_unused, _check_answered),
    redeem=_redeem,
)
