"""Device codes (RFC 8628): a screen asks, a guardian answers elsewhere, once.

The screen holds the device code and polls; the guardian types the user code. Of both we keep
hashes, and each of what happens once – the answer, the redemption – is one UPDATE.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, select

from idp import clock, settings
from idp.audit import events
from idp.clients.models import Client, ClientRow
from idp.database import keyed_hash, transaction, update_all, upserting
from idp.database.atomic_insert import AtomicInsert
from idp.database.prepared import Prepared, columns
from idp.oidc import authorization_codes, held
from idp.oidc.authorization import Proceed
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.models import DeviceCode, DeviceCodeRow
from idp.sessions import interactions
from idp.sessions.models import Interaction

POLL_INTERVAL: Final = 5
"""Seconds between two questions of a screen, and what each that comes too early adds (§3.5)."""
_EARLY: Final = timedelta(seconds=1)  # a question that was quick on its way is not too early
_USER_CODE: Final = re.compile(r"[BCDFGHJKLMNPQRSTVWXZ]{8}")  # §6.1
_BETWEEN: Final = re.compile(r"[\W_]+")


class State(Enum):
    """What became of a screen's request."""

    OPEN = "open"
    ALLOWED = "allowed"
    DENIED = "denied"
    OVER = "over"
    """Nobody answered in time, or it ended."""


@dataclass(frozen=True)
class FoundDevice:
    """A device code, with its application."""

    code: DeviceCodeRow
    client: ClientRow

    @property
    def state(self) -> State:
        if self.code.denied_at is not None:
            return State.DENIED
        if self.code.grant_id is not None:
            return State.ALLOWED
        return State.OPEN if self.code.expires_at > clock.now() else State.OVER


_DEVICES: Final = select(*columns(DeviceCode, DeviceCodeRow), *columns(Client, ClientRow)).join(
    Client, Client.id == DeviceCode.client_id
)
_BY_DEVICE: Final = Prepared(
    _DEVICES.where(DeviceCode.device_hash == bindparam("hash")),
    DeviceCodeRow,
    ClientRow,
    into=FoundDevice,
)
_BY_USER: Final = Prepared(
    _DEVICES.where(DeviceCode.user_hash == bindparam("hash"), Client.disabled_at.is_(None)),
    DeviceCodeRow,
    ClientRow,
    into=FoundDevice,
)
_BY_ID: Final = Prepared(
    _DEVICES.where(DeviceCode.id == bindparam("id")), DeviceCodeRow, ClientRow, into=FoundDevice
)
_GIVE: Final = AtomicInsert(authorization_codes.GRANTS, events.ROWS)


def begin(client_id: str, request: dict[str, Any], device_code: str, user_code: str) -> bool:
    """Keep a screen's request; false where another one has this user code at present."""
    now = clock.now()
    row = {
        "device_hash": device_hash(device_code),
        "user_hash": _user_hash(user_code),
        "client_id": client_id,
        "request": request,
        "expires_at": now + settings.current().device_code_lifetime,
        "poll_interval": POLL_INTERVAL,
        "next_poll_at": now,
    }
    statement = upserting(DeviceCode).values(row).on_conflict_do_nothing()
    with transaction() as writes:
        return writes.execute(statement.returning(DeviceCode.id)).first() is not None


def new_device_code() -> str:
    """256 random bits, which nobody types."""
    return secrets.token_urlsafe(32)


def device_hash(device_code: str) -> str:
    """What is stored of a device code."""
    return keyed_hash("device code", device_code)


def normalised(typed: str) -> str | None:
    """A user code as it is meant, such as ``WDJBMJHT``; None for what can't be one.

    Capitals, spaces, dashes and what else stands between the letters don't matter (§6.1).
    """
    code = _BETWEEN.sub("", typed[:100]).upper()
    return code if _USER_CODE.fullmatch(code) else None


def shown(user_code: str) -> str:
    """A user code as screens and pages show it: ``WDJB-MJHT``."""
    return f"{user_code[:4]}-{user_code[4:]}"


def find_by_device_code(text: str) -> FoundDevice | None:
    """The request of the screen that polls; one query by the hash."""
    return _BY_DEVICE.one_or_none(hash=device_hash(text))


def find_open(user_code: str) -> FoundDevice | None:
    """The request that waits for this user code's answer. Guesses are counted before."""
    device = _BY_USER.one_or_none(hash=_user_hash(user_code))
    return device if device is not None and device.state is State.OPEN else None


def find(code_id: str) -> FoundDevice | None:
    """The request of this id."""
    return _BY_ID.one_or_none(id=code_id)


def asks_in_time(code: DeviceCodeRow) -> bool:
    """Note that the screen asked; false where that was too early, and the interval has grown."""
    now = clock.now()
    again = timedelta(seconds=code.poll_interval)
    with transaction():
        in_time = update_all(
            DeviceCode,
            DeviceCode.id == code.id,
            DeviceCode.next_poll_at <= now + _EARLY,
            next_poll_at=now + again,
        )
        if not in_time:
            # §3.5: by 5 seconds, for this and all subsequent requests
            update_all(
                DeviceCode,
                DeviceCode.id == code.id,
                poll_interval=DeviceCode.poll_interval + POLL_INTERVAL,
                next_poll_at=now + again + timedelta(seconds=POLL_INTERVAL),
            )
    return bool(in_time)


def allow(
    request: AuthorizationRequest, client: ClientRow, proceed: Proceed, interaction: Interaction
) -> bool:
    """Give the screen its grant; false where this request was answered or is over."""
    grant = authorization_codes.new_grant(request, client, proceed, clock.now())
    with transaction() as writes:
        # Held, so that of two answers at once one counts
        waits = writes.execute(
            select(DeviceCode.id).where(DeviceCode.id == request.device, *_open()).with_for_update()
        ).first()
        if waits is None or not held.is_held(proceed.signed_in.session.id, client):
            return False
        if not interactions.complete(interaction):
            return False
        _GIVE.execute(grants=grant, audit_events=authorization_codes.audit_row(grant))
        update_all(DeviceCode, DeviceCode.id == request.device, grant_id=grant["id"])
    return True


def deny(code_id: str, why: str) -> bool:
    """Refuse the screen, for a reason that it is told; false where it was answered before."""
    return bool(
        update_all(
            DeviceCode,
            DeviceCode.id == code_id,
            *_open(),
            denied_at=clock.now(),
            denied_because=why[:200],
        )
    )


def end(*which: ColumnElement[bool]) -> int:
    """End those of these requests that nobody has answered; returns how many."""
    over = {"denied_at": clock.now(), "denied_because": "The request has ended"}
    return update_all(DeviceCode, *which, *_unanswered(), **over)


def _unanswered() -> tuple[ColumnElement[bool], ...]:
    return DeviceCode.grant_id.is_(None), DeviceCode.denied_at.is_(None)


def _open() -> tuple[ColumnElement[bool], ...]:
    return *_unanswered(), DeviceCode.expires_at > clock.now()


def _user_hash(user_code: str) -> str:
    return keyed_hash("user code", user_code)
