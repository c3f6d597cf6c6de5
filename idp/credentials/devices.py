"""Known devices: browsers in which an account signed in, which a stranger's guesses don't slow."""

import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, select

from idp import clock
from idp.credentials.models import KnownDevice
from idp.database import db, delete_all, keep_newest, keyed_hash, transaction, update_all, upserting

REMEMBERED = timedelta(days=365)
MOST_DEVICES = 20
"""Known devices of one account; the one that was used least recently makes room."""


def is_known_device(account_id: str | None, device_secret: str | None) -> bool:
    """Whether this account signed in in the browser that holds ``device_secret``."""
    known = db.session.scalars(
        select(KnownDevice.account_id).where(
            KnownDevice.device_hash == device_hash(device_secret),
            KnownDevice.account_id == (account_id or ""),
            KnownDevice.last_seen_at > clock.now() - REMEMBERED,
        )
    ).one_or_none()
    return known is not None


def remember_device(account_id: str, device_secret: str | None) -> str:
    """Remember the browser and return its new secret, for the cookie.

    The secret changes at each sign-in, and what the browser was known for moves along: a
    cookie that somebody planted or copied is worth nothing afterwards.
    """
    new = secrets.token_urlsafe(32)
    new_hash = device_hash(new)
    with transaction() as writes:
        if device_secret:
            update_all(
                KnownDevice,
                KnownDevice.device_hash == device_hash(device_secret),
                device_hash=new_hash,
            )
        now = clock.now()
        seen = upserting(KnownDevice).values(
            device_hash=new_hash, account_id=account_id, last_seen_at=now
        )
        whose = ["device_hash", "account_id"]
        writes.execute(seen.on_conflict_do_update(index_elements=whose, set_={"last_seen_at": now}))
        keep_newest(
            KnownDevice.device_hash,
            KnownDevice.account_id == account_id,
            by=KnownDevice.last_seen_at,
            most=MOST_DEVICES,
        )
    return new


def forget(*which: ColumnElement[bool]) -> int:
    """Forget these devices, in the caller's transaction; returns how many."""
    return delete_all(KnownDevice, *which)


def device_hash(device_secret: str | None) -> str:
    """By what a device is found, whose secret this is."""
    return keyed_hash("known_device", device_secret or "")
