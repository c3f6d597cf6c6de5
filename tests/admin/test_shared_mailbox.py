"""Two guardians of one mailbox: told where an act at the desk would part them only on paper."""

import pytest

from idp.people.models import Account, Child
from tests import factories
from tests.admin.places import Desk
from tests.admin.test_person_acts import claire_of, fresh
from tests.relying_party import Browser

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

BOTH = "couple@x.example"


def couple(desk: Desk) -> tuple[Account, Account, Child]:
    claire, lina = claire_of(desk, email=BOTH)
    luc = factories.account("luc", given_name="Luc", email=BOTH)
    factories.guardianship(luc, lina)
    return claire, luc, lina


def warned(browser: Browser, path: str) -> bool:
    page = browser.open(path)
    return browser.shows("shared-mailbox") and "Luc" in page.text


def test_the_pages_of_the_acts_name_the_other_guardian(desk: Desk) -> None:
    claire, _luc, lina = couple(desk)
    manager = desk.browser("manager")
    for path in (
        f"/admin/people/{claire.id}",
        f"/admin/people/{claire.id}/close",
        f"/admin/pupils/{lina.id}/guardians/{claire.id}",
    ):
        assert warned(manager, path), path


def test_after_closing_the_others_page_needs_no_warning_and_the_closed_ones_had_it(
    desk: Desk,
) -> None:
    claire, luc, _lina = couple(desk)
    manager = desk.browser("manager")
    manager.open(f"/admin/people/{luc.id}/close")
    assert manager.shows("shared-mailbox")
    page = manager.submit("close-form", reason="court")
    assert claire.full_name in page.text  # the answer names whose tokens still go there
    assert not warned(manager, f"/admin/people/{claire.id}")


def test_a_merge_tells_of_a_third_person_in_the_mailbox(desk: Desk) -> None:
    claire, _luc, _lina = couple(desk)
    second, _ = factories.family(desk.here, "Tom", username="claire2", email="c2@x.example")
    manager = desk.browser("manager")
    assert warned(manager, f"/admin/people/{claire.id}/merge?username={second.username}")


def test_an_address_that_somebody_else_has_is_asked_about_first(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    factories.family(desk.here, "Tom", username="luc", given_name="Luc", email=BOTH)
    manager = desk.browser("manager")
    manager.open(f"/admin/people/{claire.id}/edit")
    manager.submit("email-form", email=BOTH)
    assert manager.shows("shared-mailbox")
    assert fresh(claire).email == "claire@x.example"

    manager.submit("email-form", email=BOTH)

    assert fresh(claire).email == BOTH


def test_c3_who_shares_it_at_another_school_is_not_told(desk: Desk) -> None:
    claire, _lina = claire_of(desk, email=BOTH)
    factories.family(desk.elsewhere, "Tom", username="luc", given_name="Luc", email=BOTH)
    manager = desk.browser("manager")
    assert not warned(manager, f"/admin/people/{claire.id}/close")
