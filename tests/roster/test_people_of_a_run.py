"""Whom an import is about, on the command line; rows to correct as a workbook."""

from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from idp.database import db
from idp.people.models import School
from idp.roster import concerned, service
from tests.roster.conftest import Import, JsonOf, Run
from tests.roster.files import OneRoster

pytestmark = pytest.mark.long_on("postgresql")


def a_file(class_name: str, count: int = 7) -> OneRoster:
    made = OneRoster()
    made.school()
    for number in range(count):
        made.pupil(f"p{number}", "Lina", f"Dubois{number}", f"g{number}", class_name=class_name)
        made.guardian(f"g{number}", "Claire", f"Dubois{number}", "shared@x.example")
    return made


def named(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in report["people"] if each["kind"] == kind]


def test_everybody_is_named_before_the_import_and_afterwards(
    imported: Import, checked: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    imported(a_file("3A").zip(tmp_path / "1.zip"))
    path = a_file("4A").zip(tmp_path / "2.zip")

    before = checked(path, "--people")
    after = imported(path, "--people")
    shown = json_of("roster", "show", after["run"], "--people")["schools"][0]

    for report in (before, after, shown):
        assert report["fields"] == {"child_changed.class": 7}
        assert report["classes"] == [{"old": "3A", "new": "4A", "count": 7}]
        moved = named(report, "child_changed.class")
        assert {(each["old"], each["new"]) for each in moved} == {("3A", "4A")}
        assert len(moved) == 7
        (shared,) = named(report, "shared_address")
        assert len(shared["lines"].split(", ")) == 7
    assert "people" not in checked(path)


def test_the_report_for_people_breaks_changes_down(
    imported: Import, run: Run, school: School, tmp_path: Path
) -> None:
    imported(a_file("3A").zip(tmp_path / "1.zip"))
    path = str(a_file("4A").zip(tmp_path / "2.zip"))

    shown = run("roster", "check", path, "--school", school.id, "--people").stdout

    assert "classes: 3A → 4A: 7" in shown
    assert "  Lina Dubois6 (3A → 4A)" in shown


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a6_rejected_rows_are_a_workbook_for_the_user_alone(
    json_of: JsonOf, school: School, tmp_path: Path
) -> None:
    path, out = tmp_path / "list.csv", tmp_path / "rows.xlsx"
    path.write_text("Nom;Prénom;Classe;Responsable\nMaes;0;=1+1;CLAES Els\n", encoding="utf-8")

    answer = json_of(
        *("roster", "check", str(path), "--school", school.id, "--language", "fr"),
        *("--rejected", str(out)),
    )

    assert answer["rejected_file"] == str(out)
    assert out.stat().st_mode & 0o777 == 0o600
    sheet = load_workbook(out).active
    assert sheet is not None
    assert sheet.title == "Lignes à corriger"
    assert (sheet["C2"].value, sheet["C2"].data_type) == ("=1+1", "s")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_was_noticed_while_reading_is_listed_whole_and_not_kept_with_the_numbers(
    json_of: JsonOf, school: School, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    words = [f"word{letter}" for letter in "abcdefgh"]
    rows = "".join(f"Maes;Tom{word};3B;CLAES Els{word};{word}\n" for word in words)
    path.write_text(f"Nom;Prénom;Classe;Responsable;Lien\n{rows}", encoding="utf-8")
    columns = ("--column", "Lien=guardian.1.relationship")

    run = json_of("roster", "import", str(path), "--school", school.id, *columns)["id"]

    listed = concerned.list_people(run, "", "unknown_relationship", 100)
    assert [each.who for each in listed] == words
    db.session.rollback()
    assert "noticed" not in service.get_run(run).reading
