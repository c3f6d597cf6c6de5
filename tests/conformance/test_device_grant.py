"""The Device Authorization Grant (RFC 8628): a screen asks, a guardian answers on a phone."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp import purge
from idp.clients import registration
from idp.clients.metadata import DEVICE_CODE
from idp.database import db
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.applications import service as applications
from idp.errors import Invalid
from idp.lifecycle import endings
from idp.oidc.models import DeviceCode, Grant
from tests import factories
from tests.parallel import at_once
from tests.relying_party import Browser, RelyingParty, World, claims_of, error_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

PENDING = (400, "authorization_pending")
SLOWER = (400, "slow_down")
DENIED = (400, "access_denied")
SCOPE = "openid child"


def kiosk(there: World, **metadata: Any) -> RelyingParty:
    """An application on a screen: it has no redirect URI."""
    values = {
        "client_name": "Borne",
        "redirect_uris": [],
        "post_logout_redirect_uris": [],
        "grant_types": [DEVICE_CODE, "refresh_token"],
        **metadata,
    }
    return RelyingParty(factories.client_app(there.school, **values), redirect_uri="")


def asked(portal: RelyingParty, http: FlaskClient, **changes: str) -> dict[str, Any]:
    response = ask(portal, http, **changes)
    assert response.status_code == 200, response.text
    return dict(response.json or {})


def ask(portal: RelyingParty, http: FlaskClient, **changes: str) -> TestResponse:
    return portal.post(http, "/oauth2/device_authorization", {"scope": SCOPE, **changes})


def poll(portal: RelyingParty, http: FlaskClient, device_code: str, **changes: str) -> TestResponse:
    data = {"grant_type": DEVICE_CODE, "device_code": device_code, **changes}
    return portal.post(http, "/oauth2/token", data)


def type_in(browser: Browser, user_code: str) -> TestResponse:
    browser.open("/device")
    return browser.submit("device-form", user_code=user_code)


def allow(browser: Browser, user_code: str) -> TestResponse:
    """The walk of a guardian who has one child or is asked about none."""
    page = confirm(browser, user_code)
    for button in ("account-continue", "child-submit-1"):
        if browser.shows(button):
            page = browser.press(button)
    return page


def confirm(browser: Browser, user_code: str) -> TestResponse:
    """Type the code, and say that it is the screen's."""
    type_in(browser, user_code)
    assert browser.shows("device-confirm"), browser.page and browser.page.text[:3000]
    return browser.press("device-continue")


def test_a_screen_gets_what_it_shows_and_polls_with(client: FlaskClient) -> None:
    """RFC 8628 §3.2: both codes, the address, expires_in and interval are answered."""
    there = world(client)
    answered = asked(kiosk(there), client)

    assert len(answered["device_code"]) >= 40
    assert answered["verification_uri"] == "http://127.0.0.1:8000/device"
    assert answered["expires_in"] == 900
    assert answered["interval"] == 5


def test_the_answer_is_not_kept(client: FlaskClient) -> None:
    """RFC 8628 §3.2: the answer is application/json and not cached (RFC 6749 §5.1)."""
    response = ask(kiosk(world(client)), client)

    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"


def test_the_user_code_is_easily_typed(client: FlaskClient) -> None:
    """RFC 8628 §6.1: eight letters without vowels, in two groups."""
    there = world(client)
    portal = kiosk(there)

    for _ in range(20):
        code = asked(portal, client)["user_code"]
        assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", code)


def test_the_complete_address_holds_the_user_code(client: FlaskClient) -> None:
    """RFC 8628 §3.2: verification_uri_complete has the user code in it, for a QR code."""
    answered = asked(kiosk(world(client)), client)
    complete = urlsplit(answered["verification_uri_complete"])

    assert complete.path == "/device"
    assert parse_qs(complete.query)["user_code"] == [answered["user_code"]]


def test_the_whole_way(client: FlaskClient) -> None:
    """RFC 8628 §1: the screen asks, the guardian allows elsewhere, the screen gets its tokens."""
    there = world(client, "Lina")
    portal = kiosk(there)
    codes = asked(portal, client, nonce="n")

    assert error_of(poll(portal, client, codes["device_code"])) == PENDING
    allow(there.browser, codes["user_code"])
    assert there.browser.shows("device-allowed")
    with later(seconds=5):
        tokens = poll(portal, client, codes["device_code"]).json or {}
    claims = claims_of(client, tokens["id_token"])

    assert claims["child"]["given_name"] == "Lina"
    assert claims["nonce"] == "n"
    assert tokens["token_type"] == "Bearer"
    told = portal.userinfo(client, tokens["access_token"]).json or {}
    assert told["sub"] == claims["sub"]


def test_who_is_signed_out_signs_in_on_the_way(client: FlaskClient) -> None:
    """RFC 8628 §3.3: the server authenticates the guardian and asks for a decision."""
    there = world(client, "Lina", "Tom", signed_in=False)
    portal = kiosk(there, first_party=False)
    codes = asked(portal, client, scope="openid child profile")

    confirm(there.browser, codes["user_code"])
    there.browser.sign_in("claire")
    there.browser.press("child-submit-2")
    assert there.browser.shows("consent-allow")
    there.browser.press("consent-allow")
    assert there.browser.shows("device-allowed")
    tokens = poll(portal, client, codes["device_code"]).json or {}

    assert claims_of(client, tokens["id_token"])["child"]["given_name"] == "Tom"


def test_of_several_children_one_is_chosen_for_the_screen(client: FlaskClient) -> None:
    """RFC 8628 §3.3: a choice that was made for another application does not count."""
    there = world(client, "Lina", "Tom")
    there.ask(scope="openid child")
    there.browser.press("child-submit-1")
    codes = asked(kiosk(there), client)

    confirm(there.browser, codes["user_code"])

    assert there.browser.shows("child-submit-2")


def test_who_is_signed_in_says_that_it_is_them(client: FlaskClient) -> None:
    """RFC 8628 §5.4: nobody is taken for the one whose browser it happens to be."""
    there = world(client, "Lina")
    portal = kiosk(there)

    confirm(there.browser, asked(portal, client)["user_code"])
    assert there.browser.shows("child-submit-1")
    confirm(there.browser, asked(portal, client, scope="openid")["user_code"])
    assert there.browser.shows("account-continue")


def test_the_page_says_who_asks(client: FlaskClient) -> None:
    """RFC 8628 §5.4: the guardian is told which application asks, and with which code."""
    there = world(client)
    codes = asked(kiosk(there), client)

    page = type_in(there.browser, codes["user_code"]).text

    assert "Borne" in page
    assert there.school.name in page
    assert codes["user_code"] in page


def test_the_complete_address_asks_whether_it_is_the_screens_code(client: FlaskClient) -> None:
    """RFC 8628 §3.3.1: with the code in the address the guardian still compares it."""
    there = world(client)
    codes = asked(kiosk(there), client)

    there.browser.open(f"/device?user_code={codes['user_code']}")
    assert there.browser.shows("device-code")
    assert codes["user_code"] in (there.browser.page.text if there.browser.page else "")
    there.browser.press("device-submit")

    assert there.browser.shows("device-confirm")


def test_opening_the_address_does_nothing(client: FlaskClient) -> None:
    """RFC 8628 §5.4: an address that is opened allows nothing, however often."""
    there = world(client)
    portal = kiosk(there)
    codes = asked(portal, client)

    for _ in range(3):
        there.browser.open(f"/device?user_code={codes['user_code']}")

    assert error_of(poll(portal, client, codes["device_code"])) == PENDING


@pytest.mark.parametrize("written", ["{0}", "{1}", "{2}", " {0} ", "{1}.", "{3}"])
def test_the_code_may_be_typed_as_one_likes(client: FlaskClient, written: str) -> None:
    """RFC 8628 §6.1: capitals, spaces, dashes and points do not matter."""
    there = world(client)
    code = asked(kiosk(there), client)["user_code"]
    forms = (code, code.lower(), code.replace("-", ""), " ".join(code.replace("-", "–")))

    type_in(there.browser, written.format(*forms))

    assert there.browser.shows("device-confirm")


def test_a_wrong_code_is_told_so(client: FlaskClient) -> None:
    """RFC 8628 §3.3: a code that no screen shows leads nowhere."""
    there = world(client)
    asked(kiosk(there), client)

    for wrong in ("BBBB-BBBB", "1234-5678", "BCDF", "", "é" * 8, "B" * 5000):
        page = type_in(there.browser, wrong)
        assert page.status_code == 400
        assert there.browser.shows("user_code-problem")


def test_guesses_are_slowed_down(app: Flask, client: FlaskClient) -> None:
    """RFC 8628 §5.1: guesses at user codes are limited; a right one is given back."""
    there = world(client)
    portal = kiosk(there)
    for _ in range(3):
        allow(there.browser, asked(portal, client)["user_code"])
    stranger = Browser(app.test_client())
    statuses = [type_in(stranger, "BBBB-BBBB").status_code for _ in range(102)]

    assert statuses[:99] == [400] * 99
    assert statuses[-1] == 429


def test_the_screen_is_refused(client: FlaskClient) -> None:
    """RFC 8628 §3.5: access_denied where the guardian refuses."""
    there = world(client)
    portal = kiosk(there)
    codes = asked(portal, client)

    type_in(there.browser, codes["user_code"])
    there.browser.press("device-refuse")

    assert there.browser.shows("device-denied")
    refused = poll(portal, client, codes["device_code"])
    assert error_of(refused) == DENIED
    assert (refused.json or {})["error_description"] == "The guardian cancelled"


def test_every_way_out_of_the_interaction_refuses(client: FlaskClient) -> None:
    """RFC 8628 §3.5: « cancel » on any page on the way is access_denied too, with its reason."""
    there = world(client, signed_in=False)
    portal = kiosk(there)
    cancelled, childless = asked(portal, client), asked(portal, client)

    allow(there.browser, cancelled["user_code"])
    there.browser.press("login-cancel")
    assert there.browser.shows("device-denied")
    there.browser.sign_in_at_home("claire")
    allow(there.browser, childless["user_code"])
    there.browser.press("no-child-back")

    assert error_of(poll(portal, client, cancelled["device_code"])) == DENIED
    told = poll(portal, client, childless["device_code"]).json or {}
    assert told["error_description"] == "The guardian has no child at this school"


def test_who_polls_too_fast_is_told_to_slow_down(client: FlaskClient) -> None:
    """RFC 8628 §3.5: slow_down adds five seconds, for this and all subsequent requests."""
    there = world(client)
    portal = kiosk(there)
    code = asked(portal, client)["device_code"]

    assert error_of(poll(portal, client, code)) == PENDING
    assert error_of(poll(portal, client, code)) == SLOWER
    with later(seconds=6):
        assert error_of(poll(portal, client, code)) == SLOWER
    with later(seconds=24):
        assert error_of(poll(portal, client, code)) == PENDING
    with later(seconds=32):
        assert error_of(poll(portal, client, code)) == SLOWER


def test_who_keeps_the_interval_is_never_told_to(client: FlaskClient) -> None:
    """RFC 8628 §3.2: interval is what a screen has to wait between two requests."""
    there = world(client)
    portal = kiosk(there)
    code = asked(portal, client)["device_code"]

    for number in range(4):
        with later(seconds=5 * number):
            assert error_of(poll(portal, client, code)) == PENDING


def test_a_code_that_nobody_answered_expires(client: FlaskClient) -> None:
    """RFC 8628 §3.5: expired_token once expires_in is over."""
    there = world(client)
    portal = kiosk(there)
    codes = asked(portal, client)

    with later(minutes=15, seconds=1):
        assert error_of(poll(portal, client, codes["device_code"])) == (400, "expired_token")
        type_in(there.browser, codes["user_code"])
        assert there.browser.shows("user_code-problem")


def test_an_answer_that_comes_too_late_counts_for_nothing(client: FlaskClient) -> None:
    """RFC 8628 §3.3: who answers after the code has expired is told to begin again."""
    there = world(client)
    codes = asked(kiosk(there), client, scope="openid")
    type_in(there.browser, codes["user_code"])

    there.browser.press("device-continue")
    with later(minutes=16):
        there.browser.press("account-continue")

    assert there.browser.shows("device-over")
    assert db.session.query(Grant).count() == 0


def test_a_code_works_once(client: FlaskClient) -> None:
    """RFC 8628 §3.5: a device code that was redeemed is worth nothing, and ends what it gave."""
    there = world(client)
    portal = kiosk(there)
    codes = asked(portal, client, scope="openid offline_access")
    allow(there.browser, codes["user_code"])
    first = poll(portal, client, codes["device_code"]).json or {}

    assert error_of(poll(portal, client, codes["device_code"])) == (400, "invalid_grant")
    assert portal.userinfo(client, first["access_token"]).status_code == 401


def test_an_answered_code_can_not_be_answered_again(client: FlaskClient) -> None:
    """RFC 8628 §3.3: a user code is answered once, in whichever tab."""
    there = world(client)
    portal = kiosk(there)
    codes = asked(portal, client, scope="openid")
    other = Browser(client)
    type_in(other, codes["user_code"])
    allow(there.browser, codes["user_code"])

    other.press("device-refuse")

    assert other.shows("device-allowed")
    assert poll(portal, client, codes["device_code"]).status_code == 200


def test_another_application_gets_nothing(client: FlaskClient) -> None:
    """RFC 8628 §3.4: the device code is worth something to the client that asked, alone."""
    there = world(client)
    portal, thief = kiosk(there), kiosk(there)
    codes = asked(portal, client, scope="openid")
    allow(there.browser, codes["user_code"])

    assert error_of(poll(thief, client, codes["device_code"])) == (400, "invalid_grant")
    assert poll(portal, client, codes["device_code"]).status_code == 200


@pytest.mark.parametrize("wrong", ["unknown", "é", "x" * 5000])
def test_an_unknown_device_code_is_refused(client: FlaskClient, wrong: str) -> None:
    """RFC 8628 §3.5: what is no device code is an error of RFC 6749 §5.2."""
    portal = kiosk(world(client))

    assert error_of(poll(portal, client, wrong)) == (400, "invalid_grant")


def test_a_user_code_is_no_device_code(client: FlaskClient) -> None:
    """RFC 8628 §5.2: what everybody in the room can read opens nothing."""
    there = world(client)
    portal = kiosk(there)
    codes = asked(portal, client, scope="openid")
    allow(there.browser, codes["user_code"])

    assert error_of(poll(portal, client, codes["user_code"])) == (400, "invalid_grant")


def test_the_application_proves_itself_at_both_endpoints(client: FlaskClient) -> None:
    """RFC 8628 §3.1: the client authentication of the token endpoint applies here too."""
    there = world(client)
    portal = kiosk(there)
    codes = asked(portal, client)
    nobody = {"client_id": portal.client_id}

    wrong = client.post("/oauth2/device_authorization", data={"scope": SCOPE, **nobody})
    polled = client.post(
        "/oauth2/token",
        data={"grant_type": DEVICE_CODE, "device_code": codes["device_code"], **nobody},
    )

    assert (wrong.json or {})["error"] == "invalid_client"
    assert (polled.json or {})["error"] == "invalid_client"


def test_a_public_application_names_itself(client: FlaskClient) -> None:
    """RFC 8628 §3.1: client_id is required of a client that does not authenticate."""
    there = world(client)
    portal = kiosk(there, token_endpoint_auth_method="none")
    codes = asked(portal, client, scope="openid")
    allow(there.browser, codes["user_code"])

    nameless = client.post("/oauth2/device_authorization", data={"scope": SCOPE})
    assert (nameless.json or {})["error"] == "invalid_client"
    assert poll(portal, client, codes["device_code"]).status_code == 200


def test_an_application_needs_the_grant_type(client: FlaskClient) -> None:
    """RFC 6749 §5.2: who is not registered for device codes is unauthorized_client."""
    there = world(client)

    assert error_of(ask(there.portal, client)) == (400, "unauthorized_client")
    assert error_of(poll(there.portal, client, "x")) == (400, "unauthorized_client")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"prompt": "none"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"claims": "["}, "invalid_request"),
    ],
)
def test_a_wrong_request_is_refused_at_once(
    client: FlaskClient, changes: dict[str, str], error: str
) -> None:
    """RFC 8628 §3.1: the rules of an authorization request hold, before anybody types a code."""
    portal = kiosk(world(client))

    assert error_of(ask(portal, client, **changes)) == (400, error)


def test_a_screens_token_may_be_for_a_resource(client: FlaskClient) -> None:
    """RFC 8707 §2: the resource of the device authorization request is the tokens'."""
    there = world(client)
    portal = kiosk(there, resources=["https://api.example"])
    codes = asked(portal, client, scope="openid", resource="https://api.example")
    allow(there.browser, codes["user_code"])

    tokens = poll(portal, client, codes["device_code"]).json or {}

    assert claims_of(client, tokens["access_token"])["aud"] == "https://api.example"


def test_the_request_goes_into_the_body(client: FlaskClient) -> None:
    """RFC 8628 §3.1: POST, with the parameters as application/x-www-form-urlencoded."""
    portal = kiosk(world(client))

    assert client.get("/oauth2/device_authorization").status_code == 405
    assert error_of(portal.post(client, "/oauth2/device_authorization?scope=openid", {})) == (
        400,
        "invalid_request",
    )


def test_discovery_names_the_endpoint(client: FlaskClient) -> None:
    """RFC 8628 §4: device_authorization_endpoint and the grant type are in the metadata."""
    told = client.get("/.well-known/oauth-authorization-server").json or {}

    assert told["device_authorization_endpoint"].endswith("/oauth2/device_authorization")
    assert DEVICE_CODE in told["grant_types_supported"]


def test_what_ends_between_answer_and_poll_gives_nothing(client: FlaskClient) -> None:
    """RFC 8628 §3.5: a guardianship that ended after the answer gives no token."""
    there = world(client, "Lina")
    portal = kiosk(there)
    codes = asked(portal, client)
    allow(there.browser, codes["user_code"])
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    assert error_of(poll(portal, client, codes["device_code"])) == (400, "invalid_grant")


def test_the_tokens_end_with_the_guardianship(client: FlaskClient) -> None:
    """RFC 7662 §2.2: a screen's token is inactive once the guardianship has ended."""
    there = world(client, "Lina")
    portal = kiosk(there)
    codes = asked(portal, client)
    allow(there.browser, codes["user_code"])
    token = (poll(portal, client, codes["device_code"]).json or {})["access_token"]
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    assert portal.introspect(client, token) == {"active": False}


def test_what_waits_ends_with_its_application(client: FlaskClient) -> None:
    """RFC 8628 §3.5: a screen whose application was taken out of use is not answered any more."""
    there = world(client)
    portal = kiosk(there)
    codes = asked(portal, client)
    applications.disable(AT_TERMINAL, portal.client_id)
    type_in(there.browser, codes["user_code"])
    assert there.browser.shows("user_code-problem")
    applications.enable(AT_TERMINAL, portal.client_id)

    assert error_of(poll(portal, client, codes["device_code"])) == DENIED


def test_old_codes_are_purged(client: FlaskClient) -> None:
    """RFC 8628 §3.2: a code is kept no longer than it is of use."""
    there = world(client)
    codes = asked(kiosk(there), client)
    allow(there.browser, codes["user_code"])
    asked(kiosk(there), client)

    purge.run()
    assert db.session.query(DeviceCode).count() == 2
    with later(days=2):
        purge.run()
    assert db.session.query(DeviceCode).count() == 0


def test_an_application_without_a_browser_needs_no_redirect_uri(client: FlaskClient) -> None:
    """RFC 7591 §2: redirect_uris are for clients of flows that redirect."""
    there = world(client)
    kiosk(there)

    with pytest.raises(Invalid):
        kiosk(there, grant_types=["authorization_code", DEVICE_CODE])
    changed = registration.change(
        there.portal.client_id,
        {**there.portal.registered.client.metadata_, "grant_types": ["refresh_token", DEVICE_CODE]},
    )
    assert changed.client.metadata_["redirect_uris"] == ["https://portal.example/callback"]


@pytest.mark.parametrize("database_url", ["postgresql", "sqlite"], indirect=True)
def test_of_two_polls_at_once_one_is_answered(app: Flask, client: FlaskClient) -> None:
    """RFC 8628 §3.5: however many redeem a device code at once, one gets tokens at most."""
    there = world(client)
    portal = kiosk(there)
    codes = asked(portal, client, scope="openid")
    allow(there.browser, codes["user_code"])

    def redeem() -> int:
        return poll(portal, app.test_client(), codes["device_code"]).status_code

    answers, errors = at_once(app, 5, redeem)

    assert errors == []
    assert sorted(answers) == [200] + [400] * 4
