"""``acr_values`` and the ``acr`` claim: what a client asks, and an honest answer (Core §3.1.2.1,
§5.5.1.1; OpenID Connect EAP ACR Values 1.0).
"""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from idp.clients.metadata import ACR_VALUES
from idp.database import db
from idp.errors import Invalid
from idp.sessions import service as sessions
from idp.sessions.assurance import ACRS
from idp.settings import Settings
from tests import factories
from tests.authenticator import Authenticator, use
from tests.conftest import settings_for_tests
from tests.relying_party import World, answer, claims_of, world
from tests.second_factors import ISSUER, add_passkey, audited, code_now, switch_on
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

SINGLE, TWO, PHR = ACRS


@pytest.fixture
def settings(database_url: str, keys_folder: Any) -> Settings:
    return settings_for_tests(database_url, keys_folder, issuer=ISSUER)


@pytest.fixture
def there(client: FlaskClient) -> World:
    """Claire, signed in by her password."""
    return world(client)


def with_app(there: World) -> str:
    return switch_on(there.guardian.id)[0]


def with_passkey(there: World) -> Authenticator:
    phone = Authenticator()
    add_passkey(there.browser, phone)
    return phone


def essential(*values: str) -> str:
    return json.dumps({"id_token": {"acr": {"essential": True, "values": list(values)}}})


def claims_now(there: World) -> dict[str, Any]:
    """The ID token's claims for the answer that the browser has arrived at."""
    assert there.browser.page is not None
    tokens = there.tokens_of(answer(there.browser.page))
    return claims_of(there.http, tokens["id_token"])


def session_of(there: World) -> Any:
    db.session.rollback()
    db.session.expire_all()
    (session,) = sessions.live(there.guardian.id)
    return session


def test_discovery_lists_what_can_be_asked(there: World) -> None:
    document = there.http.get("/.well-known/openid-configuration").json or {}
    assert document["acr_values_supported"] == [SINGLE, TWO, PHR]


def test_registration_knows_the_same_classes() -> None:
    assert ACR_VALUES == ACRS


# A wish


@pytest.mark.parametrize("wish", [TWO, PHR, "urn:something:else", f"{PHR} {TWO}"])
def test_a_wish_that_the_guardian_cannot_meet_is_answered_with_what_was_done(
    there: World, wish: str
) -> None:
    assert there.claims(acr_values=wish)["acr"] == SINGLE


def test_a_wish_is_met_by_the_code_of_the_app(there: World) -> None:
    secret = with_app(there)
    there.ask(acr_values=TWO)
    there.browser.submit("second-factor-form", code=code_now(secret))
    claims = claims_now(there)
    assert claims["acr"] == TWO
    assert claims["amr"] == ["pwd", "otp", "mfa"]


def test_a_wish_is_met_by_a_passkey(there: World) -> None:
    phone = with_passkey(there)
    there.ask(acr_values=f"{PHR} {TWO}")
    assert not there.browser.shows("second-factor-form")
    use(there.browser, "second-factor-passkey-form", phone)
    assert claims_now(there)["acr"] == PHR


def test_a_wish_may_be_declined_for_this_request(there: World) -> None:
    with_passkey(there)
    there.ask(acr_values=PHR)
    there.browser.press("second-factor-without")
    assert claims_now(there)["acr"] == SINGLE
    assert audited("step_up_declined")
    there.ask(acr_values=PHR)
    assert there.browser.shows("second-factor-without")


def test_the_best_that_can_be_reached_is_tried(there: World) -> None:
    secret = with_app(there)
    there.ask(acr_values=f"{PHR} {TWO}")
    there.browser.submit("second-factor-form", code=code_now(secret))
    assert claims_now(there)["acr"] == TWO


def test_where_less_is_the_dearest_nothing_is_asked(there: World) -> None:
    with_passkey(there)
    assert there.claims(acr_values=f"{SINGLE} {PHR}")["acr"] == SINGLE


def test_an_app_does_not_reach_what_a_passkey_does(there: World) -> None:
    with_app(there)
    assert there.claims(acr_values=PHR)["acr"] == SINGLE


def test_a_client_may_register_what_it_wishes(there: World) -> None:
    with_passkey(there)
    portal = there.other_portal(default_acr_values=[PHR])
    there.browser.open(portal.authorize_path())
    assert there.browser.shows("second-factor-without")
    assert "code" in answer(there.browser.open(portal.authorize_path(acr_values=SINGLE)))


@pytest.mark.parametrize("values", [["gold"], [], "phr", [PHR, "gold"]])
def test_a_client_registers_classes_that_exist(there: World, values: object) -> None:
    with pytest.raises(Invalid, match="default_acr_values"):
        factories.client_app(there.school, default_acr_values=values)


def test_many_and_long_values_do_no_harm(there: World) -> None:
    there.ask(acr_values=" ".join(["x" * 50] * 100))
    assert claims_now(there)["acr"] == SINGLE


# A demand


def test_a_demand_is_met_by_stepping_up(there: World) -> None:
    secret = with_app(there)
    there.ask(claims=essential(TWO))
    assert not there.browser.shows("second-factor-without")
    there.browser.submit("second-factor-form", code=code_now(secret))
    assert claims_now(there)["acr"] == TWO


def test_a_demand_cannot_be_declined(there: World) -> None:
    with_app(there)
    there.ask(claims=essential(TWO))
    page = there.browser.page
    assert page is not None
    at = page.request.path.removesuffix("/second-factor")
    token = {"csrf_token": there.browser._form("second-factor-form").hidden["csrf_token"]}
    there.http.post(f"{at}/second-factor/without", data=token)
    there.browser.open(at)
    assert there.browser.shows("second-factor-form")


@pytest.mark.parametrize("values", [[TWO], [PHR], ["urn:something:else"], []])
def test_a_demand_that_the_guardian_cannot_meet_is_an_error(
    there: World, values: list[str]
) -> None:
    fields = there.answer(claims=essential(*values))
    assert fields["error"] == "unmet_authentication_requirements"


def test_a_demand_is_answered_with_one_of_its_own_values(there: World) -> None:
    """OpenID Connect Core §5.5.1.1: a stronger sign-in meets a weaker demand, by its name."""
    phone = with_passkey(there)
    there.ask(claims=essential(TWO))
    use(there.browser, "second-factor-passkey-form", phone)
    assert claims_now(there)["acr"] == TWO
    assert there.claims()["acr"] == PHR


def test_a_demand_goes_before_a_wish(there: World) -> None:
    with_passkey(there)
    assert there.claims(claims=essential(SINGLE), acr_values=PHR)["acr"] == SINGLE


# Silence


def test_prompt_none_answers_a_wish_with_what_was_done(there: World) -> None:
    with_passkey(there)
    assert there.claims(prompt="none", acr_values=PHR)["acr"] == SINGLE


def test_prompt_none_asks_to_come_back_for_a_demand(there: World) -> None:
    with_passkey(there)
    assert there.answer(prompt="none", claims=essential(PHR))["error"] == "login_required"


def test_prompt_none_says_that_a_demand_cannot_be_met(there: World) -> None:
    fields = there.answer(prompt="none", claims=essential(PHR))
    assert fields["error"] == "unmet_authentication_requirements"


# The session


def test_o17_stepping_up_raises_the_session_renews_it_and_keeps_its_time(there: World) -> None:
    secret = with_app(there)
    began = session_of(there).auth_time
    cookie = there.http.get_cookie("idp_session")
    with later(minutes=5):
        there.ask(acr_values=TWO)
        there.browser.submit("second-factor-form", code=code_now(secret))
        claims = claims_now(there)
    assert cookie is not None
    renewed = there.http.get_cookie("idp_session")
    assert renewed is not None
    assert renewed.value != cookie.value
    # F9: the password was proved five minutes ago, and only the code now
    assert claims["auth_time"] == int(began.timestamp())
    assert session_of(there).acr == TWO
    assert there.claims(acr_values=TWO)["acr"] == TWO


def test_o17_a_passkey_proves_all_anew(there: World) -> None:
    phone = with_passkey(there)
    began = session_of(there).auth_time
    with later(minutes=5):
        there.ask(acr_values=PHR)
        use(there.browser, "second-factor-passkey-form", phone)
        assert claims_now(there)["auth_time"] >= int(began.timestamp()) + 290


def test_p11_a_session_of_which_nothing_is_asked_is_not_raised(there: World) -> None:
    with_app(there)
    there.ask(acr_values=TWO)
    page = there.browser.page
    there.browser.press("second-factor-without")
    there.browser.page = page
    there.browser.open(page.request.path if page else "/")
    assert not there.browser.shows("second-factor-form")


def test_the_pages_of_a_sign_in_with_a_demand(client: FlaskClient) -> None:
    """Password, then the passkey that the application insists on."""
    there = world(client)
    phone = with_passkey(there)
    there.browser.sign_out()
    there.ask(claims=essential(PHR))
    there.browser.sign_in("claire")
    use(there.browser, "second-factor-passkey-form", phone)
    claims = claims_now(there)
    assert claims["acr"] == PHR
    assert claims["amr"] == ["pwd", "hwk", "user", "mfa"]
