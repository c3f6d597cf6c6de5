"""``idp db upgrade --plan`` on both kinds of database: it tells what comes, and changes nothing."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from typing import Any

import pytest
from alembic import command
from flask import Flask

from idp.cli import upgrading
from idp.database import db, locks, migrations
from tests import factories, postgres
from tests.cli.conftest import Run, refused

OF_0_4 = "0047"


@pytest.fixture(autouse=True)
def families(app: Flask, database_url: str) -> None:
    """A database of 0.4.0, with rows."""
    school = factories.school()
    for number in range(5):
        factories.family(school, "Lina", username=f"parent{number}")
    db.session.remove()
    command.downgrade(migrations.configuration(), OF_0_4)
    with db.engine.connect() as now:
        now.exec_driver_sql("ANALYZE")
        now.commit()


def content(url: str) -> str:
    """All that stands in a database, its schema with it."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            return "\n".join(database.iterdump())
    dump = subprocess.run(
        [postgres.programs() / "pg_dump", "--restrict-key=same", url],
        env=os.environ, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if dump.returncode:  # before that key was a choice there was none
        dump = subprocess.run(
            [postgres.programs() / "pg_dump", url], check=True, capture_output=True, text=True
        )
    return dump.stdout


def planned(run: Run, *more: str) -> tuple[int, list[dict[str, Any]]]:
    result = run("db", "upgrade", "--plan", "--json", *more)
    return result.exit_code, json.loads(result.stdout)


def test_each_step_is_told_and_nothing_is_changed(run: Run, database_url: str) -> None:
    before = content(database_url)

    code, steps = planned(run)
    shown = run("db", "upgrade", "--plan")

    assert content(database_url) == before
    assert (code, shown.exit_code) == (1, 1)
    told = {step["step"]: step for step in steps}
    assert list(told)[:3] == ["0048", "0049", "0050"]
    assert told["0050"]["does"].startswith("Whom a passkey was offered after a sign-in")
    assert told["0050"]["locks"] == ["accounts"]
    for step in told:
        assert step in shown.stdout
    if database_url.startswith("postgresql"):
        assert told["0050"]["lock_timeout"] == locks.LOCK_TIMEOUT
        assert all(step["serves"] for step in steps)
        assert "beside traffic" in shown.stdout
    else:
        assert told["0050"]["lock_timeout"] is None
        assert told["0050"]["rows"] == 5  # a table is made anew
        assert "whoever writes waits" in shown.stdout


def test_after_the_upgrade_nothing_is_left_to_do(run: Run) -> None:
    assert run("db", "upgrade").exit_code == 0

    assert planned(run) == (0, [])
    shown = run("db", "upgrade", "--plan")
    assert (shown.exit_code, shown.stdout) == (0, "Nothing to do.\n")


def test_the_plan_goes_as_far_as_it_is_asked_to(run: Run) -> None:
    assert [step["step"] for step in planned(run, "0048")[1]] == ["0048"]
    assert "nonsense" in refused(run("db", "upgrade", "--plan", "nonsense"))
    assert "--plan" in refused(run("db", "upgrade", "--json"))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_was_put_off_is_told_until_it_is_done(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrading.upgrade("head", lambda _words: None)
    with db.engine.connect() as now:
        now.exec_driver_sql("DROP INDEX ix_outbox_recipient")
        now.exec_driver_sql("DELETE FROM directory_entries")

    code, steps = planned(run)

    assert code == 1
    assert [step["step"] for step in steps] == ["ix_outbox_recipient", "directory"]
    assert steps[1]["rows"] == 10
    assert run("db", "upgrade").exit_code == 0
    assert planned(run) == (0, [])
