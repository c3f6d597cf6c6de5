"""Recovery codes: ten, shown once, each works once.

24 characters of Crockford's base32 are 120 random bits: from 112 bits on a keyed hash is
enough at rest (NIST SP 800-63B-4 §3.1.2.2), and nobody guesses one.
"""

import secrets
from typing import Final

from sqlalchemy import ColumnElement, func, select

from idp import clock
from idp.credentials.models import RecoveryCode
from idp.credentials.one_time_tokens import ALPHABET, characters
from idp.database import db, delete_all, keyed_hash, transaction, update_all

HOW_MANY: Final = 10
LENGTH: Final = 24
GROUP: Final = 4


def replace(account_id: str) -> list[str]:
    """Make new codes in place of all older ones, in the caller's transaction; in clear, once."""
    clear = ["".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(HOW_MANY)]
    with transaction() as writes:
        forget(RecoveryCode.account_id == account_id)
        writes.add_all(
            RecoveryCode(account_id=account_id, code_hash=_code_hash(account_id, code))
            for code in clear
        )
        writes.flush()
    return ["-".join(code[i : i + GROUP] for i in range(0, LENGTH, GROUP)) for code in clear]


def spend(account_id: str, text: str) -> bool:
    """Spend one of the account's codes: true for exactly one caller, ever."""
    code = characters(text, LENGTH)
    if code is None:
        return False
    return bool(
        update_all(
            RecoveryCode,
            RecoveryCode.code_hash == _code_hash(account_id, code),
            RecoveryCode.account_id == account_id,
            RecoveryCode.used_at.is_(None),
            used_at=clock.now(),
        )
    )


def left(account_id: str) -> int:
    """How many of the account's codes still work."""
    return (
        db.session.scalar(
            select(func.count())
            .select_from(RecoveryCode)
            .where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
        )
        or 0
    )


def forget(*which: ColumnElement[bool]) -> int:
    """Remove these codes, in the caller's transaction; returns how many."""
    return delete_all(RecoveryCode, *which)


def _code_hash(account_id: str, code: str) -> str:
    return keyed_hash("recovery code", f"{account_id}|{code}")
