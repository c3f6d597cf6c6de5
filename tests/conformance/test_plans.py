"""The OpenID Foundation's plans, module by module: which test here asks the same.

``plans.txt`` has them. What a module asks and no other test did stands here. Those that need a
screenshot or a person (``…-logo-uri``) are looked at there; here the page is read.
"""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.outgoing.conftest import change
from tests.protocol.proofs import Prover
from tests.relying_party import CALLBACK, leads_to, world

pytestmark = pytest.mark.quick_on("sqlite")
TESTS = Path(__file__).parents[1]


def test_each_module_of_the_plans_has_its_test() -> None:
    """OpenID Connect Core §15.1: what the conformance suite asks, asked here."""
    lines = (TESTS / "conformance" / "plans.txt").read_text().splitlines()
    modules = [line.split() for line in lines if line and not line.startswith("#")]

    assert len(modules) > 75
    assert [
        (module, file, name)
        for module, file, name in modules
        if not re.search(rf"def {name}\b", (TESTS / f"{file}.py").read_text())
    ] == []


def test_scopes_may_come_in_any_order(client: FlaskClient) -> None:
    """RFC 6749 §3.3: the order of the scopes does not matter."""
    there = world(client, scope="openid profile email")

    tokens = there.redeem(scope="email profile openid")

    assert set(tokens["scope"].split()) == {"openid", "profile", "email"}
    told = there.portal.userinfo(client, tokens["access_token"]).json or {}
    assert {"sub", "email", "name"} <= told.keys()


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


def test_a_silent_request_speaks_of_the_same_sign_in(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: prompt=none and a large max_age tell the same auth_time."""
    there = world(client)
    first = there.claims(max_age="15000")

    for asked in ({"prompt": "none"}, {"max_age": "10000"}):
        again = there.claims(**asked)
        assert (again["sub"], again["auth_time"]) == (first["sub"], first["auth_time"])


@pytest.mark.parametrize(
    "query", ["?foo=bar&x=y", "?bar=foo", "", "?foo=bar#x", "?foo=bar&foo=bar"]
)
def test_a_query_that_is_not_the_registered_one_is_refused(client: FlaskClient, query: str) -> None:
    """OpenID Connect Core §3.1.2.1: redirect_uri is one of the registered, by simple comparison."""
    there = world(client, redirect_uris=[f"{CALLBACK}?foo=bar"])

    page = there.ask(redirect_uri=f"{CALLBACK}{query}")

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


def test_a_registration_of_the_dynamic_plan_is_answered_as_asked(client: FlaskClient) -> None:
    """OpenID Connect Registration §3.2: the answer holds what was registered, and it works."""
    there = world(client)
    change(client.application, dynamic_registration="open")
    change(client.application, dynamic_registration_schools=(there.school.id,))
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
