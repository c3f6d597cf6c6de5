"""``idp backup verify --erasures-from``: the list of who was erased is proved with the backup."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from idp import clock
from idp.backup import erasures
from idp.database import db
from idp.purge import erasing
from idp.settings import Settings
from tests.cli.backups import made, settings_with_key
from tests.cli.conftest import Run
from tests.privacy.whole_family import Family

pytestmark = pytest.mark.long


@pytest.fixture
def settings(database_url: str, keys_folder: Path) -> Settings:
    return settings_with_key(database_url, keys_folder)


@pytest.fixture
def family(app: Flask) -> Family:
    return Family()


@pytest.fixture
def file(run: Run, family: Family, tmp_path: Path) -> str:
    return str(made(run, tmp_path / "backup"))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "erasures.txt"


def erase(family: Family) -> None:
    erasing.erase(accounts=[family.account.id], children=[family.child.id], why="asked")
    db.session.remove()


def test_r16_it_tells_how_many_a_restore_would_erase_again(
    run: Run, family: Family, file: str, kept: Path, tmp_path: Path
) -> None:
    erase(family)
    kept.write_text(run("backup", "erasures").stdout)
    newer = str(made(run, tmp_path / "newer"))
    for source, many in ((file, 2), (newer, 0)):
        result = run("backup", "verify", source, "--json", "--erasures-from", str(kept))
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert (told["proved"], told["would_be_erased_again"]) == (True, many)
        assert (told["erasures_known_until"] is None) == (source == newer)
    told = json.loads(run("backup", "verify", file, "--json").stdout)
    assert "would_be_erased_again" not in told


def test_r16_a_list_that_a_restore_would_refuse_is_refused_as_it_would(
    run: Run, family: Family, file: str, kept: Path
) -> None:
    erase(family)
    head, *rest = run("backup", "erasures").stdout.splitlines()
    before = (clock.now() - timedelta(days=4)).isoformat()
    of_another = "# erased of d_other - 2030-01-01T00:00:00+00:00"
    for lines, words in (
        ([head, *rest[1:]], "does not bear the seal"),
        ([head, rest[0]], "cut off"),
        (list(erasures.sealed([of_another, "# end: 0"])), "another database"),
        (list(erasures.sealed(["a_somebody 2030-01-01"])), "neither a backup nor"),
        (
            list(erasures.sealed([head, f"{family.account.id} {before}", "# end: 1"])),
            "not to be believed",
        ),
    ):
        kept.write_text("\n".join(lines))
        proved, restored = (
            run("backup", *verb, file, "--erasures-from", str(kept))
            for verb in (("verify",), ("restore", "--replace", "--yes"))
        )
        assert (proved.exit_code, restored.exit_code) == (2, 2), proved.output
        said = proved.stderr.strip().splitlines()[-1]
        assert words in said
        assert said == restored.stderr.strip().splitlines()[-1]
    assert "proved" not in proved.stdout
