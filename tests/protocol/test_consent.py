"""Consent of a guardian to third-party applications (OpenID Connect Core §3.1.2.4)."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.clients import registration
from idp.clients.metadata import CHILD_FIELDS
from idp.lifecycle import endings
from idp.oidc import grants_service
from idp.oidc.models import Grant
from tests import factories
from tests.relying_party import Browser, World, answer, error_of, form_of, world

pytestmark = pytest.mark.quick_on("sqlite")


def test_a_first_party_application_is_not_asked_for(client: FlaskClient) -> None:
    there = world(client, first_party=True)

    assert "code" in there.answer(scope="openid profile email")


def test_a_third_party_application_is_asked_for_once_and_remembered(client: FlaskClient) -> None:
    there = world(client, first_party=False, client_name="Devoirs & Co")

    page = there.ask(scope="openid profile")
    assert there.browser.shows("consent-form")
    assert "Devoirs &amp; Co" in page.text
    assert "code" in answer(there.browser.press("consent-allow"))

    assert "code" in there.answer(scope="openid profile")
    assert "code" in there.answer(scope="openid", prompt="none")


def test_more_than_was_allowed_is_asked_again(client: FlaskClient) -> None:
    there = world(client, first_party=False)
    there.ask(scope="openid")
    there.browser.press("consent-allow")

    assert there.answer(scope="openid email", prompt="none")["error"] == "consent_required"
    there.ask(scope="openid email")

    assert there.browser.shows("consent-form")


def test_cancelling_gives_access_denied_and_remembers_nothing(client: FlaskClient) -> None:
    there = world(client, first_party=False)
    there.ask(state="s")

    fields = answer(there.browser.press("consent-cancel"))

    assert fields["error"] == "access_denied"
    assert fields["state"] == "s"
    assert there.answer(prompt="none")["error"] == "consent_required"


def test_prompt_consent_asks_although_it_is_remembered(client: FlaskClient) -> None:
    there = world(client, first_party=False)
    there.ask()
    there.browser.press("consent-allow")

    there.ask(prompt="consent")

    assert there.browser.shows("consent-form")


def test_the_page_names_what_is_asked_and_nothing_else(client: FlaskClient) -> None:
    there = world(client, "Lina", first_party=False)

    plain = there.ask(ui_locales="en").text
    more = there.ask(ui_locales="en", scope="openid email child").text

    assert "See your e-mail address" not in plain
    assert "See your e-mail address" in more
    assert "See your child&#39;s first name" in more
    # Registered with the fields of who names none: nothing about the choice is told
    assert "you chose this child" not in more


def test_claims_asked_by_name_need_consent_like_their_scope(client: FlaskClient) -> None:
    there = world(client, "Lina", first_party=False)
    there.ask(scope="openid")
    there.browser.press("consent-allow")

    for name in ("email", "name", "child"):
        for place in ("id_token", "userinfo"):
            claims = json.dumps({place: {name: None}})
            fields = there.answer(scope="openid", claims=claims, prompt="none")
            assert fields.get("error") == "consent_required", (place, name)


def test_the_page_names_claims_that_are_asked_by_name(client: FlaskClient) -> None:
    there = world(client, first_party=False)
    claims = json.dumps({"userinfo": {"email": None}})

    page = there.ask(claims=claims, ui_locales="en")

    assert there.browser.shows("consent-form")
    assert "See your e-mail address" in page.text


def test_withdrawn_consent_ends_the_tokens_and_is_asked_again(client: FlaskClient) -> None:
    there = world(client, first_party=False)
    there.ask(scope="openid offline_access")
    tokens = there.tokens_of(answer(there.browser.press("consent-allow")))
    there.browser.open("/account/applications")

    there.browser.press("withdraw-1")

    assert there.portal.userinfo(client, tokens["access_token"]).status_code == 401
    refreshed = there.portal.refresh(client, tokens["refresh_token"])
    assert error_of(refreshed) == (400, "invalid_grant")
    assert there.answer(prompt="none")["error"] == "consent_required"


def test_consent_of_one_guardian_is_not_that_of_another(app: Flask, client: FlaskClient) -> None:
    there = world(client, first_party=False)
    there.ask()
    there.browser.press("consent-allow")
    factories.account("paul")
    paul = Browser(app.test_client())
    paul.sign_in_at_home("paul")

    fields = answer(paul.open(there.portal.authorize_path(prompt="none")))

    assert fields["error"] == "consent_required"


def test_consent_given_here_does_not_count_for_who_signs_in_next(client: FlaskClient) -> None:
    there = world(client, first_party=False)
    factories.account("paul")
    interaction = there.ask().request.path.removesuffix("/consent")
    action, hidden = form_of(there.browser.page.text, "consent-form")  # type: ignore[union-attr]
    there.http.post(action, data={**hidden, "decision": "allow"})  # its redirect gets lost
    there.browser.sign_out()
    there.browser.sign_in_at_home("paul")

    there.browser.open(interaction)

    assert there.browser.shows("consent-form")


def test_consent_is_not_given_by_skipping_the_page(client: FlaskClient) -> None:
    there = world(client, first_party=False)
    path = there.ask().request.path.removesuffix("/consent")

    for step in ("", "/child", "/login"):
        there.browser.open(path + step)
        assert there.browser.shows("consent-form"), step


def test_consent_needs_the_form_token_of_the_page(client: FlaskClient) -> None:
    there = world(client, first_party=False)
    path = there.ask().request.path

    response = there.http.post(path, data={"decision": "allow"})

    assert response.status_code == 400
    assert there.answer(prompt="none")["error"] == "consent_required"


def test_a_yes_about_a_child_whose_link_ended_is_no_yes_about_a_sibling(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina", "Noé", first_party=False)
    there.ask(scope="openid child")
    there.browser.press("child-submit-1")
    assert "Lina" in consent_card(there)
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    there.browser.press("consent-allow")
    assert "Noé" in consent_card(there)
    fields = answer(there.browser.press("consent-allow"))

    tokens = there.tokens_of(fields)
    assert "Lina" not in there.portal.userinfo(client, tokens["access_token"]).text
    assert grants_service.end("over", Grant.account_id == there.guardian.id) == 1


NAMES_ONLY = ["sub", "given_name"]
EVERY_SENTENCE = {
    "sub": "Recognise your child when you come back",
    "given_name": "See your child&#39;s first name",
    "family_name": "See your child&#39;s family name",
    "school.id": "See your child&#39;s school",
    "school.name": "See your child&#39;s school",
    "class": "See your child&#39;s class",
    "relationship": "See what you are to your child, such as mother or guardian",
    "selection": "See when and how you chose this child",
    "selected_at": "See when and how you chose this child",
    "switchable": "See whether you could have chosen another child",
    "sourced_id": "See your child&#39;s number at the school",
}


@pytest.mark.parametrize("field", CHILD_FIELDS)
def test_the_page_names_each_field_of_the_child(client: FlaskClient, field: str) -> None:
    there = world(client, "Lina", first_party=False, child_fields=["sub", field])

    page = there.ask(ui_locales="en", scope="openid child").text

    shown = {sentence for sentence in EVERY_SENTENCE.values() if sentence in page}
    assert shown == {EVERY_SENTENCE["sub"], EVERY_SENTENCE[field]}


def test_c5_a_registration_that_grew_is_asked_about_again(client: FlaskClient) -> None:
    there = world(client, "Lina", first_party=False, child_fields=NAMES_ONLY)
    there.ask(scope="openid child")
    there.browser.press("consent-allow")
    assert "code" in there.answer(scope="openid child", prompt="none")
    grow(there, [*NAMES_ONLY, "class"])

    refused = there.answer(scope="openid child", prompt="none")
    without = there.answer(scope="openid", prompt="none")
    there.ask(scope="openid child")

    assert refused["error"] == "consent_required"
    assert "code" in without
    assert there.browser.shows("consent-form")


def test_c5_tokens_from_before_show_no_more_than_was_allowed(client: FlaskClient) -> None:
    there = world(client, "Lina", first_party=False, child_fields=NAMES_ONLY)
    scope = "openid child offline_access"
    there.ask(scope=scope)
    tokens = there.tokens_of(answer(there.browser.press("consent-allow")))
    grow(there, [*NAMES_ONLY, "family_name", "relationship"])

    refreshed = there.portal.refresh(client, tokens["refresh_token"]).get_json()

    for access_token in (tokens["access_token"], refreshed["access_token"]):
        child = there.portal.userinfo(client, access_token).get_json()["child"]
        assert set(child) == set(NAMES_ONLY)
    there.ask(scope=scope)
    there.browser.press("consent-allow")
    child = there.portal.userinfo(client, refreshed["access_token"]).get_json()["child"]
    assert set(child) == {*NAMES_ONLY, "family_name", "relationship"}


def test_c5_what_the_page_did_not_name_is_not_allowed_by_it(client: FlaskClient) -> None:
    there = world(client, "Lina", first_party=False, child_fields=NAMES_ONLY)
    there.ask(scope="openid child")
    grow(there, [*NAMES_ONLY, "sourced_id"])  # while the guardian reads

    there.browser.press("consent-allow")

    assert there.browser.shows("consent-form"), "the page has to name the new field first"
    assert "code" in answer(there.browser.press("consent-allow"))


@pytest.mark.parametrize("parameters", [{}, {"prompt": "consent"}])
def test_n3_an_address_that_became_real_behind_the_page_is_not_allowed_by_it(
    client: FlaskClient, parameters: dict[str, str]
) -> None:
    there = world(client, first_party=False, email_claim="unique")
    there.ask(scope="openid email", **parameters)
    change(there, email_claim="real")  # while the guardian reads

    page = there.browser.press("consent-allow", ui_locales="en")

    assert there.browser.shows("consent-form"), "the page has to name the address first"
    assert there.answer(scope="openid email", prompt="none")["error"] == "consent_required"
    assert "code" in there.answer(scope="openid", prompt="none")
    there.browser.open(page.request.path)
    tokens = there.tokens_of(answer(there.browser.press("consent-allow")))
    told = there.portal.userinfo(client, tokens["access_token"]).get_json()
    assert told["email"] == there.guardian.email


def test_n3_an_address_that_became_made_up_behind_the_page_is_no_longer_allowed(
    client: FlaskClient,
) -> None:
    there = world(client, first_party=False, email_claim="real")
    there.ask(scope="openid email")
    change(there, email_claim="unique")
    assert "code" in answer(there.browser.press("consent-allow"))
    change(there, email_claim="real")

    assert there.answer(scope="openid email", prompt="none")["error"] == "consent_required"


@pytest.mark.parametrize("permissions", ["", "openid", "openid offline_access admin", "email"])
def test_n3_a_form_allows_what_it_names_and_what_is_asked(
    client: FlaskClient, permissions: str
) -> None:
    there = world(client, first_party=False)
    there.ask(scope="openid profile")

    there.browser.press("consent-allow", permissions=permissions)

    assert there.browser.shows("consent-form")
    for scope in ("openid profile", "openid email", "openid offline_access"):
        assert there.answer(scope=scope, prompt="none")["error"] == "consent_required"


def test_c5_an_invented_field_is_not_remembered(client: FlaskClient) -> None:
    there = world(client, "Lina", first_party=False, child_fields=NAMES_ONLY)
    there.ask(scope="openid child")
    there.browser.press("consent-allow", child_fields="sub given_name class family_name")
    grow(there, [*NAMES_ONLY, "class"])

    assert there.answer(scope="openid child", prompt="none")["error"] == "consent_required"


def test_consent_withdrawn_and_given_anew_covers_only_the_new(client: FlaskClient) -> None:
    there = world(client, "Lina", first_party=False, child_fields=NAMES_ONLY)
    there.ask(scope="openid child email")
    there.browser.press("consent-allow")
    endings.withdraw_consent(there.guardian.id, there.portal.client_id)
    there.ask(scope="openid")
    there.browser.press("consent-allow")

    assert there.answer(scope="openid child", prompt="none")["error"] == "consent_required"
    assert "code" in there.answer(scope="openid", prompt="none")


def test_a_schools_own_application_is_not_called_a_stranger(client: FlaskClient) -> None:
    there = world(client, first_party=True)

    page = there.ask(prompt="consent", ui_locales="en").text

    assert "not your school" not in page
    assert "This application of your school asks for" in page


def grow(there: World, fields: list[str]) -> None:
    """Register the application for more fields of the child."""
    change(there, child_fields=fields)


def change(there: World, **metadata: object) -> None:
    """Register the application otherwise."""
    client = registration.get_client(there.portal.client_id)
    registration.change(client.id, {**client.metadata_, **metadata})


def consent_card(there: World) -> str:
    """What the page of consent that is open says of the child."""
    assert there.browser.shows("consent-form")
    page = there.browser.page.text  # type: ignore[union-attr]
    return (
        page.split('id="consent-child"')[1].split("</form>")[0] if "consent-child" in page else ""
    )
