"""What the plans Basic, Form Post Basic, Hybrid and Implicit ask alike, in each way to be answered.

``plans.txt`` says which module of the plans each test is. Where a module asks a person to look at a
page, the page is read here.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from joserfc import jws

from tests.conformance.flows import FLOWS, Flow, Party, party
from tests.front_channel import allowing
from tests.protocol.assertions import ISSUER, key_for
from tests.relying_party import CALLBACK, RelyingParty, claims_of, leads_to
from tests.request_objects import Signer, unsigned
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")
each_flow = pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
with_a_code = pytest.mark.parametrize(
    "flow", [flow for flow in FLOWS.values() if flow.has_code], ids=["basic", "form post", "hybrid"]
)


@pytest.fixture
def allowed(database_url: str, keys_folder: Path) -> Iterator[FlaskClient]:
    with allowing(database_url, keys_folder) as browser:
        yield browser


@pytest.fixture
def there(allowed: FlaskClient, flow: Flow) -> Party:
    """A guardian who is signed in, and the application."""
    return party(allowed, flow)


@pytest.fixture
def signed_out(allowed: FlaskClient, flow: Flow) -> Party:
    return party(allowed, flow, signed_in=False)


@each_flow
def test_two_applications_are_answered_and_each_token_names_its_own(there: Party) -> None:
    """OpenID Connect Core §2: iss, sub, aud, exp and iat, with the nonce of the request."""
    second = Party(there.flow, there.there)
    types = there.there.portal.registered.client.metadata_["response_types"]
    other = there.there.other_portal(response_types=types)

    first = there.claims(nonce="n-1")
    second.there.portal = other
    again = second.claims(nonce="n-2")

    for claims in (first, again):
        assert claims["iss"] == ISSUER
        assert claims["sub"] == first["sub"]
        assert claims["exp"] > claims["iat"]
    assert (first["nonce"], again["nonce"]) == ("n-1", "n-2")
    assert again["aud"] == other.client_id != first["aud"]


@each_flow
def test_without_a_response_type_nothing_is_given(there: Party) -> None:
    """OpenID Connect Core §3.1.2.1: response_type is REQUIRED."""
    page = there.there.ask(**there.request(response_type=None, response_mode=None))

    assert page.status_code in {302, 303}
    assert "error=invalid_request&" in leads_to(page)
    assert "id_token" not in leads_to(page)


@each_flow
def test_an_id_token_is_signed_with_rs256_by_a_published_key(there: Party) -> None:
    """OpenID Connect Core §15.1: RS256 is what an ID token is signed with by default."""
    token = there.id_token(there.answer())

    header = jws.extract_compact(token.encode()).headers()
    assert header["alg"] == "RS256"
    published = there.there.http.get("/oauth2/jwks").json or {}
    assert [key["kty"] for key in published["keys"] if key["kid"] == header["kid"]] == ["RSA"]


@with_a_code
def test_userinfo_is_told_to_each_way_of_showing_the_token(there: Party) -> None:
    """OpenID Connect Core §5.3.1: by GET and POST, in the header and in the body."""
    tokens, http = there.there.tokens_of(there.answer(scope="openid email")), there.there.http
    token = tokens["access_token"]
    header = {"Authorization": f"Bearer {token}"}

    by_get = http.get("/oauth2/userinfo", headers=header)
    by_post = http.post("/oauth2/userinfo", headers=header)
    in_body = http.post("/oauth2/userinfo", data={"access_token": token})

    for response in (by_get, by_post, in_body):
        assert response.status_code == 200
        assert (response.json or {})["email"] == "claire@dubois.example"
        assert (response.json or {})["sub"] == claims_of(http, tokens["id_token"])["sub"]


@each_flow
def test_the_nonce_is_required_where_an_id_token_comes_by_the_browser(there: Party) -> None:
    """OpenID Connect Core §3.2.2.1: nonce is REQUIRED; by §3.1.2.1 it is OPTIONAL for a code."""
    fields = there.answer(nonce=None)

    if there.flow.response_type == "code":
        assert "nonce" not in claims_of(there.there.http, there.id_token(fields))
    else:
        assert fields["error"] == "invalid_request"


@each_flow
@pytest.mark.parametrize(
    ("scope", "gives"),
    [
        ("openid profile", {"name", "given_name", "family_name"}),
        ("openid email", {"email", "email_verified"}),
        ("openid address", set()),
        ("openid phone", set()),
        ("openid address email phone profile", {"name", "email", "email_verified"}),
    ],
)
def test_the_claims_of_a_scope_are_told(there: Party, scope: str, gives: set[str]) -> None:
    """OpenID Connect Core §5.4: the scopes' claims; those that are not kept are no error."""
    told = there.told(scope=scope)

    assert gives <= told.keys()
    assert not {"address", "phone_number"} & told.keys()
    assert ("name" in told, "email" in told) == ("profile" in scope, "email" in scope)


@each_flow
def test_scopes_and_parameters_may_come_in_any_order(there: Party) -> None:
    """RFC 6749 §3.3: the order of the scopes does not matter, nor that of the parameters."""
    asked = there.there.portal.request(**there.request(scope="email profile openid"))
    backwards = urlencode(list(reversed(asked.items())))

    fields = there.fields(there.there.browser.open(f"/oauth2/authorize?{backwards}"))

    assert claims_of(there.there.http, there.id_token(fields))["nonce"] == "n-0S6"


@each_flow
def test_what_is_a_wish_or_unknown_is_no_error(there: Party) -> None:
    """OpenID Connect Core §15.1: display, the locales, acr_values and more must not be errors."""
    for wish in (
        *({"display": display} for display in ("page", "popup")),
        {"ui_locales": "se"},
        {"ui_locales": "fr nl"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
        {"extra": "foobar"},
    ):
        assert there.claims(**wish)["nonce"] == "n-0S6", wish


@each_flow
@pytest.mark.parametrize("display", ["page", "popup"])
def test_the_page_of_the_sign_in_comes_in_each_display(signed_out: Party, display: str) -> None:
    """OpenID Connect Core §3.1.2.1: display says how the pages are shown, and breaks none."""
    signed_out.ask(display=display)
    assert signed_out.there.browser.shows("login-form")

    fields = signed_out.fields(signed_out.there.browser.sign_in("claire"))

    assert claims_of(signed_out.there.http, signed_out.id_token(fields))["nonce"] == "n-0S6"


@each_flow
def test_the_sign_in_is_shown_in_a_language_that_was_asked_for(signed_out: Party) -> None:
    """OpenID Connect Core §3.1.2.1: ui_locales are the person's preferred languages."""
    for asked, spoken in (("nl", "nl"), ("se de", "de")):
        assert f'<html lang="{spoken}"' in signed_out.ask(ui_locales=asked).text


@each_flow
def test_a_login_hint_fills_in_the_name(signed_out: Party) -> None:
    """OpenID Connect Core §3.1.2.1: login_hint is about the identifier, and no error."""
    for hint in ("claire", "buffy@127.0.0.1"):
        page = signed_out.ask(login_hint=hint)
        assert page.status_code == 200
        assert f'value="{hint}"' in page.text
    fields = signed_out.fields(signed_out.there.browser.sign_in("claire"))
    assert "error" not in fields


@each_flow
def test_prompt_login_signs_in_again(there: Party) -> None:
    """OpenID Connect Core §3.1.2.1: prompt=login asks again, and auth_time is the new one."""
    first = there.claims()

    with later(minutes=2):
        there.ask(prompt="login")
        assert there.there.browser.shows("login-form")
        fields = there.fields(there.there.browser.sign_in("claire"))
        again = claims_of(there.there.http, there.id_token(fields))

    assert again["auth_time"] >= first["auth_time"] + 120
    assert again["sub"] == first["sub"]


@each_flow
def test_a_silent_request_of_nobody_is_login_required(signed_out: Party) -> None:
    """OpenID Connect Core §3.1.2.6: login_required, where the answers stand."""
    fields = signed_out.answer(prompt="none")

    assert (fields["error"], fields["state"]) == ("login_required", "st4te")
    assert not {"code", "id_token"} & fields.keys()


@each_flow
def test_silent_requests_speak_of_the_same_sign_in(there: Party) -> None:
    """OpenID Connect Core §3.1.2.1: prompt=none, a hint and a large max_age: nobody is asked."""
    fields = there.answer(max_age="15000")
    token = there.id_token(fields)
    first = claims_of(there.there.http, token)

    with later(seconds=30):
        for asked in (
            {"prompt": "none"},
            {"max_age": "10000"},
            {"prompt": "none", "id_token_hint": token},
        ):
            again = there.claims(**asked)
            assert (again["sub"], again["auth_time"]) == (first["sub"], first["auth_time"])


@each_flow
def test_a_short_max_age_asks_again(there: Party) -> None:
    """OpenID Connect Core §3.1.2.1: max_age=1 asks who signed in before, and auth_time is told."""
    first = there.claims()

    with later(seconds=3):
        there.ask(max_age="1")
        assert there.there.browser.shows("login-form")
        fields = there.fields(there.there.browser.sign_in("claire"))
        again = claims_of(there.there.http, there.id_token(fields))

    assert again["auth_time"] > first["auth_time"]


@with_a_code
@pytest.mark.parametrize("seconds", [0, 30])
def test_a_code_is_redeemed_once_and_the_second_try_ends_it(there: Party, seconds: int) -> None:
    """RFC 6749 §4.1.2: not more than once; tokens that were issued for it are revoked."""
    fields, http = there.answer(), there.there.http
    token = there.there.tokens_of(fields)["access_token"]
    assert there.there.portal.userinfo(http, token).status_code == 200

    with later(seconds=seconds):
        second = there.there.portal.redeem(http, fields["code"])
        assert (second.status_code, (second.json or {})["error"]) == (400, "invalid_grant")
        assert there.there.portal.userinfo(http, token).status_code == 401


@each_flow
def test_nobody_is_led_to_an_address_that_is_not_registered(there: Party) -> None:
    """OpenID Connect Core §3.1.2.1: redirect_uri is one of the registered, to the letter."""
    page = there.ask(redirect_uri=f"{CALLBACK}/other")

    assert page.status_code == 400
    assert not leads_to(page)
    assert 'id="form-post"' not in page.text


@each_flow
def test_a_request_by_post_is_answered_as_one_by_get(there: Party) -> None:
    """OpenID Connect Core §3.1.2.1: the endpoint takes GET and POST."""
    asked = {name: value for name, value in there.request().items() if value is not None}
    data = there.there.portal.request(**asked)

    fields = there.fields(there.there.http.post("/oauth2/authorize", data=data))

    assert claims_of(there.there.http, there.id_token(fields))["nonce"] == "n-0S6"


@with_a_code
def test_client_secret_post_redeems_a_code(allowed: FlaskClient, flow: Flow) -> None:
    """OpenID Connect Core §9: client_secret_post, where it is registered."""
    there = party(allowed, flow, token_endpoint_auth_method="client_secret_post")
    portal = there.there.portal
    form = {
        "grant_type": "authorization_code",
        "code": there.answer()["code"],
        "redirect_uri": CALLBACK,
        "client_id": portal.client_id,
        "client_secret": portal.registered.secret,
    }

    response = allowed.application.test_client(use_cookies=False).post("/oauth2/token", data=form)

    assert response.status_code == 200
    assert (response.json or {})["id_token"]


@each_flow
def test_an_unsigned_request_object_of_nobodys_registration_is_not_supported(there: Party) -> None:
    """OpenID Connect Core §3.1.2.6: request_not_supported and request_uri_not_supported."""
    portal = Signer(there.there, key_for("ES256"))
    asked = {name: value for name, value in there.request().items() if value is not None}
    inside = unsigned(portal.claims(**asked))

    by_value = there.answer(request=inside)
    by_reference = there.answer(request_uri="https://portal.example/request.jwt")

    assert by_value["error"] == "request_not_supported"
    assert by_reference["error"] == "request_uri_not_supported"
    assert not {"code", "id_token"} & {*by_value, *by_reference}


@each_flow
def test_a_foreign_address_inside_a_request_object_is_nobodys_way_out(there: Party) -> None:
    """RFC 6749 §4.1.2.1: an unregistered redirect_uri inside an object leads nowhere either."""
    portal = Signer(there.there, key_for("ES256"))
    inside = unsigned(portal.claims(redirect_uri="https://evil.example/"))

    page = there.ask(request=inside)

    assert page.status_code == 400
    assert "evil.example" not in page.text


@each_flow
def test_an_essential_claim_is_told(there: Party) -> None:
    """OpenID Connect Core §5.5: a claim by name, of UserInfo, or of the ID token without a code."""
    where = "userinfo" if there.flow.has_code else "id_token"

    told = there.told(claims=f'{{"{where}": {{"name": {{"essential": true}}}}}}')

    assert told["name"] == "Claire Dubois"


@with_a_code
def test_a_refresh_token_works_for_its_own_application_alone(there: Party) -> None:
    """OpenID Connect Core §12.2: a refresh gives an ID token of the same person."""
    fields = there.answer(scope="openid offline_access")
    before = claims_of(there.there.http, there.id_token(fields))
    tokens = there.there.tokens_of(there.answer(scope="openid offline_access"))
    stranger: RelyingParty = there.there.other_portal()

    refused = stranger.refresh(there.there.http, tokens["refresh_token"])
    given = there.there.portal.refresh(there.there.http, tokens["refresh_token"])

    assert (refused.status_code, (refused.json or {})["error"]) == (400, "invalid_grant")
    assert given.status_code == 200
    after = claims_of(there.there.http, (given.json or {})["id_token"])
    for name in ("iss", "sub", "aud", "auth_time"):
        assert after[name] == before[name]


@with_a_code
def test_a_code_with_pkce_is_redeemed_by_its_verifier(there: Party) -> None:
    """RFC 7636 §4.6: the right verifier redeems; a client need not be registered for it."""
    portal = there.there.portal
    code = there.answer(**portal.pkce())["code"]

    response = portal.redeem(there.there.http, code, code_verifier=portal.verifier)

    assert response.status_code == 200
