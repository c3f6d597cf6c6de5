"""A file is one witness: an id alone moves nobody's account, nor the key of a child (rule N2)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import select

from idp import clock
from idp.audit.models import AuditEvent
from idp.database import db, transaction
from idp.lifecycle import passwords
from idp.people import accounts
from idp.people.models import Account, Child, Guardianship
from tests import factories
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import OneRoster, table

pytestmark = pytest.mark.long_on("postgresql")

FAMILIES = ("Adam", "Baert", "Claes", "Dufour", "Evrard", "Fontaine", "Goossens", "Henry")


def school_of(count: int = 8, *, numbers: list[int] | None = None) -> OneRoster:
    """Metrics of one pupil and one parent; ``numbers``: which ids the parents' rows get."""
    made = OneRoster()
    made.school()
    numbers = numbers or list(range(count))
    for place, family in enumerate(FAMILIES[:count]):
        agent = f"g{numbers[place]}"
        made.pupil(f"p{place}", f"Kid{family}", family, agent, class_name=f"{place % 3}A")
        made.guardian(agent, f"Par{family}", family, f"{family.lower()}@x.example")
    return made


def families() -> dict[str, tuple[str, str, str, str]]:
    """Account → its name, address, and the name and key of its live child."""
    db.session.expire_all()
    rows = db.session.execute(
        select(Account, Child)
        .join(Guardianship, Guardianship.account_id == Account.id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(Guardianship.ended_at.is_(None), Child.left_at.is_(None))
    )
    return {
        account.id: (account.full_name, account.email or "", child.full_name, child.subject_id)
        for account, child in rows
    }


def claim(username: str) -> Account:
    account = accounts.find_by_username(username)
    assert account is not None
    with transaction():
        passwords.set_first_password(account.id, factories.PASSWORD)
    return account


def questions_of(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (
            each["kind"],
            each["old"]["name"],
            each["new"]["name"],
            (each["other"] or {}).get("name", ""),
        )
        for each in report["questions"]
    ]


SWAPPED = [0, 1, 2, 4, 3, 5, 6, 7]
ROTATED = [0, 1, 2, 4, 5, 3, 6, 7]


def test_c3_a_question_tells_no_address_once_the_pupil_has_left(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    imported(school_of().zip(tmp_path / "1.zip"))
    with transaction():
        gone = db.session.scalars(select(Child).where(Child.family_name == "Dufour")).one()
        gone.left_at = clock.now()

    report = checked(school_of(numbers=SWAPPED).zip(tmp_path / "2.zip"))

    places = {each["old"]["name"]: each["old"]["place"] for each in report["questions"]}
    assert places == {"ParDufour Dufour": "", "ParEvrard Evrard": "evrard@x.example"}


@pytest.mark.parametrize("numbers", [SWAPPED, ROTATED])
@pytest.mark.parametrize("claimed", [False, True])
def test_n2_exchanged_ids_of_guardians_change_nothing_and_are_asked(
    imported: Import, checked: Import, tmp_path: Path, numbers: list[int], claimed: bool
) -> None:
    imported(school_of().zip(tmp_path / "1.zip"))
    if claimed:
        claim("pardufour.dufour")
    before = families()
    path = school_of(numbers=numbers).zip(tmp_path / "2.zip")

    report = checked(path)
    applied = imported(path)

    assert families() == before
    assert (report["counts"], applied["counts"]) == ({}, {})
    moved = [place for place, number in enumerate(numbers) if place != number]
    assert report["asked"] == len(moved) == len(report["questions"])
    old = {f"Par{FAMILIES[numbers[place]]}": f"Par{FAMILIES[place]}" for place in moved}
    assert {one.split()[0]: new.split()[0] for _, one, new, _ in questions_of(report)} == old
    assert all(new == other for _, _, new, other in questions_of(report))  # who it more likely is


@pytest.mark.parametrize("numbers", [SWAPPED, ROTATED])
def test_n2_somebody_says_that_the_ids_were_exchanged_and_everybody_keeps_what_is_theirs(
    imported: Import, checked: Import, json_of: JsonOf, tmp_path: Path, numbers: list[int]
) -> None:
    imported(school_of().zip(tmp_path / "1.zip"))
    before = families()
    path = school_of(numbers=numbers).zip(tmp_path / "2.zip")
    keys = [each["key"] for each in checked(path)["questions"]]
    answers = [word for key in keys for word in ("--decide", f"{key}=another")]

    report = imported(path, *answers)

    assert families() == before
    assert (report["counts"], report["asked"]) == ({"identity_moved": len(keys)}, 0)
    assert imported(school_of(numbers=numbers).zip(tmp_path / "3.zip"))["counts"] == {}
    event = db.session.scalars(
        select(AuditEvent).where(AuditEvent.event == "roster_answered")
    ).one()
    assert event.detail["answers"] == dict.fromkeys(keys, "another")

    (undone,) = json_of("roster", "undo", report["run"])

    assert undone["left"] == {}
    assert families() == before
    assert imported(school_of().zip(tmp_path / "4.zip"))["counts"] == {}  # the ids as before


def test_n2_somebody_says_that_it_is_the_same_person_under_another_name(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    imported(school_of().zip(tmp_path / "1.zip"))
    before = families()
    second = school_of()
    second.users[1] |= {"givenName": "Noor", "familyName": "Zaman", "email": "noor@z.example"}
    path = second.zip(tmp_path / "2.zip")
    (question,) = checked(path)["questions"]
    assert (question["old"]["place"], question["new"]["place"]) == (
        "adam@x.example",
        "noor@z.example",
    )
    assert imported(path)["counts"] == {}
    assert families() == before

    again = checked(path)["questions"][0]["key"]
    report = imported(path, "--decide", f"{again}=same")

    assert report["counts"] == {"account_changed": 1}
    assert ("Noor Zaman", "noor@z.example") in {each[:2] for each in families().values()}


def test_n2_somebody_says_that_it_is_another_person_and_the_former_guardian_ends(
    imported: Import, checked: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    imported(school_of().zip(tmp_path / "1.zip"))
    before = families()
    second = school_of()
    second.users[1] |= {"givenName": "Noor", "familyName": "Zaman", "email": "noor@z.example"}
    path = second.zip(tmp_path / "2.zip")
    (question,) = checked(path)["questions"]

    report = imported(path, "--decide", f"{question['key']}=another", "--confirm-large-change")

    assert report["counts"] == {
        "account_made": 1,
        "guardianship_made": 1,
        "guardianship_ended": 1,
        "identity_moved": 1,
    }
    assert imported(second.zip(tmp_path / "3.zip"))["counts"] == {}
    json_of("roster", "undo", report["run"])
    assert families() == before
    assert imported(school_of().zip(tmp_path / "4.zip"))["counts"] == {}


def test_n2_exchanged_numbers_of_pupils_move_no_key(
    imported: Import, checked: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    imported(school_of().zip(tmp_path / "1.zip"))
    before = families()
    second = school_of()
    second.users[6]["sourcedId"], second.users[8]["sourcedId"] = "p4", "p3"
    for each in second.enrollments:
        each["userSourcedId"] = {"p3": "p4", "p4": "p3"}.get(
            each["userSourcedId"], each["userSourcedId"]
        )
    path = second.zip(tmp_path / "2.zip")

    report = checked(path)

    assert questions_of(report) == [
        ("pupil", "KidEvrard Evrard", "KidDufour Dufour", "KidDufour Dufour"),
        ("pupil", "KidDufour Dufour", "KidEvrard Evrard", "KidEvrard Evrard"),
    ]
    assert imported(path)["counts"] == {}
    assert families() == before
    keys = [each["key"] for each in checked(path)["questions"]]
    answers = [word for key in keys for word in ("--decide", f"{key}=another")]
    done = imported(path, *answers)
    assert families() == before
    numbers = {each.given_name: each.sourced_id for each in db.session.scalars(select(Child))}
    assert (numbers["KidDufour"], numbers["KidEvrard"]) == ("p4", "p3")
    (undone,) = json_of("roster", "undo", done["run"])
    assert undone["left"] == {}
    db.session.expire_all()
    numbers = {each.given_name: each.sourced_id for each in db.session.scalars(select(Child))}
    assert (numbers["KidDufour"], numbers["KidEvrard"]) == ("p3", "p4")
    assert imported(school_of().zip(tmp_path / "4.zip"))["counts"] == {}


def test_n2_a_delta_with_exchanged_ids_is_asked_too(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    imported(school_of().zip(tmp_path / "1.zip"))
    claim("pardufour.dufour")
    before = families()
    delta = OneRoster(delta=True)
    delta.guardian("g4", "ParDufour", "Dufour", "dufour@x.example", agents=["p3"])
    delta.guardian("g3", "ParEvrard", "Evrard", "evrard@x.example", agents=["p4"])
    path = delta.zip(tmp_path / "delta.zip")

    report = checked(path)

    assert report["asked"] == 2
    assert imported(path)["counts"] == {}
    assert families() == before


def test_n2_two_parents_of_one_child_are_not_exchanged_either(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    def home(first: str, second: str) -> OneRoster:
        made = OneRoster()
        made.school()
        made.pupil("p1", "Lina", "Dubois", "g1", "g2")
        made.guardian("g1", first, "Dubois", "family@dubois.example")
        made.guardian("g2", second, "Dubois", "family@dubois.example")
        return made

    imported(home("Claire", "Marc").zip(tmp_path / "1.zip"))
    claim("claire.dubois")
    path = home("Marc", "Claire").zip(tmp_path / "2.zip")
    assert checked(path)["asked"] == 2
    assert imported(path)["counts"] == {}
    gone = home("Jan", "Marc").zip(tmp_path / "3.zip")  # who follows her gets no account of hers
    assert imported(gone)["counts"] == {}
    claire = accounts.find_by_username("claire.dubois")
    assert claire is not None
    assert claire.given_name == "Claire"


def test_n2_a_deleted_row_with_somebody_elses_name_ends_nothing(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    imported(school_of().zip(tmp_path / "1.zip"))
    before = families()
    delta = OneRoster(delta=True)
    delta.guardian("g4", "ParDufour", "Dufour", "dufour@x.example", status="tobedeleted")
    delta.pupil("p4", "KidDufour", "Dufour", status="tobedeleted", class_name=None)
    path = delta.zip(tmp_path / "delta.zip")
    assert checked(path)["asked"] == 2
    assert imported(path)["counts"] == {}
    assert families() == before


# What goes on without a question


def married(users: list[dict[str, str]]) -> None:
    users[1] |= {"familyName": "Zaman"}


def married_and_moved(users: list[dict[str, str]]) -> None:
    users[1] |= {"familyName": "Zaman", "email": "zaman@z.example"}


def other_address(users: list[dict[str, str]]) -> None:
    users[1] |= {"email": "new@z.example"}


def slip(users: list[dict[str, str]]) -> None:
    users[1] |= {"familyName": "Addam", "email": "addam@z.example"}
    users[0] |= {"familyName": "Addam"}


def child_takes_a_name(users: list[dict[str, str]]) -> None:
    users[0] |= {"familyName": "Zaman-Adam"}


@pytest.mark.parametrize(
    "change", [married, married_and_moved, other_address, slip, child_takes_a_name]
)
@pytest.mark.parametrize("claimed", [False, True])
def test_n2_real_renamings_need_nobody(
    imported: Import,
    tmp_path: Path,
    change: Callable[[list[dict[str, str]]], None],
    claimed: bool,
) -> None:
    imported(school_of().zip(tmp_path / "1.zip"))
    if claimed:
        claim("paradam.adam")
    before = families()
    second = school_of()
    change(second.users)

    report = imported(second.zip(tmp_path / "2.zip"))

    assert (report["asked"], report["questions"]) == (0, [])
    assert set(report["counts"]) <= {"account_changed", "child_changed"}
    assert families().keys() == before.keys()
    assert {each[3] for each in families().values()} == {each[3] for each in before.values()}


def test_n2_a_new_year_with_other_classes_asks_nothing(imported: Import, tmp_path: Path) -> None:
    imported(school_of().zip(tmp_path / "1.zip"))
    second = OneRoster()
    second.school()
    for place, family in enumerate(FAMILIES):
        second.pupil(f"p{place}", f"Kid{family}", family, f"g{place}", class_name=f"{place % 3}B")
        second.guardian(f"g{place}", f"Par{family}", family, f"new.{family.lower()}@y.example")
    report = imported(second.zip(tmp_path / "2.zip"), "--confirm-large-change")
    assert (report["asked"], report["counts"]["child_changed"]) == (0, 8)


# Numbers that are other numbers


def numbered(path: Path, numbers: list[str]) -> Path:
    header = ["Matricule", "Nom", "Prénom", "Classe", "Nom resp. 1", "Prénom resp. 1", "E-mail 1"]
    rows = [
        [
            number,
            family,
            f"Kid{family}",
            "3A",
            family,
            f"Par{family}",
            f"{family.lower()}@x.example",
        ]
        for number, family in zip(numbers, FAMILIES, strict=False)
    ]
    path.write_text(table([header, *rows], ";"))
    return path


def test_n2_the_same_children_with_other_numbers_are_one_question(
    imported: Import, checked: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    imported(numbered(tmp_path / "1.csv", ["0417", "0993", "1002"]))
    before = families()
    path = numbered(tmp_path / "2.csv", ["417", "993", "1002"])

    report = checked(path)

    (question,) = report["questions"]
    assert (question["key"], question["count"], report["asked"]) == ("renumbered", 2, 1)
    assert [each["old"]["number"] for each in question["people"]] == ["0417", "0993"]
    assert imported(path)["counts"] == {}
    assert families() == before
    done = imported(path, "--decide", "renumbered=same")
    assert done["counts"] == {"child_changed": 2}
    assert families() == before
    assert imported(numbered(tmp_path / "3.csv", ["417", "993", "1002"]))["counts"] == {}
    (undone,) = json_of("roster", "undo", done["run"])
    assert undone["left"] == {}
    assert imported(numbered(tmp_path / "4.csv", ["0417", "0993", "1002"]))["counts"] == {}


def test_n2_other_children_of_the_same_names_are_made_and_the_former_leave(
    imported: Import, tmp_path: Path
) -> None:
    imported(numbered(tmp_path / "1.csv", ["0417", "0993", "1002"]))
    before = families()
    path = numbered(tmp_path / "2.csv", ["417", "0993", "1002"])
    report = imported(path, "--decide", "renumbered=another", "--confirm-large-change")
    assert report["counts"]["child_made"] == report["counts"]["child_left"] == 1
    assert {each[3] for each in families().values()} != {each[3] for each in before.values()}


@pytest.mark.parametrize("written", ['="{}"', "'{}", "{}"])
def test_a_number_dressed_by_a_spreadsheet_is_the_same_number(
    imported: Import, tmp_path: Path, written: str
) -> None:
    numbers = ["00123", "00124", "00200"]
    imported(numbered(tmp_path / "1.csv", numbers))
    dressed = [written.format(each) for each in numbers]
    assert imported(numbered(tmp_path / "2.csv", dressed))["counts"] == {}


def test_a_number_is_what_its_cell_shows(imported: Import, tmp_path: Path) -> None:
    header = ["Matricule", "Nom", "Prénom", "Classe", "Nom resp. 1", "Prénom resp. 1", "E-mail 1"]
    book = Workbook()
    book.active.append(header)
    for number, family in zip((7, 42, 12345), FAMILIES, strict=False):
        book.active.append([number, family, f"Kid{family}", "3A", family, "Par", f"{family}@x.be"])
        book.active.cell(book.active.max_row, 1).number_format = "00000"
    book.save(tmp_path / "1.xlsx")

    imported(tmp_path / "1.xlsx")

    numbers = set(db.session.scalars(select(Child.sourced_id)))
    assert numbers == {"00007", "00042", "12345"}


# Numbers that count rows


def counted(path: Path, families: tuple[str, ...]) -> Path:
    header = ["N°", "Nom", "Prénom", "Classe", "Nom resp. 1", "Prénom resp. 1", "E-mail 1"]
    rows = [
        [str(number), family, f"Kid{family}", "3A", family, "Par", f"{family.lower()}@x.example"]
        for number, family in enumerate(families, 1)
    ]
    path.write_text(table([header, *rows], ";"))
    return path


@pytest.mark.parametrize("mapped", [[], ["--column", "N°=pupil.number"]])
def test_n2_row_numbers_are_nobodys_whoever_maps_them(
    imported: Import, checked: Import, tmp_path: Path, mapped: list[str]
) -> None:
    imported(counted(tmp_path / "1.csv", FAMILIES), *mapped)
    before = families()
    inserted = counted(tmp_path / "2.csv", ("Aaron", *FAMILIES))

    before_import = checked(inserted, *mapped)
    report = imported(inserted, *mapped)

    assert report["asked"] == 0
    assert report["counts"] == {"account_made": 1, "child_made": 1, "guardianship_made": 1}
    assert before.items() <= families().items()
    assert ("row_numbers" in before_import["findings"]) is bool(mapped)


def test_n2_row_numbers_that_are_said_to_be_the_schools_move_no_key(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    """One pupil inserted in the middle: every number below means another child."""
    own = ["--column", "N°=pupil.number", "--own-numbers"]
    imported(counted(tmp_path / "1.csv", FAMILIES), *own)
    before = families()
    path = counted(tmp_path / "2.csv", (*FAMILIES[:6], "Francis", *FAMILIES[6:]))

    report = checked(path, *own)

    assert [each["new"]["name"] for each in report["questions"] if "new" in each] == [
        "KidFrancis Francis",
        "KidGoossens Goossens",
    ]
    assert report["asked"] == 3  # and Henry comes with another number
    assert imported(path, *own)["counts"] == {}
    assert families() == before
    keys = [each["key"] for each in checked(path, *own)["questions"]]
    decisions = {key: "same" if key == "renumbered" else "another" for key in keys}
    answers = [word for key, each in decisions.items() for word in ("--decide", f"{key}={each}")]
    done = imported(path, *own, *answers)
    assert done["counts"]["child_made"] == 1
    assert before.items() <= families().items()
    assert len(families()) == len(before) + 1


def test_n2_nobody_who_bears_a_rows_name_leaves_while_it_is_open_who_it_is(
    imported: Import, checked: Import, tmp_path: Path
) -> None:
    """A number comes with the name of two pupils, and the row is no likelier one of them."""
    header = ["Matricule", "Nom", "Prénom", "Classe", "Nom resp. 1", "Prénom resp. 1", "E-mail 1"]

    def listed(name: str, *rows: list[str]) -> Path:
        (tmp_path / name).write_text(table([header, *rows], ";"))
        return tmp_path / name

    def pupil(number: str, name: str, class_name: str, parent: str) -> list[str]:
        given, family = name.split()
        return [number, family, given, class_name, family, parent, f"{parent}@x.example".lower()]

    others = [pupil(f"9{one}", f"Kid{one} Fam{one}", "2A", f"Par{one}") for one in range(30)]
    lina = pupil("100", "Lina Roy", "1A", "Zoe")
    twins = [pupil("101", "Max Petit", "1B", "Anne"), pupil("102", "Max Petit", "1C", "Karl")]
    imported(listed("1.csv", lina, *twins, *others))
    before = families()
    path = listed("2.csv", pupil("100", "Max Petit", "1D", "Eva"), *others)

    report = checked(path)

    assert report["asked"] == 1
    assert imported(path)["counts"] == {}
    assert families() == before
