"""What is stored in place of a random secret: a keyed hash, which tells the key that made it.

``token_hash_key`` may be a list. New hashes are made with its newest key; what is there is found
with any: ``column == keyed_hash(…)`` asks for all of them in one statement. With one key there is
one hash, and nothing else is done than ever.

The key that an installation began with makes hashes of 43 characters, as it always did. Those of
every later one begin with ``~`` and the key's mark, so that a row tells what made it, and
``idp secrets status`` what hangs on a key that is to go.
"""

import hashlib
import hmac
from collections.abc import Sequence
from operator import eq, ne
from typing import Any, Final

from sqlalchemy import String
from sqlalchemy.sql.operators import in_op, not_in_op
from sqlalchemy.types import TypeDecorator

from idp import settings
from idp.database import beginnings
from idp.database.beginnings import base64url

HASH_LENGTH: Final = 43
NAME: Final = "token_hash_key"
MARKED: Final = "~"
_MADE: Final = "hash_keys"
_UNMARKED: Final = "derived_keys"


class Hashes(str):
    """The hash that the newest key makes; ``former`` are those that the others make."""

    __slots__ = ("former",)

    former: tuple[str, ...]

    @property
    def all(self) -> list[str]:
        return [str(self), *self.former]

    @classmethod
    def of(cls, hashes: Sequence[str]) -> "Hashes":
        """The hashes of one secret, the newest key's first."""
        made = cls(hashes[0])
        made.former = tuple(hashes[1:])
        return made


class _Compared(TypeDecorator.Comparator[str]):
    """Compares with whatever any of the keys has made."""

    _WITH_ANY: Final = {eq: in_op, ne: not_in_op}

    def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:
        if op in self._WITH_ANY and isinstance(other[0], Hashes):
            return super().operate(self._WITH_ANY[op], other[0].all, **kwargs)
        return super().operate(op, *other, **kwargs)


class KeyedHash(TypeDecorator[str]):
    """``keyed_hash`` of a secret, as base64url without padding."""

    impl = String(HASH_LENGTH)
    cache_ok = True
    comparator_factory = _Compared


class HashKey:
    """One of the keys; ``mark`` is empty where its hashes bear none."""

    def __init__(self, key: bytes, mark: str) -> None:
        self.mark = mark
        self._key = key
        self._begun: dict[str, hmac.HMAC] = {}

    def digest(self, purpose: str, secret: str) -> str:
        """HMAC-SHA-256 under a key of its own purpose: 43 characters of base64url."""
        begun = self._begun.get(purpose)
        if begun is None:
            # To go on from there takes a fifth of the time
            begun = hmac.new(self._key, purpose.encode() + b"\0", hashlib.sha256)
            if len(self._begun) < 64:
                self._begun[purpose] = begun
        begun = begun.copy()
        begun.update(secret.encode())
        return base64url(begun.digest())

    def stored(self, purpose: str, secret: str) -> str:
        """What is stored: the digest, or its first 234 bits behind the mark."""
        digest = self.digest(purpose, secret)
        if not self.mark:
            return digest
        return f"{MARKED}{self.mark}{digest}"[:HASH_LENGTH]


def known() -> tuple[HashKey, ...]:
    """The keys of the running application, the newest first."""
    made: tuple[HashKey, ...] | None = settings.current().made.get(_MADE)
    if made is not None:
        return made
    marked = beginnings.marked(NAME, settings.current().token_hash_key)
    made = tuple(HashKey(secret, mark) for secret, mark in marked)
    settings.current().made[_MADE] = made
    return made


def _unmarked() -> tuple[HashKey, ...]:
    """The same for what is not stored: it asks no database, which may be away."""
    made: tuple[HashKey, ...] | None = settings.current().made.get(_UNMARKED)
    if made is None:
        made = tuple(HashKey(each, "") for each in settings.current().token_hash_key.all)
        settings.current().made[_UNMARKED] = made
    return made


def are_several() -> bool:
    """Whether there is a former key: a row that must be there once is then kept under each."""
    return len(_unmarked()) > 1


def keyed_hash(purpose: str, secret: str) -> str:
    """What is stored in place of a random secret: HMAC-SHA-256 under a key of its own purpose.

    ``purpose`` keeps the kinds of secret apart (security rule P12): the hash of a session
    never equals the hash of a refresh token, whatever the text. Secrets hashed here hold at
    least 112 bits of randomness; passwords never come here (ASVS 5.0, 11.4 and 11.5).
    """
    keys = known()
    if len(keys) == 1:
        return keys[0].stored(purpose, secret)
    return Hashes.of([each.stored(purpose, secret) for each in keys])


def all_of(hashed: str) -> list[str]:
    """What any of our keys makes of the same secret."""
    return hashed.all if isinstance(hashed, Hashes) else [hashed]


def of_all(hashes: Sequence[str]) -> str:
    """Hashes of which any is looked for."""
    return hashes[0] if len(hashes) == 1 else Hashes.of(hashes)


def is_hash(stored: str | None, hashed: str) -> bool:
    """Whether this is what is stored of a secret, whichever key made it; constant time."""
    same = False
    for each in all_of(hashed):
        same |= hmac.compare_digest(stored or "", each)
    return same


def is_former(stored: str | None, hashed: str) -> bool:
    """Whether a key made what is stored that is not the newest."""
    return isinstance(hashed, Hashes) and stored in hashed.former


def derived(purpose: str, secret: str) -> str:
    """Another secret that follows from this one under our newest key."""
    return _unmarked()[0].digest(purpose, secret)


def each_derived(purpose: str, secret: str) -> list[str]:
    """What followed from this secret under each of our keys, the newest first."""
    return [key.digest(purpose, secret) for key in _unmarked()]


def is_derived(text: str, purpose: str, secret: str) -> bool:
    """Whether this follows from the secret under any of our keys; constant time."""
    same = False
    for each in each_derived(purpose, secret):
        same |= hmac.compare_digest(text.encode(), each.encode())
    return same


def key_of(stored: str, purpose: str, secret: str) -> HashKey:
    """The key that made what is stored of this secret."""
    return next((key for key in known() if key.stored(purpose, secret) == stored), known()[0])
