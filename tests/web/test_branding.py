"""The school's face on the pages, legible whatever its colour (WCAG 2.2, 1.4.3)."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from idp.database import db, transaction
from idp.people import contrast
from idp.people.models import School
from idp.web.branding import Branding, breakable
from tests import factories
from tests.outgoing.conftest import change
from tests.relying_party import Browser, RelyingParty
from tests.web.places import Place

pytestmark = pytest.mark.quick_on("sqlite")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
COLOURS = ["#1d4f91", "#f4c20d", "#000000", "#ffffff", "#808080", "#e4002b", "#00ff00", "#ff00ff"]
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 60


def ratio(one: str, two: str) -> float:
    return contrast.contrast(contrast.parse(one), contrast.parse(two))


@pytest.mark.parametrize("colour", COLOURS)
def test_text_is_legible_on_every_colour_in_both_schemes(colour: str) -> None:
    for scheme, surfaces in (
        (contrast.light_scheme(colour), ("#ffffff", "#f3f4f6")),
        (contrast.dark_scheme(colour), ("#1d2127", "#14171c")),
    ):
        assert ratio(scheme.on_accent, scheme.accent) >= 4.5
        assert ratio(scheme.on_accent, scheme.strong) >= 4.5
        for surface in (*surfaces, scheme.soft):
            assert ratio(scheme.accent, surface) >= 4.5
    assert ratio(contrast.text_on(colour), colour) >= 4.5


def test_what_is_no_colour_becomes_the_default() -> None:
    assert contrast.parse("red; } body {") == contrast.parse(contrast.DEFAULT_COLOUR)


@pytest.mark.parametrize(
    ("name", "monogram"),
    [("Collège des Tilleuls", "CT"), ("école", "É"), ("Institut Saint-Éloi", "IS"), ("", "")],
)
def test_a_school_without_a_logo_has_a_monogram(name: str, monogram: str) -> None:
    assert Branding(name).monogram == monogram


def test_the_page_carries_the_schools_name_contact_colour_and_logo(app: Flask) -> None:
    school = factories.school(colour="#f4c20d", logo_png=PNG, contact_phone="+32 2 555 01 23")
    portal = RelyingParty.of(school)
    browser = Browser(app.test_client())

    page = browser.open(portal.authorize_path())

    assert "Mme Peeters" in page.text
    assert 'href="tel:+3225550123"' in page.text
    css = re.search(r'href="(/branding/[^"]+\.css\?v=\w+)"', page.text)
    logo = re.search(r'src="(/branding/[^"]+\.png\?v=\w+)"', page.text)
    assert css
    assert logo
    style = browser.client.get(css[1])
    assert style.mimetype == "text/css"
    assert "--school:#f4c20d" in style.text
    assert "public" in style.headers["Cache-Control"]
    assert "Set-Cookie" not in style.headers
    picture = browser.client.get(logo[1])
    assert (picture.data, picture.mimetype) == (PNG, "image/png")


@on_sqlite
def test_a_school_without_a_logo_serves_none(client: FlaskClient) -> None:
    school = factories.school()

    assert client.get(f"/branding/{school.id}/logo.png").status_code == 404


@on_sqlite
def test_an_application_of_two_schools_shows_its_own_name(app: Flask) -> None:
    portal = RelyingParty.of(
        factories.school(), factories.school("Institut Saint-Éloi"), client_name="Cartable"
    )

    page = Browser(app.test_client()).open(portal.authorize_path())

    assert "Cartable" in page.text
    assert "Mme Peeters" not in page.text


def test_a_page_reads_no_more_schools_of_an_application_the_more_it_serves(app: Flask) -> None:
    """A region's application serves thousands, and every page of a sign-in shows its face."""
    portal = RelyingParty.of(
        *(factories.school(f"École {number}") for number in range(12)), client_name="Région"
    )
    db.session.remove()
    read: list[School] = []

    def note(school: School, _context: object) -> None:
        read.append(school)

    event.listen(School, "load", note)
    try:
        page = Browser(app.test_client()).open(portal.authorize_path())
    finally:
        event.remove(School, "load", note)

    assert "Région" in page.text
    assert len(read) <= 2


@pytest.mark.parametrize(
    ("platform", "school", "offered"), [(90, None, True), (90, 0, False), (0, 30, True)]
)
def test_an_application_offers_to_stay_signed_in_where_any_of_its_schools_does(
    app: Flask, platform: int, school: int | None, offered: bool
) -> None:
    change(app, stay_signed_in_days=platform)
    one, other = factories.school(), factories.school("Institut Saint-Éloi")
    with transaction():
        one.stay_signed_in_days = school
        other.stay_signed_in_days = 0
    portal = RelyingParty.of(one, other, client_name="Cartable")

    page = Browser(app.test_client()).open(portal.authorize_path())

    assert ('name="stay"' in page.text) is offered


@on_sqlite
def test_a_name_is_shown_as_text(app: Flask) -> None:
    portal = RelyingParty.of(factories.school("<script>alert(1)</script> & Co"))

    page = Browser(app.test_client()).open(portal.authorize_path())

    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text


@on_sqlite
def test_an_application_disabled_meanwhile_leaves_the_platforms_face(here: Place) -> None:
    from idp.clients import registration

    here.at_sign_in()
    registration.disable(here.portal.client_id)

    page = here.browser.open(f"{here.interaction()}/login")

    assert "iT.SCHOOL" in page.text


def test_an_address_may_break_before_its_at_and_its_dots_and_stays_text() -> None:
    assert breakable("a.b@c.example") == "a<wbr>.b<wbr>@c<wbr>.example"
    assert breakable("grant_types") == "grant_<wbr>types"
    assert breakable("ouder/voogd") == "ouder/<wbr>voogd"
    assert "<script>" not in breakable("<script>@x.example")
