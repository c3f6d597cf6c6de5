"""Who of the file is who of ours: never a stranger, never by an address alone."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from idp.database import db, transaction
from idp.lifecycle import passwords
from idp.people import guardianships
from idp.people.accounts import find_by_username
from idp.people.models import Account, Child, Guardianship, School
from idp.roster import service
from tests import factories
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import OneRoster

pytestmark = pytest.mark.long_on("postgresql")


def one_family(email: str = "claire@dubois.example", given_name: str = "Claire") -> OneRoster:
    made = OneRoster()
    made.school()
    made.pupil("p1", "Lina", "Dubois", "g1")
    made.guardian("g1", given_name, "Dubois", email)
    return made


def accounts() -> int:
    return db.session.scalar(select(func.count()).select_from(Account)) or 0


def test_two_parents_with_one_address_are_two_accounts(
    checked: Import, imported: Import, tmp_path: Path
) -> None:
    made = one_family("family@dubois.example")
    made.users[0]["agentSourcedIds"] = "g1,g2"
    made.guardian("g2", "Marc", "Dubois", "family@dubois.example")
    path = made.zip(tmp_path / "roster.zip")

    finding = checked(path)["findings"]["shared_address"]

    assert finding["samples"] == ["Claire Dubois, Marc Dubois"]
    assert imported(path)["counts"]["account_made"] == 2


def test_somebody_made_by_hand_at_this_school_is_recognised(
    imported: Import, school: School, tmp_path: Path
) -> None:
    parent, (child,) = factories.family(school, "Lina", email="claire@dubois.example")

    report = imported(one_family().zip(tmp_path / "roster.zip"))

    assert report["counts"] == {"child_changed": 1}  # it got its number
    assert accounts() == 1
    assert guardianships.live_children(parent.id)[0][0].id == child.id


def test_an_address_alone_makes_nobody_somebody_else(
    imported: Import, school: School, tmp_path: Path
) -> None:
    factories.family(school, "Hugo", given_name="Marc", email="claire@dubois.example")
    report = imported(one_family().zip(tmp_path / "roster.zip"))
    assert report["counts"]["account_made"] == 1


def test_a_namesake_with_another_number_is_somebody_else(imported: Import, tmp_path: Path) -> None:
    imported(one_family().zip(tmp_path / "1.zip"))
    second = one_family()
    second.users[0]["agentSourcedIds"] = "g1,g2"
    second.guardian("g2", "Claire", "Dubois", "claire@dubois.example")  # her own mother

    report = imported(second.zip(tmp_path / "2.zip"))

    assert report["counts"] == {"account_made": 1, "guardianship_made": 1}


def test_what_was_made_by_hand_and_no_file_had_is_left_alone(
    imported: Import, checked: Import, school: School, tmp_path: Path
) -> None:
    imported(one_family().zip(tmp_path / "1.zip"))
    child = db.session.scalars(select(Child)).one()
    foster = factories.account(given_name="Rita", family_name="Maes")
    factories.guardianship(foster, child)
    factories.child(school, "Hugo")

    findings = checked(one_family().zip(tmp_path / "1.zip"))["findings"]
    report = imported(one_family().zip(tmp_path / "1.zip"))

    assert report["counts"] == {}
    assert findings["pupils_not_in_file"]["samples"] == ["Hugo Dubois"]
    assert guardianships.lock_guardianship(foster.id, child.id)


# Other schools (A2, C3)


@pytest.fixture
def elsewhere(school: School) -> Account:
    """Claire Dubois, guardian of a child at another school."""
    other = factories.school("École du Moulin")
    parent, _ = factories.family(other, "Noah", status="invited", email="claire@dubois.example")
    return parent


def test_c3_somebody_known_elsewhere_is_another_account_unless_the_operator_says_so(
    checked: Import, imported: Import, elsewhere: Account, tmp_path: Path
) -> None:
    path = one_family().zip(tmp_path / "roster.zip")
    assert checked(path)["findings"]["same_person"]["count"] == 1  # the command is an operator's

    imported(path)

    assert accounts() == 2


def test_c3_a_school_does_not_learn_of_children_elsewhere(
    school: School, elsewhere: Account, tmp_path: Path
) -> None:

    path = one_family().zip(tmp_path / "roster.zip")
    run = service.stage(path, service.Wish((service.Choice(school.id),)))
    (report,) = service.dry_run(run.id)
    (applied,) = service.apply(run.id)
    (kept,) = service.kept(run.id)
    for each in (report, applied, kept):
        assert "same_person" not in {finding.code for finding in each.findings}


def test_the_same_person_is_linked_where_the_operator_says_so(
    imported: Import, elsewhere: Account, tmp_path: Path
) -> None:
    path = one_family().zip(tmp_path / "roster.zip")
    report = imported(path, "--link-same-people")
    assert report["counts"] == {"child_made": 1, "guardianship_made": 1}
    assert len(guardianships.live_children(elsewhere.id)) == 2
    assert imported(path)["counts"] == {}


def test_a2_a_school_cannot_change_the_address_of_somebody_whom_another_school_trusts(
    imported: Import, checked: Import, elsewhere: Account, tmp_path: Path
) -> None:
    imported(one_family().zip(tmp_path / "1.zip"), "--link-same-people")
    path = one_family("attacker@evil.example").zip(tmp_path / "2.zip")
    renamed = one_family("attacker@evil.example", given_name="Mallory").zip(tmp_path / "3.zip")

    findings = checked(path)["findings"]

    assert imported(path)["counts"] == imported(renamed)["counts"] == {}
    assert "address_kept" in findings
    assert checked(renamed)["asked"] == 1  # and who is it at all?
    db.session.expire_all()
    assert (elsewhere.email, elsewhere.given_name) == ("claire@dubois.example", "Claire")


def test_a2_an_active_accounts_address_is_its_owners(imported: Import, tmp_path: Path) -> None:
    imported(one_family().zip(tmp_path / "1.zip"))
    account = db.session.scalars(select(Account)).one()
    with transaction():
        passwords.set_first_password(account.id, factories.PASSWORD)

    report = imported(one_family("attacker@evil.example").zip(tmp_path / "2.zip"))

    assert report["counts"] == {}
    db.session.expire_all()
    assert account.email == "claire@dubois.example"


def test_a2_a_file_cannot_claim_to_be_of_a_district(
    json_of: JsonOf, imported: Import, tmp_path: Path
) -> None:
    """Two schools of the operator's district share g1; a third school's file names the same."""
    first, second = factories.school("North"), factories.school("South")
    district = OneRoster()
    district.district()
    for org, number in (("north", "p1"), ("south", "p2")):
        district.school(org, org, parent="district")
        district.pupil(number, "Lina", "Dubois", "g1", org=org)
    district.guardian("g1", "Claire", "Dubois", "claire@dubois.example")
    path = district.zip(tmp_path / "district.zip")
    schools = ("--school", f"{first.id}=north", "--school", f"{second.id}=south")

    json_of("roster", "import", str(path), *schools)
    claire = db.session.scalars(select(Account)).one()  # one account for both schools

    hostile = OneRoster()
    hostile.district()
    hostile.school(parent="district")
    hostile.pupil("p9", "Mallory's", "child", "g1")
    hostile.guardian("g1", "Claire", "Dubois", "attacker@evil.example")
    imported(hostile.zip(tmp_path / "hostile.zip"))

    db.session.expire_all()
    assert claire.email == "claire@dubois.example"
    assert {child.given_name for child, _ in guardianships.live_children(claire.id)} == {"Lina"}


def test_a2_a_managers_file_finds_nobody_elsewhere_by_the_districts_numbers(
    app: Flask, tmp_path: Path
) -> None:
    """The operator has imported the district; a manager's own file names g1 of the other school."""
    schools = [factories.school(name) for name in ("North", "South")]
    district = OneRoster()
    district.district()
    for number, org in enumerate(("north", "south")):
        district.school(org, org.title(), parent="district")
        district.pupil(f"p{number}", "Lina", "Dubois", f"g{number}", org=org)
        district.guardian(f"g{number}", "Claire", f"Dubois{number}", f"claire{number}@x.example")
    choices = tuple(
        service.Choice(school.id, org)
        for school, org in zip(schools, ("north", "south"), strict=True)
    )
    whole_district = service.Wish(choices, by_operator=True)
    service.apply(service.stage(district.zip(tmp_path / "1.zip"), whole_district).id)
    hostile = OneRoster()
    hostile.district()
    hostile.school("north", "North", parent="district")
    hostile.pupil("p0", "Lina", "Dubois", "g0", "g1", org="north")
    hostile.guardian("g0", "Claire", "Dubois0", "claire0@x.example")
    hostile.guardian("g1", "Eve", "Thief", "thief@x.example")

    run = service.stage(hostile.zip(tmp_path / "2.zip"), service.Wish(choices[:1]))
    (report,) = service.apply(run.id)

    assert report.counts["account_made"] == 1
    victim = find_by_username("claire.dubois1")
    assert victim is not None
    assert victim.email == "claire1@x.example"
    assert [child.school_id for child, _ in guardianships.live_children(victim.id)] == [
        schools[1].id
    ]


def test_a_later_file_of_one_school_of_the_district_finds_the_same_people(
    json_of: JsonOf, tmp_path: Path
) -> None:
    first, second = factories.school("North"), factories.school("South")
    district = OneRoster()
    district.district()
    district.school("north", "North", parent="district")
    district.school("south", "South", parent="district")
    district.pupil("p1", "Lina", "Dubois", "g1", org="north")
    district.guardian("g1", "Claire", "Dubois", "claire@dubois.example")
    path = district.zip(tmp_path / "1.zip")
    json_of("roster", "import", str(path), "--school", first.id, "--school", second.id)

    district.pupil("p2", "Tom", "Dubois", "g1", org="south")
    path = district.zip(tmp_path / "2.zip")
    json_of("roster", "import", str(path), "--school", second.id)

    assert accounts() == 1
    assert db.session.scalar(select(func.count()).select_from(Guardianship)) == 2


def test_p15_a_corrected_address_ends_the_tokens_that_went_to_the_former_one(
    imported: Import, tmp_path: Path
) -> None:
    from idp.credentials import one_time_tokens

    imported(one_family().zip(tmp_path / "1.zip"))
    account = db.session.scalars(select(Account)).one()
    with transaction():
        token = one_time_tokens.mint(account.id, "first_sign_in")

    imported(one_family("right@dubois.example").zip(tmp_path / "2.zip"))

    assert one_time_tokens.find(token) == one_time_tokens.Unknown()
