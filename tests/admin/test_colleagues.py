"""Colleagues who are parents: no act at the desk shuts them out of it, nor oneself."""

import pytest

from idp.desk import staff as roles
from idp.desk.access import rights as desk_staff
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import account_actions
from idp.errors import Conflict
from idp.lifecycle import endings
from idp.people import accounts, staff
from idp.people.models import Account
from idp.privacy import erasure
from tests import factories
from tests.admin.places import Desk
from tests.admin.test_person_acts import fresh, live, mails, post
from tests.relying_party import Browser
from tests.wording import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def as_parent(desk: Desk, who: str) -> Account:
    """A member of the staff, who has a daughter here."""
    account = desk.staff(who)
    factories.guardianship(account, factories.child(desk.here, f"Lina {who}"))
    return account


def at_work(browser: Browser) -> bool:
    return browser.client.get("/admin/people").status_code == 200


def status_of(account: Account) -> str:
    return fresh(account).status


@pytest.mark.parametrize(("by", "who"), [("manager", "helper"), ("operator", "manager")])
def test_whose_last_pupil_leaves_keeps_account_and_desk_with_the_role(
    desk: Desk, by: str, who: str
) -> None:
    colleague, at_desk, browser = as_parent(desk, who), desk.browser(who), desk.browser(by)
    page = browser.open(f"/admin/people/{colleague.id}/close")
    assert 'id="close-keeps-account"' in page.text

    page = browser.submit("close-form", reason="moved", text="")

    assert "Le compte et le rôle restent" in words(page.text)
    assert (status_of(colleague), live(colleague)) == ("active", set())
    assert at_work(at_desk)
    assert mails(colleague) == []


def test_a_parents_page_says_nothing_of_a_role(desk: Desk) -> None:
    claire, _ = factories.family(desk.here, "Lina", username="claire")
    manager = desk.browser("manager")
    assert "close-keeps-account" not in manager.open(f"/admin/people/{claire.id}/close").text
    page = manager.submit("close-form", reason="moved", text="")
    assert "restent" not in words(page.text)
    assert status_of(claire) == "disabled"


def test_whose_account_is_merged_away_keeps_it_with_the_role(desk: Desk) -> None:
    colleague = as_parent(desk, "helper")
    operator, at_desk = desk.browser("operator"), desk.browser("helper")
    kept, _ = factories.family(desk.here, "Mia", username="kept")
    page = operator.open(f"/admin/people/{colleague.id}/merge?username=kept")
    assert page.text.count("merge-keeps-account") == 1

    operator.submit("merge-form", keep_id=kept.id)

    assert (status_of(colleague), live(colleague)) == ("active", set())
    assert live(kept) == {"Mia", "Lina helper"}
    assert at_work(at_desk)


@pytest.mark.parametrize("who", ["manager", "operator"])
def test_nobody_closes_disables_merges_away_or_erases_themselves(desk: Desk, who: str) -> None:
    own, browser = as_parent(desk, who), desk.browser(who)
    other, _ = factories.family(desk.here, "Mia", username="other")
    desk.staff("operator")
    erasure.request_erasure(own.id)
    acts = {
        "close": {"reason": "other", "text": ""},
        "merge": {"other_id": other.id, "keep_id": other.id},
        "erasure": {"outcome": "done"},
    } | ({"disable": {}} if who == "operator" else {})

    for act, fields in acts.items():
        assert post(browser, f"/admin/people/{own.id}/{act}", **fields) == 303
        page = browser.open(f"/admin/people/{own.id}")
        assert "pas faire cela à vous-même" in words(page.text), act

    assert (status_of(own), live(own)) == ("active", {f"Lina {who}"})
    assert not browser.shows("person-close")
    assert browser.client.get(f"/admin/people/{own.id}/close").status_code == 303
    browser.open("/admin/erasures")
    assert browser.shows("erasure-own")
    assert not browser.shows("erasure-done-1")


@pytest.mark.parametrize("act", ["disable", "take the role"])
def test_the_last_operator_who_can_sign_in_stays(desk: Desk, act: str) -> None:
    """Whoever was disabled a moment ago acts no more, and who is invited can't sign in yet."""
    first, last = desk.staff("operator"), factories.account("last")
    staff.grant(last.id, "operator")
    for name, status in (("new", "invited"), ("gone", "disabled")):
        staff.grant(factories.account(name, status=status).id, "operator")
    acting = desk_staff.staff_of(first.id)
    assert acting is not None
    assert account_actions.disable_account(AT_TERMINAL, first.id)

    (role,) = staff.roles_of(last.id)
    acts = {
        "disable": lambda: account_actions.disable_account(acting, last.id),
        "take the role": lambda: roles.take_role(acting, role.id),
    }

    with pytest.raises(Conflict, match="last_operator"):
        acts[act]()

    assert status_of(last) == "active"
    invited = accounts.find_by_username("new")
    assert invited is not None
    assert account_actions.disable_account(AT_TERMINAL, invited.id), "one stays who can sign in"


def test_an_undone_import_closes_nobody_who_has_a_role_by_now(desk: Desk) -> None:
    made, other = (factories.account(name, status="invited") for name in ("made", "other"))
    staff.grant(made.id, "helper", desk.here.id)
    assert endings.close_accounts([made.id, other.id]) == 1
    assert (status_of(made), status_of(other)) == ("invited", "disabled")
