"""The device key of a browser that stays signed in: made, judged, changed at each use.

The cookie holds the name of a family of keys and the newest secret of it. A secret works once: its
successor is an HMAC of it, so that two tabs that bring the same one at the same instant get the
same next one and the same session, and nothing is stored in clear. Whoever brings an older secret
holds a copy, or the other one does.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import aliased

from idp import clock
from idp.database import db, delete_all, hashes, keep_newest, keyed_hash, transaction, update_all
from idp.sessions.models import BrowserSession, PersistentLogin

GRACE: Final = timedelta(seconds=30)
"""For so long after its use a secret still answers with its successor: to another tab of the same
browser, and to one whose answer was lost."""
MOST: Final = 20
"""Browsers of one account that stay signed in; the one that was used least recently makes room."""


class Judged(Enum):
    """What a key is worth that a browser brings."""

    CURRENT = auto()
    AGAIN = auto()
    """Used a moment ago."""
    COPIED = auto()
    """Used before: two have it."""


@dataclass(frozen=True)
class DeviceKey:
    """What the cookie holds."""

    family: str
    secret: str

    @classmethod
    def of_cookie(cls, text: str) -> "DeviceKey | None":
        """The key in this cookie; None for what is none of ours."""
        family, dot, secret = text.partition(".")
        return cls(family, secret) if dot and 20 <= len(family) <= 50 >= len(secret) >= 40 else None

    @property
    def cookie(self) -> str:
        return f"{self.family}.{self.secret}"

    @property
    def openings(self) -> "list[Opening]":
        """What it opens under each of our hash keys, the newest first."""
        successors = hashes.each_derived("device key successor", self.secret)
        sessions = hashes.each_derived("session of a device key", self.secret)
        return [
            Opening(DeviceKey(self.family, secret), session)
            for secret, session in zip(successors, sessions, strict=True)
        ]

    @property
    def successor(self) -> "DeviceKey":
        """The next key, as long as nobody has used this one."""
        return self.openings[0].successor

    @property
    def session_secret(self) -> str:
        """The secret of the session that this key opens then."""
        return self.openings[0].session_secret

    @property
    def family_hash(self) -> str:
        return keyed_hash("device key family", self.family)

    @property
    def secret_hash(self) -> str:
        return keyed_hash("device key", self.secret)


@dataclass(frozen=True)
class Opening:
    """What a device key is exchanged for: the next key, and the secret of a session."""

    successor: DeviceKey
    session_secret: str


def begin(account_id: str, session_id: str, lifetime: timedelta) -> DeviceKey:
    """Make a key for the browser of this session, which stands for a sign-in of just now."""
    key = DeviceKey(secrets.token_urlsafe(24), secrets.token_urlsafe(32))
    now = clock.now()
    with transaction() as writes:
        row = PersistentLogin(
            family_hash=key.family_hash,
            secret_hash=key.secret_hash,
            account_id=account_id,
            session_id=session_id,
            created_at=now,
            rotated_at=now,
            expires_at=now + lifetime,
        )
        writes.add(row)
        writes.flush()
        _mark(session_id, row.id)
        keep_newest(
            PersistentLogin.id,
            PersistentLogin.account_id == account_id,
            by=PersistentLogin.rotated_at,
            most=MOST,
        )
    return key


def find(key: DeviceKey) -> PersistentLogin | None:
    """The family of this key, whatever the key itself is worth."""
    return db.session.scalars(
        select(PersistentLogin).where(PersistentLogin.family_hash == key.family_hash)
    ).one_or_none()


def lock(row_id: str) -> PersistentLogin | None:
    """The family as it is now, which nobody else changes before this transaction ends."""
    return db.session.scalars(
        select(PersistentLogin)
        .where(PersistentLogin.id == row_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def judge(row: PersistentLogin, key: DeviceKey) -> Judged:
    """What this key of the family is worth."""
    if hashes.is_hash(row.secret_hash, key.secret_hash):
        return Judged.CURRENT
    is_last = hashes.is_hash(row.previous_hash, key.secret_hash)
    is_early = clock.is_within(row.rotated_at, GRACE)
    return Judged.AGAIN if is_last and is_early else Judged.COPIED


def rotate(row: PersistentLogin, key: DeviceKey, session_id: str) -> None:
    """Use up this key of a locked family, for a session that it has opened. All is hashed anew."""
    row.secret_hash, row.previous_hash = key.successor.secret_hash, key.secret_hash
    row.family_hash = key.family_hash
    row.rotated_at, row.session_id = clock.now(), session_id


def opened(row: PersistentLogin, key: DeviceKey) -> Opening | None:
    """What the family's last key was exchanged for, which is this one."""
    return next(
        (e for e in key.openings if hashes.is_hash(row.secret_hash, e.successor.secret_hash)), None
    )


def follow(row: PersistentLogin, session_id: str) -> None:
    """Let the family hang on another session of its browser, in which its owner signed in anew."""
    row.session_id = session_id
    _mark(session_id, row.id)


def forget(*which: ColumnElement[bool]) -> int:
    """End these families: no key of theirs opens anything any more. Returns how many."""
    return delete_all(PersistentLogin, *which)


def sessions_of(row_id: str) -> ColumnElement[bool]:
    """Every session that this family has opened, a condition on ``BrowserSession``."""
    return BrowserSession.persistent_login_id == row_id


def of_session(session_id: str) -> Select[Any]:
    """The family by which the browser of this session stays signed in, ended or not."""
    one = aliased(BrowserSession)
    return select(one.persistent_login_id).where(one.id == session_id)


def in_browser_of(session_id: str) -> ColumnElement[bool]:
    """This session, and every one that its browser's key has opened; on ``BrowserSession``."""
    with_it = BrowserSession.persistent_login_id.in_(of_session(session_id))
    return or_(BrowserSession.id == session_id, with_it)


def ends_at(row: PersistentLogin, days: int) -> datetime:
    """When it ends, by the days that hold now: fewer count at once, more do not."""
    return min(row.expires_at, row.created_at + timedelta(days=days))


def _mark(session_id: str, row_id: str) -> None:
    update_all(BrowserSession, BrowserSession.id == session_id, persistent_login_id=row_id)
