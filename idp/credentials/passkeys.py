"""Passkeys: asked for by a challenge, kept, found by their credential id, used, removed.

The decision whether an account may sign in with one is ``idp.lifecycle.second_factor``'s.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import IntegrityError

from idp import clock
from idp.credentials.models import PASSKEY_NAME_LENGTH, Passkey, PasskeyChallenge
from idp.credentials.relying_party import (
    Answer,
    Assertion,
    NewCredential,
    RelyingParty,
    Unproved,
    relying_party,
)
from idp.database import db, delete_all, keep_newest, keyed_hash, transaction, update_all
from idp.errors import Conflict
from idp.people.models import Account, AccountRow

__all__ = ["MOST_PASSKEYS", "NotProved", "Proved", "Purpose", "relying_party"]

MOST_PASSKEYS: Final = 10
LIFETIME: Final = timedelta(minutes=5)
"""Of a challenge."""
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
    return bool(
        update_all(
            PasskeyChallenge,
            PasskeyChallenge.challenge_hash == _challenge_hash(challenge),
            PasskeyChallenge.browser_hash == _browser_hash(browser),
            PasskeyChallenge.purpose == purpose,
            PasskeyChallenge.account_id == account_id,
            PasskeyChallenge.expires_at > now,
            PasskeyChallenge.spent_at.is_(None),
            spent_at=now,
        )
    )


def _browser_hash(browser: str) -> str:
    return keyed_hash("passkey browser", browser)


def _challenge_hash(challenge: bytes) -> str:
    return keyed_hash("passkey challenge", challenge.hex())


class NotProved(Exception):
    """The answer proves nothing. ``reason`` is for the audit log, not for the visitor."""

    def __init__(self, reason: str, passkey: Passkey | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passkey = passkey


@dataclass(frozen=True)
class Proved:
    """A passkey that was used just now, with its user verified.

    ``epoch``: the account's ``credentials_epoch`` as it was before the answer was judged.
    """

    passkey: Passkey
    account: Account
    epoch: int


def amr_of(passkey: Passkey) -> tuple[str, str]:
    """RFC 8176: a key that can be copied is ``swk``; ``user`` is that its owner was verified."""
    return "swk" if passkey.backup_eligible else "hwk", "user"


def options_to_add(party: RelyingParty, browser: str, account: AccountRow) -> dict[str, Any]:
    """What the browser is asked in order to make a passkey for this account."""
    from idp.credentials import webauthn_ceremonies as ceremonies

    return ceremonies.creation_options(
        party,
        begin(browser, "add", account.id),
        user_handle=account.id.encode(),
        user_name=account.username,
        display_name=account.full_name,
        known=[(each.credential_id, each.transports) for each in passkeys_of(account.id)],
    )


def options_to_use(
    party: RelyingParty, browser: str, purpose: Purpose, account_id: str = ""
) -> dict[str, Any]:
    """What the browser is asked in order to prove a passkey.

    Nobody is named at sign-in: whether an account has passkeys stays unknown (rule E1).
    """
    from idp.credentials import webauthn_ceremonies as ceremonies

    known = (
        [(each.credential_id, each.transports) for each in passkeys_of(account_id)]
        if account_id
        else []
    )
    challenge = begin(browser, purpose, account_id)
    return ceremonies.request_options(party, challenge, known)


def read_new(party: RelyingParty, browser: str, account_id: str, answer_text: str) -> NewCredential:
    """Judge the answer of a new passkey; keeps nothing. Raises ``NotProved``."""
    from idp.credentials import webauthn_ceremonies as ceremonies

    try:
        answer = ceremonies.read_registration(answer_text)
    except Unproved as error:
        raise NotProved("malformed") from error
    if not spend(answer.challenge, browser, "add", account_id):
        raise NotProved("challenge")
    try:
        return ceremonies.verify_registration(party, answer)
    except Unproved as error:
        raise NotProved("unproved") from error


def add(account_id: str, new: NewCredential, name: str) -> Passkey:
    """Keep a new passkey; the caller holds the account. Raises ``NotProved`` or ``Conflict``."""
    passkey = Passkey(
        account_id=account_id,
        credential_id=new.credential_id,
        public_key=new.public_key,
        sign_count=new.sign_count,
        aaguid=new.aaguid,
        transports=" ".join(new.transports)[:100],
        backup_eligible=new.backup_eligible,
        backed_up=new.backed_up,
        name=name[:PASSKEY_NAME_LENGTH],
    )
    with transaction() as writes:
        if count(account_id) >= MOST_PASSKEYS:
            raise Conflict("too_many_passkeys")
        try:
            with writes.begin_nested():
                writes.add(passkey)
        except IntegrityError as error:  # WebAuthn Level 3 §7.1: an id is registered once
            raise NotProved("known credential") from error
    return passkey


def prove(
    party: RelyingParty, browser: str, purpose: Purpose, answer_text: str, account_id: str = ""
) -> Proved:
    """Judge the answer of a known passkey, and count its use. Raises ``NotProved``.

    ``account_id``: whose passkey it must be, where that is known already. The challenge is
    spent whatever comes of it, so that no answer is ever judged twice.
    """
    from idp.credentials import webauthn_ceremonies as ceremonies

    try:
        answer = ceremonies.read_authentication(answer_text)
    except Unproved as error:
        raise NotProved("malformed") from error
    if not spend(answer.challenge, browser, purpose, account_id):
        raise NotProved("challenge")
    row = _by_credential(answer.credential_id)
    if row is None:
        raise NotProved("unknown credential")
    passkey, account = row
    epoch = account.credentials_epoch
    _check_holder(answer, passkey, account, account_id)
    try:
        seen = ceremonies.verify_authentication(party, answer, passkey.public_key)
    except Unproved as error:
        raise NotProved("unproved", passkey) from error
    if seen.backup_eligible != passkey.backup_eligible:
        raise NotProved("backup eligibility", passkey)  # §7.2: it never changes
    if not _count_use(passkey, seen):
        raise NotProved("counter", passkey)
    return Proved(passkey, account, epoch)


def passkeys_of(account_id: str) -> list[Passkey]:
    """The account's passkeys, the newest first."""
    return list(
        db.session.scalars(
            select(Passkey)
            .where(Passkey.account_id == account_id)
            .order_by(Passkey.created_at.desc(), Passkey.id)
        )
    )


def find(passkey_id: str) -> Passkey | None:
    """The passkey of this id."""
    return db.session.get(Passkey, passkey_id)


def count(account_id: str) -> int:
    """How many passkeys the account has."""
    query = select(func.count()).select_from(Passkey).where(Passkey.account_id == account_id)
    return db.session.scalar(query) or 0


def rename(account_id: str, passkey_id: str, name: str) -> bool:
    """Give one of the account's passkeys another name; false where it is not theirs."""
    with transaction() as writes:
        renamed = writes.execute(
            update(Passkey)
            .where(Passkey.id == passkey_id, Passkey.account_id == account_id)
            .values(name=name[:PASSKEY_NAME_LENGTH])
        ).rowcount
    return bool(renamed)


def remove(*which: ColumnElement[bool]) -> int:
    """Remove these passkeys, in the caller's transaction; returns how many."""
    return delete_all(Passkey, *which)


def _check_holder(answer: Answer, passkey: Passkey, account: Account, expected: str) -> None:
    if expected and passkey.account_id != expected:
        raise NotProved("foreign credential", passkey)
    # WebAuthn Level 3 §7.2 step 6: only where an account is named may the handle be missing
    missing = bool(expected) and answer.user_handle is None
    if not missing and answer.user_handle != passkey.account_id.encode():
        raise NotProved("user handle", passkey)
    if account.status != "active":
        raise NotProved(account.status, passkey)  # security rule F8


def _by_credential(credential_id: str) -> tuple[Passkey, Account] | None:
    row = db.session.execute(
        select(Passkey, Account)
        .join(Account, Account.id == Passkey.account_id)
        .where(Passkey.credential_id == credential_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def _count_use(passkey: Passkey, seen: Assertion) -> bool:
    """Move the counter forward: false where it went back or stood still (a copied key).

    An authenticator that doesn't count always says 0 (WebAuthn Level 3 §6.1.1).
    """
    counts = seen.sign_count > 0
    forward = Passkey.sign_count < seen.sign_count if counts else Passkey.sign_count == 0
    return bool(
        update_all(
            Passkey,
            Passkey.id == passkey.id,
            forward,
            sign_count=seen.sign_count,
            backed_up=seen.backed_up,
            last_used_at=clock.now(),
        )
    )
