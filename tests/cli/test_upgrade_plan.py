"""``idp db upgrade --plan`` on both kinds of database: it tells what comes, and changes nothing."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from time import monotonic
from typing import Any

import pytest
from alembic import command
from flask import Flask
from sqlalchemy import delete, func, insert, select

from idp.cli import upgrade_plan, upgrading
from idp.database import db, locks, migrations
from idp.people.models import Account, Child
from idp.people.search_index import DirectoryEntry
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


MANY = 4_000
SLOWER, QUICKER = 10, 100
"""How far the time that was measured may be from the planned one, which is of a slow machine."""


def seconds_of(run: Run) -> tuple[dict[str, float], float]:
    """What is planned for each step, and what all of them took."""
    told = {step["step"]: step["seconds"] for step in planned(run)[1]}
    began = monotonic()
    assert run("db", "upgrade").exit_code == 0
    took = monotonic() - began
    assert planned(run) == (0, [])
    return told, took


def assert_about(took: float, seconds: float) -> None:
    assert seconds / QUICKER <= took <= seconds * SLOWER + 5, f"{took:.1f} s, not {seconds} s"


@pytest.mark.long
def test_how_long_it_takes_to_write_rows_is_about_what_was_planned(run: Run) -> None:
    upgrading.upgrade("head", lambda _words: None)
    school = factories.school()
    there = db.session.scalar(select(func.count()).select_from(Child)) or 0
    there += db.session.scalar(select(func.count()).select_from(Account)) or 0
    row = {"school_id": school.id, "given_name": "Lina", "family_name": "Dubois"}
    db.session.execute(insert(Child), [row] * (MANY - there))
    db.session.execute(delete(DirectoryEntry))
    db.session.commit()
    _counted_anew()

    shown = run("db", "upgrade", "--plan").stdout
    told, took = seconds_of(run)

    assert told == {"directory": MANY / upgrade_plan.FILLED}
    assert "about 2 s of work" in shown
    assert_about(took, told["directory"])


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_how_long_it_takes_to_look_at_rows_is_about_what_was_planned(run: Run) -> None:
    upgrading.upgrade("head", lambda _words: None)
    rows = 50_000
    with db.engine.connect() as now:
        now.exec_driver_sql("DROP INDEX ix_outbox_recipient")
        now.exec_driver_sql(
            "INSERT INTO outbox (id, kind, about, status, attempts, created_at, due_at)"
            " SELECT 'm_' || n, 'invitation', '{}', 'sent', 1, now(), now()"
            f" FROM generate_series(1, {rows}) n"
        )
        now.commit()
    _counted_anew()

    told, took = seconds_of(run)

    assert told == {"ix_outbox_recipient": rows / upgrade_plan.READ}
    assert_about(took, told["ix_outbox_recipient"])


def _counted_anew() -> None:
    with db.engine.connect() as now:
        now.exec_driver_sql("ANALYZE")
        now.commit()
