"""Secrets that work as ``bytes`` and ``str`` do, and are never printed.

A format string, ``repr``, ``str``, a traceback with local variables and a log all show the
same word. Whoever needs the text itself says so: ``decode`` or ``reveal``.
"""

import re
from itertools import pairwise
from typing import Any, Final, Self

HIDDEN: Final = "[hidden]"
LEAST_BYTES: Final = 32
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


def kept(kind: type[Any], value: Any) -> Any:
    """``value`` as a secret of this kind, whoever made it."""
    return value if isinstance(value, kind) else kind(value)
