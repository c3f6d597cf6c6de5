"""Where a list lies in its file: its encoding, the line of its header, its sheets."""

from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import select

from idp.database import db
from idp.people.models import Account, Child
from idp.roster import encodings
from tests.cli.conftest import Run, refused
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import table

pytestmark = pytest.mark.long_on("postgresql")

HEADER = ["Nom", "Prénom", "Classe", "Nom responsable 1", "Prénom responsable 1"]
HEADER += ["E-mail responsable 1"]
ZOE = ["Léger", "Zoé", "P1", "Noël", "François", "francois@fam.example"]
LEA = ["Çelik", "Léa", "P1", "Lefèvre", "Hélène", "helene@fam.example"]


def pupils() -> set[tuple[str, str, str]]:
    db.session.expire_all()
    rows = db.session.execute(select(Child.given_name, Child.family_name, Child.class_name))
    return {(row[0], row[1], row[2]) for row in rows}


@pytest.mark.parametrize("encoding", ["cp850", "mac_roman"])
def test_a_list_of_ms_dos_or_macintosh_is_read_with_its_letters(
    checked: Import, imported: Import, tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "eleves.csv"
    path.write_bytes(table([HEADER, ZOE, LEA], ";").encode(encoding))

    assert checked(path)["read"]["encoding"] == encoding
    imported(path)

    assert pupils() == {("Zoé", "Léger", "P1"), ("Léa", "Çelik", "P1")}
    names = set(db.session.scalars(select(Account.username)))
    assert names == {"francois.noel", "helene.lefevre"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize(
    "names",
    ["Zoé Léger François", "JOSÉ ÇELIK NOËL", "Müller Jäger Weiß Ömer", "García Muñoz João"],
)
def test_names_prove_their_encoding(encoding: str, names: str) -> None:
    from io import BytesIO

    for each in (encoding, "cp850", "mac_roman"):
        if "ã" in names and each == "cp850":
            continue  # has it, at a place that no detector tells from « ¶ »
        text = f"Naam;{names.replace(' ', chr(10))};"
        content = text.encode(each)
        detected = encodings.detect_encoding(lambda content=content: BytesIO(content))  # type: ignore[misc]
        assert content.decode(detected).lstrip("\ufeff") == text


def test_the_encoding_can_be_chosen_and_names_are_shown(
    json_of: JsonOf, school: Any, tmp_path: Path
) -> None:
    path = tmp_path / "eleves.csv"
    path.write_bytes(table([HEADER, ZOE], ";").encode("cp850"))
    wrong = json_of("roster", "map", str(path), "--school", school.id, "--encoding", "cp1252")
    assert "L‚ger" in wrong["names"]
    right = json_of("roster", "map", str(path), "--school", school.id)
    assert right["encoding"] == "cp850"
    assert "Léger" in right["names"]


def test_letters_of_a_wrong_encoding_become_no_people(imported: Import, tmp_path: Path) -> None:
    path = tmp_path / "eleves.csv"
    path.write_bytes(table([HEADER, ZOE, ["Maes", "Tom", "P2"]], ";").encode("cp850"))
    columns = ["Nom=pupil.family", "Classe=pupil.class", "Prénom=pupil.given"]
    wrong = [each.encode("cp850").decode("cp1252") for each in columns]
    options = [text for each in wrong for text in ("--column", each)]
    report = imported(path, "--encoding", "cp1252", *options)
    assert pupils() == {("Tom", "Maes", "P2")}
    assert report["read"]["rejected"] == {"letters_wrong": 1}


TITLES = [["École Saint-Joseph – Liste des élèves"], ["Imprimé le 28/11/2026"], []]
TWO_LINES = [
    ["Élève", "", "", "Mère", "", "", "Père", "", ""],
    ["Nom", "Prénom", "Classe", *(["Nom", "Prénom", "Mail"] * 2)],
]
FAMILY = ["Dumont", "Lise", "P1", "Leroy", "Anne", "anne@fam.example", "Dumont", "Paul", ""]


@pytest.mark.parametrize("above", [TITLES, [[]], [[], ["Année 2026-2027", "page 1"]]])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_header_is_found_by_its_words(
    imported: Import, tmp_path: Path, kind: str, above: list[list[str]]
) -> None:
    path = _file(tmp_path, kind, [*above, HEADER, ZOE, HEADER, LEA])
    report = imported(path)
    assert pupils() == {("Zoé", "Léger", "P1"), ("Léa", "Çelik", "P1")}
    assert report["read"]["header"] == [len(above) + 1] * 2
    assert not report["read"]["rejected"]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_header_of_two_lines_is_read_as_one(imported: Import, tmp_path: Path, kind: str) -> None:
    imported(_file(tmp_path, kind, [["Liste"], *TWO_LINES, FAMILY]))
    rows = db.session.execute(select(Account.given_name, Account.email))
    people = {(row[0], row[1]) for row in rows}
    assert people == {("Anne", "anne@fam.example"), ("Paul", None)}


def test_the_line_of_the_header_can_be_said(
    run: Run, imported: Import, school: Any, tmp_path: Path
) -> None:
    lines = [
        ["Nom de l'école", "Classe", "Élèves"],
        ["A", "B", "C", "D"],
        ["Maes", "Tom", "P2", "X"],
    ]
    path = _file(tmp_path, "csv", lines)
    columns = ["A=pupil.family", "B=pupil.given", "C=pupil.class", "D=guardian.1.name"]
    options = [text for each in columns for text in ("--column", each)]
    refused(run("roster", "check", str(path), "--school", school.id, *options))
    imported(path, "--header-row", "2", *options)
    assert pupils() == {("Tom", "Maes", "P2")}
    refused(run("roster", "check", str(path), "--school", school.id, "--header-row", "x"))


def test_sheets_of_one_header_are_one_list_and_others_are_told(
    imported: Import, tmp_path: Path
) -> None:
    path = tmp_path / "ecole.xlsx"
    book = Workbook()
    head = [word for word in HEADER if word != "Classe"]
    for title, row in (("P1", ZOE), ("P2", LEA)):
        sheet = book.create_sheet(title)
        sheet.append(head)
        sheet.append([cell for place, cell in enumerate(row) if place != 2])
    old = book.create_sheet("Anciens")
    old.append(head)
    old.append(["Parti", "Léo", "Parti", "Eve", "eve@fam.example"])
    old.sheet_state = "hidden"
    book.create_sheet("Cantine").append(["Jour", "Plat"])
    book.save(path)

    report = imported(path)

    assert pupils() == {("Zoé", "Léger", "P1"), ("Léa", "Çelik", "P2")}
    sheets = {each["name"]: (each["read"], each["why"]) for each in report["read"]["sheets"]}
    assert sheets == {
        "Sheet": (False, "empty"),
        "P1": (True, ""),
        "P2": (True, ""),
        "Anciens": (False, "hidden"),
        "Cantine": (False, "other"),
    }


def test_sheets_can_be_chosen(run: Run, imported: Import, school: Any, tmp_path: Path) -> None:
    path = tmp_path / "ecole.xlsx"
    book = Workbook()
    for title, row in (("P1", ZOE), ("P2", LEA)):
        sheet = book.create_sheet(title)
        sheet.append(HEADER)
        sheet.append(row)
    book.worksheets[2].sheet_state = "hidden"
    book.save(path)
    refused(run("roster", "check", str(path), "--school", school.id, "--sheet", "P9"))
    imported(path, "--sheet", "P2")
    assert pupils() == {("Léa", "Çelik", "P1")}


def test_a_workbook_in_a_zip_is_a_list(imported: Import, tmp_path: Path) -> None:
    import zipfile

    inner = _file(tmp_path, "xlsx", [HEADER, ZOE])
    with zipfile.ZipFile(tmp_path / "list.zip", "w") as archive:
        archive.write(inner, "liste.xlsx")
    imported(tmp_path / "list.zip")
    assert pupils() == {("Zoé", "Léger", "P1")}


def _file(folder: Path, kind: str, lines: list[list[str]]) -> Path:
    path = folder / f"liste.{kind}"
    if kind == "csv":
        path.write_text(table(lines, ";"), "utf-8")
        return path
    book = Workbook()
    for line in lines:
        book.worksheets[0].append(line)
    book.save(path)
    return path
