"""Figures of a large platform are counted beside the pages, and told with the time of the count."""

from datetime import timedelta

import pytest
from flask import Flask

from idp import clock
from idp.cli.program import cli
from idp.database import transaction
from idp.doctor import running
from idp.people import platform_counts
from idp.people.platform_counts import PlatformCounts
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser, RelyingParty

pytestmark = pytest.mark.quick_on("sqlite")


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_counts, "COUNTED_BY_PAGES", 0)


def portal_of(desk: Desk) -> RelyingParty:
    """An application in which one parent of two has signed in."""
    portal = RelyingParty.of(desk.here, scope="openid child email")
    factories.family(desk.here, "Lina", username="claire", email=None)
    factories.family(desk.here, "Mia", status="invited", email=None)
    portal.sign_in(Browser(desk.app.test_client()), "claire", scope="openid child")
    return portal


def numbers(page: str) -> list[str]:
    """The lines of the overview's and of an application's page that tell numbers."""
    lines = [line.strip() for line in page.splitlines()]
    return [line for line in lines if line.isdigit() or 'class="number"' in line]


def refresh(app: Flask) -> str:
    done = app.test_cli_runner().invoke(cli, ["overview", "refresh"])
    assert done.exit_code == 0, done.output
    return done.output


def finding() -> str:
    found = {each.subject: each for each in running.of_running()}
    return found["overview"].remedy if "overview" in found else ""


def test_what_is_counted_beside_the_pages_is_what_a_page_counts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = portal_of(desk)
    operator = desk.browser("operator")
    pages = ("/admin/", f"/admin/applications/{portal.client_id}")
    counted_here = [numbers(operator.open(page).text) for page in pages]
    assert all(len(each) > 3 for each in counted_here)
    assert not operator.shows("figures-counted")

    refresh(desk.app)
    monkeypatch.setattr(platform_counts, "COUNTED_BY_PAGES", 0)
    assert [numbers(operator.open(page).text) for page in pages] == counted_here
    assert all(operator.open(page) and operator.shows("figures-counted") for page in pages)


@pytest.mark.usefixtures("large")
def test_a_page_of_a_large_platform_says_that_nobody_has_counted_yet(desk: Desk) -> None:
    portal = portal_of(desk)
    operator = desk.browser("operator")
    for page in ("/admin/", f"/admin/applications/{portal.client_id}"):
        operator.open(page)
        assert operator.shows("figures-uncounted")
        assert not operator.shows("funnel-picture")
        assert not operator.shows("client-use-sum")


@pytest.mark.usefixtures("large")
def test_figures_stay_as_they_were_counted_until_they_are_counted_again(desk: Desk) -> None:
    operator = desk.browser("operator")
    assert "1 application" in refresh(desk.app) or "0 applications" in refresh(desk.app)
    before = numbers(operator.open("/admin/").text)
    portal_of(desk)
    assert numbers(operator.open("/admin/").text) == before
    refresh(desk.app)
    assert numbers(operator.open("/admin/").text) != before


@pytest.mark.usefixtures("large")
def test_a_school_reads_its_own_figures_of_now(desk: Desk) -> None:
    portal = portal_of(desk)
    manager = desk.browser("manager")
    manager.open("/admin/")
    assert manager.shows("funnel-picture")
    manager.open(f"/admin/applications/{portal.client_id}")
    assert manager.shows("client-use-sum")
    assert not manager.shows("figures-counted")


@pytest.mark.usefixtures("large")
def test_what_an_application_had_goes_with_it(desk: Desk) -> None:
    platform_counts.keep({"use gone": {}, "overview": {}})
    platform_counts.keep({"overview": {}})
    with transaction() as reads:
        assert [each.name for each in reads.query(PlatformCounts)] == ["overview"]


def test_a_large_platform_whose_figures_nobody_counts_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.account()
    assert not finding(), "a small one counts by itself"
    monkeypatch.setattr(platform_counts, "COUNTED_BY_PAGES", 0)
    assert "idp overview refresh" in finding()
    refresh(desk.app)
    assert not finding()
    with transaction() as writes:
        for each in writes.query(PlatformCounts):
            each.counted_at = clock.now() - timedelta(hours=3)
    assert "idp-overview.timer" in finding()
