"""Secrets that work as ``bytes`` and ``str`` do, and are never printed.

A format string, ``repr``, ``str``, a traceback with local variables and a log all show the
same word. Whoever needs the text itself says so: ``decode`` or ``reveal``.
"""

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, Self

HIDDEN: Final = "[hidden]"
LEAST_BYTES: Final = 32
MOST: Final = 4
"""So many secrets may stand in one list: each that is looked for costs a look into an index."""
MARK_LENGTH: Final = 3
EXAMPLES: Final = ("secret", "changeme", "change-me", "password", "development")

_PASSWORD_IN_URL = re.compile(r"(://[^/@\s]*?:)[^/@\s]*(?=@)|([?&](?:ssl)?password=)[^&\s]*")


class _Unprinted:
    def __repr__(self) -> str:
        return HIDDEN if self else "''"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, form: str) -> str:
        return format(repr(self), form)


class Secret(_Unprinted, bytes):
    """Bytes that nobody sees."""

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The secret of a variable."""
        return cls(text.encode())

    @property
    def fingerprint(self) -> str:
        """What names it and tells nothing of it: 96 bits of an HMAC under itself."""
        digest = hmac.digest(self, b"fingerprint of a secret", hashlib.sha256)
        return urlsafe_b64encode(digest[:12]).decode()

    @property
    def mark(self) -> str:
        """The beginning of its fingerprint, by which a row tells what made it."""
        return self.fingerprint[:MARK_LENGTH]

    def weakness(self) -> str | None:
        """Why it keeps nothing: too short, an example, or a pattern that only looks long."""
        if len(self) < LEAST_BYTES or len(set(self)) < 8:
            return f"is weak: at least {LEAST_BYTES} random bytes"
        if any(bad in self.decode("latin-1").lower() for bad in EXAMPLES):
            return "looks like an example"
        # Of random text nearly every three letters in a row are there once, and next to no
        # letter is followed by its neighbour in the alphabet.
        triples = {bytes(self[at : at + 3]) for at in range(len(self) - 2)}
        steps = [after - before for before, after in pairwise(self)]
        repeats = len(triples) < 0.75 * (len(self) - 2)
        if repeats or max(map(steps.count, (1, -1))) > len(steps) / 3:
            return "follows a pattern: take random bytes, such as of `openssl rand -base64 48`"
        return None


class Secrets(Secret):
    """The newest secret of a list, and the former ones, which go on opening what they made."""

    former: tuple[Secret, ...] = ()

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The secrets of a variable: one a line, or a JSON list of them; the newest first.

        Commas and spaces are parts of a secret, and so is whatever stands on one line.
        """
        return cls.of([each.encode() for each in _told_apart(text)])

    @classmethod
    def of(cls, secrets: Sequence[bytes]) -> Self:
        """The list of these, the newest first."""
        made = cls(secrets[0])
        made.former = tuple(Secret(each) for each in secrets[1:])
        return made

    @property
    def all(self) -> tuple[Secret, ...]:
        """Every one, the newest first."""
        return (self, *self.former)

    @property
    def oldest_first(self) -> list[Secret]:
        """As ``itsdangerous`` takes them: the last one signs, each of them verifies."""
        return [*reversed(self.all)]

    def problems(self) -> list[str]:
        """Why the list may not be used: what ``weakness`` finds, too many, or two alike."""
        reasons = []
        for place, secret in enumerate(self.all, 1):
            if problem := secret.weakness():
                of = f"no. {place} of {len(self.all)} " if self.former else ""
                reasons.append(f"{of}{problem}")
        if len(self.all) > MOST:
            reasons.append(f"holds {len(self.all)} secrets: {MOST} at the most")
        if len(set(self.all)) < len(self.all):
            reasons.append("holds the same secret twice")
        elif len({each.mark for each in self.all}) < len(self.all):
            reasons.append("holds two that can't be told apart by their marks: make another one")
        return reasons


def _told_apart(text: str) -> list[str]:
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except ValueError:
            listed = None
        if listed and isinstance(listed, list) and all(isinstance(e, str) for e in listed):
            return listed
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return lines if len(lines) > 1 else [text]


class SecretText(_Unprinted, str):
    """A text that nobody sees."""

    __slots__ = ()

    def reveal(self) -> str:
        """The text itself, for whoever has to send it."""
        return "".join(self)


class DatabaseUrl(str):
    """The address of a database; a password in it is not shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(self.__str__())

    def __str__(self) -> str:
        return _PASSWORD_IN_URL.sub(lambda match: f"{match[1] or match[2]}{HIDDEN}", self.reveal())

    def __format__(self, form: str) -> str:
        return format(str(self), form)

    def reveal(self) -> str:
        """The address with its password, for the connection."""
        return "".join(self)


def all_of(secret: Secret) -> tuple[Secret, ...]:
    """Every one of a list, the newest first; a secret that is none is alone."""
    return secret.all if isinstance(secret, Secrets) else (secret,)


def kept(kind: type[Any], value: Any) -> Any:
    """``value`` as a secret of this kind, whoever made it."""
    if isinstance(value, list | tuple):
        return kind.of(value)
    return value if isinstance(value, kind) else kind(value)
