"""Where our keys lie: in a folder of files, or in the database (``IDP_KEYS_IN``).

What a keyring asks of either. A store keeps a list of keys, and the private halves of those that
still sign or decrypt.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from idp.oidc.key_files import KeyEntry, OurKey


class KeyStore(Protocol):
    """One place where keys lie. Whatever it can't do raises ``KeyTrouble``, which names it."""

    @property
    def name(self) -> str:
        """How an operator knows it."""
        ...

    def stamp(self) -> object:
        """What moves with each change of the list; cheap to ask at each use."""
        ...

    def read_index(self) -> list[KeyEntry]:
        """Every key that is there, the newest last."""
        ...

    def read_private(self, entry: KeyEntry) -> OurKey:
        """The private half of a key."""
        ...

    def change(self) -> "AbstractContextManager[KeyChange]":
        """Change the list: one process at a time, all or nothing."""
        ...


class KeyChange(Protocol):
    """A change of a store's list that is under way."""

    entries: list[KeyEntry]
    """The list as it is to be; who changes it says so here."""

    def keep(self, entry: KeyEntry, private: OurKey) -> None:
        """Take a key in: its private half is kept before the list tells of it."""
        ...


def has_private(entry: KeyEntry) -> bool:
    """Whether the private half of a key is still of use."""
    return entry.state != "retired" or entry.encrypts
