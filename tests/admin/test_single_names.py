"""People who have one name only: added, corrected, told to applications, listed by it."""

import pytest
from sqlalchemy import select

from idp.database import db
from idp.people import accounts, children
from idp.people.models import Account, Child
from tests import factories
from tests.admin.places import Desk
from tests.cli.conftest import Run, json_of, run

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

_ = run, json_of

ONE_NAME = [("Suharto", ""), ("", "Suharto"), ("  ", " Suharto ")]


def names(person: Account | Child) -> tuple[str, str, str]:
    return person.given_name, person.family_name, person.full_name


@pytest.mark.parametrize(("given", "family"), ONE_NAME)
def test_a_pupil_and_a_guardian_of_one_name_are_added(desk: Desk, given: str, family: str) -> None:
    manager = desk.browser("manager")
    manager.open(f"/admin/schools/{desk.here.id}/pupils/new")
    manager.submit("pupil-form", given_name=given, family_name=family, class_name="3B")
    child = db.session.scalars(select(Child)).one()
    assert names(child) == ("Suharto", "", "Suharto")

    manager.open(f"/admin/pupils/{child.id}/new-guardian")
    newcomer = {"given_name": given, "family_name": family, "relationship": "parent"}
    manager.submit("guardian-form", **newcomer)
    db.session.rollback()
    account = accounts.find_by_username("suharto")
    assert account is not None
    assert names(account) == ("Suharto", "", "Suharto")

    # The same name in the other field is the same person
    manager.open(f"/admin/pupils/{child.id}/new-guardian")
    manager.submit("guardian-form", given_name=family, family_name=given)
    assert manager.shows("alike-form-1")


def test_a_name_is_corrected_to_one_alone_and_back(desk: Desk) -> None:
    claire, (lina,) = factories.family(desk.here, "Lina", email="claire@dubois.example")
    manager = desk.browser("manager")
    for given, family in (("Claire", ""), ("Claire", "Dubois")):
        manager.open(f"/admin/people/{claire.id}/edit")
        manager.submit("name-form", given_name=given, family_name=family)
        manager.open(f"/admin/pupils/{lina.id}/edit")
        manager.submit("pupil-form", given_name=given, family_name=family, class_name="3B")
        db.session.rollback()
        db.session.expire_all()
        for person in (accounts.get_account(claire.id), db.session.get_one(Child, lina.id)):
            assert (person.given_name, person.family_name) == (given, family)


def test_a_colleague_of_one_name_is_added(desk: Desk) -> None:
    manager = desk.browser("manager")
    manager.open("/admin/staff/new")
    manager.submit(
        "hire-form",
        given_name="",
        family_name="Suharto",
        email="s@x.example",
        role="helper",
        school=desk.here.id,
    )
    account = accounts.find_by_username("suharto")
    assert account is not None
    assert names(account) == ("Suharto", "", "Suharto")


def test_no_name_at_all_is_told_at_the_field(desk: Desk) -> None:
    manager = desk.browser("manager")
    pages = {
        f"/admin/schools/{desk.here.id}/pupils/new": "pupil-form",
        "/admin/staff/new": "hire-form",
    }
    for path, form in pages.items():
        manager.open(path)
        page = manager.submit(form, given_name=" ", family_name="\u200b")
        assert page.status_code == 400
        assert 'id="given_name-problem"' in page.text


def test_the_command_line_takes_one_name(desk: Desk, run: Run) -> None:
    made = run("user", "create", "suharto", "--given-name", "Suharto", "--json")
    assert made.exit_code == 0, made.output
    child = run("child", "create", "--school", desk.here.id, "--family-name", "Suharto")
    assert child.exit_code == 0, child.output
    assert {names(each) for each in db.session.scalars(select(Child))} == {
        ("Suharto", "", "Suharto")
    }
    refused = run("child", "create", "--school", desk.here.id)
    assert refused.exit_code == 2
    assert "given_name" in refused.output


def test_who_has_one_name_is_listed_by_it(desk: Desk, run: Run) -> None:
    for given, family in (("Ann", "Zeta"), ("Suharto", ""), ("Tom", "Maes")):
        children.create_child(desk.here.id, given, family, "3B")
    listed = run("child", "list", "--school", desk.here.id).stdout
    places = [listed.index(name) for name in ("Maes", "Suharto", "Zeta")]
    assert places == sorted(places)
