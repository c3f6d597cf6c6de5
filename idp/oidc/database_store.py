"""Our keys as rows: machines need no shared disk. Their private halves are sealed.

A database, its replicas and its backups hold what AES-256-GCM makes of a private key under
``IDP_KEYS_ENCRYPTION_KEY``, which is in none of them, with the key's name as associated data: a row
that is moved or changed opens nothing. That setting may be a list; the newest seals.

A worker looks at the list's number every ``LOOKS_AGAIN`` seconds by one small statement, and not
at each request. While the database is away it goes on with what it has.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from time import monotonic
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from idp.database import WRITES
from idp.oidc import key_files
from idp.oidc.key_files import KeyEntry, KeyTrouble, OurKey
from idp.oidc.key_models import KeyList, StoredKey
from idp.oidc.key_store import has_private
from idp.settings.secrets import MARK_LENGTH, Secret, Secrets

LOOKS_AGAIN: Final = 5.0  # seconds
NAME: Final = "keys_encryption_key"
_NONCE: Final = 12
_FIELDS: Final = tuple(each.name for each in fields(KeyEntry))


class DatabaseStore:
    """The keys of the running application's database."""

    name = "the database"

    def __init__(
        self,
        secrets: Secrets,
        engine: Callable[[], Engine],
        looks_again: float = LOOKS_AGAIN,
    ) -> None:
        self._secrets = secrets
        self._engine = engine
        self._looks_again = looks_again
        self._stamp: int | None = None
        self._until = 0.0

    def stamp(self) -> int:
        now = monotonic()
        if self._stamp is not None and now < self._until:
            return self._stamp
        self._until = now + self._looks_again  # one thread asks; the others go on meanwhile
        try:
            with self._engine().connect() as connection:
                self._stamp = connection.scalar(select(KeyList.number))
        except SQLAlchemyError as error:
            if self._stamp is None:
                raise _away(error) from error
        if self._stamp is None:
            raise KeyTrouble("no keys in the database: run idp keys ensure")
        return self._stamp

    def read_index(self) -> list[KeyEntry]:
        with self._asking() as connection:
            return _entries(connection)

    def read_private(self, entry: KeyEntry) -> OurKey:
        with self._asking() as connection:
            query = select(StoredKey.private).where(StoredKey.kid == entry.kid)
            sealed = connection.scalar(query)
        if sealed is None:
            raise KeyTrouble(f"the private half of {entry.kid} is not in the database")
        return key_files.parsed(entry, self._opened(entry.kid, sealed), f"the row of {entry.kid}")

    @contextmanager
    def change(self) -> Iterator["DatabaseChange"]:
        """Two at once take turns by the row of the list's number."""
        engine = self._engine()
        writes = WRITES[engine.dialect.name]
        with engine.connect().execution_options(**writes) as connection, connection.begin():
            _move_on(connection)
            change = DatabaseChange(_entries(connection))
            yield change
            self._write(connection, change)
        self._until = 0.0

    @contextmanager
    def _asking(self) -> Iterator[Connection]:
        try:
            with self._engine().connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise _away(error) from error

    def _write(self, connection: Connection, change: "DatabaseChange") -> None:
        rows = connection.execute(select(StoredKey.kid, StoredKey.private)).all()
        sealed = {kid: text for kid, text in rows if text is not None}
        connection.execute(delete(StoredKey))
        connection.execute(
            insert(StoredKey),
            [
                {**asdict(entry), "place": place, "private": self._kept(entry, change, sealed)}
                for place, entry in enumerate(change.entries)
            ],
        )

    def _kept(
        self, entry: KeyEntry, change: "DatabaseChange", sealed: dict[str, str]
    ) -> str | None:
        """The sealed private half, under the newest secret whatever sealed it before."""
        if not has_private(entry):
            return None
        if entry.kid in change.added:
            return self._sealed(entry.kid, change.added[entry.kid])
        before = sealed.get(entry.kid)
        if before is None or before.startswith(self._secrets.mark):
            return before
        return self._sealed(entry.kid, self._opened(entry.kid, before))

    def _sealed(self, kid: str, pem: bytes) -> str:
        nonce = os.urandom(_NONCE)
        sealed = _cipher(self._secrets).encrypt(nonce, pem, kid.encode())
        return self._secrets.mark + urlsafe_b64encode(nonce + sealed).decode()

    def _opened(self, kid: str, sealed: str) -> bytes:
        mark, data = sealed[:MARK_LENGTH], urlsafe_b64decode(sealed[MARK_LENGTH:])
        secret = next((each for each in self._secrets.all if each.mark == mark), None)
        try:
            if secret is None:
                raise InvalidTag
            return _cipher(secret).decrypt(data[:_NONCE], data[_NONCE:], kid.encode())
        except InvalidTag:
            raise KeyTrouble(
                f"the private half of {kid} can't be opened: IDP_KEYS_ENCRYPTION_KEY is not the one"
                " that it was sealed under (it may be added behind the newest one), or its row was"
                " changed"
            ) from None


class DatabaseChange:
    """A change of the database's list."""

    def __init__(self, entries: list[KeyEntry]) -> None:
        self.entries = entries
        self.added: dict[str, bytes] = {}

    def keep(self, entry: KeyEntry, private: OurKey) -> None:
        self.added[entry.kid] = private.as_pem(private=True)


def _move_on(connection: Connection) -> None:
    """Take the row that one holds at a time; there is none before the first change."""
    kinds: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
    number = kinds[connection.dialect.name](KeyList).values(id=1, number=1)
    more = {"number": KeyList.number + 1}
    connection.execute(number.on_conflict_do_update(index_elements=["id"], set_=more))


def _away(error: SQLAlchemyError) -> KeyTrouble:
    return KeyTrouble(f"the keys in the database can't be read ({type(error).__name__})")


def _entries(connection: Connection) -> list[KeyEntry]:
    columns = [getattr(StoredKey, name) for name in _FIELDS]
    rows = connection.execute(select(*columns).order_by(StoredKey.place)).all()
    return [KeyEntry(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


def _cipher(secret: Secret) -> AESGCM:
    derive = HKDF(SHA256(), length=32, salt=None, info=b"signing keys 1")
    return AESGCM(derive.derive(secret))
