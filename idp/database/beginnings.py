"""With which secrets an installation began: what they made bears no mark of its secret.

The machines leave it beside their other marks (``idp.readiness.marks``) before anybody is served.
A process reads it once, at its first hash, by a connection of its own.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from sqlalchemy import column, select, table
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from idp.settings.secrets import Secret, Secrets

PREFIX: Final = "first "
_MARKS: Final = table("installation_marks", column("name"), column("value"))
_IDENTITY: Final = table("database_identity", column("id"))


_engine: Final[list[Callable[[], Engine]]] = []


def asks(engine: Callable[[], Engine]) -> None:
    """Say which database is asked: the one of the running application."""
    _engine[:] = [engine]


def first(name: str, secrets: Secrets) -> Secret | None:
    """Which of the secrets in this list made what bears no mark; None: one that is gone."""
    try:
        with _engine[0]().connect() as connection:
            return chosen(name, secrets, connection)
    except (OperationalError, ProgrammingError) as error:
        if not _is_empty(error):
            raise
        return secrets.all[0]


def marked(name: str, secrets: Secrets) -> list[tuple[Secret, str]]:
    """Each secret of this list with the mark of what it makes: none, of the one that was first."""
    begun = first(name, secrets)
    return [(each, "" if each == begun else each.mark) for each in secrets.all]


def chosen(name: str, secrets: Secrets, connection: Connection) -> Secret | None:
    """As ``first``, on this connection."""
    wanted = select(_MARKS.c.name, _MARKS.c.value).where(_MARKS.c.name.in_((PREFIX + name, name)))
    known = {row.name: row.value for row in connection.execute(wanted)}
    mark = known.get(PREFIX + name, known.get(name))
    if mark is None:
        return secrets.all[0]
    # Without the first mark a release that knew one secret has served here: it is that one
    identity = connection.scalar(select(_IDENTITY.c.id)) or ""
    for each in secrets.all:
        if mark in (each.fingerprint, agreed(name, each, identity)):
            return each
    return None


def agreed(name: str, secret: bytes, identity: str, text: str = "") -> str:
    """By what machines compare a secret (``idp.readiness.agreement``); bound to the database's
    identity, so that two installations can't be compared.
    """
    message = f"agreement\0{name}\0{identity}\0{text}".encode()
    return base64url(hmac.digest(secret, message, hashlib.sha256))


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _is_empty(error: Exception) -> bool:
    """Whether no migration has made the table yet."""
    # 42P01 undefined_table (PostgreSQL, appendix A)
    original = getattr(error, "orig", None)
    return getattr(original, "sqlstate", None) == "42P01" or "no such table" in str(original)
