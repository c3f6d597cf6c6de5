"""Addresses that mail can't reach are refused, slips are asked about, wherever they are typed."""

import pytest
from sqlalchemy import select

from idp.database import db
from idp.people.models import Account
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser
from tests.roster.files import table

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MARIE = {"given_name": "Marie", "family_name": "Maes", "locale": "fr", "relationship": "mother"}


def at_new_guardian(desk: Desk) -> Browser:
    mia = factories.child(desk.here, "Mia")
    browser = desk.browser("manager")
    browser.open(f"/admin/pupils/{mia.id}/new-guardian")
    return browser


def addresses() -> list[str | None]:
    db.session.rollback()
    return list(db.session.scalars(select(Account.email).where(Account.given_name == "Marie")))


def test_a_slip_is_asked_about_once(desk: Desk) -> None:
    browser = at_new_guardian(desk)

    page = browser.submit("guardian-form", **MARIE, email="marie@gmial.com")
    assert page.status_code == 400
    assert "marie@gmail.com" in page.text
    assert addresses() == []
    browser.submit("guardian-form", **MARIE, email="marie@gmial.com")

    assert addresses() == ["marie@gmial.com"]


def test_what_was_suggested_is_taken_at_once(desk: Desk) -> None:
    browser = at_new_guardian(desk)
    browser.submit("guardian-form", **MARIE, email="marie@gmial.com")
    browser.submit("guardian-form", **MARIE, email="marie@gmail.com")
    assert addresses() == ["marie@gmail.com"]


def test_an_address_that_mail_can_t_reach_is_refused(desk: Desk) -> None:
    page = at_new_guardian(desk).submit("guardian-form", **MARIE, email="zoé@maes.example")
    assert page.status_code == 400
    assert "accents avant le @" in page.text
    assert addresses() == []


def test_a_parent_is_asked_about_a_slip(desk: Desk) -> None:
    browser = desk.browser("manager")
    browser.open("/account/email")
    page = browser.submit("email-form", new_email="marie@hotmial.com")
    assert page.status_code == 400
    assert "marie@hotmail.com" in page.text


def test_an_import_tells_slips_and_leaves_out_what_mail_can_t_reach(
    desk: Desk, tmp_path: object
) -> None:
    from tests.admin.rosters import begun, chosen, work_off

    header = ["Nom", "Prénom", "Classe", "Nom responsable", "Prénom responsable"]
    rows = [
        ["Maes", "Mia", "3B", "Maes", "Marie", "marie@gmial.com"],
        ["Maes", "Tom", "3B", "Maes", "Zoé", "zoé@maes.example"],
    ]
    content = table([[*header, "E-mail responsable"], *rows], ";").encode()
    browser = begun(desk, "manager", content, "liste.csv")
    assert browser.page is not None
    address = browser.page.request.path
    browser.submit("columns-form", **chosen(browser.page.text))
    work_off()
    page = browser.open(address)
    assert "marie@gmial.com → marie@gmail.com" in page.text
    assert "1 ligne" in page.text
