"""Passwords: hashed, checked, upgraded.

Stored form: ``v1$`` and a bcrypt string. v1 is bcrypt over the base64 of an HMAC-SHA-384
that is keyed with a pepper outside the database: 64 bytes, whatever was typed, so that bcrypt
neither cuts at 72 bytes nor meets a NUL, and a stolen hash can't be shucked (OWASP Password
Storage Cheat Sheet, "Pre-Hashing Passwords with bcrypt"). Another prefix may mean Argon2id.

``v1~`` and a mark stand for the same under a later pepper of the list than the one that the
installation began with. A password that an older one keyed is stored anew at its next sign-in.
"""

import base64
import hashlib
import hmac
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import bcrypt
from sqlalchemy import ColumnElement, func, select

from idp import clock, settings
from idp.credentials import bcrypt_gate, peppers
from idp.credentials.models import Password
from idp.credentials.peppers import Pepper
from idp.credentials.strength import WeakPassword
from idp.database import db, delete_all, transaction, update_all, upserting

__all__ = ["WeakPassword"]

_PREFIX: Final = "v1$"
_MARKED: Final = "v1~"


@dataclass(frozen=True)
class Hashed:
    """A new password's stored form; the slow work is done. Never shows what it holds."""

    text: str

    def __repr__(self) -> str:
        return "Hashed(…)"


def hashed(password: str) -> Hashed:
    """Hash a new password, before the transaction that stores it; raises ``Busy``."""
    configured = settings.current()
    pepper = peppers.newest()
    prehash = _prehash(password, pepper.secret)
    return Hashed(bcrypt_gate.run(_hash, prehash, configured.bcrypt_cost, _prefix(pepper)))


def store(account_id: str, new: Hashed) -> None:
    """Save a password in the caller's transaction, whatever the account had before."""
    now = clock.now()
    values = {"hash": new.text, "set_at": now, "rooted_at": now}
    with transaction() as writes:
        put_in = upserting(Password).values(account_id=account_id, **values)
        writes.execute(put_in.on_conflict_do_update(index_elements=["account_id"], set_=values))


def replace(account_id: str, old: Hashed, new: Hashed) -> bool:
    """Save a password in place of the one that was proved; false if that one is gone."""
    root = func.coalesce(Password.rooted_at, Password.set_at)
    return _swap(account_id, old.text, hash=new.text, set_at=clock.now(), rooted_at=root)


def set_password(account_id: str, password: str) -> None:
    """Hash and save: for commands. A page hashes first, then saves in its transaction."""
    store(account_id, hashed(password))


def set_at(account_id: str) -> datetime | None:
    """When the account's password was set; None without one."""
    return db.session.scalar(select(Password.set_at).where(Password.account_id == account_id))


def rooted_at(account_id: str) -> datetime | None:
    """Since when whoever knows the account's password has known it or the one before it: from
    then on each was changed with a proof of the last, none by a mailed token. None without one.
    """
    root = func.coalesce(Password.rooted_at, Password.set_at)
    return db.session.scalar(select(root).where(Password.account_id == account_id))


def withdraw(*which: ColumnElement[bool]) -> int:
    """Let accounts have no password, in the caller's transaction; returns how many."""
    return delete_all(Password, *which)


def verify(account_id: str | None, password: str) -> bool:
    """Whether this is the account's password; the same work for nobody's (``None``).

    Upgrades the stored hash where the cost was raised since. Raises ``bcrypt_gate.Busy``.
    """
    return proved_hash(account_id, password) is not None


def proved_hash(account_id: str | None, password: str) -> Hashed | None:
    """As ``verify``; the stored hash that the password proved, for ``replace``."""
    configured = settings.current()
    stored = _stored(account_id)
    possible = len(password) <= 4 * configured.password_maximum
    pepper, newest = _pepper_of(stored) or peppers.newest(), peppers.newest()
    prehash = _prehash(password if possible else "", pepper.secret)
    matches = bcrypt_gate.run(_matches, prehash, stored, configured.bcrypt_cost)
    if account_id is None or not (possible and stored and matches):
        return None
    if _cost(stored) < configured.bcrypt_cost or pepper.mark != newest.mark:
        prehash = _prehash(password, newest.secret)
        return Hashed(_upgraded(account_id, stored, prehash, _prefix(newest)))
    return Hashed(stored)


def has_password(account_id: str) -> bool:
    """Whether the account has a password."""
    query = select(Password.account_id).where(Password.account_id == account_id)
    return db.session.scalars(query).one_or_none() is not None


def _stored(account_id: str | None) -> str:
    hashed_password = db.session.scalars(
        select(Password.hash).where(Password.account_id == (account_id or ""))
    ).one_or_none()
    # A form of a later version, in a rolling downgrade, proves nothing here; nor one of a pepper
    # that is gone
    return hashed_password if hashed_password and _pepper_of(hashed_password) else ""


def _pepper_of(stored: str) -> Pepper | None:
    if stored.startswith(_PREFIX):
        return peppers.marked("")
    mark = stored.removeprefix(_MARKED).partition("$")[0]
    return peppers.marked(mark) if stored.startswith(_MARKED) else None


def _prefix(pepper: Pepper) -> str:
    return f"{_MARKED}{pepper.mark}$" if pepper.mark else _PREFIX


def _prehash(password: str, pepper: bytes) -> bytes:
    # surrogatepass: text from a terminal may hold what UTF-8 can't
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.digest(pepper, text, hashlib.sha384))


def _hash(prehash: bytes, cost: int, prefix: str) -> str:
    return prefix + bcrypt.hashpw(prehash, bcrypt.gensalt(cost)).decode("ascii")


def _matches(prehash: bytes, stored: str, cost: int) -> bool:
    """Compare, with the work of ``cost`` whether there is a hash, a cheaper one or none.

    2^10 + 2^10 + 2^11 rounds are 2^12: a hash that waits for its upgrade takes as long as
    an unknown user name does (security rule E1).
    """
    against = _bcrypt_of(stored) or _nobodys(cost)
    matches = bcrypt.checkpw(prehash, against.encode("ascii"))
    for missing in range(_cost(stored), cost) if stored else ():
        bcrypt.checkpw(prehash, _nobodys(missing).encode("ascii"))
    return matches


def _nobodys(cost: int) -> str:
    # A well-formed bcrypt string that was not made from any password
    return f"$2b${cost:02}${'.' * 53}"


def _cost(stored: str) -> int:
    return int(_bcrypt_of(stored).split("$")[2])


def _bcrypt_of(stored: str) -> str:
    """What follows the prefix, which ends with the first dollar sign."""
    return "$" + stored.partition("$$")[2] if "$$" in stored else ""


def _upgraded(account_id: str, stored: str, prehash: bytes, prefix: str) -> str:
    try:
        new = bcrypt_gate.run(_hash, prehash, settings.current().bcrypt_cost, prefix)
    except bcrypt_gate.Busy:
        return stored  # the next sign-in may upgrade it; this one has proved enough
    return new if _swap(account_id, stored, hash=new) else stored


def _swap(account_id: str, old: str, **values: Any) -> bool:
    changed = update_all(
        Password, Password.account_id == account_id, Password.hash == old, **values
    )
    return bool(changed)
