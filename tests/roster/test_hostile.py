"""A6: files that are made to hurt are refused in one sentence, and nothing is left of them."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from idp.database import db
from idp.people.models import Account, Child, School
from idp.roster import archives, tables, workbooks
from idp.roster.layout import Layout
from idp.roster.models import RosterPupil, RosterRejection
from idp.roster.records import Hostile, Unusable
from idp.roster.spreadsheet_cells import quoted
from tests.cli.conftest import Run, refused
from tests.roster.conftest import Import
from tests.roster.files import OneRoster, table, workbook
from tests.roster.test_lists import HEADER, ROWS
from tests.roster.test_oneroster import whole

pytestmark = pytest.mark.long_on("postgresql")

Make = Callable[[Path], Path]


def zipped(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def bomb(path: Path) -> Path:
    return zipped(path, {"manifest.csv": b"a,b\n", "users.csv": b"a" * 60_000_000})


def many(path: Path) -> Path:
    return zipped(path, {f"{number}.csv": b"a\n" for number in range(300)})


def outside(path: Path) -> Path:
    return zipped(path, {"manifest.csv": b"a,b\n", "../../users.csv": b"sourcedId\n"})


def absolute(path: Path) -> Path:
    return zipped(path, {"manifest.csv": b"a,b\n", "/etc/users.csv": b"sourcedId\n"})


def twice(path: Path) -> Path:
    return zipped(path, {"a/users.csv": b"sourcedId\n", "b/users.csv": b"sourcedId\n"})


def linked(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("users.csv")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return path


def cut(path: Path) -> Path:
    whole().zip(path)
    path.write_bytes(path.read_bytes()[:-200] + b"PK\x05\x06" + bytes(18))
    return path


def endless_line(path: Path) -> Path:
    return zipped(path, {"manifest.csv": b"a,b\n", "users.csv": b"sourcedId\n" + b"ab" * 200_000})


def endless_cell(path: Path) -> Path:
    cell = b'sourcedId,role\n"' + b"never closed\n" * 20_000
    return zipped(path, {"manifest.csv": b"a,b\n", "users.csv": cell})


def endless_columns(path: Path) -> Path:
    content = b"sourcedId" + b",x" * 5_000 + b"\n"
    return zipped(path, {"manifest.csv": b"a,b\n", "users.csv": content})


def endless_row(path: Path) -> Path:
    content = b"sourcedId,role\n" + b"x," * 5_000 + b"\n"
    return zipped(path, {"manifest.csv": b"a,b\n", "users.csv": content})


@pytest.mark.parametrize(
    "make",
    [
        *(bomb, many, outside, absolute, twice, linked, cut),
        *(endless_line, endless_cell, endless_columns, endless_row),
    ],
)
def test_a6_a_hostile_zip_is_refused(run: Run, school: School, tmp_path: Path, make: Make) -> None:
    path = make(tmp_path / "roster.zip")
    refused(run("roster", "import", str(path), "--school", school.id))
    assert db.session.scalar(select(func.count()).select_from(Child)) == 0
    assert db.session.scalar(select(func.count()).select_from(RosterPupil)) == 0


def test_a6_what_a_zip_claims_of_its_sizes_is_not_believed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "r.zip", {"users.csv": b"a" * 1000})
    data = bytearray(path.read_bytes())
    for place in range(len(data) - 4):
        if data[place : place + 4] == (1000).to_bytes(4, "little"):
            data[place : place + 4] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(Unusable):
        read_whole(path)


def read_whole(path: Path) -> None:
    with archives.opened(path) as source:
        source.open("users.csv").read()


def xml_in(path: Path, xml: bytes) -> Path:
    """A good workbook whose sheet is replaced."""
    good = io.BytesIO()
    workbook(path, [HEADER, *ROWS])
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(good, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry.filename, xml if "sheet1.xml" in entry.filename else content)
    path.write_bytes(good.getvalue())
    return path


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">
<c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">
<c r="A1" t="inlineStr"><is><t>&a;</t></is></c></row></sheetData></worksheet>"""


@pytest.mark.parametrize(
    "xml",
    [
        LAUGHS,
        OUTSIDE,
        LAUGHS.decode().encode("utf-16"),
        b" " * 100_000_000,
        b"<worksheet><sheetData>",
    ],
)
def test_a6_hostile_xml_in_a_workbook_is_refused(tmp_path: Path, xml: bytes) -> None:
    path = xml_in(tmp_path / "pupils.xlsx", xml)
    with pytest.raises(Unusable):
        list(workbooks.rows(path, path.name, Layout()))


def test_a6_entities_in_a_part_by_another_name_are_refused(tmp_path: Path) -> None:
    path, renamed = xml_in(tmp_path / "pupils.xlsx", LAUGHS), io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(renamed, "w") as new:
        for entry in old.infolist():
            content = old.read(entry).replace(b"sheet1.xml", b"sheet1.part")
            new.writestr(entry.filename.replace("sheet1.xml", "sheet1.part"), content)
    path.write_bytes(renamed.getvalue())
    with pytest.raises(Unusable):
        list(workbooks.rows(path, path.name, Layout()))


def test_a6_no_workbook_is_read_without_the_parser_that_refuses_entities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workbook(tmp_path / "pupils.xlsx", [HEADER, *ROWS])
    monkeypatch.setattr("openpyxl.DEFUSEDXML", False)
    with pytest.raises(RuntimeError, match="defusedxml"):
        list(workbooks.rows(path, path.name, Layout()))


def test_a6_a_sheet_that_claims_a_million_columns_is_refused(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "wide.xlsx", [[*HEADER, *(f"column {number}" for number in range(300))]]
    )
    with pytest.raises(Hostile):
        list(workbooks.rows(path, path.name, Layout()))


def test_a6_rows_far_down_a_sheet_cost_nothing(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(HEADER)
    book.active.append(ROWS[0])
    book.active.cell(row=1_000_000, column=1, value="far")
    book.save(tmp_path / "long.xlsx")
    assert len(list(workbooks.rows(tmp_path / "long.xlsx", "long.xlsx", Layout()))) == 1


def test_a6_a_file_that_is_no_workbook_is_refused(run: Run, school: School, tmp_path: Path) -> None:
    path = tmp_path / "pupils.xlsx"
    path.write_bytes(b"Nom;Classe\n")
    refused(run("roster", "check", str(path), "--school", school.id))


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a6_links_are_not_followed(run: Run, school: School, tmp_path: Path, kind: str) -> None:
    target = whole().zip(tmp_path / "real.zip")
    path = tmp_path / "link"
    if kind == "file":
        path.symlink_to(target)
    else:
        whole().folder(path)
        (path / "users.csv").unlink()
        (path / "users.csv").symlink_to("/etc/passwd")
    refused(run("roster", "check", str(path), "--school", school.id))


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1", "  =1", "|cmd", "%0A"]
)
def test_a6_a_rejected_formula_is_text(app: Flask, cell: str) -> None:
    assert quoted(cell).startswith("'")


def test_a6_names_go_through_the_rules_of_people(
    imported: Import, school: School, tmp_path: Path
) -> None:
    made = OneRoster()
    made.school()
    for number, name in enumerate(
        ("Li\u202ena", "Li\0na", "x" * 200, "\ud800".encode("utf-8", "replace").decode(), "Lina")
    ):
        made.pupil(f"p{number}", name)
    imported(made.zip(tmp_path / "1.zip"))
    names = db.session.scalars(select(Child.given_name)).all()
    assert "Lina" in names
    assert not {"Li\u202ena", "Li\0na", "x" * 200} & set(names)


def test_a7_ids_that_look_like_sql_are_ids(imported: Import, tmp_path: Path) -> None:
    made = OneRoster()
    made.school()
    evil = "x'); DROP TABLE accounts; --:run"
    made.pupil(evil, "Lina", "Dubois", "g%s")
    made.guardian("g%s", "Claire :school", "Dubois")
    assert imported(made.zip(tmp_path / "1.zip"))["counts"]["guardianship_made"] == 1
    assert db.session.scalars(select(Child.sourced_id)).one() == evil
    assert db.session.scalars(select(Account.given_name)).one() == "Claire :school"


def test_an_id_of_our_own_kind_is_refused(imported: Import, tmp_path: Path) -> None:
    made = OneRoster()
    made.school()
    made.pupil("~stolen", "Lina")
    assert imported(made.zip(tmp_path / "1.zip"))["read"]["rejected"] == {"id_missing": 1}


def test_rejected_rows_are_kept_in_bounds(
    imported: Import, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from idp.roster import staging

    monkeypatch.setattr(staging, "MOST_REJECTIONS", 3)
    made = OneRoster()
    made.school()
    for number in range(10):
        made.pupil(f"p{number}", "")
    report = imported(made.zip(tmp_path / "1.zip"))
    assert report["read"]["rejected"] == {"name_missing": 10}
    assert len((tmp_path / "rejected.csv").read_text("utf-8-sig").splitlines()) == 4
    assert db.session.scalar(select(func.count()).select_from(RosterRejection)) == 0


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [("a;b;c", ";"), ("a,b", ","), ("a\tb", "\t"), ('"a;b;c",d', ","), ("alone", ";")],
)
def test_the_separator_is_what_stands_outside_quotes(line: str, delimiter: str) -> None:
    assert tables.delimiter_of([line]) == delimiter


def test_excels_own_hint_of_the_separator_is_followed(imported: Import, tmp_path: Path) -> None:
    path = tmp_path / "pupils.csv"
    path.write_text("sep=|\n" + table([HEADER, *ROWS], "|"))
    assert imported(path)["counts"]["child_made"] == 2
