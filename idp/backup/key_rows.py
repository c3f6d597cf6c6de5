"""The keys that lie in the database which a restore replaces: they stay, as those of a folder do.

The backup's may have been retired since, as disclosed; they would sign again.
"""

import sqlite3
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, inspect, select, update
from sqlalchemy.exc import SQLAlchemyError

from idp.backup.troubles import BackupTrouble
from idp.database import db
from idp.oidc.key_models import KeyList, StoredKey


@dataclass(frozen=True)
class Rows:
    """All keys of a database, their private halves sealed, and how often they were changed."""

    keys: list[dict[str, Any]]
    number: int


def read() -> Rows | None:
    """Those of the present database; None where it has none, or can't be read."""
    try:
        with db.engine.connect() as now:
            if not inspect(now).has_table(StoredKey.__tablename__):
                return None
            keys = [dict(row) for row in now.execute(select(*_columns())).mappings()]
            number = now.scalar(select(func.max(KeyList.number))) or 0
    except (SQLAlchemyError, sqlite3.Error):
        return None
    finally:
        db.engine.dispose()
    return Rows(keys, number) if keys else None


def write(rows: Rows, *, keep: bool) -> None:
    """Have these in the restored database, which is the one that is looked at.

    ``keep``: even where the backup has others. Raises ``BackupTrouble``.
    """
    with db.engine.begin() as now:
        signed = now.scalars(select(StoredKey.kid).where(StoredKey.private.is_not(None))).all()
        if not keep and not set(signed) <= {each["kid"] for each in rows.keys}:
            raise BackupTrouble(
                "the database holds other keys than the backup: with --keep-keys the keys that are"
                " there stay (they were rotated since); else restore into an empty database"
            )
        number = 1 + max(rows.number, now.scalar(select(func.max(KeyList.number))) or 0)
        now.execute(delete(StoredKey))
        now.execute(insert(StoredKey), rows.keys)
        if not now.execute(update(KeyList).values(number=number)).rowcount:
            now.execute(insert(KeyList).values(id=1, number=number))


def _columns() -> list[Any]:
    return [getattr(StoredKey, each.key) for each in StoredKey.__table__.columns]
