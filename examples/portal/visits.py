"""Who is signed in at the portal: on the server, behind a random id in the cookie.

The ID token is kept for the sign-out; with it a cookie would grow past what browsers keep.
"""

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any

LIFETIME = 8 * 3600
"""Seconds until a visit ends by itself."""
REMEMBERED = 600
"""Seconds that a notice is known again: longer than one is believed (``notices.OLDEST``)."""


@dataclass(frozen=True)
class Visit:
    """What a parent brought from the identity provider."""

    id_token: str
    claims: dict[str, Any]
    """The claims of the ID token, verified."""
    userinfo: dict[str, Any] = field(default_factory=dict)
    access_token: str = ""

    @property
    def child(self) -> dict[str, Any] | None:
        """The child that the parent chose: UserInfo knows all that we may see of it."""
        child = {**self.claims.get("child", {}), **self.userinfo.get("child", {})}
        return child or None

    @property
    def parent_name(self) -> str:
        known = {**self.claims, **self.userinfo}
        return str(known.get("name") or known.get("given_name") or "")

    @property
    def greeting_name(self) -> str:
        known = {**self.claims, **self.userinfo}
        return str(known.get("given_name") or self.parent_name)


class Visits:
    """The store. Each call opens the file: the server has many threads."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS visits"
                " (id TEXT PRIMARY KEY, content TEXT NOT NULL, ends_at INTEGER NOT NULL)"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS closed (id TEXT PRIMARY KEY, why TEXT NOT NULL)"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS told (jti TEXT PRIMARY KEY, at INTEGER NOT NULL)"
            )

    def begin(self, visit: Visit) -> str:
        """Keep a visit and return its id; forget those that have ended."""
        visit_id = secrets.token_urlsafe(32)
        content = json.dumps([visit.id_token, visit.claims, visit.userinfo, visit.access_token])
        with self._open() as connection:
            connection.execute("DELETE FROM visits WHERE ends_at < ?", (int(time()),))
            connection.execute(
                "INSERT INTO visits VALUES (?, ?, ?)", (visit_id, content, int(time()) + LIFETIME)
            )
        return visit_id

    def find(self, visit_id: str | None) -> Visit | None:
        """The visit of this id, if it goes on."""
        with self._open() as connection:
            row = connection.execute(
                "SELECT content FROM visits WHERE id = ? AND ends_at >= ?",
                (visit_id or "", int(time())),
            ).fetchone()
        return Visit(*json.loads(row[0])) if row else None

    def end(self, visit_id: str | None) -> None:
        """Forget a visit."""
        with self._open() as connection:
            connection.execute("DELETE FROM visits WHERE id = ?", (visit_id or "",))

    def close(self, why: str, jti: str, concerned: Callable[[Visit], bool]) -> None:
        """End the visits that are concerned; ``why_closed`` tells each of them why.

        ``jti``: of the notice that says so. One that came before ends nothing: the parent may
        have signed in anew since.
        """
        with self._open() as connection:
            connection.execute("DELETE FROM told WHERE at < ?", (int(time()) - REMEMBERED,))
            first = connection.execute(
                "INSERT OR IGNORE INTO told VALUES (?, ?)", (jti, int(time()))
            ).rowcount
            if not first:
                return
            rows = connection.execute("SELECT id, content FROM visits").fetchall()
            for visit_id, content in rows:
                if concerned(Visit(*json.loads(content))):
                    connection.execute("DELETE FROM visits WHERE id = ?", (visit_id,))
                    connection.execute(
                        "INSERT OR REPLACE INTO closed VALUES (?, ?)", (visit_id, why)
                    )

    def why_closed(self, visit_id: str | None) -> str | None:
        """Why this visit was ended by somebody else; None where it was not. Told once."""
        with self._open() as connection:
            row = connection.execute(
                "DELETE FROM closed WHERE id = ? RETURNING why", (visit_id or "",)
            ).fetchone()
        return str(row[0]) if row else None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.file, timeout=10)
        try:
            with connection:
                yield connection
        finally:
            connection.close()
