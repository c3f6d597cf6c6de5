"""A school's own list: CSV and XLSX, as Excel and school software write them."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from idp.database import db
from idp.people.models import Account, Child, Guardianship, School
from idp.readiness import agreement
from tests.cli.conftest import Run, refused
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import table, workbook
from tests.security.rotation import lists

pytestmark = pytest.mark.long_on("postgresql")

HEADER = [
    *("Matricule", "Nom de l'élève", "Prénom de l'élève", "Classe", "Date de naissance"),
    *("Nom responsable 1", "Prénom responsable 1", "E-mail responsable 1", "Lien"),
    *("Nom responsable 2", "Prénom responsable 2", "E-mail responsable 2"),
]
CLAIRE = ["Dubois", "Claire", "claire@dubois.example", "mère"]
ROWS = [
    [
        "101,0",
        "Dubois",
        "Zoë",
        "3B",
        "12/04/2014",
        *CLAIRE,
        "Dubois",
        "Marc",
        "marc@dubois.example",
    ],
    ["102,0", "Dubois", "Tom", "1A", "01/09/2016", *CLAIRE, "", "", ""],
]


def families() -> set[tuple[str, str, str]]:
    db.session.expire_all()
    rows = db.session.execute(
        select(Child.given_name, Account.given_name, Guardianship.relationship)
        .join(Guardianship, Guardianship.child_id == Child.id)
        .join(Account, Account.id == Guardianship.account_id)
        .where(Guardianship.ended_at.is_(None), Child.left_at.is_(None))
    )
    return {(row[0], row[1], row[2]) for row in rows}


EXPECTED = {
    ("Zoë", "Claire", "mother"),
    ("Zoë", "Marc", "parent"),
    ("Tom", "Claire", "mother"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_any_encoding_and_separator_of_excel_is_read(
    imported: Import, tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = tmp_path / "pupils.csv"
    path.write_bytes(table([HEADER, *ROWS], delimiter).encode(encoding))

    report = imported(path)

    assert families() == EXPECTED
    assert report["counts"] == {"account_made": 2, "child_made": 2, "guardianship_made": 3}
    assert imported(path)["counts"] == {}


def test_a_workbook_is_read_like_a_csv_file(imported: Import, tmp_path: Path) -> None:
    first = [101, *ROWS[0][1:4], date(2014, 4, 12), *ROWS[0][5:]]
    second = [102.0, *ROWS[1][1:4], None, *ROWS[1][5:]]
    path = workbook(tmp_path / "pupils.xlsx", [[], HEADER, first, [], second])

    imported(path)

    assert families() == EXPECTED
    numbers = db.session.scalars(select(Child.sourced_id).order_by(Child.sourced_id)).all()
    assert numbers == ["101", "102"]
    assert imported(path)["counts"] == {}


def test_c5_a_birth_date_is_stored_nowhere(checked: Import, app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "pupils.csv"
    nameless = [*ROWS[0][:2], "", *ROWS[0][3:]]
    path.write_text(table([HEADER, *ROWS, ["103", *nameless[1:]]]))
    checked(path)  # with a rejected row that waits to be written out
    for name in db.metadata.tables:
        for row in db.session.execute(select(db.metadata.tables[name])):
            assert "12/04/2014" not in str(row)
            assert "2014-04-12" not in str(row)


def test_a_row_for_each_guardian_is_read_too(imported: Import, tmp_path: Path) -> None:
    header = ["Leerlingnummer", "Naam", "Voornaam", "Klas", "Voogd naam", "Voogd voornaam"]
    header += ["Voogd e-mail", "Verwantschap"]
    path = tmp_path / "leerlingen.csv"
    rows = [
        ["1", "Maes", "Fien", "2C", "Maes", "Rita", "rita@maes.example", "moeder"],
        ["1", "Maes", "Fien", "2C", "Claes", "Jan", "jan@claes.example", "vader"],
    ]
    path.write_text(table([header, *rows], ";"))
    imported(path)
    assert families() == {("Fien", "Rita", "mother"), ("Fien", "Jan", "father")}


def test_mother_and_father_columns_say_who_they_are(imported: Import, tmp_path: Path) -> None:
    path = tmp_path / "eleves.csv"
    header = ["Nom", "Prénom", "Classe", "Nom mère", "Prénom mère", "Email mère"]
    header += ["Nom père", "Prénom père", "Email père"]
    row = ["Dubois", "Lina", "3B", "Maes", "Ann", "ann@maes.example"]
    row += ["Dubois", "Marc", "marc@dubois.example"]
    path.write_text(table([header, row]))
    imported(path)
    assert families() == {("Lina", "Ann", "mother"), ("Lina", "Marc", "father")}


def test_a_pupil_whose_last_day_has_passed_is_not_there(imported: Import, tmp_path: Path) -> None:
    header = [*HEADER, "Date de sortie"]
    rows = [[*ROWS[0], "31/08/2020"], [*ROWS[1], "30/06/2999"]]
    path = tmp_path / "pupils.csv"
    path.write_text(table([header, *rows]))
    report = imported(path)
    assert report["read"]["ignored"] == {"of pupils who have left": 1}
    assert families() == {("Tom", "Claire", "mother")}


SIMPLE = ["Élève", "Classe", "Responsable", "Courriel"]


def simple(path: Path, *rows: list[str]) -> Path:
    path.write_text(table([SIMPLE, *rows]))
    return path


def test_a_name_in_one_cell_is_split_where_that_is_certain(
    imported: Import, tmp_path: Path
) -> None:
    path = simple(
        tmp_path / "eleves.csv",
        ["DUBOIS Lina", "3B", "Dubois, Claire", "claire@dubois.example"],
        ["Tom Dubois", "1A", "DUBOIS Claire", "claire@dubois.example"],
    )
    report = imported(path)
    assert families() == {("Lina", "Claire", "parent")}
    assert report["read"]["rejected"] == {"name_in_one": 1}


def test_a_guardian_who_cannot_be_read_any_more_stays_one(imported: Import, tmp_path: Path) -> None:
    good = ["DUBOIS Lina", "3B", "DUBOIS Claire", "claire@dubois.example"]
    imported(simple(tmp_path / "1.csv", good))
    broken = ["DUBOIS Lina", "4B", "Claire Dubois", "claire@dubois.example"]

    report = imported(simple(tmp_path / "2.csv", broken))

    assert report["counts"] == {"child_changed": 1}
    assert report["read"]["rejected"] == {"name_in_one": 1}
    assert families() == {("Lina", "Claire", "parent")}


def test_without_numbers_an_address_that_changes_keeps_the_guardian(
    imported: Import, tmp_path: Path
) -> None:
    first = simple(tmp_path / "1.csv", ["DUBOIS Lina", "3B", "DUBOIS Claire", "old@a.example"])
    imported(first)
    account = db.session.scalars(select(Account)).one()

    second = simple(tmp_path / "2.csv", ["DUBOIS Lina", "4B", "DUBOIS Claire", "new@a.example"])
    report = imported(second)

    assert report["counts"] == {"account_changed": 1, "child_changed": 1}
    db.session.expire_all()
    assert account.email == "new@a.example"


def test_r18_without_numbers_everybody_stays_under_another_secret(
    app: Flask, imported: Import, tmp_path: Path
) -> None:
    rows = [
        ["PEETERS Emma", "1A", "PEETERS Jan", "jan@a.example"],
        ["PEETERS Noah", "2B", "PEETERS Jan", ""],
    ]
    agreement.join()
    imported(simple(tmp_path / "before.csv", *rows))
    for step in ("added", "promoted", "removed"):
        app.extensions["idp.settings"] = replace(app.extensions["idp.settings"], **lists(step))
        rows.reverse()
        assert imported(simple(tmp_path / f"{step}.csv", *rows))["counts"] == {}, step


def test_without_numbers_two_pupils_of_one_name_are_two(imported: Import, tmp_path: Path) -> None:
    rows = [
        ["PEETERS Emma", "1A", "PEETERS Jan", "jan@a.example"],
        ["PEETERS Emma", "2B", "PEETERS Piet", "piet@b.example"],
    ]
    imported(simple(tmp_path / "1.csv", *rows))
    children = {child.class_name: child.id for child in db.session.scalars(select(Child))}
    assert set(children) == {"1A", "2B"}

    report = imported(simple(tmp_path / "2.csv", *reversed(rows)))

    assert report["counts"] == {}


def test_without_numbers_and_addresses_two_guardians_of_one_name_are_two(
    imported: Import, tmp_path: Path
) -> None:
    path = simple(
        tmp_path / "1.csv",
        ["PEETERS Emma", "1A", "PEETERS Jan", ""],
        ["PEETERS Noah", "2B", "PEETERS Jan", ""],
    )
    imported(path)
    names = db.session.scalars(select(Account.username).order_by(Account.username)).all()
    assert names == ["jan.peeters", "jan.peeters2"]


def test_an_unknown_word_for_a_relationship_is_told(checked: Import, tmp_path: Path) -> None:
    path = tmp_path / "pupils.csv"
    row = ROWS[0].copy()
    row[8] = "marraine"
    path.write_text(table([HEADER, row]))
    finding = checked(path)["findings"]["unknown_relationship"]
    assert (finding["count"], finding["samples"]) == (1, ["marraine"])


# The mapping


def test_a_mapping_is_shown_corrected_and_kept(
    run: Run, json_of: JsonOf, imported: Import, school: School, tmp_path: Path
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(table([["A", "B", "C", "D", "E"], ["Lina", "Dubois", "Claire", "Dubois", "x"]]))
    assert json_of("roster", "map", str(path), "--school", school.id)["problems"]
    assert "guardian" in refused(run("roster", "check", str(path), "--school", school.id))

    targets = ("A=pupil.given", "B=pupil.family", "C=guardian.1.given", "D=guardian.1.family")
    columns = [word for target in targets for word in ("--column", target)]
    made = json_of("roster", "map", str(path), "--school", school.id, *columns, "--save")

    assert made["problems"] == []
    imported(path)
    assert families() == {("Lina", "Claire", "parent")}


def test_a_mapping_that_reads_nobody_is_not_kept(run: Run, school: School, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("A,B\n1,2\n")
    refused(run("roster", "map", str(path), "--school", school.id, "--save"))


@pytest.mark.parametrize("target", ["pupil.birth", "guardian.9.email", "guardian.email", "x"])
def test_a_target_that_does_not_exist_is_refused(
    run: Run, school: School, tmp_path: Path, target: str
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("A,B\n1,2\n")
    column = f"A={target}"
    refused(run("roster", "map", str(path), "--school", school.id, "--column", column))
