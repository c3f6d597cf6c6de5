"""What was given before a registration changed is worth what is registered now (rule O18)."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp import create_app
from idp.clients.metadata import DEVICE_CODE
from idp.database import update_all
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.applications import service as applications
from idp.errors import Invalid
from idp.oidc.models import Grant
from idp.settings import Settings
from tests.conformance.test_device_grant import asked, confirm, kiosk, poll
from tests.conformance.test_token_exchange import GRANTS, exchange, exchanged
from tests.protocol.assertions import jwks, key_for
from tests.relying_party import (
    CALLBACK,
    World,
    answer,
    claims_of,
    error_of,
    leads_to,
    world,
)
from tests.request_objects import Signer

pytestmark = pytest.mark.quick_on("postgresql")

SCOPE = "openid profile email child offline_access"
NARROW = "openid child offline_access"
PERSONAL = {"name", "preferred_username", "email"}


def change(there: World, **metadata: Any) -> None:
    """An operator edits the registration; a field set to None is left out."""
    registered = applications.get_application(AT_TERMINAL, there.portal.client_id).client
    document = {**registered.metadata_, **metadata}
    kept = {name: value for name, value in document.items() if value is not None}
    applications.change(AT_TERMINAL, registered.id, kept)


@pytest.fixture
def elsewhere(app: Flask, settings: Settings) -> Flask:
    """Another worker."""
    return create_app(settings)


def test_o18_a_scope_that_is_taken_out_elsewhere_is_told_no_more_by_tokens_from_before(
    client: FlaskClient, elsewhere: Flask
) -> None:
    there = world(client, "Lina")
    access = there.redeem(scope=SCOPE)["access_token"]
    assert set(there.portal.userinfo(client, access).json or {}) >= PERSONAL

    with elsewhere.app_context():
        change(there, scope=NARROW)

    about = there.portal.userinfo(client, access).json or {}
    assert not PERSONAL & set(about)
    assert about["child"]["given_name"] == "Lina"
    assert there.portal.introspect(client, access)["scope"] == NARROW


def test_o18_a_refresh_is_cut_down_and_says_so(client: FlaskClient) -> None:
    # RFC 6749 §5.1: the scope is told where it is another one than was asked for
    there = world(client, "Lina", id_token_claims=["email", "name"])
    first = there.redeem(scope=SCOPE)
    change(there, scope=NARROW, id_token_claims=[])

    answered = there.portal.refresh(client, first["refresh_token"]).json or {}

    assert answered["scope"] == NARROW
    assert not PERSONAL & set(there.portal.userinfo(client, answered["access_token"]).json or {})
    assert not PERSONAL & set(claims_of(client, answered["id_token"]))
    asked = there.portal.refresh(client, answered["refresh_token"], scope="openid email").json or {}
    assert asked["scope"] == "openid"


def test_o18_what_is_registered_again_is_told_again(client: FlaskClient) -> None:
    there = world(client, "Lina")
    first = there.redeem(scope=SCOPE)
    change(there, scope=NARROW)
    second = there.portal.refresh(client, first["refresh_token"]).json or {}
    change(there, scope=SCOPE)

    third = there.portal.refresh(client, second["refresh_token"]).json or {}

    assert third["scope"] == SCOPE
    # A token that was given meanwhile stays what it was said to be
    assert not PERSONAL & set(there.portal.userinfo(client, second["access_token"]).json or {})


def test_o18_of_a_scope_of_which_nothing_is_registered_any_more_nothing_is_left(
    client: FlaskClient,
) -> None:
    # RFC 6749 §5.2: invalid_scope
    there = world(client, "Lina")
    first = there.redeem(scope=SCOPE)
    second = there.portal.refresh(client, first["refresh_token"], scope="profile").json or {}
    change(there, scope=NARROW)

    refused = there.portal.refresh(client, second["refresh_token"], scope="profile")

    assert error_of(refused) == (400, "invalid_scope")
    assert there.portal.introspect(client, second["access_token"]) == {"active": False}
    assert there.portal.userinfo(client, second["access_token"]).status_code == 401
    assert there.portal.refresh(client, second["refresh_token"]).status_code == 200


def test_o18_offline_access_that_is_taken_out_ends_the_refreshing(client: FlaskClient) -> None:
    there = world(client, "Lina")
    first = there.redeem(scope=SCOPE)
    change(there, scope="openid profile")

    refused = there.portal.refresh(client, first["refresh_token"])

    assert error_of(refused) == (400, "invalid_grant")
    assert there.portal.userinfo(client, first["access_token"]).status_code == 200


def test_o18_a_code_under_way_gives_what_is_registered_now(client: FlaskClient) -> None:
    there = world(client, "Lina")
    code = there.answer(scope=SCOPE)["code"]
    change(there, scope="openid child")

    answered = there.portal.redeem(client, code).json or {}

    assert answered["scope"] == "openid child"
    assert "refresh_token" not in answered


def test_o18_a_claim_asked_by_name_needs_its_scope_registered_still(client: FlaskClient) -> None:
    there = world(client, "Lina")
    named = {"email": None, "name": None, "child": None}
    claims = json.dumps({"userinfo": named, "id_token": named})
    first = there.redeem(scope="openid offline_access", claims=claims)
    assert (there.portal.userinfo(client, first["access_token"]).json or {})["email"]
    change(there, scope="openid profile offline_access")

    about = there.portal.userinfo(client, first["access_token"]).json or {}
    second = there.portal.refresh(client, first["refresh_token"]).json or {}

    assert set(about) == {"sub", "name"}
    claims_now = claims_of(client, second["id_token"])
    assert "name" in claims_now
    assert not {"email", "child"} & set(claims_now)


def test_o18_an_exchange_and_a_token_for_a_resource_are_cut_down(client: FlaskClient) -> None:
    resources = ["https://api.example/homework"]
    there = world(client, "Lina", grant_types=GRANTS, resources=resources)
    first = there.redeem(scope=SCOPE)["access_token"]
    change(there, scope="openid profile")

    answered = exchanged(there, first, resource=resources[0])

    assert answered["scope"] == "openid profile"
    told = claims_of(client, answered["access_token"])
    assert told["scope"] == "openid profile"
    assert "child" not in told
    refused = exchange(there.portal, client, first, scope="email")
    assert error_of(refused) == (400, "invalid_scope")


def test_o18_the_page_of_applications_names_no_more_than_is_registered(client: FlaskClient) -> None:
    there = world(client, "Lina")
    there.redeem(scope=SCOPE)
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
    sentence = "See your e-mail address"
    assert sentence in there.browser.open("/account/applications").text

    change(there, scope="openid profile")

    assert sentence not in there.browser.open("/account/applications").text


TWO = "https://portal.example/two"


def opened(client: FlaskClient, **asked: str | None) -> World:
    """A guardian before the sign-in page, of an application with two redirect URIs."""
    there = world(client, "Lina", signed_in=False, redirect_uris=[CALLBACK, TWO])
    there.ask(**{"scope": SCOPE, **asked})
    assert there.browser.shows("login-form")
    return there


def test_o1_a_redirect_uri_that_is_taken_out_gets_no_code_from_a_page_that_is_open(
    client: FlaskClient, elsewhere: Flask
) -> None:
    there = opened(client)
    with elsewhere.app_context():
        change(there, redirect_uris=[TWO])

    page = there.browser.sign_in("claire")

    assert (page.status_code, leads_to(page)) == (400, "")
    assert page.text.count("portal.example") == 0
    direct = there.ask()
    assert (direct.status_code, direct.mimetype) == (page.status_code, page.mimetype)


def test_o1_nor_is_it_told_that_somebody_cancelled(client: FlaskClient) -> None:
    there = opened(client)
    change(there, redirect_uris=[TWO])

    page = there.browser.press("login-cancel")

    assert (page.status_code, leads_to(page)) == (400, "")


def test_o1_a_code_for_a_redirect_uri_that_was_taken_out_is_not_redeemed(
    client: FlaskClient, elsewhere: Flask
) -> None:
    there = world(client, "Lina", redirect_uris=[CALLBACK, TWO])
    code = there.answer(scope=SCOPE)["code"]
    first = there.redeem(scope=SCOPE)
    with elsewhere.app_context():
        change(there, redirect_uris=[TWO])

    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")
    # What its server holds already was never sent there
    assert there.portal.refresh(client, first["refresh_token"]).status_code == 200


def test_o1_what_was_pushed_for_a_redirect_uri_that_was_taken_out_opens_no_page(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina", redirect_uris=[CALLBACK, TWO])
    pushed = there.portal.post(client, "/oauth2/par", there.portal.request(scope=SCOPE)).json or {}
    change(there, redirect_uris=[TWO])

    address = f"/oauth2/authorize?client_id={there.portal.client_id}&request_uri="
    page = there.browser.open(address + pushed["request_uri"])

    assert (page.status_code, leads_to(page)) == (400, "")


DEMANDED = [
    ({"require_pkce": True}, "invalid_request"),
    ({"require_pushed_authorization_requests": True}, "invalid_request"),
    ({"require_signed_request_object": True, "jwks": jwks(key_for("ES256"))}, "invalid_request"),
    ({"grant_types": [DEVICE_CODE], "response_types": []}, "unauthorized_client"),
]


@pytest.mark.parametrize(("demanded", "error"), DEMANDED, ids=lambda each: str(each)[:40])
def test_o18_what_is_demanded_from_now_on_is_demanded_of_a_page_that_is_open(
    client: FlaskClient, demanded: dict[str, Any], error: str
) -> None:
    there = world(client, "Lina", signed_in=False, require_pkce=False)
    there.ask(scope=SCOPE)
    change(there, **demanded)

    fields = answer(there.browser.sign_in("claire"))

    assert (fields["error"], fields["state"]) == (error, "st4te")
    assert "code" not in fields


def test_o18_a_resource_that_is_taken_out_is_refused_to_a_page_that_is_open(
    client: FlaskClient,
) -> None:
    two = ["https://api.example/homework", "https://marks.example"]
    there = world(client, "Lina", signed_in=False, resources=two)
    there.ask(scope=SCOPE, resource=two[0])
    change(there, resources=two[1:])

    assert answer(there.browser.sign_in("claire"))["error"] == "invalid_target"


def test_o18_a_page_that_is_open_gives_what_is_registered_now(client: FlaskClient) -> None:
    claims = json.dumps({"userinfo": {"email": None}})
    there = opened(client, claims=claims)
    change(there, scope="openid child")

    answered = there.tokens_of(answer(there.browser.sign_in("claire")))

    assert answered["scope"] == "openid child"
    about = there.portal.userinfo(client, answered["access_token"]).json or {}
    assert set(about) == {"sub", "child"}


def test_o18_what_was_signed_goes_on_where_a_signature_is_demanded_from_now_on(
    client: FlaskClient,
) -> None:
    key = key_for("ES256")
    there = world(client, "Lina", signed_in=False, jwks=jwks(key))
    signer = Signer(there, key)
    signer.ask(signer.text())
    change(there, require_signed_request_object=True)

    assert "code" in answer(there.browser.sign_in("claire"))


def test_o18_a_screen_whose_application_may_ask_so_no_more_gets_nothing(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina")
    screen = kiosk(there)
    codes = asked(screen, client)
    kiosk_there = World(there.school, there.guardian, there.children, screen, there.browser)
    change(
        kiosk_there,
        grant_types=["authorization_code"],
        response_types=["code"],
        redirect_uris=[CALLBACK],
    )

    page = confirm(there.browser, codes["user_code"])

    assert 'id="device-denied"' in page.text

    assert error_of(poll(screen, client, codes["device_code"]))[0] == 400


def test_c5_what_is_the_schools_own_no_more_keeps_nothing_that_nobody_allowed(
    client: FlaskClient, elsewhere: Flask
) -> None:
    there = world(client, "Lina")
    first = there.redeem(scope=SCOPE)
    code = there.answer(scope=SCOPE)["code"]
    with elsewhere.app_context():
        change(there, first_party=False)

    assert there.portal.userinfo(client, first["access_token"]).status_code == 401
    assert there.portal.introspect(client, first["access_token"]) == {"active": False}
    refreshed = there.portal.refresh(client, first["refresh_token"])
    assert error_of(refreshed) == (400, "invalid_grant")
    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")
    assert there.answer(scope=SCOPE, prompt="none")["error"] == "consent_required"


def test_c5_a_page_that_is_open_asks_for_consent_then(client: FlaskClient) -> None:
    there = opened(client)
    change(there, first_party=False)

    there.browser.sign_in("claire")

    assert there.browser.shows("consent-form")
    assert there.tokens_of(answer(there.browser.press("consent-allow")))["scope"] == SCOPE


@pytest.mark.parametrize(
    "document", [{"first_party": False}, {"first_party": False, "email_claim": "real"}], ids=str
)
def test_c5_a_grant_that_another_worker_made_by_the_former_registration_gives_no_tokens(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    """It had read the registration a moment before the change, and wrote the grant after it."""
    there = world(client, "Lina")
    code = there.answer(scope=SCOPE)["code"]
    change(there, **document)
    update_all(Grant, Grant.client_id == there.portal.client_id, ended_at=None)

    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")


def test_the_schools_own_from_now_on_ends_nothing(client: FlaskClient) -> None:
    there = world(client, "Lina", first_party=False)
    there.ask(scope=SCOPE)
    first = there.tokens_of(answer(there.browser.press("consent-allow")))
    change(there, first_party=True)

    assert there.portal.refresh(client, first["refresh_token"]).status_code == 200


@pytest.mark.parametrize("former", ["pairwise", "public"])
def test_by_which_subjects_it_knows_people_does_not_change(
    client: FlaskClient, former: str
) -> None:
    # OpenID Connect Core §5.3.2, §12.2: the sub is the one of the ID token from before
    there = world(client, "Lina", subject_type=former)
    access = there.redeem(scope=SCOPE)["access_token"]
    before = there.portal.userinfo(client, access).json or {}

    with pytest.raises(Invalid) as refused:
        change(there, subject_type="public" if former == "pairwise" else "pairwise")

    assert refused.value.code == "sector_stays"
    after = there.portal.userinfo(client, access).json or {}
    assert (after["sub"], after["child"]["sub"]) == (before["sub"], before["child"]["sub"])
