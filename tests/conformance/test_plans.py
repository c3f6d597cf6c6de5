"""The OpenID Foundation's plans, module by module: which test here asks the same.

``modules.txt`` has the plans, ``plans.txt`` a test for each module, or why there is none. What a
module asks and no other test did stands here. Where a module asks for a screenshot or a person, the
page is read.
"""

from urllib.parse import urlencode, urlsplit

import pytest
from flask.testing import FlaskClient

from tests.conformance import plans, requirements
from tests.outgoing.conftest import change
from tests.protocol.assertions import ISSUER
from tests.protocol.proofs import Prover
from tests.relying_party import CALLBACK, World, error_of, leads_to, world

pytestmark = pytest.mark.quick_on("sqlite")


def test_each_module_of_the_plans_has_a_row_and_each_row_a_module() -> None:
    """OpenID Connect Core §15.1: what the conformance suite asks, asked here."""
    known = plans.modules()

    rows = plans.rows()

    assert {name: len(modules) for name, (_title, modules) in known.items()} == {
        "oidcc-config-certification-test-plan": 1,
        "oidcc-basic-certification-test-plan": 38,
        "oidcc-formpost-basic-certification-test-plan": 38,
        "oidcc-dynamic-certification-test-plan": 23,
        "oidcc-hybrid-certification-test-plan": 37,
        "oidcc-implicit-certification-test-plan": 31,
        "oidcc-rp-initiated-logout-certification-test-plan": 11,
        "oidcc-backchannel-rp-initiated-logout-certification-test-plan": 2,
        "oidcc-frontchannel-rp-initiated-logout-certification-test-plan": 2,
        "oidcc-3rdparty-init-login-certification-test-plan": 2,
        "fapi2-security-profile-final-test-plan": 62,
        "fapi2-message-signing-final-test-plan": 78,
    }
    asked = {module for _title, modules in known.values() for module in modules}
    assert {module for plan, module in rows if not plan} == asked
    for plan, module in rows:
        assert not plan or module in known[plan][1], (plan, module)


def test_each_row_names_a_test_of_that_section_or_a_reason() -> None:
    """OpenID Connect Core §15.1: the test is there, and about what the row says it is about."""
    there = {each.test: each for each in requirements.everywhere()}

    for (plan, module), row in plans.rows().items():
        where = plan or "everywhere", module
        if row.reason:
            assert len(row.reason) > 20, where
            continue
        found = there.get(row.test)
        assert found, (*where, row.test)
        assert row.about == f"{found.specification} {found.section}", where


@pytest.mark.parametrize(
    "hint",
    [
        *({"display": display} for display in ("page", "popup", "touch", "wap", "x")),
        {"claims_locales": "se"},
        {"ui_locales": "se sv"},
        {"acr_values": "1 2"},
        {"registration": "{}"},
        {"login_hint": "buffy@127.0.0.1"},
    ],
    ids=str,
)
def test_hints_about_the_page_are_no_error(client: FlaskClient, hint: dict[str, str]) -> None:
    """OpenID Connect Core §3.1.2.1: what is a wish is never an error."""
    assert "code" in world(client).answer(**hint)


@pytest.mark.parametrize(
    "query", ["?foo=bar&x=y", "?bar=foo", "", "?foo=bar#x", "?foo=bar&foo=bar"]
)
def test_a_query_that_is_not_the_registered_one_is_refused(client: FlaskClient, query: str) -> None:
    """OpenID Connect Core §3.1.2.1: redirect_uri is one of the registered, by simple comparison."""
    there = world(client, redirect_uris=[f"{CALLBACK}?foo=bar"])
    without = there.other_portal()

    pages = [there.ask(redirect_uri=f"{CALLBACK}{query}")]
    if query:
        pages.append(there.browser.open(without.authorize_path(redirect_uri=CALLBACK + query)))

    for page in pages:
        assert page.status_code == 400
        assert not leads_to(page)


def test_of_two_addresses_the_request_names_one(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: redirect_uri is REQUIRED."""
    there = world(client, redirect_uris=[CALLBACK, f"{CALLBACK}/other"])

    page = there.ask(redirect_uri=None)

    assert page.status_code == 400
    assert not leads_to(page)


@pytest.mark.parametrize("asked", ["", "?state=only", "?post_logout_redirect_uri=x&state=s"])
def test_a_sign_out_that_says_nothing_asks(client: FlaskClient, asked: str) -> None:
    """RP-Initiated Logout §2: without a hint the end-user is asked, and led nowhere."""
    there = world(client)

    page = there.browser.open(f"/oauth2/logout{asked}")
    assert there.browser.shows("logout-confirm") or "logout/confirm" in page.text
    there.browser.open("/")

    assert there.browser.shows("sign-out"), "nothing has ended"


def test_signing_out_without_a_state_brings_none_back(client: FlaskClient) -> None:
    """RP-Initiated Logout §3: state comes back where it was in the request."""
    there = world(client)
    home = "https://portal.example/"
    asked = {"id_token_hint": there.redeem()["id_token"], "post_logout_redirect_uri": home}

    gone = there.browser.open(f"/oauth2/logout?{urlencode(asked)}")

    assert leads_to(gone) == home
    assert there.answer(prompt="none")["error"] == "login_required"


def test_discovery_names_where_signing_out_begins(client: FlaskClient) -> None:
    """RP-Initiated Logout §2.1: end_session_endpoint is REQUIRED in discovery."""
    told = client.get("/.well-known/openid-configuration").json or {}

    assert told["end_session_endpoint"] == f"{ISSUER}/oauth2/logout"
    assert client.get("/oauth2/logout").status_code == 200


@pytest.fixture
def opened(client: FlaskClient) -> World:
    """A provider at which anybody may register an application."""
    there = world(client)
    change(client.application, dynamic_registration="open")
    change(client.application, dynamic_registration_schools=(there.school.id,))
    return there


def test_where_a_sign_in_may_begin_is_registered_and_read_again(
    client: FlaskClient, opened: World
) -> None:
    """OpenID Connect Core §4: initiate_login_uri is registered, and told when it is read."""
    document = {"redirect_uris": [CALLBACK], "initiate_login_uri": "https://portal.example/start"}

    made = client.post("/oauth2/register", json=document).json or {}
    token = {"Authorization": f"Bearer {made['registration_access_token']}"}
    read = client.get(urlsplit(made["registration_client_uri"]).path, headers=token).json or {}

    for told in (made, read):
        assert told["initiate_login_uri"] == document["initiate_login_uri"]


def test_a_sign_in_begins_at_an_https_address_alone(client: FlaskClient, opened: World) -> None:
    """OpenID Connect Registration §2: initiate_login_uri MUST use the https scheme."""
    document = {"redirect_uris": [CALLBACK], "initiate_login_uri": "http://portal.example/start"}

    refused = client.post("/oauth2/register", json=document)

    assert error_of(refused) == (400, "invalid_client_metadata")
    assert "initiate_login_uri" in (refused.json or {})["error_description"]


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEARER"])
def test_the_scheme_of_a_token_is_read_in_any_case(client: FlaskClient, scheme: str) -> None:
    """RFC 9110 §11.1: the scheme is case-insensitive, DPoP's too."""
    there, key = world(client), Prover()
    token = there.redeem()["access_token"]
    headers = {"Authorization": f"{scheme} {token}"}
    bound = (key.redeem(there.portal, client, there.answer()["code"]).json or {})["access_token"]

    assert client.get("/oauth2/userinfo", headers=headers).status_code == 200
    for of_proofs in ("dpop", "DPOP"):
        assert key.userinfo(client, bound, scheme=of_proofs).status_code == 200


def test_whatever_a_first_party_is_told_silently_it_is_told_by_form_too(
    client: FlaskClient,
) -> None:
    """OAuth 2.0 Form Post Response Mode §2: login_required goes by form where it is asked so."""
    there = world(client, signed_in=False)

    page = there.ask(prompt="none", response_mode="form_post")

    assert page.status_code == 200
    assert 'value="login_required"' in page.text


def test_a_registration_of_the_dynamic_plan_is_answered_as_asked(
    client: FlaskClient, opened: World
) -> None:
    """OpenID Connect Registration §3.2: the answer holds what was registered, and it works."""
    document = {
        "application_type": "web",
        "redirect_uris": [CALLBACK],
        "contacts": ["certification@oidf.org"],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "client_name": "OIDF conformance",
        "subject_type": "pairwise",
        "id_token_signed_response_alg": "RS256",
        "default_max_age": 3600,
        "require_auth_time": True,
    }

    made = client.post("/oauth2/register", json=document)

    assert made.status_code == 201
    told = made.json or {}
    for name in ("redirect_uris", "response_types", "grant_types", "default_max_age"):
        assert told[name] == document[name]
    assert told["client_secret"]
