"""An address of the file that is another guardian's, on the page of an import (rule N2)."""

import re
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import select

from idp.database import db
from idp.people.models import Account
from tests.admin.places import Desk
from tests.admin.rosters import applied, begun, work_off
from tests.relying_party import Browser
from tests.roster.test_others_addresses import EXCHANGED, MAILS, as_oneroster

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SAID = {
    "fr": (
        "Le fichier donne à des responsables l’adresse e-mail d’un autre responsable",
        "A cette adresse",
    ),
    "nl": (
        "Het bestand geeft ouders/voogden het e-mailadres van een andere ouder of voogd",
        "Heeft dit adres",
    ),
    "de": (
        "Die Datei gibt Erziehungsberechtigten die E-Mail-Adresse von jemand anderem",
        "Hat diese Adresse",
    ),
    "en": (
        "The file gives guardians an e-mail address that is another guardian's",
        "Has the address",
    ),
}


def file_of(tmp_path: Path, mails: list[str]) -> bytes:
    return as_oneroster(tmp_path / "roster", mails).read_bytes()


def text_of(browser: Browser) -> str:
    assert browser.page is not None
    return unescape(browser.page.text).replace("<wbr>", "")


def asked(desk: Desk, tmp_path: Path) -> tuple[Browser, str, dict[str, str | None]]:
    """A manager before a file that exchanges two; the question's name, and the addresses before."""
    manager = desk.browser("manager")
    applied(desk, manager, file_of(tmp_path, MAILS))
    before = addresses()
    browser = begun(desk, manager, file_of(tmp_path, EXCHANGED))
    (name,) = set(re.findall(r'name="(answer-[^"]+)"', text_of(browser)))
    return browser, name, before


def addresses() -> dict[str, str | None]:
    db.session.expire_all()
    return {
        each.given_name: each.email
        for each in db.session.scalars(select(Account))
        if each.given_name.startswith("Par")
    }


def again(browser: Browser) -> None:
    work_off()
    browser.open(browser.page.request.path if browser.page else "")


def test_n2_the_page_shows_old_and_new_and_whose_the_address_is(desk: Desk, tmp_path: Path) -> None:
    browser, _, before = asked(desk, tmp_path)
    page = text_of(browser)
    address = browser.page.request.path if browser.page else ""
    row = r'<th scope="row">([^<]+)</th>\s*<td>\s*([^<]+?)\s*</td>\s*<td[^>]*>([^<]+)<'
    rows = re.findall(row, page.partition('id="questions"')[2])
    assert [each[1:] for each in rows[:3]] == [
        ("ParAdam Adam", MAILS[0]),
        ("ParAdam Adam", MAILS[1]),
        ("ParBaert Baert", MAILS[1]),
    ]
    assert browser.shows("apply-asked")
    assert "Rien à modifier" not in page
    for language, sentences in SAID.items():
        browser.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = language
        browser.open(address)
        assert [each for each in sentences if each not in text_of(browser)] == [], language
    browser.open(address)
    browser.submit("apply-form")
    work_off()
    assert addresses() == before


@pytest.mark.parametrize(("said", "first"), [("same", MAILS[1]), ("another", MAILS[0])])
def test_n2_a_manager_says_whether_the_addresses_are_right(
    desk: Desk, tmp_path: Path, said: str, first: str
) -> None:
    browser, name, _ = asked(desk, tmp_path)
    browser.submit("answers-form", **{name: said})
    again(browser)
    assert not browser.shows("apply-asked")
    change = "Responsables avec une autre adresse e-mail\N{NO-BREAK SPACE}: 2"
    assert (change in text_of(browser)) is (said == "same")
    assert ("Rien à modifier" in text_of(browser)) is (said == "another")
    assert re.search(rf'value="{said}"\s+checked', text_of(browser))

    browser.submit("apply-form")
    work_off()

    assert addresses()["ParAdam"] == first
