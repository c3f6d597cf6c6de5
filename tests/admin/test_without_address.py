"""Whoever has no e-mail address is promised no mail: by the page of an old letter, by the pages of
their own account, and at the desk.
"""

from collections.abc import Callable

import pytest
from flask import Flask

from idp.database import db, transaction
from idp.lifecycle.mails import requests as mail_requests
from idp.mail.models import OutboxMessage
from idp.people import accounts, staff
from idp.people.models import Account
from tests import factories
from tests.admin.places import Desk
from tests.admin.test_former_guardians import former
from tests.admin.test_letters import printing
from tests.admin.test_person_acts import claire_of, post
from tests.factories import PASSWORD
from tests.relying_party import Browser
from tests.second_factors import switch_on
from tests.times import later
from tests.web.foreign_walk import offer_providers
from tests.web.places import Place, place

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def here(app: Flask) -> Place:
    return place(app)


PROMISES = {
    "fr": "pas d'adresse",
    "nl": "geen e-mailadres",
    "de": "keine E-Mail",
    "en": "have no e",
}


def with_old_letter(browser: Browser, school_contact: str = "") -> str:
    """The holder of a printed token, who types it too late; the page that answers."""
    school = factories.school(contact_email=school_contact)
    nadia, _children = factories.family(school, "Lina", username="nadia", status="invited")
    token = mail_requests.issue_letter_token(nadia.id)
    with later(days=15):
        browser.open(f"/welcome?token={token}")
        page = browser.submit("token-form", token=token)
        assert page.status_code == 400
        return page.text.replace("&#39;", "'")


@pytest.mark.parametrize("locale", PROMISES)
def test_an_old_letter_without_an_address_leads_to_the_school(here: Place, locale: str) -> None:
    here.speaks(locale)

    page = with_old_letter(here.browser, "bureau@other.example")

    assert PROMISES[locale] in page
    assert "bureau@other.example" in page
    assert not here.browser.shows("token-renew")


def test_no_mail_is_queued_where_a_fresh_token_is_asked_for_all_the_same(here: Place) -> None:
    with_old_letter(here.browser)
    hidden = here.browser._form("language-form").hidden
    with later(days=15):
        renew = f"{here.interaction()}/token/renew"
        answer = here.browser.client.post(renew, data={"csrf_token": hidden["csrf_token"]})

    assert answer.status_code == 400
    assert "token-no-address" in answer.text
    db.session.rollback()
    assert db.session.query(OutboxMessage).count() == 0


OWN_PAGES = {
    "/account/password": "nous vous envoyons un e-mail",
    "/account/email": "Nous écrivons aux deux adresses",
    "/account/connections": "vous est annoncé par e-mail",
}


@pytest.mark.parametrize("path", OWN_PAGES)
def test_pages_of_an_account_promise_mail_where_there_is_an_address(here: Place, path: str) -> None:
    offer_providers(here)
    here.browser.open("/")
    here.browser.sign_in("claire")
    if here.browser.client.get(path).status_code != 200:
        here.browser.open(path)
        here.browser.submit("step-up-form", current_password=PASSWORD)
    assert OWN_PAGES[path] in here.browser.open(path).text
    _without_address(here.parent)

    assert OWN_PAGES[path] not in here.browser.open(path).text


def _without_address(account: Account) -> None:
    with transaction():
        stored = accounts.lock_account(account.id)
        assert stored is not None
        stored.email = stored.email_key = None


Page = Callable[[Desk, Account], str]


def _edit(_desk: Desk, claire: Account) -> str:
    return f"/admin/people/{claire.id}/edit"


def _letter(_desk: Desk, claire: Account) -> str:
    return f"/admin/people/{claire.id}/letter"


def _merge(desk: Desk, claire: Account) -> str:
    other, _ = factories.family(desk.here, "Tom", username="claire2", email="c@y.example")
    return f"/admin/people/{claire.id}/merge?username={other.username}"


def _second_step(_desk: Desk, claire: Account) -> str:
    switch_on(claire.id)
    return f"/admin/second-step/{claire.id}"


def _role(desk: Desk, claire: Account) -> str:
    staff.grant(claire.id, "helper", desk.here.id)
    (role,) = staff.roles_of(claire.id)
    return f"/admin/staff/{role.id}"


AT_DESK: dict[str, tuple[Page, str]] = {
    "edit": (_edit, "Les deux adresses en sont averties"),
    "letter": (_letter, "envoyez un nouveau jeton par e-mail"),
    "merge": (_merge, "titulaires des deux comptes en sont informés"),
    "second step": (_second_step, "La personne est prévenue par e-mail"),
    "role": (_role, "La personne en est avertie par e-mail"),
}


@pytest.mark.parametrize("name", AT_DESK)
def test_pages_of_the_desk_promise_mail_where_there_is_an_address(desk: Desk, name: str) -> None:
    claire, _lina = claire_of(desk)
    made, promise = AT_DESK[name]
    path = made(desk, claire)
    reader = printing(desk) if name == "letter" else desk.browser("operator")
    assert promise in reader.open(path).text
    _without_address(claire)

    assert promise not in reader.open(path).text


@pytest.mark.parametrize(
    ("changes", "is_promised"),
    [({}, True), ({"email": None, "proved": False}, False), ({"status": "invited"}, False)],
)
def test_a_link_promises_the_mail_that_leaves(
    desk: Desk, changes: dict[str, object], *, is_promised: bool
) -> None:
    claire, _lina = claire_of(desk, **changes)
    tom, manager = factories.child(desk.here, "Tom"), desk.browser("manager")

    path = f"/admin/people/{claire.id}/link"
    assert post(manager, path, child_id=tom.id, relationship="parent") == 303

    page = manager.open(f"/admin/people/{claire.id}").text
    assert ("informée par e-mail" in page) is is_promised
    assert ("avertissez la personne vous-même" in page) is not is_promised


def test_a_former_guardian_without_an_address_is_asked_by_the_school(desk: Desk) -> None:
    claire, tom = former(desk)
    _without_address(claire)
    manager = desk.browser("manager")

    path = f"/admin/pupils/{tom.id}/known-guardian"
    assert post(manager, path, username="claire", relationship="parent") == 303

    page = manager.open(f"/admin/pupils/{tom.id}").text
    assert "interrogée par e-mail" not in page
    assert "avertissez-la vous-même" in page
