"""Two pupils of one name and class in a list without numbers stay two, or somebody is asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from idp.database import db
from idp.people.models import Account, Child, Guardianship
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import table

pytestmark = pytest.mark.long_on("postgresql")

ONE = ["Nom", "Prénom", "Classe", "Nom responsable", "Prénom responsable", "E-mail", "Lien"]
TWO = [
    *("Nom", "Prénom", "Classe", "Nom responsable 1", "Prénom responsable 1", "E-mail 1"),
    *("Nom responsable 2", "Prénom responsable 2", "E-mail 2"),
]


def row(pupil: str, *guardians: str, word: str = "") -> list[str]:
    """« Lucas Peeters 3A » and « Anne Peeters »; an address by the guardian's name."""
    given_name, family_name, class_name = pupil.split()
    cells = [family_name, given_name, class_name]
    for each in guardians:
        name, surname = each.split()
        cells += [surname, name, f"{name}.{surname}@x.example".lower()]
    return [*cells, word] if len(guardians) == 1 else cells


LUCAS, JADE = "Lucas Peeters 3A", "Jade Maes 3A"


def one(path: Path, *rows: list[str]) -> Path:
    path.write_text(table([ONE, *rows], ";"))
    return path


def two(path: Path, *rows: list[str]) -> Path:
    path.write_text(table([TWO, *rows], ";"))
    return path


def homes() -> set[tuple[str, frozenset[str]]]:
    """Live children by their key, each with its guardians."""
    db.session.expire_all()
    rows = db.session.execute(
        select(Child.subject_id, Child.given_name, Account.given_name)
        .join(Guardianship, Guardianship.child_id == Child.id)
        .join(Account, Account.id == Guardianship.account_id)
        .where(Guardianship.ended_at.is_(None), Child.left_at.is_(None))
    ).all()
    return {(name, frozenset(each[2] for each in rows if each[0] == key)) for key, name, _ in rows}


APART = {
    ("Lucas", frozenset({"Anne", "Jan"})),
    ("Lucas", frozenset({"Koen", "Els"})),
}


def test_n2_two_rows_of_a_list_with_a_row_for_each_pupil_are_two_pupils(
    imported: Import, tmp_path: Path
) -> None:
    first = row(LUCAS, "Anne Peeters", "Jan Maes")
    second = row(LUCAS, "Koen Peeters", "Els Claes")
    report = imported(two(tmp_path / "1.csv", first, second))

    assert (report["counts"]["child_made"], report["asked"]) == (2, 0)
    assert homes() == APART
    assert imported(two(tmp_path / "2.csv", second, first))["counts"] == {}
    moved = [[*each[:2], "4A", *each[3:]] for each in (second, first)]
    assert imported(two(tmp_path / "3.csv", *moved))["counts"] == {"child_changed": 2}
    assert homes() == APART


def test_n2_where_it_is_not_certain_somebody_is_asked_and_nobody_is_joined(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    rows = [row(LUCAS, "Anne Peeters"), row(LUCAS, "Koen Peeters"), row(JADE, "Els Maes")]
    path = one(tmp_path / "1.csv", *rows)

    (question,) = checked(path)["questions"]
    assert (question["kind"], question["new"]["with"]) == ("twin", ["Koen Peeters"])
    imported(path)
    assert ("Lucas", frozenset({"Anne"})) in homes()
    assert len(homes()) == 2  # Koen waits for the answer

    key = checked(path)["questions"][0]["key"]
    report = imported(path, "--decide", f"{key}=another")
    assert report["counts"] == {"account_made": 1, "child_made": 1, "guardianship_made": 1}
    assert {("Lucas", frozenset({"Anne"})), ("Lucas", frozenset({"Koen"}))} <= homes()
    again = imported(one(tmp_path / "2.csv", *reversed(rows)))
    assert (again["counts"], again["asked"]) == ({}, 0)


def test_n2_somebody_says_that_two_rows_are_one_pupil(
    imported: Import, checked: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    rows = [row(LUCAS, "Anne Peeters"), row(LUCAS, "Koen Peeters"), row(JADE, "Els Maes")]
    path = one(tmp_path / "1.csv", *rows)
    key = checked(path)["questions"][0]["key"]

    report = imported(path, "--decide", f"{key}=same")

    assert ("Lucas", frozenset({"Anne", "Koen"})) in homes()
    again = imported(one(tmp_path / "2.csv", *reversed(rows)))
    assert (again["counts"], again["asked"]) == ({}, 0)
    (undone,) = json_of("roster", "undo", report["run"])
    assert undone["left"] == {}
    assert homes() == set()


def test_n2_whom_an_import_joined_once_is_asked_about_and_loses_nothing(
    imported: Import, tmp_path: Path
) -> None:
    whole = row(LUCAS, "Anne Peeters", "Koen Peeters")
    imported(two(tmp_path / "1.csv", whole))
    rows = [[*row(LUCAS, each)[:6], "", "", ""] for each in ("Anne Peeters", "Koen Peeters")]
    report = imported(two(tmp_path / "2.csv", *rows))
    assert (report["asked"], report["counts"]) == (2, {})
    assert homes() == {("Lucas", frozenset({"Anne", "Koen"}))}


NAMES = ("Adam", "Baert", "Claes", "Dufour", "Evrard", "Fontaine")


def pairs(word: Callable[[int], str]) -> list[list[str]]:
    return [
        row(f"Kid {name} 3A", f"{given_name} {name}", word=word(place))
        for name in NAMES
        for place, given_name in enumerate(("Anna", "Bart"))
    ]


def test_n2_a_list_with_a_row_for_each_guardian_is_read_and_told(
    checked: Import, imported: Import, tmp_path: Path
) -> None:
    path = one(tmp_path / "1.csv", *pairs(lambda place: ("mère", "père")[place]))
    finding = checked(path)["findings"]["rows_joined"]
    assert finding["count"] == len(NAMES)
    report = imported(path)
    assert (report["counts"]["child_made"], report["asked"]) == (len(NAMES), 0)
    assert imported(path)["counts"] == {}


@pytest.mark.parametrize(
    "odd",
    [
        [row("Kid Adam 3A", "Carl Adam", word="père")],  # a third row
        [row(LUCAS, "Anne Peeters", word="mère"), row(LUCAS, "Els Peeters", word="mère")],
    ],
)
def test_n2_in_such_a_list_too_many_parents_are_asked_about(
    checked: Import, tmp_path: Path, odd: list[list[str]]
) -> None:
    rows = pairs(lambda place: ("mère", "père")[place])
    report = checked(one(tmp_path / "1.csv", *rows, *odd))
    assert report["asked"] >= 1
    assert {each["kind"] for each in report["questions"]} == {"twin"}


def test_n2_the_same_row_twice_is_one_pupil(imported: Import, tmp_path: Path) -> None:
    first = row(LUCAS, "Anne Peeters")
    report: dict[str, Any] = imported(one(tmp_path / "1.csv", first, first))
    assert report["counts"]["child_made"] == 1
    assert report["read"]["accounting"]["files"][0]["passed"] == {"twice": 1}


MAX = "Max Petit 1A"
ANNES, KARLS = ("Max", frozenset({"Anne"})), ("Max", frozenset({"Karl"}))
CLASS = [row(f"Kid{one} Fam{one} 2A", f"Par{one} Fam{one}") for one in "abcdefghijklmnopqrstuvwx"]


def two_of_one_name(imported: Import, checked: Import, tmp_path: Path) -> tuple[Path, list[str]]:
    """Two pupils « Max Petit » are known, and the next list has one; and its questions' keys."""
    imported(two(tmp_path / "1.csv", *CLASS, row(MAX, "Anne Petit"), row(MAX, "Karl Petit")))
    path = two(tmp_path / "2.csv", *CLASS, row(MAX, "Eva Durand"))
    report = checked(path)
    assert {each["kind"] for each in report["questions"]} == {"namesake"}
    assert report["asked"] == 2
    with_whom = {each["old"]["with"][0] for each in report["questions"]}
    assert with_whom == {"Anne Petit", "Karl Petit"}  # each is shown
    by_guardian = sorted(report["questions"], key=lambda each: each["old"]["with"])
    return path, [each["key"] for each in by_guardian]


def test_n2_while_it_is_open_which_of_two_namesakes_a_row_is_nothing_of_either_ends(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    path, _ = two_of_one_name(imported, checked, tmp_path)

    report = imported(path)

    assert (report["counts"], report["asked"]) == ({}, 2)
    assert {ANNES, KARLS} <= homes()


@pytest.mark.parametrize(("said", "gone"), [(0, KARLS), (1, ANNES)])
def test_somebody_says_which_of_two_namesakes_a_row_is(
    imported: Import, checked: Import, tmp_path: Path, said: int, gone: tuple[str, frozenset[str]]
) -> None:
    path, keys = two_of_one_name(imported, checked, tmp_path)

    report = imported(path, "--decide", f"{keys[said]}=same")

    assert report["counts"]["child_left"] == 1
    assert "child_made" not in report["counts"]
    assert gone not in homes()
    assert ("Max", frozenset({"Eva"})) in homes()
    again = imported(two(tmp_path / "3.csv", *CLASS, row(MAX, "Eva Durand")))
    assert (again["counts"], again["asked"]) == ({}, 0)


def test_n2_a_row_is_one_namesake_and_answers_that_say_both_count_as_none(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    path, keys = two_of_one_name(imported, checked, tmp_path)
    decided = [word for key in keys for word in ("--decide", f"{key}=same")]
    report = imported(path, *decided)
    assert (report["counts"], report["asked"]) == ({}, 2)
    assert {ANNES, KARLS} <= homes()


def test_a_row_that_is_neither_namesake_is_another_pupil(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    path, keys = two_of_one_name(imported, checked, tmp_path)
    report = imported(path, *(word for key in keys for word in ("--decide", f"{key}=another")))
    assert (report["counts"]["child_made"], report["counts"]["child_left"]) == (1, 2)
    assert {each for each in homes() if each[0] == "Max"} == {("Max", frozenset({"Eva"}))}
