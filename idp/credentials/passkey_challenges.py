"""Challenges of passkeys: kept here, for one browser and one purpose, answered once."""

import secrets
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy import update

from idp import clock
from idp.credentials.factor_models import PasskeyChallenge
from idp.database import keep_newest, keyed_hash, transaction

LIFETIME: Final = timedelta(minutes=5)
MOST_PENDING: Final = 20
"""Challenges that one browser may have at once; an older one makes room."""

Purpose = Literal["sign_in", "second_factor", "confirm", "add"]


def begin(browser: str, purpose: Purpose, account_id: str = "") -> bytes:
    """A new challenge of 256 random bits for this browser (WebAuthn Level 3 §13.4.3)."""
    challenge = secrets.token_bytes(32)
    browser_hash = _browser_hash(browser)
    with transaction() as writes:
        keep_newest(
            PasskeyChallenge.challenge_hash,
            PasskeyChallenge.browser_hash == browser_hash,
            by=PasskeyChallenge.expires_at,
            most=MOST_PENDING - 1,
        )
        writes.add(
            PasskeyChallenge(
                challenge_hash=_challenge_hash(challenge),
                browser_hash=browser_hash,
                purpose=purpose,
                account_id=account_id,
                expires_at=clock.now() + LIFETIME,
            )
        )
    return challenge


def spend(challenge: bytes, browser: str, purpose: Purpose, account_id: str = "") -> bool:
    """Spend a challenge before its answer is judged: true for exactly one caller, ever."""
    now = clock.now()
    with transaction() as writes:
        spent = writes.execute(
            update(PasskeyChallenge)
            .where(
                PasskeyChallenge.challenge_hash == _challenge_hash(challenge),
                PasskeyChallenge.browser_hash == _browser_hash(browser),
                PasskeyChallenge.purpose == purpose,
                PasskeyChallenge.account_id == account_id,
                PasskeyChallenge.expires_at > now,
                PasskeyChallenge.spent_at.is_(None),
            )
            .values(spent_at=now)
            .execution_options(synchronize_session=False)
        ).rowcount
    return bool(spent)


def _browser_hash(browser: str) -> str:
    return keyed_hash("passkey browser", browser)


def _challenge_hash(challenge: bytes) -> str:
    return keyed_hash("passkey challenge", challenge.hex())
