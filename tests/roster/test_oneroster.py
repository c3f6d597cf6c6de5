"""OneRoster 1.1 and 1.2: whole files and deltas, as zip and as folder."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from bench import district
from idp.database import db
from idp.people import accounts
from idp.people.models import Account, Child, Guardianship, School
from tests import factories
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import OneRoster

pytestmark = pytest.mark.long_on("postgresql")


def whole(version: str = "1.1") -> OneRoster:
    """Two families: two parents of two, and a mother whose name is not ASCII."""
    made = OneRoster(version)
    made.school()
    made.pupil("p1", "Lina", "Dubois", "g1", "g2", class_name="3B")
    made.pupil("p2", "Tom", "Dubois", "g1", "g2", class_name="1A")
    made.pupil("p3", "Софія", "Шевченко", "g3", class_name="3B")
    made.guardian("g1", "Claire", "Dubois", "claire@dubois.example")
    made.guardian("g2", "Marc", "Dubois", "marc@dubois.example", role="guardian")
    made.guardian("g3", "Олена", "Шевченко", "olena@example.org")
    return made


def guardians_of(number: str) -> dict[str, str]:
    """User name → relationship, of the live guardians of the school's pupil."""
    rows = db.session.execute(
        select(Account.username, Guardianship.relationship)
        .join(Guardianship, Guardianship.account_id == Account.id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(Child.sourced_id == number, Guardianship.ended_at.is_(None))
    )
    return {row[0]: row[1] for row in rows}


def pupil(number: str) -> Child:
    db.session.expire_all()
    child = db.session.scalars(select(Child).where(Child.sourced_id == number)).one()
    assert isinstance(child, Child)
    return child


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_whole_file_makes_pupils_guardians_and_guardianships(
    imported: Import, tmp_path: Path, version: str
) -> None:
    report = imported(whole(version).zip(tmp_path / "roster.zip"))

    assert report["counts"] == {"account_made": 3, "child_made": 3, "guardianship_made": 5}
    assert guardians_of("p1") == {"claire.dubois": "parent", "marc.dubois": "guardian"}
    assert guardians_of("p3") == {"olena.shevchenko": "parent"}
    assert pupil("p1").class_name == "3B"
    account = accounts.find_by_username("claire.dubois")
    assert account is not None
    assert (account.status, account.email) == ("invited", "claire@dubois.example")


def test_a_folder_is_read_like_a_zip(imported: Import, tmp_path: Path) -> None:
    report = imported(whole().folder(tmp_path / "roster", encoding="utf-8-sig"))
    assert report["counts"]["child_made"] == 3


def test_the_same_file_again_changes_nothing(imported: Import, tmp_path: Path) -> None:
    path = whole().zip(tmp_path / "roster.zip")
    imported(path)
    assert imported(path)["counts"] == {}


def test_who_is_not_in_a_whole_file_any_more_ends(imported: Import, tmp_path: Path) -> None:
    imported(whole().zip(tmp_path / "first.zip"))
    second = whole()
    second.users = [row for row in second.users if row["sourcedId"] != "p2"]
    second.users[0]["agentSourcedIds"] = "g1"  # Lina has one guardian left

    report = imported(second.zip(tmp_path / "second.zip"), "--confirm-large-change")

    assert report["counts"] == {"child_left": 1, "guardianship_ended": 3}
    assert guardians_of("p1") == {"claire.dubois": "parent"}
    assert pupil("p2").left_at is not None
    assert guardians_of("p2") == {}


def test_a_pupil_who_comes_back_is_the_same_child(imported: Import, tmp_path: Path) -> None:
    path = whole().zip(tmp_path / "first.zip")
    imported(path)
    before = pupil("p2")
    without = whole()
    without.users = [row for row in without.users if row["sourcedId"] != "p2"]
    imported(without.zip(tmp_path / "without.zip"), "--confirm-large-change")

    report = imported(path)

    assert report["counts"] == {"child_returned": 1, "guardianship_made": 2}
    assert (pupil("p2").id, pupil("p2").left_at) == (before.id, None)


def test_names_classes_and_relationships_follow_the_file(imported: Import, tmp_path: Path) -> None:
    imported(whole().zip(tmp_path / "first.zip"))
    second = OneRoster()
    second.school()
    second.pupil("p1", "Lina", "Dubois-Maes", "g1", "g2", class_name="4B")
    second.pupil("p2", "Tom", "Dubois", "g1", "g2", class_name="1A")
    second.pupil("p3", "Софія", "Шевченко", "g3", class_name="3B")
    second.guardian("g1", "Claire", "Maes", "claire@maes.example")
    second.guardian("g2", "Marc", "Dubois", "marc@dubois.example", role="relative")
    second.guardian("g3", "Олена", "Шевченко", "olena@example.org")

    report = imported(second.zip(tmp_path / "second.zip"))

    assert report["counts"] == {
        "account_changed": 1,
        "child_changed": 1,
        "guardianship_changed": 2,
    }
    assert (pupil("p1").family_name, pupil("p1").class_name) == ("Dubois-Maes", "4B")
    account = accounts.find_by_username("claire.dubois")  # the user name stays
    assert account is not None
    assert (account.family_name, account.email) == ("Maes", "claire@maes.example")
    assert guardians_of("p1")["marc.dubois"] == "relative"


def test_guardians_may_name_their_pupils_instead(imported: Import, tmp_path: Path) -> None:
    made = OneRoster()
    made.school()
    made.pupil("p1")
    made.guardian("g1", "Claire", agents=["p1"])
    imported(made.zip(tmp_path / "roster.zip"))
    assert guardians_of("p1") == {"claire.dubois": "parent"}


def test_only_the_named_school_is_read(imported: Import, tmp_path: Path) -> None:
    made = whole()
    made.school("org-2", "École du Moulin")
    made.pupil("p9", "Hugo", "Moreau", "g9", org="org-2")
    made.guardian("g9", "Anne", "Moreau", org="org-2")

    report = imported(made.zip(tmp_path / "roster.zip"))

    assert report["counts"]["child_made"] == 3
    assert report["read"]["ignored"] == {"of other schools": 1}
    assert accounts.find_by_username("anne.moreau") is None


def test_a_class_of_a_term_that_is_over_does_not_count(imported: Import, tmp_path: Path) -> None:
    made = OneRoster()
    made.school()
    made.sessions = [
        {"sourcedId": "old", "title": "2024", "type": "schoolYear", "endDate": "2025-06-30"},
        {"sourcedId": "new", "title": "now", "type": "schoolYear", "endDate": "2999-06-30"},
    ]
    made.pupil("p1", class_name="1A")
    made.enrol("p1", "2A")
    made.classes["org-1-1A"]["termSourcedIds"] = "old"
    made.classes["org-1-2A"]["termSourcedIds"] = "new"
    imported(made.zip(tmp_path / "roster.zip"))
    assert pupil("p1").class_name == "2A"


def test_without_a_homeroom_only_a_single_class_is_the_pupils(
    imported: Import, tmp_path: Path
) -> None:
    made = OneRoster()
    made.school()
    made.pupil("p1", "Lina", class_name="Maths")
    made.enrol("p1", "Latin")
    made.pupil("p2", "Tom", class_name="5C")
    for each in made.classes.values():
        each["classType"] = "scheduled"
    imported(made.zip(tmp_path / "roster.zip"))
    assert (pupil("p1").class_name, pupil("p2").class_name) == ("", "5C")


# Deltas


@pytest.fixture
def after_whole(imported: Import, tmp_path: Path) -> Import:
    imported(whole().zip(tmp_path / "whole.zip"))
    return imported


def changes(version: str = "1.1") -> OneRoster:
    return OneRoster(version, delta=True)


def test_a_delta_leaves_what_it_does_not_name(after_whole: Import, tmp_path: Path) -> None:
    delta = changes()
    delta.pupil("p4", "Nora", "Maes", "g4", class_name="1A")
    delta.guardian("g4", "Jan", "Maes", "jan@maes.example")

    report = after_whole(delta.zip(tmp_path / "delta.zip"))

    assert report["counts"] == {"account_made": 1, "child_made": 1, "guardianship_made": 1}
    assert pupil("p3").left_at is None


def test_a_deltas_deleted_pupil_leaves(after_whole: Import, tmp_path: Path) -> None:
    delta = changes()
    delta.gone("p3")
    report = after_whole(delta.zip(tmp_path / "delta.zip"), "--confirm-large-change")
    assert report["counts"] == {"child_left": 1, "guardianship_ended": 1}
    assert pupil("p3").left_at is not None


def test_a_deltas_deleted_guardian_is_nobodys_guardian(after_whole: Import, tmp_path: Path) -> None:
    delta = changes("1.2")
    delta.gone("g2")
    report = after_whole(delta.zip(tmp_path / "delta.zip"), "--confirm-large-change")
    assert report["counts"] == {"guardianship_ended": 2}
    assert guardians_of("p1") == {"claire.dubois": "parent"}


def test_a_deltas_pupil_who_names_fewer_guardians_has_fewer(
    after_whole: Import, tmp_path: Path
) -> None:
    delta = changes()
    delta.pupil("p1", "Lina", "Dubois", "g1", class_name=None)
    report = after_whole(delta.zip(tmp_path / "delta.zip"), "--confirm-large-change")
    assert report["counts"] == {"guardianship_ended": 1}
    assert guardians_of("p1") == {"claire.dubois": "parent"}
    assert pupil("p1").class_name == "3B"


def test_a_deltas_guardian_whose_row_names_nobody_keeps_their_pupils(
    after_whole: Import, tmp_path: Path
) -> None:
    delta = changes()
    delta.guardian("g1", "Claire", "Maes", "claire@dubois.example")
    report = after_whole(delta.zip(tmp_path / "delta.zip"))
    assert report["counts"] == {"account_changed": 1}
    assert guardians_of("p1").keys() == {"claire.dubois", "marc.dubois"}


def test_a_deltas_enrolment_alone_moves_a_pupil(after_whole: Import, tmp_path: Path) -> None:
    delta = changes()
    delta.enrol("p1", "1A", status="active")
    delta.classes["org-1-1A"]["title"] = "1A"
    report = after_whole(delta.zip(tmp_path / "delta.zip"))
    assert report["counts"] == {"child_changed": 1}
    assert pupil("p1").class_name == "1A"


def test_a_deltas_enrolment_may_name_a_class_by_its_id_alone(
    after_whole: Import, tmp_path: Path
) -> None:
    delta = changes()
    delta.enrol("p1", "1A", status="active")
    folder = delta.folder(tmp_path / "delta")
    (folder / "classes.csv").unlink()
    assert after_whole(folder)["counts"] == {"child_changed": 1}
    assert pupil("p1").class_name == "1A"


def test_a_new_guardian_of_a_delta_may_name_a_pupil_who_did_not_change(
    after_whole: Import, tmp_path: Path
) -> None:
    delta = changes()
    delta.guardian("g7", "Rita", "Maes", "rita@maes.example", role="relative", agents=["p3"])
    report = after_whole(delta.zip(tmp_path / "delta.zip"))
    assert report["counts"] == {"account_made": 1, "guardianship_made": 1}
    assert guardians_of("p3") == {"olena.shevchenko": "parent", "rita.maes": "relative"}


# What can't be taken over


def test_rows_that_cannot_be_are_told_and_keep_who_is_known(
    after_whole: Import, tmp_path: Path
) -> None:
    again = whole()
    again.users[0]["familyName"] = "\x07"  # Lina, known
    again.users[3]["email"] = "not an address"  # Claire, known
    again.pupil("", "No", "Number")
    again.pupil("p1", "Lina", "Twice")
    again.pupil("p8", "", "Nameless")

    report = after_whole(again.zip(tmp_path / "again.zip"))

    assert report["counts"] == {}
    assert report["read"]["rejected"] == {
        "name_wrong": 1,
        "id_missing": 1,
        "id_twice": 1,
        "name_missing": 1,
        "email_wrong": 1,
    }
    account = accounts.find_by_username("claire.dubois")
    assert account is not None
    assert account.email == "claire@dubois.example"


def test_a_row_that_names_half_the_town_ends_no_guardianship(
    after_whole: Import, tmp_path: Path
) -> None:
    again = whole()
    again.users[0]["agentSourcedIds"] = ",".join(f"x{number}" for number in range(500))
    report = after_whole(again.zip(tmp_path / "again.zip"))
    assert report["counts"] == {}
    assert report["read"]["rejected"] == {"too_many_guardians": 1}


def test_a_file_of_another_school_is_refused(
    after_whole: Import, run: object, school: School, tmp_path: Path
) -> None:
    other = OneRoster()
    other.school("org-9", "École du Moulin")
    other.pupil("p1", "Hugo", "Moreau", org="org-9")
    result = run("roster", "check", str(other.zip(tmp_path / "o.zip")), "--school", school.id)  # type: ignore[operator]
    assert result.exit_code == 2
    assert "is it another school's?" in result.stderr


def test_a_small_district_of_the_bench_is_imported_whole(
    json_of: JsonOf, app: Flask, tmp_path: Path
) -> None:
    size = district.Size(schools=3, pupils=60, guardians=90)
    path = district.write(tmp_path / "district.zip", size)
    schools = [factories.school(f"School {number}").id for number in range(3)]
    options = [word for each in schools for word in ("--school", each)]

    answer = json_of("roster", "import", str(path), *options)

    assert [each["counts"]["child_made"] for each in answer["schools"]] == [20, 20, 20]
    # three guardians of the file are nobody's
    assert db.session.scalar(select(func.count()).select_from(Account)) == 87
    moved = district.write(tmp_path / "delta.zip", size, moved=True)
    answer = json_of("roster", "import", str(moved), *options)
    assert sum(each["counts"].get("child_changed", 0) for each in answer["schools"]) == 1
