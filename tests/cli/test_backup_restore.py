"""``idp backup restore``: whole or not at all, and nothing lives again that had ended."""

import dataclasses
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo
from flask.testing import FlaskClient
from sqlalchemy import select, text

from idp import clock, create_app, readiness
from idp.audit import continuity, last_seen
from idp.audit.models import AuditEvent
from idp.backup import elsewhere, erasures, places, putting_back
from idp.cli.program import cli
from idp.database import db, transaction
from idp.lifecycle import endings
from idp.oidc.folder_store import FolderStore
from idp.oidc.keyring import keyring
from idp.oidc.keys import Keyring
from idp.people import accounts
from idp.purge import erasing
from idp.settings import Settings
from idp.settings.secrets import Secrets
from tests import factories, postgres
from tests.cli.backups import KEY, settings_with_key
from tests.cli.conftest import Run, finished
from tests.conftest import SECRET_VARIABLES, settings_for_tests
from tests.privacy.dumps import dumped, stand_in
from tests.privacy.whole_family import CHILD, GUARDIAN, Family
from tests.relying_party import error_of, world

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def settings(database_url: str, keys_folder: Path) -> Settings:
    return settings_with_key(database_url, keys_folder)


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuity, "LOOK_EVERY", 0.0)


@pytest.fixture(autouse=True)
def formers_are_dropped(app: Flask) -> Iterator[None]:
    yield
    db.session.remove()
    if db.engine.dialect.name == "postgresql":
        for name in names_beside():
            elsewhere.drop(name)


def names_beside() -> list[str]:
    """What stands beside the database, as a restore may have left it."""
    url = db.engine.url
    if url.get_backend_name() == "sqlite":
        file = Path(str(url.database))
        kept = {file.name, f"{file.name}-wal", f"{file.name}-shm"}
        return sorted(each.name for each in file.parent.iterdir() if each.name not in kept)
    with elsewhere.administration() as now:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, :begin)"
        return list(now.scalars(text(query), {"begin": f"{url.database}_"}))


def backed_up(run: Run, folder: Path) -> str:
    result = run("backup", "create", str(folder), "--json")
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["file"])


def refused(run: Run, *arguments: str) -> str:
    """The sentence of a restore that was refused; everything is as it was."""
    before = names_beside()
    result = run("backup", "restore", *arguments, "--yes")
    assert result.exit_code == 2, result.output
    assert names_beside() == before
    return result.stderr.strip().splitlines()[-1]


def test_r9_a_restore_ends_what_came_back_and_keeps_what_was_there(
    run: Run, client: FlaskClient, tmp_path: Path
) -> None:
    there = world(client, "Lina")
    tokens = there.redeem(scope="openid child offline_access")
    file = backed_up(run, tmp_path)
    factories.account("paul")
    endings.end_other_sessions(there.guardian.id, keep="none")
    assert isinstance(continuity.remember(), continuity.GoesOn)
    continuity.init_app(client.application)  # servers are stopped; a command is another process

    result = run("backup", "restore", file, "--replace", "--yes", "--json")

    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)
    assert row["sessions"] == row["grants"] == 1, "alive in the backup, and ended again"
    assert accounts.find_by_username("paul") is None
    assert accounts.find_by_username("claire") is not None
    refresh = there.portal.refresh(client, tokens["refresh_token"])
    assert error_of(refresh) == (400, "invalid_grant")
    assert client.get("/").status_code == 303, "served, to the sign-in page"
    assert client.get("/health/ready").status_code == 200
    there.browser.sign_in_at_home("claire")
    assert "code" in there.answer(scope="openid child")
    assert len(names_beside()) == 1
    assert row["former"].endswith(names_beside()[0])
    assert "paul" in usernames_of(row["former"])
    assert row["former"] in result.stderr


def usernames_of(former: str) -> list[str]:
    if db.engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(former)) as now:
            return [str(row[0]) for row in now.execute("SELECT username FROM accounts")]
    with psycopg.connect(address(former)) as connection:
        return [str(row[0]) for row in connection.execute("SELECT username FROM accounts")]


def address(name: str) -> str:
    return elsewhere.address_of(name).replace("postgresql+psycopg", "postgresql")


def test_a_database_that_is_there_is_not_overwritten(run: Run, app: Flask, tmp_path: Path) -> None:
    file = backed_up(run, tmp_path)
    factories.account("paul")
    assert "--replace" in refused(run, file)
    assert accounts.find_by_username("paul") is not None


@pytest.mark.long
@on_postgresql
def test_a_database_whose_tables_lie_in_another_schema_is_not_dropped(
    run: Run, app: Flask, tmp_path: Path
) -> None:
    file = backed_up(run, tmp_path)
    with db.engine.begin() as now:
        now.exec_driver_sql("DROP SCHEMA public CASCADE")
        now.exec_driver_sql("CREATE SCHEMA public")
        now.exec_driver_sql("CREATE SCHEMA theirs")
        now.exec_driver_sql("CREATE TABLE theirs.invoices AS SELECT 7 AS number")

    assert "is not empty" in refused(run, file, "--erasures-unknown")
    result = run("backup", "restore", file, "--replace", "--yes", "--json", "--erasures-unknown")

    assert result.exit_code == 0, result.output
    with psycopg.connect(address(json.loads(result.stdout)["former"])) as former:
        assert former.execute("SELECT number FROM theirs.invoices").fetchall() == [(7,)]


def test_nobody_is_asked_nothing_happens(run: Run, app: Flask, tmp_path: Path) -> None:
    file = backed_up(run, tmp_path)
    factories.account("paul")
    assert run("backup", "restore", file, "--replace", stdin="n\n").exit_code == 130
    assert accounts.find_by_username("paul") is not None


@pytest.mark.long
def test_whoever_works_with_the_database_is_not_cut_off(
    run: Run, app: Flask, tmp_path: Path, database_url: str
) -> None:
    file = backed_up(run, tmp_path)
    if database_url.startswith("sqlite"):
        other: Any = sqlite3.connect(database_url.removeprefix("sqlite:///"))
        other.execute("SELECT count(*) FROM accounts").fetchone()
    else:
        other = psycopg.connect(database_url)
    with closing(other):
        assert "stop the provider" in refused(run, file, "--replace")


def test_a_backup_of_a_newer_release_is_not_restored(run: Run, app: Flask, tmp_path: Path) -> None:
    with transaction() as writes:
        writes.execute(text("UPDATE alembic_version SET version_num = 'of-a-later-release'"))
    file = backed_up(run, tmp_path)
    result = run("backup", "restore", file, "--replace", "--yes")
    assert result.exit_code == 8
    assert "newer release" in result.stderr


@pytest.mark.long
@pytest.mark.slow
def test_an_older_schema_is_upgraded_before_it_takes_the_place(
    run: Run, app: Flask, tmp_path: Path
) -> None:
    from alembic import command

    from idp.backup import storing, taking
    from idp.database import migrations

    factories.account("claire")
    command.downgrade(migrations.configuration(), "0048")
    file = storing.store(tmp_path, taking.write)
    command.upgrade(migrations.configuration(), "head")

    result = run("backup", "restore", str(file), "--replace", "--yes")

    assert result.exit_code == 0, result.output
    assert readiness.schema().up_to_date
    assert accounts.find_by_username("claire") is not None


# Stopped on its way


@pytest.mark.long
@pytest.mark.parametrize("step", ["contradicted", "different_counts"])
def test_what_fails_beside_changes_nothing(
    run: Run, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    file = backed_up(run, tmp_path)
    factories.account("paul")

    def failing(_manifest: object) -> list[str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(putting_back.proving, step, failing)
    assert "No space left on device" in refused(run, file, "--replace")
    assert accounts.find_by_username("paul") is not None
    assert isinstance(continuity.history(), continuity.GoesOn)


def test_a_damaged_backup_takes_nobodys_place(run: Run, app: Flask, tmp_path: Path) -> None:
    file = Path(backed_up(run, tmp_path))
    factories.account("paul")
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    before = names_beside()
    result = run("backup", "restore", str(file), "--replace", "--yes")
    assert result.exit_code == 4
    assert names_beside() == before
    assert accounts.find_by_username("paul") is not None


@pytest.mark.long
def test_between_the_two_names_there_is_no_database_and_the_next_restore_makes_one(
    run: Run, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.account("claire")
    file = backed_up(run, tmp_path)
    stop_half_way(monkeypatch)
    assert run("backup", "restore", file, "--replace", "--yes").exit_code != 0
    db.engine.dispose()
    assert app.test_client().get("/health/ready").status_code == 503
    monkeypatch.undo()
    for left in Path(str(db.engine.url.database)).parent.glob("idp.db*"):
        if left.name == "idp.db" and left.stat().st_size == 0:
            left.unlink()

    result = run("backup", "restore", file, "--yes", "--erasures-unknown")

    assert result.exit_code == 0, result.output
    assert accounts.find_by_username("claire") is not None


def stop_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a kill does, after the former one has its other name."""

    def take(place: Any, beside: object) -> None:
        if isinstance(place, places.SqlitePlace):
            place.refuse_others()
            place.file.rename(f"{place.file}.before-now")
        else:
            place.refuse_others()
            elsewhere.administer(f'ALTER DATABASE "{place.name}" RENAME TO "{place.name}_before"')
        raise KeyboardInterrupt

    for kind in (places.SqlitePlace, places.PostgresPlace):
        monkeypatch.setattr(kind, "take", take)


# On a new machine


@pytest.fixture
def new_machine(settings: Settings, tmp_path: Path, database_url: str) -> Iterator[dict[str, str]]:
    """The environment of one with the same secrets, no keys, and an empty database."""
    folder = tmp_path / "new"
    folder.mkdir()
    if database_url.startswith("sqlite"):
        url = f"sqlite:///{folder}/idp.db"
    else:
        url = postgres.create_database(database_url.rsplit("/", 1)[0], "new_machine")
    yield {
        "DATABASE_URL": url,
        "IDP_DEMO": "1",
        "IDP_KEYS_FOLDER": str(folder / "keys"),
        "IDP_BACKUP_KEY": KEY,
        "IDP_BCRYPT_COST": "4",
        "IDP_MAIL_TLS": "none",
        "PATH": os.environ["PATH"],
        **SECRET_VARIABLES,
    }
    if not database_url.startswith("sqlite"):
        postgres.drop_database(database_url.rsplit("/", 1)[0], "new_machine")


@pytest.mark.long
def test_a_new_machine_gets_the_database_and_the_keys(
    run: Run, app: Flask, tmp_path: Path, keys_folder: Path, new_machine: dict[str, str]
) -> None:
    factories.account("claire")
    readiness.refuse_unready()
    file = backed_up(run, tmp_path)

    unknown = finished(new_machine, "backup", "restore", file, "--yes")
    done = finished(new_machine, "backup", "restore", file, "--yes", "--erasures-unknown")

    assert unknown.returncode == 2
    assert "who was erased since" in unknown.stderr
    assert done.returncode == 0, done.stderr
    assert "claire" in finished(new_machine, "user", "list").stdout
    keys = Path(new_machine["IDP_KEYS_FOLDER"])
    ours = {entry.kid: entry.state for entry in Keyring(FolderStore(keys)).entries()}
    assert ours == {entry.kid: entry.state for entry in Keyring(FolderStore(keys_folder)).entries()}
    assert all(file.stat().st_mode & 0o077 == 0 for file in keys.glob("*.pem"))
    assert finished(new_machine, "mail", "work", "--once").returncode == 0, "it works beside others"


@pytest.mark.long
def test_other_keys_are_not_written_over(
    run: Run, app: Flask, tmp_path: Path, new_machine: dict[str, str]
) -> None:
    file = backed_up(run, tmp_path)
    folder = Path(new_machine["IDP_KEYS_FOLDER"])
    Keyring(FolderStore(folder)).ensure()
    before = {each.name: each.read_bytes() for each in folder.iterdir() if each.suffix != ".lock"}
    words = ("backup", "restore", file, "--yes", "--erasures-unknown")

    other = finished(new_machine, *words)

    assert other.returncode == 2
    assert "--keep-keys" in other.stderr
    kept = finished(new_machine, *words, "--keep-keys")
    assert kept.returncode == 0, kept.stderr
    after = {name: (folder / name).read_bytes() for name in before}
    assert after == before
    assert finished(new_machine, "mail", "work", "--once").returncode == 0, "all are to have these"


@pytest.fixture
def keys_in_database(
    app: Flask, database_url: str, keys_folder: Path
) -> Iterator[Callable[..., Result]]:
    """What runs commands of an installation whose keys are in its database."""
    db.session.remove()
    db.engine.dispose()
    ours = settings_for_tests(
        database_url,
        keys_folder,
        backup_key=KEY.encode(),
        keys_in="database",
        keys_encryption_key=b"Yk1zWq2LmNb7vRt4xJd9cHf6sAa8eGo5iPy0uEn3QkC",
    )
    kept = create_app(ours)
    info = ScriptInfo(create_app=lambda: kept, set_debug_flag=False)
    with kept.app_context():
        yield lambda *words: CliRunner().invoke(cli, list(words), obj=info)
        db.session.remove()
        db.engine.dispose()


@pytest.mark.long
def test_a_key_that_was_retired_since_does_not_sign_again_where_keys_are_in_the_database(
    keys_in_database: Callable[..., Result], tmp_path: Path
) -> None:
    run = keys_in_database
    assert run("keys", "ensure").exit_code == 0
    disclosed = str(keyring().signing_key("RS256").kid)
    file = backed_up(run, tmp_path)
    assert run("keys", "retire", disclosed).exit_code == 0
    present = {entry.kid: entry.state for entry in keyring().entries()}
    assert disclosed not in present

    assert "--keep-keys" in refused(run, file, "--replace")
    result = run("backup", "restore", file, "--replace", "--yes", "--keep-keys")

    assert result.exit_code == 0, result.output
    assert {entry.kid: entry.state for entry in keyring().entries()} == present
    assert keyring().signing_key("RS256").kid in present
    assert readiness.refuse_unready() is None, "every machine is to have these"


@pytest.mark.long
def test_keys_that_were_rotated_since_stay_in_the_database(
    keys_in_database: Callable[..., Result], tmp_path: Path
) -> None:
    run = keys_in_database
    assert run("keys", "ensure").exit_code == 0
    file = backed_up(run, tmp_path)
    assert run("keys", "rotate", "--force").exit_code == 0
    present = {entry.kid: entry.state for entry in keyring().entries()}

    result = run("backup", "restore", file, "--replace", "--yes")

    assert result.exit_code == 0, result.output
    assert {entry.kid: entry.state for entry in keyring().entries()} == present


@pytest.mark.long
@on_sqlite
def test_keys_in_the_database_come_with_it_and_want_its_secret(
    app: Flask, database_url: str, keys_folder: Path, tmp_path: Path
) -> None:
    db.session.remove()
    db.engine.dispose()
    secret = b"Yk1zWq2LmNb7vRt4xJd9cHf6sAa8eGo5iPy0uEn3QkC"
    ours = settings_for_tests(
        database_url,
        keys_folder,
        backup_key=KEY.encode(),
        keys_in="database",
        keys_encryption_key=secret,
    )
    kept = create_app(ours)
    info = ScriptInfo(create_app=lambda: kept, set_debug_flag=False)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, list(arguments), obj=info)

    with kept.app_context():
        assert run("keys", "ensure").exit_code == 0
        file = backed_up(run, tmp_path)
        assert run("backup", "verify", file).exit_code == 0
        kids = {entry.kid for entry in keyring().entries()}
        restored = run("backup", "restore", file, "--replace", "--yes")
        assert restored.exit_code == 0, restored.output
        assert {entry.kid for entry in keyring().entries()} == kids
        kept.extensions["idp.settings"] = dataclasses.replace(
            ours, keys_encryption_key=secret[::-1]
        )
        verified = run("backup", "verify", file)
        assert verified.exit_code == 1
        assert "does not sign" in verified.stderr
        # The former secret behind the newest, as docs/secrets.md says
        kept.extensions["idp.settings"] = dataclasses.replace(
            ours, keys_encryption_key=Secrets.of([secret[::-1], secret])
        )
        assert run("backup", "verify", file).exit_code == 0
        assert run("keys", "ensure").exit_code == 0  # seals what is there under the newest
        again = run("backup", "restore", file, "--replace", "--yes")
        assert again.exit_code == 0, again.output
        assert {entry.kid for entry in keyring().entries()} == kids
        db.session.remove()
        db.engine.dispose()
    result = CliRunner().invoke(
        cli, ["backup", "restore", file, "--replace", "--yes"],
        obj=ScriptInfo(create_app=lambda: app, set_debug_flag=False),
    )  # fmt: skip
    assert "IDP_KEYS_IN=database" in result.stderr


# Who was erased since


@pytest.fixture
def family(app: Flask) -> Family:
    return Family()


def erase(family: Family) -> None:
    erasing.erase(accounts=[family.account.id], children=[family.child.id], why="asked")
    erasing.scrub()
    db.session.remove()


def assert_gone(database_url: str) -> None:
    db.session.remove()
    assert stand_in(dumped(database_url), [*GUARDIAN.values(), *CHILD.values()]) == {}


@pytest.mark.long
def test_r16_who_was_erased_since_is_erased_again(
    run: Run, family: Family, tmp_path: Path, database_url: str
) -> None:
    file = backed_up(run, tmp_path)
    erase(family)

    result = run("backup", "restore", file, "--replace", "--yes", "--json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["erased_again"] == 2
    assert_gone(database_url)
    why = db.session.scalars(select(AuditEvent.detail).where(AuditEvent.event == "child_erased"))
    assert [each["why"] for each in why] == ["restored"]


@pytest.mark.long
@pytest.mark.parametrize("source", ["backup", "list"])
def test_r16_where_the_database_is_lost_a_newer_backup_or_a_list_knows(
    run: Run, family: Family, tmp_path: Path, new_machine: dict[str, str], source: str
) -> None:
    older = backed_up(run, tmp_path)
    erase(family)
    lists = tmp_path / "newer"
    lists.mkdir()
    if source == "backup":
        newer = backed_up(run, lists)
    else:
        newer = str(lists / "erasures.txt")
        Path(newer).write_text(run("backup", "erasures").stdout)
        assert family.account.id in Path(newer).read_text()

    useless = finished(new_machine, "backup", "restore", older, "--yes", "--erasures-from", older)
    done = finished(
        new_machine, "backup", "restore", older, "--yes", "--json", "--erasures-from", newer
    )

    assert useless.returncode == 2, "it knows nothing of the time after it"
    assert "who was erased since" in useless.stderr
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["erased_again"] == 2
    assert_gone(new_machine["DATABASE_URL"])


def put_back_by_other_means(url: str, to: str) -> None:
    """Another database is as this one is now: as a dump, an archive or a standby has it."""
    db.session.rollback()
    if url.startswith("sqlite"):
        with (
            closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as now,
            closing(sqlite3.connect(to.removeprefix("sqlite:///"))) as then,
        ):
            now.backup(then)
        return
    dump = [postgres.programs() / "pg_dump", "--format=custom", url]
    restore = [postgres.programs() / "pg_restore", "--no-owner", "--exit-on-error", "--dbname", to]
    content = subprocess.run(dump, check=True, capture_output=True).stdout
    subprocess.run(restore, input=content, check=True, capture_output=True)


@pytest.mark.long
def test_r16_after_a_restore_by_other_means_who_is_on_the_list_is_erased_again(
    run: Run,
    family: Family,
    tmp_path: Path,
    database_url: str,
    keys_folder: Path,
    new_machine: dict[str, str],
) -> None:
    put_back_by_other_means(database_url, new_machine["DATABASE_URL"])
    erase(family)
    (tmp_path / "erasures.txt").write_text(run("backup", "erasures").stdout)
    # The machine stays, with all that it has seen
    assert isinstance(continuity.remember(), continuity.GoesOn)
    seen = last_seen.file()
    machine = new_machine | {"IDP_KEYS_FOLDER": str(keys_folder), "IDP_HISTORY_FILE": str(seen)}

    noticed = finished(machine, "check")
    unasked = finished(machine, "db", "restored", "--yes")
    served = finished(machine, "mail", "work", "--once")
    unknown = finished(machine, "db", "restored", "--yes", "--erasures-unknown")
    done = finished(
        machine, "db", "restored", "--yes", "--json", "--erasures-from", f"{tmp_path}/erasures.txt"
    )
    after = finished(machine, "check")

    assert "idp db restored" in noticed.stdout
    assert "--erasures-from" in noticed.stdout
    assert unasked.returncode == 2
    assert "who was erased since" in unasked.stderr
    assert "idp db restored" in served.stderr, "nobody is served"
    assert unknown.returncode == 0, unknown.stderr
    assert "nobody has told who was erased after" in unknown.stderr
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["erased_again"] == 2
    assert_gone(new_machine["DATABASE_URL"])
    assert "idp db restored" not in after.stdout


@on_sqlite
def test_r16_a_list_of_another_database_ends_nothing(run: Run, app: Flask, tmp_path: Path) -> None:
    lines = ["# erased of d_other - 2030-01-01T00:00:00+00:00", "# end: 0"]
    (tmp_path / "list").write_text("\n".join(erasures.sealed(lines)))
    result = run("db", "restored", "--yes", "--erasures-from", str(tmp_path / "list"))
    assert result.exit_code == 2
    assert "another database" in result.stderr
    assert db.session.scalar(select(AuditEvent.id)) is None


@pytest.mark.long
@on_sqlite
def test_r16_a_list_of_another_database_is_refused(
    run: Run, app: Flask, tmp_path: Path, new_machine: dict[str, str]
) -> None:
    file = backed_up(run, tmp_path)
    for lines, words in (
        (["# erased of d_other - 2030-01-01T00:00:00+00:00", "# end: 0"], "another database"),
        (["a_somebody 2030-01-01"], "neither a backup nor"),
    ):
        (tmp_path / "list").write_text("\n".join(erasures.sealed(lines)))
        line = refused(run, file, "--replace", "--erasures-from", str(tmp_path / "list"))
        assert words in line


@pytest.mark.long
def test_r16_a_list_can_not_name_who_lives_in_the_backup_after_their_erasure(
    run: Run, family: Family, tmp_path: Path
) -> None:
    file = backed_up(run, tmp_path)
    until, before = clock.now(), clock.now() - timedelta(days=4)
    head = run("backup", "erasures").stdout.splitlines()[0].rpartition(" ")[0]
    lines = [f"{head} {until.isoformat()}", f"{family.account.id} {before.isoformat()}", "# end: 1"]
    (tmp_path / "list").write_text("\n".join(erasures.sealed(lines)))
    line = refused(run, file, "--replace", "--erasures-from", str(tmp_path / "list"))
    assert "not to be believed" in line


@pytest.mark.long
@on_sqlite
def test_r16_a_list_that_was_cut_off_is_refused(run: Run, family: Family, tmp_path: Path) -> None:
    file = backed_up(run, tmp_path)
    erase(family)
    whole = run("backup", "erasures").stdout.splitlines(keepends=True)
    assert len(whole) == 5
    without_seal = "does not bear the seal"
    for lines, words in (
        (whole[:1], "cut off"),
        (whole[:2], "cut off"),
        (whole[:3], "cut off"),
        (whole[:4], without_seal),
        ([whole[0], *whole[2:]], without_seal),
    ):
        (tmp_path / "list").write_text("".join(lines))
        line = refused(run, file, "--replace", "--erasures-from", str(tmp_path / "list"))
        assert words in line


@pytest.mark.long
@on_sqlite
def test_r16_the_time_that_no_list_tells_of_is_said(
    run: Run, family: Family, tmp_path: Path, new_machine: dict[str, str]
) -> None:
    file = backed_up(run, tmp_path)
    newer = tmp_path / "list"
    newer.write_text(run("backup", "erasures").stdout)
    done = finished(new_machine, "backup", "restore", file, "--yes", "--erasures-from", str(newer))
    assert done.returncode == 0, done.stderr
    assert "nobody has told who was erased after" in done.stderr
    told = run("backup", "restore", file, "--replace", "--yes")
    assert "nobody has told" not in told.stderr


@pytest.mark.long
@on_postgresql
def test_what_another_role_may_do_comes_back_or_is_left_out(
    run: Run, app: Flask, tmp_path: Path
) -> None:
    with db.engine.connect() as now:
        now.exec_driver_sql("DROP ROLE IF EXISTS idp_serves")
        now.exec_driver_sql("CREATE ROLE idp_serves")
        now.exec_driver_sql("GRANT SELECT ON accounts TO idp_serves")
    file = backed_up(run, tmp_path)
    may = text("SELECT has_table_privilege('idp_serves', 'accounts', 'SELECT')")
    assert run("backup", "restore", file, "--replace", "--yes").exit_code == 0
    assert db.session.scalar(may) is True
    db.session.remove()
    assert run("backup", "restore", file, "--replace", "--yes", "--without-grants").exit_code == 0
    assert db.session.scalar(may) is False
    db.session.remove()
    for name in names_beside():
        elsewhere.drop(name)
    with db.engine.connect() as now:
        now.exec_driver_sql("DROP OWNED BY idp_serves")
        now.exec_driver_sql("DROP ROLE idp_serves")
