"""A parent whose children are at one school sees that school on every page of theirs."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests import factories
from tests.relying_party import World, world

pytestmark = pytest.mark.quick_on("postgresql")

SCHOOL, PLATFORM = "Collège des Tilleuls", "iT.SCHOOL"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def password(there: World) -> None:
    there.browser.open("/account/password")


def wrong_password(there: World) -> None:
    there.browser.open("/account/password")
    there.browser.submit("password-form", current_password="x", new_password="y")


def logout_question(there: World) -> None:
    there.browser.open("/oauth2/logout")


def logged_out(there: World) -> None:
    there.browser.open("/oauth2/logout")
    there.browser.press("logout-submit")


def signed_out(there: World) -> None:
    there.browser.open("/")
    there.browser.press("sign-out")


every_page = pytest.mark.parametrize(
    "page", [password, wrong_password, logout_question, logged_out, signed_out]
)


def face(there: World) -> str:
    assert there.browser.page is not None
    _before, _, after = there.browser.page.text.partition('class="brand-name">')
    return after.partition("<")[0]


@on_sqlite
@every_page
def test_the_school_of_the_children(client: FlaskClient, page: Callable[[World], None]) -> None:
    there = world(client, "Lina", "Noé")

    page(there)

    assert face(there) == SCHOOL


@on_sqlite
@every_page
def test_the_platform_where_there_are_two_schools_or_none(
    client: FlaskClient, page: Callable[[World], None]
) -> None:
    there = world(client, "Lina")
    elsewhere = factories.child(factories.school("École du Moulin"), "Emma")
    factories.guardianship(there.guardian, elsewhere)

    page(there)

    assert face(there) == PLATFORM


@pytest.mark.parametrize("school", ["", "nobody", "s_" + "x" * 500, "a%00b", "%ff", "<b>"])
def test_an_invented_school_is_nobodys(client: FlaskClient, school: str) -> None:
    there = world(client, "Lina")

    answer = there.browser.open(f"/account/signed-out?school={school}")

    assert answer.status_code == 200
    assert face(there) == PLATFORM
