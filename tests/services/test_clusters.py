"""A throw-away PostgreSQL cluster is gone with whoever started it, however far it had come."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tests import databases, postgres
from tests.examples.running import wait_until

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
from time import sleep
from tests import postgres
with postgres.temporary_cluster() as address:
    print(address, flush=True)
    sleep(60)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the server's user may go, unlike pytest's own."""
    databases.postgresql_cluster()  # skipped with the reason where there is none
    with TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "asked"])
@pytest.mark.parametrize("far", ["folder", "data", "served"])
def test_a_run_that_is_ended_leaves_no_cluster_behind(
    folder: Path, number: signal.Signals, far: str
) -> None:
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        if far == "served":
            assert holder.stdout.readline().startswith(b"postgresql://")
        pattern = {"folder": "idp-postgres-*", "data": "idp-postgres-*/data"}.get(far, "*/log")
        assert wait_until(lambda: any(folder.glob(pattern)))
        holder.send_signal(number)

    assert wait_until(lambda: not any(folder.glob("idp-postgres-*")))


def test_a_cluster_in_a_folder_that_stays_has_its_rows_the_next_time(folder: Path) -> None:
    for asked in ("CREATE TABLE kept AS SELECT 7 AS n", "INSERT INTO kept SELECT n FROM kept"):
        with postgres.kept_cluster(folder / "kept") as base:
            postgres.administer(base, asked)
            with psycopg.connect(f"{base}/postgres") as connection:
                rows = connection.execute("SELECT n FROM kept").fetchall()
    assert rows == [(7,), (7,)]
