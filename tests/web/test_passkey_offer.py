"""A passkey is offered once, between the password and the application, where the device can."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from idp.credentials.models import Passkey
from idp.database import db
from idp.settings import Settings
from tests import factories
from tests.authenticator import Authenticator, make
from tests.conftest import settings_for_tests
from tests.factories import PASSWORD
from tests.relying_party import World, answer, leads_to, world
from tests.second_factors import ISSUER

pytestmark = pytest.mark.quick_on("sqlite")


@pytest.fixture
def settings(database_url: str, keys_folder: Any) -> Settings:
    return settings_for_tests(database_url, keys_folder, issuer=ISSUER)


@pytest.fixture
def there(client: FlaskClient) -> World:
    return world(client, "Lina", signed_in=False)


def sign_in(there: World, username: str = "claire", *, able: bool = True, **fields: str) -> None:
    there.ask(prompt="login")
    fields = {"platform": "yes" if able else "", **fields}
    there.browser.submit("login-form", username=username, password=PASSWORD, **fields)


def passkeys() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Passkey)) or 0


def is_offered(there: World) -> bool:
    return there.browser.shows("passkey-offer-form")


def is_answered(there: World) -> bool:
    assert there.browser.page is not None
    return "code" in answer(there.browser.page)


def test_it_is_declined_once_and_never_asked_again(there: World) -> None:
    sign_in(there)
    assert is_offered(there)

    there.browser.press("passkey-offer-later")

    assert is_answered(there)
    sign_in(there)
    assert not is_offered(there)
    assert is_answered(there)
    assert passkeys() == 0


def test_who_leaves_it_unanswered_is_not_asked_again_either(there: World) -> None:
    sign_in(there)
    assert is_offered(there)
    sign_in(there)
    assert is_answered(there)


def test_a_passkey_that_is_made_there_signs_in_the_next_time(there: World) -> None:
    sign_in(there)
    make(there.browser, "passkey-offer-form", Authenticator())

    assert is_answered(there)
    assert passkeys() == 1


def test_what_is_no_passkey_is_told_and_the_way_on_stays_open(there: World) -> None:
    sign_in(there)
    there.browser.submit("passkey-offer-form", credential="{}")
    assert is_offered(there)
    there.browser.press("passkey-offer-later")
    assert is_answered(there)


def test_a_device_that_could_not_is_not_asked(there: World) -> None:
    sign_in(there, able=False)
    assert is_answered(there)
    sign_in(there)
    assert is_offered(there), "on another device it may be"


def test_who_has_a_passkey_is_not_asked(there: World) -> None:
    sign_in(there)
    make(there.browser, "passkey-offer-form", Authenticator())
    sign_in(there)
    assert is_answered(there)


def test_staff_set_up_their_second_step_instead(there: World) -> None:
    from idp.lifecycle import factor_changes

    factor_changes.grant_role(there.guardian.id, "helper", there.school.id)
    sign_in(there)
    assert not is_offered(there)
    assert there.browser.shows("enrol-app")


def test_at_home_a_card_says_it_and_no_page(there: World) -> None:
    there.browser.open("/")
    there.browser.submit("login-form", username="claire", password=PASSWORD, platform="yes")
    assert there.browser.shows("passkey-offer-link")


def test_p11_the_page_is_for_who_has_just_signed_in_there(there: World) -> None:
    sign_in(there)
    assert there.browser.page is not None
    page = there.browser.page.request.path
    there.browser.press("passkey-offer-later")

    factories.account("paul")
    sign_in(there, "paul", able=False)

    for method in (there.http.get, there.http.post):
        assert not leads_to(method(page)).endswith("passkey-offer")
        there.browser.open(page)
        assert not is_offered(there)
    assert there.http.post(f"{page}/options").status_code in {400, 404}
