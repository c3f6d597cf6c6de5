"""What a registration says of the guardian's claims: which stand in the ID token, and whose
address the e-mail is (security rules C5 and O18).
"""

from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from idp import settings
from idp.clients import registration
from idp.clients.metadata import checked
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.applications import service as applications
from idp.errors import Invalid
from tests import factories
from tests.relying_party import Browser, World, claims_of, error_of, world

pytestmark = pytest.mark.quick_on("sqlite")

NAMED = ["name", "email", "email_verified", "preferred_username", "locale"]


def told(there: World, tokens: dict[str, Any]) -> dict[str, Any]:
    return there.portal.userinfo(there.http, tokens["access_token"]).json or {}


def test_the_named_claims_stand_in_the_id_token(client: FlaskClient) -> None:
    there = world(client, "Lina", id_token_claims=NAMED)

    claims = there.claims(scope="openid profile email child")

    assert claims["name"] == "Claire Dubois"
    assert claims["email"] == "claire@dubois.example"
    assert claims["email_verified"] is False
    assert claims["preferred_username"] == "claire"
    assert "given_name" not in claims
    assert claims["child"]["given_name"] == "Lina"


def test_without_them_the_id_token_holds_none(client: FlaskClient) -> None:
    there = world(client)

    assert not {*NAMED, "given_name"} & set(there.claims(scope="openid profile email"))


@pytest.mark.parametrize(
    ("scope", "there_are"),
    [
        ("openid", set()),
        ("openid email", {"email", "email_verified"}),
        ("openid profile", {"name"}),
    ],
)
def test_o18_a_claim_whose_scope_was_not_granted_stays_out(
    client: FlaskClient, scope: str, there_are: set[str]
) -> None:
    there = world(client, id_token_claims=["name", "email", "email_verified"])

    claims = there.claims(scope=scope)

    assert {"name", "email", "email_verified"} & set(claims) == there_are


def test_a_refreshed_id_token_holds_them_too(client: FlaskClient) -> None:
    there = world(client, id_token_claims=["email"])
    tokens = there.redeem(scope="openid email offline_access")

    again = there.portal.refresh(client, tokens["refresh_token"]).json or {}

    assert claims_of(client, again["id_token"])["email"] == "claire@dubois.example"


def test_a_registration_from_before_these_fields_works_as_it_did(client: FlaskClient) -> None:
    from idp.clients.models import Client
    from idp.database import db, transaction

    there = world(client)
    with transaction():
        row = db.session.get_one(Client, there.portal.client_id)
        old = {"id_token_claims", "email_claim"}
        row.metadata_ = {k: v for k, v in row.metadata_.items() if k not in old}

    tokens = there.redeem(scope="openid email")

    assert told(there, tokens)["email"] == "claire@dubois.example"
    assert "email" not in claims_of(client, tokens["id_token"])


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            {"id_token_claims": each}
            for each in (["sub"], ["child"], ["phone"], "email", [["email"]])
        ),
        *({"email_claim": each} for each in ("", "none", True, ["unique"])),
    ],
)
def test_other_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        checked({"client_name": "-", "redirect_uris": ["https://portal.example/"], **wrong})

    assert refused.value.field in wrong


def test_two_guardians_of_one_mailbox_and_one_without_have_three_addresses(
    client: FlaskClient,
) -> None:
    there = world(client, email_claim="unique", id_token_claims=["email", "email_verified"])
    factories.account("paul", email="claire@dubois.example", proved=True)
    factories.account("sans")
    host = urlsplit(settings.current().issuer).hostname

    answers = [there.redeem(scope="openid email")]
    for username in ("paul", "sans"):
        browser = Browser(client.application.test_client())
        answers.append(there.portal.tokens(browser, username, scope="openid email"))

    for tokens in answers:
        claims, userinfo = claims_of(client, tokens["id_token"]), told(there, tokens)
        assert userinfo["email"] == claims["email"] == f"{claims['sub']}@{host}"
        assert userinfo["email_verified"] is claims["email_verified"] is False
    assert len({told(there, tokens)["email"] for tokens in answers}) == 3
    assert "dubois.example" not in str([told(there, tokens) for tokens in answers])


def test_a_made_up_address_is_the_same_at_each_sign_in(client: FlaskClient) -> None:
    there = world(client, email_claim="unique")

    first, second = (told(there, there.redeem(scope="openid email")) for _ in range(2))

    assert first["email"] == second["email"]


def test_c5_a_made_up_address_needs_no_consent_and_gives_none(client: FlaskClient) -> None:
    there = world(client, email_claim="unique", first_party=False, scope="openid email")
    page = there.ask(scope="openid email")
    assert "e-mail" not in page.text.split('id="consent-form"')[0].split("<h1", 1)[1]
    there.browser.press("consent-allow")
    tokens = there.redeem(scope="openid email")
    assert told(there, tokens)["email"].startswith(told(there, tokens)["sub"])

    document = registration.get_client(there.portal.client_id).metadata_
    applications.change(AT_TERMINAL, there.portal.client_id, {**document, "email_claim": "real"})

    late = there.portal.userinfo(client, tokens["access_token"])
    assert late.status_code == 401
    there.ask(scope="openid email")
    assert there.browser.shows("consent-form")


def test_a_token_in_the_query_stays_refused(client: FlaskClient) -> None:
    there = world(client, id_token_claims=["email"])
    tokens = there.redeem(scope="openid email")

    asked = client.get(f"/oauth2/userinfo?access_token={tokens['access_token']}")

    assert error_of(asked)[0] == 400
