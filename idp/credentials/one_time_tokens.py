"""One-time connection tokens: minted, found, spent.

28 characters of Crockford's base32 are 140 random bits (ASVS 5.0, 11.5.1 asks for 128): a
keyed hash is enough at rest, and the look-up by hash is the comparison (security rule P6).
"""

import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, insert, or_, select, true

from idp import clock, settings
from idp.audit import events
from idp.credentials.models import OneTimeToken
from idp.database import db, hashes, keyed_hash, opaque_id, transaction, update_all
from idp.people.models import Account

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 28
GROUP = 4
LONGEST_TYPED = 600
"""Characters that are looked at: a token with any reasonable spacing fits, and a pasted link."""

_LOOK_ALIKES = str.maketrans("ILO", "110")
_IGNORED = {"Pd", "Zs", "Zl", "Zp", "Cc", "Cf"}
_MINUS = "\u2212"

_DASHES = r"[-\u00ad\u2010-\u2015\u2212\ufe58\ufe63\uff0d]"
_PATTERNS = (
    rf"(?<![0-9A-Z])[0-9A-Z]{{{GROUP}}}(?:\s*{_DASHES}\s*[0-9A-Z]{{{GROUP}}}){{6}}(?![0-9A-Z])",
    rf"(?<![0-9A-Z])(?:3D)?([0-9A-Z]{{{LENGTH}}})(?![0-9A-Z])",
    rf"(?<![0-9A-Z])([0-9A-Z]{{{GROUP}}}(?:\s+[0-9A-Z]{{{GROUP}}}){{6}})\W*$",
)
"""A token within what was pasted: in groups as we write it, in one, or in groups at its end."""


@dataclass(frozen=True)
class Live:
    """A token that works, and its owner."""

    token: OneTimeToken
    account: Account


@dataclass(frozen=True)
class Expired:
    """A token that would have worked, and its owner: who has it may ask for a fresh one."""

    token: OneTimeToken
    account: Account


@dataclass(frozen=True)
class Spent:
    """A token that has done its work, and its owner, whose account is active.

    140 bits prove that whoever types it has, or found, the mail or letter: they learn that it was
    used, and nothing else.
    """

    account: Account


@dataclass(frozen=True)
class Unknown:
    """Never was, was replaced, or its owner is disabled: one and the same answer."""


Lookup = Live | Expired | Spent | Unknown


def mint(
    account_id: str,
    purpose: str,
    *,
    outbox_id: str | None = None,
    client_id: str | None = None,
    sent_to: str | None = None,
) -> str:
    """Make a token in the caller's transaction and return it in clear, the only time.

    ``sent_to``: the key of the address that it is mailed to; None where it is printed. Ends
    the owner's older tokens, except those of the same mail: a mail that is delivered twice
    carries two, and either works.
    """
    now = clock.now()
    clear = _new_token()
    token = OneTimeToken(
        account_id=account_id,
        purpose=purpose,
        token_hash=_token_hash(clear),
        outbox_id=outbox_id,
        client_id=client_id,
        sent_to=_address_hash(sent_to) if sent_to else None,
        created_at=now,
        expires_at=now + _lifetime(purpose),
    )
    with transaction() as writes:
        _lock_owner(account_id)
        other = OneTimeToken.outbox_id.is_distinct_from(outbox_id)
        end(OneTimeToken.account_id == account_id, other if outbox_id else true())
        writes.add(token)
        writes.flush()
        events.record("token_issued", account_id=account_id, purpose=purpose, token_id=token.id)
    return _in_groups(clear)


def draw() -> str:
    """A token in clear that opens nothing before it is kept (``keep_each``)."""
    return _in_groups(_new_token())


def keep_each(drawn: Mapping[str, str], purpose: str) -> None:
    """``mint`` for many letters: accounts with their tokens, which work from now on.

    In the caller's transaction, which holds these accounts; a few statements for all. Ends
    the owners' older tokens.
    """
    now = clock.now()
    ids = {account_id: opaque_id("t")() for account_id in drawn}
    rows = [
        {
            "id": ids[account_id],
            "account_id": account_id,
            "purpose": purpose,
            "token_hash": _token_hash(normalise(token) or ""),
            "created_at": now,
            "expires_at": now + _lifetime(purpose),
        }
        for account_id, token in drawn.items()
    ]
    with transaction() as writes:
        end(OneTimeToken.account_id.in_(drawn))
        writes.execute(insert(OneTimeToken), rows)
        events.record_rows(
            events.row("token_issued", account_id=owner, purpose=purpose, token_id=token_id)
            for owner, token_id in ids.items()
        )


def normalise(text: str) -> str | None:
    """The 28 characters of a typed token; ``None`` if it can't be one.

    Case, any dash and any space don't count, and letters that Crockford's alphabet leaves
    out are read as the digits that they look like. What was pasted along is passed over: a full
    stop, quotes, « Jeton : », the whole link.
    """
    return characters(text, LENGTH) or _token_in(text)


def count_typed(text: str) -> int:
    """How many characters were typed that count, where they could be a part of a token, else 0."""
    kept = _kept(text[:LONGEST_TYPED])
    return len(kept) if set(kept) <= set(ALPHABET) else 0


def _token_in(text: str) -> str | None:
    wide = unicodedata.normalize("NFKC", text[: LONGEST_TYPED + 1]).upper()
    if len(text) > LONGEST_TYPED:
        return None
    visible = "".join(c for c in wide if unicodedata.category(c) != "Cf" or c == "\u00ad")
    for pattern in _PATTERNS:
        for match in re.finditer(pattern, visible):
            if token := characters(match[match.lastindex or 0], LENGTH):
                return token
    return None


def characters(text: str, length: int) -> str | None:
    """The ``length`` characters of the alphabet that somebody typed, however spaced."""
    if len(text) > LONGEST_TYPED:
        return None
    token = _kept(text)
    if len(token) != length or not set(token) <= set(ALPHABET):
        return None
    return token


def _kept(text: str) -> str:
    wide = unicodedata.normalize("NFKC", text)
    kept = "".join(c for c in wide if not (unicodedata.category(c) in _IGNORED or c == _MINUS))
    return kept.upper().translate(_LOOK_ALIKES)


def find(text: str) -> Lookup:
    """What a typed token is; spends nothing. A malformed one costs what an unknown one does."""
    return _find(OneTimeToken.token_hash == _token_hash(normalise(text) or ""))


def find_by_id(token_id: str) -> Lookup:
    """What a token is now that was found before, in an earlier step."""
    return _find(OneTimeToken.id == token_id)


def proved_address(account_id: str, address_key: str | None) -> bool:
    """Whether a token that was mailed to this address has come back from its reader."""
    if not address_key:
        return False
    query = select(OneTimeToken.id).where(
        OneTimeToken.account_id == account_id,
        OneTimeToken.sent_to == _address_hash(address_key),
        OneTimeToken.spent_at.is_not(None),
    )
    return db.session.scalar(query.limit(1)) is not None


def was_sent_to(token: OneTimeToken, address_key: str | None) -> bool:
    """Whether this token was mailed to the address of this key, and nowhere else."""
    return bool(address_key) and hashes.is_hash(token.sent_to, _address_hash(address_key or ""))


def note_opened(token_id: str) -> None:
    """Note that its holder has sent it, the first time; the school sees how far they came."""
    update_all(
        OneTimeToken,
        OneTimeToken.id == token_id,
        OneTimeToken.opened_at.is_(None),
        opened_at=clock.now(),
    )


def spend(token_id: str) -> bool:
    """Spend a token in the caller's transaction: true for exactly one caller, ever."""
    now = clock.now()
    return bool(
        update_all(
            OneTimeToken,
            OneTimeToken.id == token_id,
            unspent(),
            OneTimeToken.expires_at > now,
            spent_at=now,
        )
    )


def unspent() -> ColumnElement[bool]:
    """Neither spent nor ended, expired ones too; a condition on ``OneTimeToken``."""
    return and_(OneTimeToken.spent_at.is_(None), OneTimeToken.ended_at.is_(None))


def end(*which: ColumnElement[bool]) -> int:
    """End those of these tokens that are unspent, expired ones too; returns how many."""
    return update_all(OneTimeToken, *which, unspent(), ended_at=clock.now())


def _find(which: object) -> Lookup:
    row = db.session.execute(
        select(OneTimeToken, Account)
        .join(Account, Account.id == OneTimeToken.account_id)
        .where(
            which,  # type: ignore[arg-type]
            OneTimeToken.ended_at.is_(None),
            Account.status != "disabled",
            # What is answered as unknown is found no more than what is (security rule E1)
            or_(OneTimeToken.spent_at.is_(None), Account.status == "active"),
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return Unknown()
    token, account = row
    if token.spent_at is not None:
        return Spent(account)
    # Checked at use, by our clock; no purge has a say (security rule P10)
    return Live(token, account) if token.expires_at > clock.now() else Expired(token, account)


def _lock_owner(account_id: str) -> None:
    # Two mails at once for one owner take turns, so that the later ends the earlier's token
    db.session.execute(
        select(Account.id).where(Account.id == account_id).with_for_update(key_share=True)
    )


def _new_token() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def _in_groups(token: str) -> str:
    return "-".join(token[i : i + GROUP] for i in range(0, LENGTH, GROUP))


def _lifetime(purpose: str) -> timedelta:
    configured = settings.current()
    return {
        "first_sign_in": configured.first_sign_in_lifetime,
        "password_reset": configured.password_reset_lifetime,
    }[purpose]


def _token_hash(token: str) -> str:
    return keyed_hash("one_time_token", token)


def _address_hash(address_key: str) -> str:
    return keyed_hash("one_time_token address", address_key)
