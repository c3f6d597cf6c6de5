"""Every row, sheet and file is accounted for, and the sums are right (rule N2)."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import select

from idp.database import db
from idp.people.models import Child, School
from tests.cli.conftest import Run
from tests.roster.conftest import Import
from tests.roster.files import OneRoster, table, workbook
from tests.roster.test_lists import HEADER, ROWS

pytestmark = pytest.mark.long_on("postgresql")


def everything(version: str = "1.2") -> OneRoster:
    """A file with one of each: other schools, teachers, disabled, deleted, over, not yet, twice."""
    made = OneRoster(version)
    made.school()
    made.school("org-2", "École du Moulin")
    made.sessions = [
        {"sourcedId": "old", "title": "2020", "startDate": "2020-09-01", "endDate": "2021-06-30"},
        {"sourcedId": "new", "title": "now", "startDate": "2020-09-01", "endDate": "2999-06-30"},
    ]
    made.pupil("p1", "Lina", "Dubois", "g1", "g2")
    made.pupil("p2", "Tom", "Maes", "g3", class_name="2A")
    made.pupil("p3", "Zoé", "Claes", org="org-2")
    made.pupil("p4", "Ali", "Kaya", status="tobedeleted", class_name="2A")
    made.pupil("p1", "Lina", "Dubois", class_name=None)
    made.pupil("", "Nobody", "Numbered", class_name=None)
    made.guardian("g1", "Claire", "Dubois", "claire@dubois.example")
    made.guardian("g2", "Marc", "Dubois", enabledUser="0")
    made.guardian("g3", "Rita", "Maes", enabledUser="FALSE")
    made.guardian("t1", "Prof", "Esseur", role="teacher")
    made.enrol("p2", "old")
    made.classes["org-1-old"]["termSourcedIds"] = "old"
    made.enrol("p1", "1A", endDate="2020-06-30")
    made.enrol("p1", "9Z", beginDate="2999-09-01")
    if version == "1.2":
        made.roles[0] |= {"endDate": "2999-01-01"}
        made.guardian("g9", "Former", "Guardian")
        made.roles[-1] |= {"endDate": "2020-01-31"}
        made.guardian("g8", "Future", "Guardian")
        made.roles[-1] |= {"beginDate": "2999-01-31"}
    return made


def lines(content: bytes) -> int:
    return sum(1 for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) if any(row)) - 1


def balanced(read: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The account by file, after its sums were looked at."""
    account = {each["name"]: each for each in read["accounting"]["files"]}
    for each in account.values():
        assert each["rows"] == each["taken"] + sum(each["passed"].values())
        assert each["taken"] >= 0
    assert sum(each["rows"] for each in account.values()) == read["rows"]
    return account


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_n2_every_row_of_oneroster_is_accounted_for(
    checked: Import, tmp_path: Path, version: str
) -> None:
    made = everything(version)
    path = made.zip(tmp_path / "roster.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("demographics.csv", "sourcedId,birthDate\np1,2015-02-03\n")
        archive.writestr("relationships.csv", "userSourcedId,x\np1,g1\n")
        archive.writestr("notes.txt", "hello")
    contents = made.contents()

    report = checked(path)

    account = balanced(report["read"])
    for name in ("users", "classes", "enrollments", "academicSessions"):
        assert account[f"{name.lower()}.csv"]["rows"] == lines(contents[f"{name}.csv"]), name
    users = account["users.csv"]
    # Lina, Tom and Claire, and nobody else
    assert users["taken"] == 3
    passed = {"disabled": 2, "no_role": 1, "other_school": 1, "deleted": 1, "rejected": 2}
    if version == "1.2":
        passed |= {"over": 1, "later": 1}
        assert account["roles.csv"]["passed"] == {"over": 1, "later": 1}
    assert users["passed"] == passed
    assert account["academicsessions.csv"]["passed"] == {"over": 1}
    assert account["classes.csv"]["passed"] == {"other_school": 1, "over": 1}
    assert account["enrollments.csv"]["passed"] == {"no_class": 2, "over": 1}
    assert {each["name"]: each["why"] for each in report["read"]["accounting"]["unread"]} == {
        "demographics.csv": "not_needed",
        "relationships.csv": "relationships",
        "notes.txt": "unknown",
    }
    assert report["findings"]["relationships_unread"]["count"] == 1


def test_n2_every_row_of_a_list_is_accounted_for(checked: Import, tmp_path: Path) -> None:
    header = [*HEADER, "Date de sortie"]
    rows = [
        [*ROWS[0], ""],
        [*ROWS[1], "30/06/2999"],
        [*ROWS[1], "30/06/2999"],
        ["103", *ROWS[0][1:], "30/06/2020"],
        ["104", ROWS[0][1], "", *ROWS[0][3:], ""],
        ["", *ROWS[0][1:], ""],
        ["101", "Another", *ROWS[0][2:], ""],
    ]
    path = tmp_path / "pupils.csv"
    path.write_text(table([header, *rows]))

    account = balanced(checked(path)["read"])

    assert account["pupils.csv"]["rows"] == len(rows)
    assert account["pupils.csv"]["passed"] == {"twice": 1, "left": 1, "rejected": 3}


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_n2_the_header_once_more_is_accounted_for(
    checked: Import, tmp_path: Path, kind: str
) -> None:
    rows = [HEADER, ROWS[0], HEADER, ROWS[1], HEADER]
    path = tmp_path / f"pupils.{kind}"
    if kind == "csv":
        path.write_text(table(rows))
    else:
        workbook(path, rows)

    report = checked(path)

    account = balanced(report["read"])[path.name]
    assert (account["rows"], account["taken"]) == (4, 2)
    assert account["passed"] == {"header": 2}


def test_n2_a_header_of_two_lines_once_more_is_accounted_for(
    checked: Import, tmp_path: Path
) -> None:
    header = [["Élève", "", "", "Mère", ""], ["Nom", "Prénom", "Classe", "Nom", "Prénom"]]
    rows = [["Dubois", "Zoë", "3B", "Dubois", "Claire"], ["Maes", "Tom", "3B", "Maes", "Els"]]
    path = tmp_path / "pupils.csv"
    path.write_text(table([*header, rows[0], *header, rows[1]]))

    report = checked(path)

    account = balanced(report["read"])["pupils.csv"]
    assert (account["rows"], account["taken"], account["passed"]) == (4, 2, {"header": 2})
    assert report["counts"]["child_made"] == 2


def test_n2_the_header_once_more_of_oneroster_is_accounted_for(
    checked: Import, tmp_path: Path
) -> None:
    made = everything("1.1")
    users = made.contents()["users.csv"]
    header = users.split(b"\r\n")[0] + b"\r\n"
    made.folder(tmp_path / "roster")
    (tmp_path / "roster" / "users.csv").write_bytes(users + header)

    account = balanced(checked(tmp_path / "roster")["read"])

    assert account["users.csv"]["rows"] == lines(users) + 1
    assert account["users.csv"]["passed"]["header"] == 1


def test_n2_one_number_with_two_classes_is_told(
    checked: Import, imported: Import, tmp_path: Path
) -> None:
    header = ["Matricule", "Nom", "Prénom", "Classe", "Nom responsable", "Prénom responsable"]
    rows = [
        ["2026-1", "Dubois", "Lina", "3A", "Dubois", "Claire"],
        ["2026-1", "Dubois", "Lina", "3B", "Dubois", "Marc"],
        ["2026-1", "Dubois", "Lina", "3B", "Dubois", "Rita"],
        ["2026-2", "Maes", "Tom", "3A", "Maes", "Els"],
        ["2026-2", "Maes", "Tom", "3A", "Maes", "Jan"],
    ]
    path = tmp_path / "pupils.csv"
    path.write_text(table([header, *rows]))

    finding = checked(path)["findings"]["two_classes"]

    assert (finding["count"], finding["samples"]) == (1, ["Lina Dubois: 3A, 3B"])
    imported(path)
    classes = db.session.scalars(select(Child.class_name).where(Child.given_name == "Lina")).all()
    assert classes == ["3A"]


def test_n2_one_guardians_number_with_two_addresses_is_told(
    checked: Import, tmp_path: Path
) -> None:
    header = ["Matricule", "Nom", "Prénom", "Classe", "Id responsable", "Nom responsable"]
    header += ["Prénom responsable", "Mail responsable"]
    claire = ["g1", "Dubois", "Claire"]
    rows = [
        ["1001", "Dubois", "Lina", "3A", *claire, "claire@dubois.example"],
        ["1007", "Dubois", "Tom", "1A", *claire, "c.dubois@work.example"],
        ["1009", "Dubois", "Zoé", "1A", *claire, ""],
    ]
    path = tmp_path / "pupils.csv"
    path.write_text(table([header, *rows]))

    finding = checked(path)["findings"]["two_addresses"]

    assert finding["count"] == 1
    assert finding["samples"] == ["Claire Dubois: c.dubois@work.example"]


def test_n2_sheets_are_accounted_for(checked: Import, tmp_path: Path) -> None:
    book = Workbook()
    for place, title in enumerate(("P1", "P2", "Codes", "Old", "Empty")):
        sheet = book.active if place == 0 else book.create_sheet()
        sheet.title = title
        if title == "Codes":
            sheet.append(["Code", "Meaning"])
            sheet.append(["x", "y"])
        elif title != "Empty":
            sheet.append(HEADER)
            sheet.append([str(200 + place), *ROWS[0][1:]])
    book["Old"].sheet_state = "hidden"
    book.save(tmp_path / "pupils.xlsx")

    read = checked(tmp_path / "pupils.xlsx")["read"]

    account = balanced(read)
    assert {name: each["rows"] for name, each in account.items()} == {"P1": 1, "P2": 1}
    assert {each["name"]: each["why"] for each in read["accounting"]["unread"]} == {
        "Codes": "other",
        "Old": "hidden",
        "Empty": "empty",
    }


@pytest.mark.parametrize("written", ["false", "FALSE", "0", "no"])
def test_n2_guardians_whom_the_school_switched_off_are_asked_about(
    imported: Import, checked: Import, tmp_path: Path, written: str
) -> None:
    made = everything("1.1")
    for row in made.users:
        row["enabledUser"] = "true"
    imported(made.zip(tmp_path / "1.zip"))
    made.users[7]["enabledUser"] = written
    path = made.zip(tmp_path / "2.zip")

    report = checked(path)

    (question,) = report["questions"]
    assert (question["key"], question["count"]) == ("disabled", 1)
    assert question["people"][0]["new"]["name"] == "Marc Dubois"
    assert imported(path)["counts"] == {}  # neither ended nor changed without a word
    ended = imported(path, "--decide", "disabled=another", "--confirm-large-change")
    assert ended["counts"] == {"guardianship_ended": 1}
    back = imported(path, "--decide", "disabled=same")
    assert back["counts"] == {"guardianship_made": 1}
    assert imported(path, "--decide", "disabled=same")["counts"] == {}


def test_one_row_and_one_question_are_told_as_one(run: Run, school: School, tmp_path: Path) -> None:
    made = OneRoster()
    made.school()
    made.pupil("p1", "Lina", "Dubois", "g1", "g2")
    made.guardian("g1", "Marc", "Dubois", enabledUser="0")
    made.guardian("g2", "Claire", "Dubois")

    def output_of(name: str) -> str:
        path = made.zip(tmp_path / name)
        return run("roster", "check", str(path), "--school", school.id).output

    one = output_of("1.zip")
    assert "? 1 question is open: whom it is about stays as they are. Answer" in one
    assert "classes.csv: 1 row, 1 taken" in one
    assert "users.csv: 3 rows, 2 taken; 1 × guardians switched off" in one
    made.pupil("p2", "Tom", "Dubois", "g2")
    made.enrol("p2", "1A")
    assert "classes.csv: 2 rows, 2 taken" in output_of("2.zip")


def test_n2_a_new_guardian_who_is_switched_off_is_made_when_somebody_says_so(
    imported: Import, tmp_path: Path
) -> None:
    path = everything("1.1").zip(tmp_path / "1.zip")
    report = imported(path)
    assert (report["counts"]["account_made"], report["asked"]) == (1, 1)
    assert imported(path, "--decide", "disabled=same")["counts"] == {
        "account_made": 2,
        "guardianship_made": 2,
    }
