"""``idp backup``: made while the provider serves, proved by restoring it, on both databases."""

import dataclasses
import json
import os
import re
import shutil
import sqlite3
import stat
import tracemalloc
from collections.abc import Callable
from contextlib import closing, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, select, text, update

from idp import clock
from idp.audit import events
from idp.backup import elsewhere, sealed
from idp.database import db, transaction
from idp.doctor import running
from idp.doctor.measured import State
from idp.oidc.models import Grant
from idp.people.models import Guardianship, School
from idp.readiness import proofs
from idp.settings import Settings
from tests import factories
from tests.cli.backups import KEY, OTHER_KEY, made, settings_with_key
from tests.cli.conftest import Run, finished, start
from tests.conftest import settings_for_tests
from tests.relying_party import World, world
from tests.security.outages import eventually

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def settings(database_url: str, keys_folder: Path) -> Settings:
    return settings_with_key(database_url, keys_folder)


@pytest.fixture
def family(client: FlaskClient) -> World:
    """A guardian who is signed in, with a child and an application that has tokens."""
    there = world(client, "Lina")
    there.redeem(scope="openid child offline_access")
    return there


def ended(run: Run, *arguments: str) -> tuple[int, str]:
    """The code of a command, and its last words."""
    result = run("backup", *arguments)
    assert "Traceback" not in result.output
    return result.exit_code, result.stderr.strip().splitlines()[-1]


def test_a_backup_is_made_and_proved_while_somebody_writes(
    run: Run, family: World, folder: Path, json_of: Callable[..., Any]
) -> None:
    file = made(run, folder)
    assert re.fullmatch(r"idp-\d{8}T\d{6}Z\.idp-backup", file.name)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    factories.account("paul")  # what comes later is not in it

    proved = json_of("backup", "verify", str(file))

    assert proved["proved"] is proved["noted"] is True
    assert proved["rows"] > 10
    assert list(folder.iterdir()) == [file]
    assert beside() == [], "what it was restored into is gone"


def beside() -> list[str]:
    if db.engine.dialect.name == "sqlite":
        there = Path(str(db.engine.url.database)).parent
        return [each.name for each in there.iterdir() if not each.name.startswith("idp.db")]
    names = text("SELECT datname FROM pg_database WHERE datname LIKE 'idp\\_verify%'")
    return list(db.session.scalars(names))


def test_nothing_of_anybody_is_readable_in_it(run: Run, family: World, folder: Path) -> None:
    bytes_ = made(run, folder).read_bytes()
    for word in ("claire", "Dubois", "Lina", "PRIVATE KEY", "accounts", KEY):
        assert word.encode() not in bytes_
    assert bytes_.startswith(sealed.MAGIC)


def test_without_a_key_there_is_no_backup(app: Flask, run: Run, folder: Path) -> None:
    app.extensions["idp.settings"] = settings_for_tests(
        app.config["SQLALCHEMY_DATABASE_URI"], app.extensions["idp.settings"].keys_folder
    )
    code, words = ended(run, "create", str(folder))
    assert code == 2
    assert "IDP_BACKUP_KEY is missing" in words
    assert list(folder.iterdir()) == []


@pytest.mark.long
@pytest.mark.slow
def test_a_large_database_goes_through_little_memory(
    run: Run, app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, rows = 1_000_000, 40
    with transaction() as writes:
        writes.add_all(
            School(name=f"School {number}", logo_png=os.urandom(size)) for number in range(rows)
        )
    db.session.remove()
    tracemalloc.start()
    try:
        file = made(run, folder)
        verified = run("backup", "verify", str(file))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert verified.exit_code == 0, verified.output
    assert file.stat().st_size > rows * size
    assert peak < rows * size / 2, "it was read whole"


@pytest.mark.slow
@pytest.mark.long
def test_one_that_is_killed_leaves_what_was_there(
    environment: dict[str, str], folder: Path
) -> None:
    url = environment["DATABASE_URL"]
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as now:
        now.execute("CREATE TABLE ballast (content BLOB)")
        now.execute("INSERT INTO ballast VALUES (randomblob(80000000))")
        now.commit()
    environment["IDP_BACKUP_KEY"] = KEY
    (folder / "idp-20260101T030000Z.idp-backup").write_bytes(b"older")

    process = start(environment, "backup", "create", str(folder), "--keep", "1")
    assert eventually(lambda: any(each.name.endswith(".part") for each in folder.iterdir()))
    process.kill()
    process.communicate()

    names = {each.name for each in folder.iterdir() if not each.name.startswith(".")}
    assert names == {"idp-20260101T030000Z.idp-backup"}
    done = finished(environment, "backup", "create", str(folder), "--keep", "1")
    assert done.returncode == 0, done.stderr
    assert [each for each in folder.iterdir() if each.name.endswith(".part")] == []

    # And so does a restore of it
    (backup,) = folder.glob("idp-*")
    assert finished(environment, "school", "create", "Since").returncode == 0
    words = ("backup", "restore", str(backup), "--replace", "--yes")
    process = start(environment, *words)
    there = Path(url.removeprefix("sqlite:///")).parent
    assert eventually(lambda: any(there.glob(".idp-copy-*/idp.db")))
    process.kill()
    process.communicate()
    assert "Since" in finished(environment, "school", "list").stdout, "the former one, whole"
    again = finished(environment, *words)
    assert again.returncode == 0, again.stderr
    assert "Since" not in finished(environment, "school", "list").stdout


# What is wrong with a file


@pytest.fixture
def backup(run: Run, folder: Path, app: Flask) -> Path:
    factories.account("claire")
    return made(run, folder)


@on_sqlite
@pytest.mark.parametrize("share", [0.0, 0.0004, 0.2, 0.5, 0.8, 0.9999])
def test_one_flipped_byte_fails(run: Run, backup: Path, share: float) -> None:
    content = bytearray(backup.read_bytes())
    content[int(len(content) * share)] ^= 1
    backup.write_bytes(content)
    code, words = ended(run, "verify", str(backup))
    assert code in {3, 4}
    assert "damaged" in words or "another key" in words


@on_sqlite
def test_what_is_wrong_with_a_file_is_said_and_has_its_code(run: Run, backup: Path) -> None:
    whole = backup.read_bytes()
    for change, code, words in (
        (whole[:-1], 5, "cut off"),
        (whole[: len(whole) // 2], 5, "cut off"),
        (b"", 5, "cut off"),
        (whole + b"\n", 6, "appended"),
        (b"PGDMP" + whole, 4, "no backup"),
    ):
        backup.write_bytes(change)
        ended_with, said = ended(run, "verify", str(backup))
        assert (ended_with, words in said) == (code, True), said
    assert proofs.last_proof() is None


@pytest.mark.long
@on_sqlite
def test_pieces_in_another_order_are_named(
    run: Run, folder: Path, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "PIECE", 1000)
    backup = made(run, folder)
    head, size = 59, 1000 + 16 + 9
    content = backup.read_bytes()
    one, two = content[head : head + size], content[head + size : head + 2 * size]
    backup.write_bytes(content[:head] + two + one + content[head + 2 * size :])

    code, words = ended(run, "verify", str(backup))

    assert (code, "piece 1 stands where piece 0 belongs" in words) == (7, True)


@on_sqlite
def test_a_key_of_before_opens_an_older_backup(
    app: Flask, run: Run, backup: Path, tmp_path: Path, settings: Settings
) -> None:
    app.extensions["idp.settings"] = settings_for_tests(
        settings.database_url, settings.keys_folder, backup_key=OTHER_KEY.encode()
    )
    code, words = ended(run, "verify", str(backup))
    assert (code, "--key-file" in words) == (3, True)

    for lines in (f"{KEY}\n", f"{OTHER_KEY}\n{KEY}\n", json.dumps([OTHER_KEY, KEY])):
        (tmp_path / "former").write_text(lines)
        code, words = ended(run, "verify", str(backup), "--key-file", str(tmp_path / "former"))
        assert code == 0, words


def test_a_backup_of_a_newer_release_is_named(run: Run, folder: Path, app: Flask) -> None:
    with transaction() as writes:
        writes.execute(text("UPDATE alembic_version SET version_num = 'of-a-later-release'"))
    file = made(run, folder)
    code, words = ended(run, "verify", str(file))
    assert (code, "newer release" in words) == (8, True)


@pytest.mark.long
@pytest.mark.slow
def test_a_backup_of_an_older_schema_is_upgraded_beside(run: Run, folder: Path, app: Flask) -> None:
    from alembic import command

    from idp.backup import storing, taking
    from idp.database import migrations

    factories.account("claire")
    command.downgrade(migrations.configuration(), "0048")
    file = storing.store(folder, taking.write)
    command.upgrade(migrations.configuration(), "head")

    result = run("backup", "verify", str(file))

    assert result.exit_code == 0, result.output
    assert "upgrading it from schema 0048" in result.stderr


# What must be so of the rows


def test_a_live_grant_without_a_guardianship_is_found(
    run: Run, family: World, folder: Path
) -> None:
    with transaction() as writes:
        writes.execute(update(Guardianship).values(ended_at=family.guardian.created_at))
    result = run("backup", "verify", str(made(run, folder)))
    assert result.exit_code == 1
    assert "1 live grants name a child whose guardianship has ended" in result.stderr
    grant = db.session.scalar(select(Grant.id))
    assert f"(such as {grant})" in result.stderr
    assert proofs.last_proof() is None
    assert beside() == []


def test_the_check_finds_it_in_the_running_database(app: Flask, family: World) -> None:
    def found() -> list[str]:
        return [each.sentence for each in running.of_running() if each.subject == "rows"]

    assert found() == []
    with transaction() as writes:
        writes.execute(update(Guardianship).values(ended_at=family.guardian.created_at))
    assert "1 live grants name a child whose guardianship has ended" in found()[0]


@on_sqlite
def test_a_secret_that_is_another_one_by_now_is_told(
    run: Run, app: Flask, folder: Path, settings: Settings
) -> None:
    file = made(run, folder)
    app.extensions["idp.settings"] = dataclasses.replace(
        settings, token_hash_key=OTHER_KEY.encode()
    )
    result = run("backup", "verify", str(file))
    assert result.exit_code == 0, "no fault of the backup"
    assert "IDP_TOKEN_HASH_KEY is not what it was when the backup was made" in result.stderr
    assert "SUBJECT_KEY" not in result.stderr


@on_sqlite
def test_a_row_that_refers_to_nothing_is_found(run: Run, family: World, folder: Path) -> None:
    db.session.remove()
    with closing(sqlite3.connect(str(db.engine.url.database))) as now:  # which keeps no keys
        now.execute("DELETE FROM schools")
        now.commit()
    result = run("backup", "verify", str(made(run, folder)))
    assert result.exit_code == 1
    assert "1 pupils have no school" in result.stderr
    assert "1 rows of children refer by school_id to what is not there" in result.stderr


@pytest.mark.parametrize(
    ("database_url", "change"),
    [
        *(("sqlite", change) for change in ("UPDATE", "DELETE")),
        *(
            pytest.param("postgresql", each, marks=pytest.mark.long)
            for each in ("UPDATE", "DELETE")
        ),
        ("postgresql", "TRUNCATE"),  # SQLite has no such statement
    ],
    indirect=["database_url"],
)
def test_an_audit_trail_that_can_be_changed_is_found(
    run: Run, app: Flask, folder: Path, change: str
) -> None:
    trigger = {"UPDATE": "append_only", "DELETE": "kept", "TRUNCATE": "kept_whole"}[change]
    events.record("sign_in", account_id="a_1")
    with db.engine.connect() as now:
        if now.dialect.name == "sqlite":
            now.exec_driver_sql(f"DROP TRIGGER audit_events_{trigger}")
            now.commit()
        else:
            for (part,) in now.exec_driver_sql(
                "SELECT relid::regclass::text FROM pg_partition_tree('audit_events')"
                f" WHERE isleaf OR '{change}' <> 'TRUNCATE'"
            ).all():
                now.exec_driver_sql(f"ALTER TABLE {part} DISABLE TRIGGER audit_events_{trigger}")
            now.commit()
    result = run("backup", "verify", str(made(run, folder)))
    assert result.exit_code == 1
    assert "the audit trail: the database does not refuse" in result.stderr
    assert {each for each in ("UPDATE", "DELETE", "TRUNCATE") if each in result.stderr} == {change}


BOUNDS = "FOR VALUES FROM ({}) TO ({})"


@on_postgresql
def test_an_audit_trail_of_which_one_partition_can_be_changed_is_found(
    run: Run, app: Flask, folder: Path
) -> None:
    for _ in range(3):
        events.record("sign_in", account_id="a_1")
    db.session.commit()
    with db.engine.connect() as now:
        (first,) = now.exec_driver_sql(
            "SELECT min(relid::regclass::text) FROM pg_partition_tree('audit_events') WHERE isleaf"
        ).one()
        newest = now.exec_driver_sql("SELECT max(id) FROM audit_events").scalar_one()
        for words in (
            f"ALTER TABLE audit_events DETACH PARTITION {first}",
            f"ALTER TABLE audit_events ATTACH PARTITION {first} "
            + BOUNDS.format("MINVALUE", newest + 1),
            "CREATE TABLE a_later PARTITION OF audit_events "
            + BOUNDS.format(newest + 1, "MAXVALUE"),
            f"ALTER TABLE {first} DISABLE TRIGGER audit_events_kept",
        ):
            now.exec_driver_sql(words)
        now.commit()
    events.record("sign_in", account_id="a_1")
    db.session.commit()
    result = run("backup", "verify", str(made(run, folder)))
    assert result.exit_code == 1
    assert f"does not refuse DELETE of event {newest}" in result.stderr


# When it was proved


@pytest.mark.long
def test_a_proof_is_kept_for_the_check_and_the_metrics(run: Run, app: Flask, folder: Path) -> None:
    assert sample("idp_backup_last_proof_timestamp_seconds") == 0
    assert "No backup was ever proved" in found_by_the_check()[0]
    file = made(run, folder, "--verify")
    proof = proofs.last_proof()
    assert proof is not None
    assert sample("idp_backup_last_proof_timestamp_seconds") == pytest.approx(proof.at.timestamp())
    state = sample("idp_backup_proved_state_timestamp_seconds")
    assert state == pytest.approx(proof.state_of.timestamp())
    assert state <= file.stat().st_mtime
    assert found_by_the_check() == []


def sample(name: str) -> float:
    (value,) = (each.value for each in State().samples() if each.name == name)
    return value


def found_by_the_check() -> list[str]:
    return [each.sentence for each in running.of_running() if each.subject == "backup"]


@pytest.mark.long
def test_the_proof_of_an_older_one_takes_nothing_back(run: Run, app: Flask, folder: Path) -> None:
    older, newer = made(run, folder / "older"), made(run, folder / "newer")
    assert run("backup", "verify", str(newer)).exit_code == 0
    proof = proofs.last_proof()

    result = run("backup", "verify", str(older), "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["noted"] is False
    assert proofs.last_proof() == proof


# Where it goes


@on_sqlite
def test_so_many_stay_in_a_folder(run: Run, app: Flask, folder: Path) -> None:
    for number in range(1, 5):
        (folder / f"idp-2026010{number}T030000Z.idp-backup").write_bytes(b"older")
    (folder / "notes.txt").write_text("not ours")
    newest = made(run, folder, "--keep", "3")
    assert sorted(each.name for each in folder.iterdir()) == [
        "idp-20260103T030000Z.idp-backup", "idp-20260104T030000Z.idp-backup", newest.name,
        "notes.txt",
    ]  # fmt: skip


@on_sqlite
def test_the_older_ones_stay_until_the_new_one_is_proved(
    run: Run, family: World, folder: Path
) -> None:
    older = folder / "idp-20260101T030000Z.idp-backup"
    older.write_bytes(b"older")
    with transaction() as writes:
        writes.execute(update(Guardianship).values(ended_at=family.guardian.created_at))
    code, _ = ended(run, "create", str(folder), "--keep", "1", "--verify")
    assert code == 1
    assert older.exists()


@on_sqlite
def test_a_clock_that_was_set_forward_removes_no_newer_backup(
    run: Run, app: Flask, folder: Path
) -> None:
    for name in ("20990101", "20990102", "20260104"):
        (folder / f"idp-{name}T030000Z.idp-backup").write_bytes(b"older")
    newest = made(run, folder, "--keep", "2")
    assert {each.name for each in folder.iterdir()} == {
        newest.name,
        "idp-20260104T030000Z.idp-backup",
    }


@on_sqlite
def test_what_a_killed_one_has_left_is_removed_by_the_next(
    run: Run, app: Flask, folder: Path
) -> None:
    (folder / ".idp-20260101T030000Z.idp-backup.part").write_bytes(b"half")
    (folder / ".idp-copy-abc").mkdir()
    os.utime(folder / ".idp-copy-abc", (1, 1))
    (folder / ".idp-copy-def").mkdir()  # a proof that runs
    file = made(run, folder)
    assert set(folder.iterdir()) == {file, folder / ".idp-copy-def"}


@on_sqlite
def test_a_full_disk_leaves_the_older_one(
    run: Run, app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = folder / "idp-20260101T030000Z.idp-backup"
    older.write_bytes(b"older")
    sync = os.fsync

    def full(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    code, words = ended(run, "create", str(folder), "--keep", "1")
    assert (code, "No space left on device" in words) == (2, True)
    assert list(folder.iterdir()) == [older]


@on_postgresql
def test_postgresql_s_programs_are_asked_for(
    run: Run, app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from idp.backup import programs

    monkeypatch.setattr(programs, "_DEBIAN", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    code, words = ended(run, "create", str(folder))
    assert (code, "pg_dump is not installed" in words) == (2, True)
    assert list(folder.iterdir()) == []


def test_no_password_stands_in_a_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from idp.backup import programs

    noted = tmp_path / "17" / "bin" / "pg_dump"
    noted.parent.mkdir(parents=True)
    noted.write_text(
        '#!/bin/sh\necho "$@"\necho "$PGPASSWORD"\n'
        'stat --format %a "$PGSERVICEFILE"\ncat "$PGSERVICEFILE"\n'
    )
    noted.chmod(0o700)
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path)
    address = (
        "postgresql+psycopg://idp:ours@db.example/idp?sslkey=/etc/idp/db.key&sslpassword=opens"
    )

    told = b"".join(programs.dump(address, "snapshot", 17)).decode()

    words, *rest = told.splitlines()
    assert "ours" not in words
    assert "opens" not in words
    assert "sslkey=/etc/idp/db.key" in words
    assert "service=idp" in words
    assert rest == ["ours", "600", "[idp]", "sslpassword=opens"]


NOT_KNOWN = (
    "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter"
    ' "transaction_timeout"\nCommand was: SET transaction_timeout = 0;\n'
)
FULL = 'pg_restore: error: COPY failed for table "accounts": ERROR:  disk full\n'


@pytest.mark.long
@pytest.mark.parametrize(
    ("server", "said", "comes_back"),
    [(15, NOT_KNOWN, True), (15, NOT_KNOWN + FULL, False), (15, FULL, False), (15, "", False),
     (17, NOT_KNOWN, False)],
)  # fmt: skip
def test_newer_programs_restore_into_an_older_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: int, said: str, comes_back: bool
) -> None:
    from idp.backup import programs
    from idp.backup.troubles import BackupTrouble

    (tmp_path / "said").write_text(said)
    newer = tmp_path / "17" / "bin" / "pg_restore"
    newer.parent.mkdir(parents=True)
    newer.write_text(f"#!/bin/sh\ncat > {tmp_path}/read\ncat {tmp_path}/said >&2\nexit 1\n")
    newer.chmod(0o700)
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path)

    with nullcontext() if comes_back else pytest.raises(BackupTrouble, match="gave up"):
        programs.restore("postgresql://db.example/idp", [b"dump"], server, grants=False)
    assert (tmp_path / "read").read_bytes() == b"dump"


@pytest.mark.long
@on_postgresql
def test_a_role_that_may_create_no_database_says_so_or_is_lent_one(
    run: Run, app: Flask, folder: Path, settings: Settings, database_url: str
) -> None:
    file = made(run, folder)
    base, name = database_url.rsplit("/", 1)
    with create_engine(settings.sqlalchemy_url, isolation_level="AUTOCOMMIT").connect() as now:
        now.exec_driver_sql("DROP ROLE IF EXISTS idp_small")
        now.exec_driver_sql("CREATE ROLE idp_small LOGIN PASSWORD 'small'")
        now.exec_driver_sql("CREATE DATABASE lent OWNER idp_small TEMPLATE template0")
        now.exec_driver_sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO idp_small")
    at = base.split("@")[1]
    try:
        app.extensions["idp.settings"] = settings_for_tests(
            f"postgresql://idp_small:small@{at}/{name}",
            settings.keys_folder,
            backup_key=KEY.encode(),
        )
        code, words = ended(run, "verify", str(file))
        assert (code, "CREATEDB" in words) == (2, True)
        lent = f"postgresql://idp_small:small@{at}/lent"
        result = run("backup", "verify", str(file), "--database-url", lent)
        assert result.exit_code == 0, result.output
        again = run("backup", "verify", str(file), "--database-url", lent)
        assert again.exit_code == 0, "it is empty again"
    finally:
        with create_engine(settings.sqlalchemy_url, isolation_level="AUTOCOMMIT").connect() as now:
            now.exec_driver_sql("DROP DATABASE lent WITH (FORCE)")
            now.exec_driver_sql("DROP OWNED BY idp_small")
            now.exec_driver_sql("DROP ROLE idp_small")


@pytest.mark.long
@on_postgresql
def test_what_a_killed_proof_has_left_is_dropped_a_day_later(
    run: Run, app: Flask, folder: Path
) -> None:
    elsewhere.make("idp_verify_20260101_033000_abcdef")
    elsewhere.make("idp_verify_20260101_033001_abcdef")
    yesterday = f"{elsewhere.PROVING}{clock.now() - timedelta(hours=23):%Y%m%d_%H%M%S}_abcdef"
    elsewhere.make(yesterday)
    in_use = elsewhere.address_of("idp_verify_20260101_033001_abcdef")
    try:
        with psycopg.connect(in_use.replace("+psycopg", "")) as proof:
            assert run("backup", "verify", str(made(run, folder))).exit_code == 0
            assert proof.execute("SELECT 1").fetchone() == (1,), "a proof that still runs"
        assert sorted(beside()) == sorted(["idp_verify_20260101_033001_abcdef", yesterday])
        db.session.remove()
    finally:
        for name in ("idp_verify_20260101_033001_abcdef", yesterday):
            elsewhere.drop(name)
