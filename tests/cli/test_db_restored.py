"""``idp db restored``: who was erased after the state that was put back by other means."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import delete, func, select

from idp import clock
from idp.audit import continuity, events, last_seen, removal
from idp.audit.models import AuditEvent, DatabaseIdentity, InstallationMark
from idp.backup import erasures
from idp.database import db, transaction
from idp.people import accounts
from idp.people.models import StaffRole
from idp.purge import erasing
from tests import factories
from tests.cli.conftest import Run, refused

pytestmark = pytest.mark.long_on("postgresql")


@pytest.fixture
def now() -> datetime:
    return clock.now().replace(microsecond=0)


def happens(at: datetime) -> int:
    """Somebody signs in; returns the event's number."""
    with time_machine.travel(at, tick=False):
        events.record("sign_in", account_id="a_1")
    number = db.session.scalar(select(func.max(AuditEvent.id)))
    db.session.rollback()
    return number or 0


def seen() -> None:
    db.session.rollback()
    assert isinstance(continuity.remember(), continuity.GoesOn)


def put_back(now: datetime, state: timedelta) -> None:
    """The database is as it was so long ago; this machine has seen what came after, a day ago."""
    kept = happens(now - state)
    with time_machine.travel(now - timedelta(days=1), tick=False):
        happens(clock.now())
        seen()
    with transaction() as writes, removal.allowed(writes):
        writes.execute(delete(AuditEvent).where(AuditEvent.id > kept))
    assert isinstance(continuity.history(), continuity.Broken)


def a_list(file: Path, until: datetime, *rows: tuple[str, datetime], since: str = "-") -> str:
    """What `idp backup erasures` wrote then."""
    database = db.session.scalar(select(DatabaseIdentity.id))
    db.session.rollback()
    lines = [f"# erased of {database} {since} {until.isoformat()}"]
    lines += [f"{who} {at.isoformat()}" for who, at in rows]
    write(file, [*lines, f"# end: {len(rows)}"])
    return str(file)


def write(file: Path, lines: list[str]) -> None:
    """Whatever they say, with our seal."""
    file.write_text("".join(f"{line}\n" for line in erasures.sealed(lines)))


def minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"


def test_r16_an_older_database_is_served_once_somebody_says_who_was_erased_since(
    run: Run, app: Flask, now: datetime
) -> None:
    put_back(now, timedelta(days=3))

    line = refused(run("db", "restored", "--yes"))
    assert f"who was erased since {minute(now - timedelta(days=3))}" in line
    assert isinstance(continuity.history(), continuity.Broken), "nobody is served"

    said = run("db", "restored", "--yes", "--erasures-unknown")
    assert said.exit_code == 0, said.output
    assert f"erased after {minute(now - timedelta(days=3))}" in said.stderr
    assert isinstance(continuity.history(), continuity.GoesOn)


def test_r16_a_machine_that_has_seen_nothing_yet_asks_too(
    run: Run, app: Flask, now: datetime
) -> None:
    happens(now - timedelta(days=3))
    assert "who was erased since" in refused(run("db", "restored", "--yes"))


def test_r9_where_all_is_there_that_was_seen_nobody_has_to_be_erased_again(
    run: Run, app: Flask, now: datetime
) -> None:
    """A standby that lacks nothing has taken over."""
    happens(now - timedelta(days=3))
    seen()
    result = run("db", "restored", "--yes")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""


@pytest.mark.parametrize("is_kept", [True, False], ids=["same machine", "new machine"])
def test_r16_a_second_run_measures_by_the_state_that_was_put_back(
    run: Run, app: Flask, now: datetime, tmp_path: Path, is_kept: bool
) -> None:
    put_back(now, timedelta(days=5))
    state = now - timedelta(days=5)
    assert run("db", "restored", "--yes", "--erasures-unknown").exit_code == 0
    happens(now)  # it serves again
    if is_kept:
        seen()
    else:
        last_seen.file().unlink()

    late = a_list(tmp_path / "late", now, since=(state + timedelta(days=1)).isoformat())
    line = refused(run("db", "restored", "--yes", "--erasures-from", late))
    assert f"who was erased since {minute(state)}" in line

    half = a_list(tmp_path / "half", now - timedelta(days=2))
    told = run("db", "restored", "--yes", "--erasures-from", half)
    assert told.exit_code == 0, told.output
    assert f"erased after {minute(now - timedelta(days=2))}" in told.stderr


def test_r16_after_idp_backup_restore_it_measures_by_the_backup(
    run: Run, app: Flask, now: datetime, tmp_path: Path
) -> None:
    from idp.lifecycle import restored

    restored.end_what_came_back(now - timedelta(days=5))
    happens(now)
    half = a_list(tmp_path / "half", now - timedelta(days=2))
    told = run("db", "restored", "--yes", "--erasures-from", half)
    assert f"erased after {minute(now - timedelta(days=2))}" in told.stderr


def test_r16_a_run_that_was_stopped_while_it_erased_has_not_moved_the_moment(
    run: Run, app: Flask, now: datetime, tmp_path: Path, json_of: Callable[..., Any]
) -> None:
    state = now - timedelta(days=5)
    gone = [factories.account(name).id for name in ("paul", "nadia")]
    happens(state)
    db.session.rollback()
    # Killed after the first of them
    erasing.erase_again(gone[:1])
    half = a_list(tmp_path / "half", now - timedelta(days=2), (gone[1], now - timedelta(days=3)))

    told = run("db", "restored", "--yes", "--json", "--erasures-from", half)

    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["erased_again"] == 1
    assert f"erased after {minute(now - timedelta(days=2))}" in told.stderr


def test_r16_what_was_done_at_the_command_line_meanwhile_has_not_moved_the_moment(
    run: Run, app: Flask, now: datetime
) -> None:
    put_back(now, timedelta(days=5))
    happens(now)
    line = refused(run("db", "restored", "--yes"))
    assert f"who was erased since {minute(now - timedelta(days=5))}" in line


def test_r16_a_clock_that_was_ahead_has_not_moved_the_moment(
    run: Run, app: Flask, now: datetime
) -> None:
    happens(now + timedelta(days=300))
    line = refused(run("db", "restored", "--yes"))
    assert "since 1970-01-01" in line
    happens(now - timedelta(days=3))
    line = refused(run("db", "restored", "--yes"))
    assert f"who was erased since {minute(now - timedelta(days=3))}" in line


def test_r16_what_the_release_before_acknowledged_is_measured_by_its_time(
    run: Run, app: Flask, now: datetime
) -> None:
    happens(now - timedelta(days=5))
    with transaction() as writes:
        at = now - timedelta(days=4)
        writes.add(InstallationMark(name=continuity.RESTORED, at=at))
    happens(now)
    line = refused(run("db", "restored", "--yes"))
    assert f"who was erased since {minute(now - timedelta(days=5))}" in line


# Whoever can write a list


def test_r16_a_list_can_not_name_who_lives_in_a_state_after_their_erasure(
    run: Run, app: Flask, now: datetime, tmp_path: Path
) -> None:
    operator = factories.account("operator")
    put_back(now, timedelta(days=3))
    forged = a_list(tmp_path / "list", now, (operator.id, now - timedelta(days=4)))

    line = refused(run("db", "restored", "--yes", "--erasures-from", forged))

    assert "not to be believed" in line
    assert operator.id in line
    assert accounts.find_by_username("operator") is not None
    assert isinstance(continuity.history(), continuity.Broken), "nobody is served"


def test_r16_no_list_erases_anybody_where_nothing_older_was_put_back(
    run: Run, app: Flask, now: datetime, tmp_path: Path
) -> None:
    factories.account("claire")
    happens(now - timedelta(days=1))
    seen()
    claire = accounts.find_by_username("claire")
    assert claire is not None
    forged = a_list(tmp_path / "list", now, (claire.id, now))

    line = refused(run("db", "restored", "--yes", "--erasures-from", forged))

    assert "nothing older was put back" in line
    assert accounts.find_by_username("claire") is not None


def test_r16_how_many_are_erased_is_said_before(
    run: Run, app: Flask, now: datetime, tmp_path: Path
) -> None:
    paul, staff = factories.account("paul"), factories.account("staff")
    with transaction() as writes:
        writes.add(StaffRole(account_id=staff.id, role="operator"))
    put_back(now, timedelta(days=3))
    rows = [(who, now - timedelta(days=2)) for who in (paul.id, staff.id, "a_long-gone")]
    listed = a_list(tmp_path / "list", now, *rows)

    asked = run("db", "restored", "--erasures-from", listed, stdin="n\n")

    assert asked.exit_code == 130
    assert "2 people who are there are erased for good, 1 of them with a role" in asked.output
    assert accounts.find_by_username("paul") is not None


@pytest.mark.parametrize(
    "bent",
    [
        lambda lines: [*lines[:1], "a_somebody 2026-11-01T00:00:00+00:00", "# end: 1", lines[-1]],
        lambda lines: [lines[0].replace(" - ", " 2020-01-01T00:00:00+00:00 "), *lines[1:]],
        lambda lines: lines[:-1],
        lambda lines: [*lines[:-1], "# seal: " + "A" * 43],
        lambda lines: [*lines[:-1], "# seal:"],
    ],
    ids=["a name more", "another time", "no seal", "another seal", "an empty one"],
)
def test_r16_a_list_without_our_seal_is_refused(
    run: Run, app: Flask, now: datetime, tmp_path: Path, bent: Callable[[list[str]], list[str]]
) -> None:
    """Whoever can write the file where it is kept says nobody's erasure."""
    put_back(now, timedelta(days=3))
    file = Path(a_list(tmp_path / "list", now, ("a_long-gone", now - timedelta(days=2))))
    lines = file.read_text().splitlines()
    file.write_text("\n".join(bent(lines)))

    assert "does not bear the seal" in refused(
        run("db", "restored", "--yes", "--erasures-from", str(file))
    )

    file.write_text("\n".join(lines))
    assert run("db", "restored", "--yes", "--erasures-from", str(file)).exit_code == 0


@pytest.mark.parametrize("row", ["g_somebody 2026-11-01T00:00:00+00:00", "a_1", "a_1 yesterday"])
def test_r16_a_line_that_no_list_has_is_refused(
    run: Run, app: Flask, now: datetime, tmp_path: Path, row: str
) -> None:
    put_back(now, timedelta(days=3))
    file = Path(a_list(tmp_path / "list", now))
    head = file.read_text().splitlines()[0]
    write(file, [head, row, "# end: 1"])
    assert "neither a backup nor" in refused(
        run("db", "restored", "--yes", "--erasures-from", str(file))
    )
