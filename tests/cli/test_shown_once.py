"""What can be shown once is not changed for an output that takes nothing, and no file is half."""

import errno
import os
import re
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from idp.cli import output
from idp.clients import registration
from idp.clients.models import Client
from idp.database import db
from tests import factories
from tests.admin import papers
from tests.cli.conftest import PROGRAM, Run, output_of, refused
from tests.relying_party import RelyingParty

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
CALLBACK = "https://portal.example/callback"


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk, writing fails in this process: no file goes beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def family() -> str:
    school = factories.school()
    factories.family(school, "Lina", username="claire", status="invited")
    return str(school.id)


@on_postgresql
@pytest.mark.parametrize("of_class", [False, True])
def test_letters_that_find_no_room_end_no_token_and_leave_no_file(
    run: Run, tmp_path: Path, of_class: bool
) -> None:
    school = family()
    path = tmp_path / "claire.pdf"
    words = ("letters", "--school", school, "--again") if of_class else ("letter", "claire")
    assert run("token", *words, "-o", str(path)).exit_code == 0
    before = path.read_bytes()
    assert papers.link(before)
    tokens = _hashes()

    with files_of_at_most(1000):
        line = refused(run("token", *words, "-o", str(path)))

    assert "File too large" in line
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["claire.pdf"]
    assert _hashes() == tokens

    assert run("token", *words, "-o", str(path)).exit_code == 0
    assert _hashes() != tokens


def _hashes() -> list[Any]:
    from idp.credentials.models import OneTimeToken

    db.session.rollback()
    rows = db.session.execute(db.select(OneTimeToken.token_hash, OneTimeToken.spent_at))
    return sorted(map(str, rows))


@on_sqlite
def test_letters_go_into_no_device_and_through_no_link(run: Run, tmp_path: Path) -> None:
    family()
    link = tmp_path / "link.pdf"
    link.symlink_to(tmp_path / "elsewhere.pdf")

    for path in ("/dev/full", str(link)):
        assert "can't be written" in refused(run("token", "letter", "claire", "-o", path))

    assert [each.name for each in tmp_path.iterdir()] == ["link.pdf"]


class TestStandardOutput:
    @pytest.fixture
    def client_id(self, environment: dict[str, str]) -> str:
        output_of(environment, "school", "create", "Tilleuls")
        made = output_of(
            environment,
            *("client", "create", "Portail", "--school", "Tilleuls", "--redirect-uri", CALLBACK),
        )
        return re.findall(r"app_[\w-]+", made)[0]

    @pytest.mark.parametrize(
        "into",
        [
            pytest.param("> /dev/full", marks=pytest.mark.long),
            pytest.param(">&-", marks=pytest.mark.long),
            pytest.param("| true", marks=pytest.mark.long),
        ],
    )
    def test_nothing_is_done_for_an_output_that_takes_nothing(
        self, environment: dict[str, str], client_id: str, into: str
    ) -> None:
        before = output_of(environment, "audit", "list", "--json")
        commands = (
            f"client rotate-secret {client_id}",
            f"client edit {client_id} --name Other",
            f"client create B --school Tilleuls --redirect-uri {CALLBACK}",
            "client registration-token create Homework --school Tilleuls",
        )
        for command in commands:
            script = f"set -o pipefail; {PROGRAM} {command} {into}"
            done = subprocess.run(
                ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 2, (command, done.stderr)
            assert re.fullmatch(r"idp: standard output .*nothing was done\n", done.stderr)

        assert output_of(environment, "audit", "list", "--json") == before

    def test_a_file_takes_the_secret_and_nothing_else(
        self, environment: dict[str, str], client_id: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "kept"
        path.write_text("before\n")
        script = f"{PROGRAM} client rotate-secret {client_id} >> {path}"

        subprocess.run(["bash", "-c", script], env=environment, check=True)

        text = path.read_text()
        assert text.startswith("before\nclient id")
        assert "\0" not in text


@on_sqlite
def test_what_was_made_and_could_not_be_shown_says_what_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    family()
    client: Client = RelyingParty.of(factories.school()).registered.client
    client_id, before = client.id, client.secret_hash

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(output, "one", full)

    rotated = refused(run("client", "rotate-secret", client_id))
    issued = refused(run("token", "issue", "claire"))

    assert "No space left on device" in rotated
    assert f"idp client rotate-secret {client_id}" in rotated
    assert "the earlier tokens have ended; run it again" in issued
    db.session.rollback()
    db.session.expire_all()
    assert registration.get_client(client_id).secret_hash != before
