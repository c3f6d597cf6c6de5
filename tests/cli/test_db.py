"""``idp db`` on both kinds of database."""

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from idp.readiness import revisions
from tests import factories
from tests.cli.conftest import Run, finished, invoked, refused


@pytest.mark.long
def test_a_new_database_is_made_for_its_owner_alone(
    environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "new.db"
    environment["DATABASE_URL"] = f"sqlite:///{path}"

    first = finished(environment, "db", "upgrade")
    again = finished(environment, "db", "upgrade")

    assert (first.returncode, again.returncode) == (0, 0)
    assert first.stdout.startswith("The schema is at ")
    assert first.stderr == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_database_has_every_step_before_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'new.db'}"

    result = invoked(environment, "db", "upgrade", "--plan", "--json")
    steps = json.loads(result.stdout)

    assert result.exit_code == 1
    assert [step["step"] for step in steps] == sorted(revisions.known())
    assert sum(step["rows"] for step in steps) == 0


def test_the_schema_goes_down_and_up_again(run: Run, json_of: Callable[..., Any]) -> None:
    assert json_of("db", "current")["up_to_date"] is True

    assert run("db", "downgrade", "base", stdin="n\n").exit_code == 130
    down = run("db", "downgrade", "base", "--yes")
    assert "base" in down.stdout
    behind = json_of("db", "current")
    assert (behind["current"], behind["up_to_date"]) == (None, False)

    assert run("db", "upgrade").exit_code == 0
    assert json_of("db", "current")["up_to_date"] is True


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_rows_that_fit_no_older_schema_stop_the_way_back_with_a_sentence(
    run: Run, json_of: Callable[..., Any]
) -> None:
    factories.family(factories.school(), "Lina")
    said = refused(run("db", "downgrade", "base", "--yes"))
    assert "restore a backup" in said
    assert json_of("db", "current")["current"] in said


@pytest.mark.long
def test_the_schema_is_changed_past_a_pooler(environment: dict[str, str]) -> None:
    environment["IDP_DATABASE_POOLED"] = "yes"
    for verb in (("upgrade",), ("downgrade", "base", "--yes")):
        assert "past the pooler" in refused(finished(environment, "db", *verb))


def test_an_unknown_revision_is_one_line(run: Run) -> None:
    assert "nonsense" in refused(run("db", "upgrade", "nonsense"))
    assert "nonsense" in refused(run("db", "downgrade", "nonsense", "--yes"))


def test_what_is_no_database_is_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "idp.db"
    path.write_bytes(b"not a database at all" * 100)
    environment["DATABASE_URL"] = f"sqlite:///{path}"
    refused(invoked(environment, "db", "upgrade"))


@pytest.mark.long
def test_a_locked_database_is_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "idp.db"
    environment["DATABASE_URL"] = f"sqlite:///{path}"
    invoked(environment, "db", "upgrade")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    line = refused(invoked(environment, "school", "create", "A"))

    other.close()
    assert "locked" in line


def test_r9_what_a_restore_revived_is_ended(run: Run, json_of: Callable[..., Any]) -> None:
    before = run("db", "restored", "--erasures-unknown", stdin="n\n")
    counts = json_of("db", "restored", "--erasures-unknown", "--yes")

    assert before.exit_code == 130, "nothing happens by itself"
    assert counts["sessions"] == 0
    assert [event["event"] for event in json_of("audit", "list")] == ["database_restored"]


def test_r9_no_restored_database_is_served(environment: dict[str, str]) -> None:
    seen = {"number": 7, "fingerprint": "of another", "seen_at": "2026-01-01T00:00:00+00:00"}
    seen["database"] = identity_of(environment["DATABASE_URL"])
    Path(environment["IDP_HISTORY_FILE"]).write_text(json.dumps(seen))

    for command in (("serve",), ("mail", "work", "--once")):
        line = refused(invoked(environment, *command))
        assert "idp db restored" in line
        assert "event 7" in line


def test_r9_the_schema_comes_before_the_acknowledgement(run: Run) -> None:
    run("db", "downgrade", "0001", "--yes")

    assert "idp db upgrade" in refused(run("db", "restored", "--yes"))


def identity_of(url: str) -> str:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        return str(database.execute("SELECT id FROM database_identity").fetchone()[0])
