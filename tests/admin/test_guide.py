"""The guide for parents: one page in each of the school's languages, with its face and contact."""

from io import BytesIO

import pytest
from pypdf import PdfReader

from idp.settings import LOCALES
from tests import factories
from tests.admin.places import Desk
from tests.web.test_translations import catalogue, forms

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def pages(desk: Desk, who: str, school_id: str) -> list[str]:
    answer = desk.browser(who).client.get(f"/admin/schools/{school_id}/guide.pdf")
    assert answer.status_code == 200, answer.status
    assert answer.mimetype == "application/pdf"
    read = PdfReader(BytesIO(answer.data))
    return [" ".join(page.extract_text().split()) for page in read.pages]


def said(sentence: str, locale: str) -> str:
    if locale == "en":
        return sentence
    found = catalogue(locale).get(sentence)
    assert found is not None
    return forms(found.string)[0]


def test_a_school_has_one_page_for_each_of_four_languages(desk: Desk) -> None:
    found = pages(desk, "helper", desk.here.id)

    locales = [desk.here.locale, *(each for each in LOCALES if each != desk.here.locale)]
    assert len(found) == len(LOCALES)
    for page, locale in zip(found, locales, strict=True):
        for label in ("CONNECTION TOKEN", "CHANGE", "SIGN IN", "Sign in with this account"):
            assert said(label, locale) in page, f"{label} in {locale}: as the pages say"
        assert desk.here.name in page
        assert desk.here.contact_email in page


def test_long_names_and_contacts_stay_on_the_page(desk: Desk) -> None:
    long = factories.school(
        "Institut des Ursulines de la Sainte-Famille et du Sacré-Cœur – section fondamentale",
        contact_name="Mme Bénédicte Lacroix-Vandenbroucke, secrétariat de l'école fondamentale",
        locale="de",
    )

    assert len(pages(desk, "operator", long.id)) == len(LOCALES)


def test_another_school_and_a_stranger_get_none(desk: Desk) -> None:
    other = factories.school("Autre école")
    address = f"/admin/schools/{other.id}/guide.pdf"

    assert desk.browser("helper").client.get(address).status_code == 404
    nowhere = "/admin/schools/nothing/guide.pdf"
    assert desk.browser("operator").client.get(nowhere).status_code == 404


def test_the_desk_offers_it(desk: Desk) -> None:
    page = desk.browser("manager").open("/admin/people")

    assert f"/admin/schools/{desk.here.id}/guide.pdf" in page.text
