"""The mails that were taken, in a SQLite file that a portal reads."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEPT = 1000
"""Older mails make room: it is a demo's mailbox."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient TEXT NOT NULL, subject TEXT NOT NULL,
    text TEXT NOT NULL, html TEXT NOT NULL, received_at TEXT NOT NULL
)
"""


@dataclass(frozen=True)
class Mail:
    """One mail in one recipient's box. ``received_at``: ISO 8601 in UTC."""

    to: str
    subject: str
    text: str
    html: str
    received_at: str
    id: int = 0


class Mailbox:
    """The file. Each call opens it: the server writes while the portal reads."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(SCHEMA)

    def add(self, mail: Mail) -> None:
        """Keep a mail, for good once this returns."""
        with self._open() as connection:
            connection.execute(
                "INSERT INTO mails (recipient, subject, text, html, received_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (mail.to, mail.subject, mail.text, mail.html, mail.received_at),
            )
            connection.execute(
                "DELETE FROM mails WHERE id <= (SELECT max(id) FROM mails) - ?", (KEPT,)
            )

    def all(self) -> list[Mail]:
        """Every mail, the oldest first."""
        with self._open() as connection:
            return [_mail(row) for row in connection.execute(f"{SELECT} ORDER BY id")]

    def find(self, mail_id: int) -> Mail | None:
        """One mail, if it is still kept."""
        with self._open() as connection:
            row = connection.execute(f"{SELECT} WHERE id = ?", (mail_id,)).fetchone()
        return _mail(row) if row else None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.file, timeout=10)
        try:
            with connection:
                yield connection
        finally:
            connection.close()


SELECT = "SELECT recipient, subject, text, html, received_at, id FROM mails"


def _mail(row: tuple[str, str, str, str, str, int]) -> Mail:
    return Mail(*row)
