"""``idp backup latest``: which backup of a folder is the newest, whatever names and clocks say."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from idp import clock
from idp.audit import events
from idp.backup import reading
from idp.database import db
from idp.readiness import revisions
from idp.settings import Settings
from tests.cli.backups import OTHER_KEY, made, settings_with_key
from tests.cli.conftest import Run
from tests.conftest import settings_for_tests
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(database_url: str, keys_folder: Path) -> Settings:
    return settings_with_key(database_url, keys_folder)


def made_when_the_clock_said(ago: timedelta, run: Run, folder: Path) -> Path:
    """A backup of after one more event; the clock may have been wrong."""
    events.record("sign_in", account_id="a_1")
    db.session.remove()
    with time_machine.travel(clock.now() - ago, tick=False):
        return made(run, folder)


def latest(run: Run, folder: Path, *options: str) -> tuple[int, str, str]:
    """The code, what was printed, and what was said beside it."""
    result = run("backup", "latest", str(folder), *options)
    assert "Traceback" not in result.output
    return result.exit_code, result.stdout.strip(), result.stderr


def test_the_newest_that_is_whole_is_named_whatever_its_name_says(
    run: Run, app: Flask, folder: Path
) -> None:
    with later(days=-2):
        oldest = made(run, folder)
    with later(days=-1):
        older = made(run, folder)
    newest = made(run, folder)
    with later(days=400):
        ahead = made(run, folder)
    oldest.rename(folder / "idp-20990101T030000Z.idp-backup")

    code, file, said = latest(run, folder)
    assert (code, file) == (0, str(newest))
    (told,) = said.splitlines()
    assert f"{ahead.name} is passed over" in told
    assert "a clock went ahead" in told

    newest.write_bytes(newest.read_bytes()[:-1])
    code, file, said = latest(run, folder)
    assert (code, file) == (0, str(older))
    assert f"{newest.name} is passed over" in said
    assert "cut off" in said


def test_one_of_a_time_to_come_is_the_last_resort(run: Run, app: Flask, folder: Path) -> None:
    code, file, said = latest(run, folder)
    assert (code, file) == (2, "")
    assert "no backup that can be restored" in said
    with later(days=400):
        ahead = made(run, folder)
    code, file, said = latest(run, folder)
    assert (code, file) == (0, str(ahead))
    assert "a clock went ahead" in said


def test_no_older_one_is_named_where_the_newest_wants_another_key(
    app: Flask, run: Run, folder: Path, settings: Settings, tmp_path: Path
) -> None:
    with later(days=-1):
        older = made(run, folder)
    app.extensions["idp.settings"] = settings_for_tests(
        settings.database_url, settings.keys_folder, backup_key=OTHER_KEY.encode()
    )
    newest = made(run, folder)
    app.extensions["idp.settings"] = settings
    code, file, said = latest(run, folder)
    assert (code, file) == (3, "")
    assert newest.name in said
    (tmp_path / "key").write_text(OTHER_KEY)
    assert latest(run, folder, "--key-file", str(tmp_path / "key"))[:2] == (0, str(newest))
    newest.unlink()
    assert latest(run, folder)[:2] == (0, str(older))


def test_one_that_is_shut_and_has_an_earlier_name_is_told(
    app: Flask, run: Run, folder: Path, settings: Settings
) -> None:
    older = made(run, folder)
    app.extensions["idp.settings"] = settings_for_tests(
        settings.database_url, settings.keys_folder, backup_key=OTHER_KEY.encode()
    )
    with later(days=1):
        made(run, folder).rename(folder / "before-upgrade.idp-backup")
    app.extensions["idp.settings"] = settings
    code, file, said = latest(run, folder)
    assert (code, file) == (0, str(older))
    assert "before-upgrade.idp-backup is passed over" in said
    assert "another key" in said


def test_what_a_clock_that_went_ahead_has_named_is_older_even_once_that_time_is_over(
    run: Run, app: Flask, folder: Path
) -> None:
    ahead = made_when_the_clock_said(timedelta(hours=1), run, folder)
    newer = made_when_the_clock_said(timedelta(hours=2), run, folder)
    assert ahead.name > newer.name

    code, file, said = latest(run, folder)

    assert (code, file) == (0, str(newer))
    (told,) = said.splitlines()
    assert f"{ahead.name} is passed over" in told
    assert "a clock went ahead" in told


def test_what_was_made_after_a_restore_is_newer_than_what_the_restore_undid(
    run: Run, app: Flask, folder: Path
) -> None:
    older = made_when_the_clock_said(timedelta(hours=3), run, folder)
    for hours in (2, 1):
        undone = made_when_the_clock_said(timedelta(hours=hours), run, folder)
    assert latest(run, folder)[:2] == (0, str(undone))
    result = run("backup", "restore", str(older), "--replace", "--yes", "--erasures-unknown")
    assert result.exit_code == 0, result.output

    newest = made(run, folder)

    assert latest(run, folder) == (0, str(newest), "")


def test_one_of_another_database_is_told(run: Run, app: Flask, folder: Path) -> None:
    with later(days=-1):
        other = made(run, folder)
    with db.engine.begin() as now:
        now.exec_driver_sql("UPDATE database_identity SET id = 'd_another'")
    newest = made(run, folder)
    code, file, said = latest(run, folder)
    assert (code, file) == (0, str(newest))
    assert f"{other.name} is passed over: it is of another database" in said


def test_none_is_named_where_a_newer_release_has_made_the_newest(
    run: Run, app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with later(days=-1):
        made(run, folder)
    newest = made(run, folder)
    former = revisions.known() - {revisions.newest()}
    monkeypatch.setattr(revisions, "known", lambda: former)
    code, file, said = latest(run, folder)
    assert (code, file) == (8, "")
    assert newest.name in said
    assert "made by a newer release" in said


def test_what_cannot_be_read_is_passed_over_and_told(
    run: Run, app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with later(days=-1):
        older = made(run, folder)
    newest = made(run, folder)
    (folder / "old.idp-backup").mkdir()
    (folder / "z.idp-backup").symlink_to(folder / "nowhere")
    code, file, said = latest(run, folder)
    assert (code, file) == (0, str(newest))
    assert "old.idp-backup is passed over: Is a directory" in said
    assert "z.idp-backup is passed over: No such file or directory" in said

    once_found(newest, newest.unlink, monkeypatch)
    code, file, said = latest(run, folder)
    assert (code, file) == (0, str(older))
    assert f"{newest.name} is passed over: No such file or directory" in said


def once_found(file: Path, happens: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have something happen between the first look at a backup and the proof of it."""
    prove = reading.prove

    def proved(source: Path, more_keys: list[bytes]) -> None:
        if source == file:
            happens()
        prove(source, more_keys)

    monkeypatch.setattr(reading, "prove", proved)
