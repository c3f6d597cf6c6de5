"""Cells that are no person's name: what look-ups and people write where there is nobody."""

from pathlib import Path

import pytest
from sqlalchemy import select

from idp.database import db
from idp.people.models import Account, Child
from idp.roster.odd_names import is_broken, why_nobody
from tests.roster.conftest import Import
from tests.roster.files import OneRoster, table

pytestmark = pytest.mark.long_on("postgresql")

HEADER = ["Nom", "Prénom", "Classe", "Nom responsable 1", "Prénom responsable 1"]
HEADER += ["E-mail responsable 1"]


@pytest.mark.parametrize("word", ["#N/A", "#NV", "#REF!", "0", "NULL", "?", "X", "???", "#NOM?"])
def test_a_word_for_nobody_becomes_no_person(imported: Import, tmp_path: Path, word: str) -> None:
    path = tmp_path / "eleves.csv"
    rows = [["Peeters", "Lucas", "3A", word, word, word], [word, word, "3A", "Maes", "Els", ""]]
    path.write_text(table([HEADER, *rows], ";"))
    report = imported(path)
    assert report["counts"] == {"child_made": 1}
    assert report["read"]["rejected"] == {"nobody": 2}
    assert not db.session.scalars(select(Account)).all()


@pytest.mark.parametrize("word", ["-", "n.v.t.", "/", "geen", "n/a"])
def test_a_word_for_none_is_an_empty_cell(imported: Import, tmp_path: Path, word: str) -> None:
    path = tmp_path / "eleves.csv"
    path.write_text(table([HEADER, ["Peeters", "Lucas", "3A", word, word, word]], ";"))
    report = imported(path)
    assert report["counts"] == {"child_made": 1}
    assert report["read"]["rejected"] == {}


@pytest.mark.parametrize(
    ("word", "why"),
    [
        *[(each, "nobody") for each in ("vide", "leer", "FALSE", "FAUX", "WAAR", "ONWAAR", "VRAI")],
        *[(each, "nobody") for each in ("FALSCH", "TRUE", "blank", "leeg")],
        *[(each, "no_answer") for each in ("NC", "idem", "overleden", "décédé", "verstorben")],
        *[(each, "no_answer") for each in ("Non renseigné", "niet ingevuld", "nee", "k.A.")],
        *[(each, "role_for_name") for each in ("parent 1", "Ouder 1", "moeder", "pas de père")],
    ],
)
def test_answers_roles_and_words_of_programs_become_no_people(
    imported: Import, tmp_path: Path, word: str, why: str
) -> None:
    path = tmp_path / "eleves.csv"
    rows = [["Peeters", "Lucas", "3A", word, word, ""], [word, word, "3A", "Maes", "Els", ""]]
    path.write_text(table([HEADER, *rows], ";"))
    report = imported(path)
    assert report["counts"] == {"child_made": 1}
    assert report["read"]["rejected"] == {why: 2}
    assert not db.session.scalars(select(Account)).all()


@pytest.mark.parametrize("word", ["(vide)", "(leeg)", "(Leer)", "(blank)", "(n.v.t.)"])
def test_an_empty_cell_of_a_pivot_table_is_an_empty_cell(
    imported: Import, tmp_path: Path, word: str
) -> None:
    path = tmp_path / "eleves.csv"
    path.write_text(table([HEADER, ["Peeters", "Lucas", word, word, word, word]], ";"))
    report = imported(path)
    assert report["counts"] == {"child_made": 1}
    assert report["read"]["rejected"] == {}
    assert db.session.scalars(select(Child.class_name)).all() == [""]


def test_answers_of_oneroster_become_no_people(imported: Import, tmp_path: Path) -> None:
    made = OneRoster()
    made.school()
    made.pupil("p1", "Lina", "Dubois", "g1", "g2")
    made.guardian("g1", "parent 1", "Dubois")
    made.guardian("g2", "#N/A", "#N/A")
    report = imported(made.zip(tmp_path / "1.zip"))
    assert report["counts"] == {"child_made": 1}
    assert report["read"]["rejected"] == {"role_for_name": 1, "nobody": 1}


@pytest.mark.parametrize(
    ("given_name", "family_name"),
    [("Peeters", "overleden"), ("Claire", "idem"), ("Marc", "Peeters (overleden)"), ("NC", "Maes")],
)
def test_one_cell_that_is_an_answer_is_enough(given_name: str, family_name: str) -> None:
    assert why_nobody(given_name, family_name)


def test_lines_of_totals_and_classes_become_no_pupils(imported: Import, tmp_path: Path) -> None:
    path = tmp_path / "eleves.csv"
    rows = [["Classe de P1"], ["Maes", "Tom", "P1", "Maes", "Els", ""], ["Total", "1"]]
    path.write_text(table([HEADER, *rows], ";"))
    report = imported(path)
    assert report["read"]["rejected"] == {"name_missing": 1, "nobody": 1}
    assert [each.given_name for each in db.session.scalars(select(Child))] == ["Tom"]


@pytest.mark.parametrize(
    ("given_name", "family_name"),
    [
        *[("Jennifer", "Null"), ("Malcolm", "X"), ("Nil", "Yıldız"), ("Na", "Li"), ("O", "Nguyen")],
        *[
            ("Jan", "Leer"),
            ("Eva", "Vide"),
            ("Karin", "Blank"),
            ("Daniel", "True"),
            ("Anne", "Faux"),
        ],
        *[("Julie", "Parent"), ("Papa", "Diop"), ("Pere", "Martí"), ("Anna", "Kind")],
        *[
            ("Marie", "de Voogd"),
            ("N.C.", "Jansen"),
            ("K.A.", "Bos"),
            ("Linda", "Nee"),
            ("Dito", "Gelaschwili"),
        ],
    ],
)
def test_people_who_are_called_so_are_people(given_name: str, family_name: str) -> None:
    assert not why_nobody(given_name, family_name)


@pytest.mark.parametrize(
    "name",
    [
        *("Léger", "LÉGER", "McÉvoy", "d’Hoekelaere", "L'Étang", "Jean-Élie", "İnci", "Łukasik"),
        *("Gal·la", "Nguyễn Thị", "محمد", "Иван", "Zoë (Zo)", "Anne/Jan", "Õnne", "Ægir"),
    ],
)
def test_names_of_the_world_are_whole(name: str) -> None:
    assert not is_broken(name)


@pytest.mark.parametrize(
    "name",
    ["L‚a", "Fran‡ois", "€elik", "ZoŽ", "LŽger", "No‰l", "Zo┬", "a¬b", "Ã©lise", "No\x95l"],
)
def test_letters_that_no_name_holds_are_seen(name: str) -> None:
    assert is_broken(name)


def test_people_with_one_name_are_taken_over_when_somebody_says_so(
    imported: Import, tmp_path: Path
) -> None:
    path = tmp_path / "eleves.csv"
    rows = [["Suharto", "", "P1", "Wati", "Siti", ""], ["Amini", "Reza", "P1", "-", "Zahra", ""]]
    path.write_text(table([HEADER, *rows], ";"))
    assert imported(path)["read"]["rejected"] == {"name_missing": 2}

    report = imported(path, "--single-names")

    assert report["read"]["rejected"] == {}
    children = {(each.given_name, each.family_name) for each in db.session.scalars(select(Child))}
    assert children == {("Suharto", ""), ("Reza", "Amini")}
    zahra = db.session.scalars(select(Account).where(Account.given_name == "Zahra")).one()
    assert (zahra.family_name, zahra.full_name, zahra.username) == ("", "Zahra", "zahra")
    assert imported(path, "--single-names")["counts"] == {}


def test_classes_that_seem_one_are_asked_about(checked: Import, tmp_path: Path) -> None:
    path = tmp_path / "eleves.csv"
    classes = ["3B", "3 B", "3b", "3ème B", "3C", "3e", "1A"]
    rows = [["Maes", f"Tom{place}", name, "", "", ""] for place, name in enumerate(classes)]
    path.write_text(table([HEADER, *rows], ";"))
    finding = checked(path)["findings"]["class_variants"]
    assert finding["count"] == 1
    assert finding["samples"] == ["3 B = 3B = 3b = 3ème B"]


def test_a_list_without_classes_says_so_and_empties_none(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    path = tmp_path / "eleves.csv"
    path.write_text(table([HEADER, ["Maes", "Tom", "3B", "", "", ""]], ";"))
    imported(path)
    path.write_text(table([["Nom", "Prénom", "Responsable"], ["Maes", "Tom", "CLAES Els"]], ";"))
    columns = ["Nom=pupil.family", "Prénom=pupil.given", "Responsable=guardian.1.name"]
    options = [text for each in columns for text in ("--column", each)]
    assert "no_classes" in checked(path, *options)["findings"]
    imported(path, *options)
    assert db.session.scalars(select(Child.class_name)).all() == ["3B"]


def test_people_of_one_name_of_a_oneroster_file_are_taken_over_where_that_is_said(
    imported: Import, tmp_path: Path
) -> None:
    made = OneRoster()
    made.school()
    made.pupil("p1", "", "Suharto", "g1")
    made.guardian("g1", "Megawati", "")
    path = made.zip(tmp_path / "1.zip")
    assert imported(path)["counts"] == {}

    report = imported(path, "--single-names")

    assert report["counts"] == {"account_made": 1, "child_made": 1, "guardianship_made": 1}
    child = db.session.scalars(select(Child)).one()
    assert (child.given_name, child.family_name) == ("Suharto", "")
