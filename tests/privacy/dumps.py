"""A whole dump of a database as text, and the forms in which a value may stand in it."""

import base64
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from idp.people.names import unaccented
from tests import databases


def dumped(database_url: str) -> str:
    """Everything that a backup holds; of SQLite what stands in its files, too."""
    if database_url.startswith("sqlite"):
        file = Path(database_url.removeprefix("sqlite:///"))
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            lines = "\n".join(connection.iterdump())
        beside = [file, Path(f"{file}-wal")]
        return lines + "".join(
            each.read_bytes().decode("utf-8", "replace") for each in beside if each.exists()
        )
    databases.postgresql_cluster()
    program = max(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
    return subprocess.run(
        [program, database_url], check=True, capture_output=True, text=True
    ).stdout


def forms(value: str) -> Iterator[str]:
    """As it is, and as programs and people write it otherwise."""
    for text in {value, value.lower(), value.upper(), unaccented(value), unaccented(value).lower()}:
        yield text
        escaped = json.dumps(text)[1:-1]
        yield escaped
        yield escaped.replace("\\", "\\\\")  # as pg_dump writes a backslash
        yield text.encode().hex()
        for before in range(3):  # a base64 text of which the value is a part
            whole = base64.b64encode(b"\0" * before + text.encode()).decode().rstrip("=")
            yield whole[4 if before else 0 : -4]


def stand_in(dump: str, values: list[str]) -> dict[str, list[str]]:
    """Which of the values stand in the dump, and in which of its lines (their beginnings)."""
    stand = {value: [form for form in set(forms(value)) if form in dump] for value in values}
    return {
        value: [line[:120] for line in dump.splitlines() if any(each in line for each in kinds)]
        for value, kinds in stand.items()
        if kinds
    }
