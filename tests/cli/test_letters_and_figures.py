"""``idp token letter``, ``idp token letters`` and ``idp school figures``."""

import json
import stat
from pathlib import Path

import pytest

from tests import factories
from tests.admin import papers
from tests.cli.conftest import Run, refused

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def family() -> str:
    """A school with one invited guardian; returns the school's id."""
    school = factories.school()
    factories.family(school, "Lina", username="claire", status="invited")
    return str(school.id)


def test_a_letter_is_a_file_that_only_its_maker_reads(run: Run, tmp_path: Path) -> None:
    family()
    path = tmp_path / "claire.pdf"
    path.write_text("older")
    path.chmod(0o644)

    done = run("token", "letter", "claire", "-o", str(path), "--json")

    assert json.loads(done.stdout) == {"file": str(path), "letters": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "/welcome#" in papers.link(path.read_bytes())


def test_the_letters_of_a_class_are_one_file(run: Run, tmp_path: Path) -> None:
    school = family()
    path = tmp_path / "3B.pdf"
    words = ("token", "letters", "--school", school, "--class", "3B", "-o", str(path))

    assert json.loads(run(*words, "--json").stdout)["letters"] == 1
    assert "--again" in refused(run(*words))
    assert json.loads(run(*words, "--again", "--json").stdout)["letters"] == 1


def test_what_cannot_be_printed_is_one_line(run: Run, tmp_path: Path) -> None:
    school = family()
    path = str(tmp_path / "x.pdf")
    run("user", "disable", "claire")
    assert "disabled" in refused(run("token", "letter", "claire", "-o", path))
    assert "no school" in refused(run("token", "letters", "--school", "s_x", "-o", path))
    nowhere = str(tmp_path / "no" / "x.pdf")
    assert "written" in refused(run("token", "letters", "--school", school, "-o", nowhere))
    assert not list(tmp_path.glob("*.pdf"))


def test_figures_of_a_school(run: Run) -> None:
    school = family()

    figures = json.loads(run("school", "figures", school, "--json").stdout)

    assert figures["steps"]["guardians"] == 1
    assert [row["name"] for row in figures["classes"]] == ["3B"]
    assert "all together" in run("school", "figures", school).stdout
    assert "no school" in refused(run("school", "figures", "s_x"))
