"""The role that owns the tables is followed by a second one, as docs/secrets.md says (rule R18)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import databases
from tests.cli.backups import KEY
from tests.cli.conftest import finished
from tests.security.outages import environment

pytestmark = [pytest.mark.postgresql, pytest.mark.long]
NAME = "owned"
FIRST, SECOND = "idp_owner", "idp_owner_2"
OWNERS = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
def cluster() -> Iterator[psycopg.Connection[Any]]:
    """A database of the first role's, without a table; its superuser's connection to another."""
    with psycopg.connect(f"{databases.postgresql_cluster()}/postgres", autocommit=True) as now:
        now.execute(f"CREATE ROLE {FIRST} LOGIN CREATEDB PASSWORD 'first'".encode())
        now.execute(f"CREATE DATABASE {NAME} OWNER {FIRST} TEMPLATE template0".encode())
        try:
            yield now
        finally:
            now.execute(f"DROP DATABASE {NAME} WITH (FORCE)".encode())
            now.execute(f"DROP ROLE IF EXISTS {SECOND}, {FIRST}".encode())


def printed() -> list[str]:
    """The statements of the page, first and last, for this role."""
    blocks = re.findall(r"```sql\n(.*?)```", Path("docs/secrets.md").read_text(), re.DOTALL)
    return [each.replace("idp_serve", FIRST) for each in blocks]


def address(role: str, password: str) -> str:
    return (
        f"postgresql://{role}:{password}@{databases.postgresql_cluster().rpartition('@')[2]}/{NAME}"
    )


def test_r18_a_second_role_upgrades_purges_and_backs_up_as_the_first(
    cluster: psycopg.Connection[Any], tmp_path: Path
) -> None:
    first, then = printed()
    cluster.execute(first.encode())
    cluster.execute(f"ALTER ROLE {SECOND} PASSWORD 'second'".encode())
    for statement in then.strip().split(";\n"):
        cluster.execute(statement.encode())
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address(FIRST, "first"))
    machine = {
        **environment(),
        "DATABASE_URL": address(SECOND, "second"),
        "IDP_KEYS_FOLDER": str(tmp_path / "keys"),
        "IDP_BACKUP_KEY": KEY,
    }
    for command in (
        ("db", "upgrade"),
        ("keys", "ensure"),
        ("purge",),
        ("backup", "create", str(tmp_path), "--verify"),
    ):
        done = finished(machine, *command)
        assert done.returncode == 0, done.stderr
    with psycopg.connect(address(SECOND, "second")) as now:
        assert now.execute(OWNERS.encode()).fetchall() == [(FIRST,)]

    cluster.execute(f"ALTER ROLE {FIRST} LOGIN PASSWORD 'again'".encode())
    machine["DATABASE_URL"] = address(FIRST, "again")
    for command in (("db", "upgrade"), ("purge",)):
        done = finished(machine, *command)
        assert done.returncode == 0, done.stderr
