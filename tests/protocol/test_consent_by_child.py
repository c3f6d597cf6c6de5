"""Security rule N3: a permission is as fine as what it permits. Consent names the child."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select

from idp.database import db, transaction
from idp.lifecycle import endings
from idp.oidc import consent
from idp.oidc.models import ChildConsent
from idp.people.models import Account, Guardianship
from idp.privacy import export
from tests import factories
from tests.relying_party import RelyingParty, World, answer, claims_of, world

pytestmark = pytest.mark.quick_on("postgresql")

SCOPE = "openid child offline_access"
CLAIMS = json.dumps({"id_token": {"child": None}, "userinfo": {"child": None}})
WAYS: list[dict[str, str]] = [{"scope": SCOPE}, {"scope": "openid", "claims": CLAIMS}]
"""The two ways in which an application asks for the child (docs/child-claim.md)."""


def third_party(client: FlaskClient, *children: str) -> tuple[World, RelyingParty]:
    """A third party's application in front of a guardian, and the school's own portal."""
    there = world(client, *(children or ("Lina", "Noé")), first_party=False)
    return there, there.other_portal(redirect_uris=["https://own.example/cb"])


def allow(there: World, number: int = 1, **parameters: str) -> dict[str, Any]:
    """Choose this child for the third party, and allow it: the token answer."""
    there.ask(prompt="select_account", **{"scope": SCOPE, **parameters})
    page = there.browser.press(f"child-submit-{number}")
    return there.tokens_of(
        answer(there.browser.press("consent-allow") if "consent-form" in page.text else page)
    )


def choose_in_the_portal(there: World, portal: RelyingParty, number: int) -> None:
    there.browser.open(portal.authorize_path(scope="openid child", prompt="select_account"))
    answer(there.browser.press(f"child-submit-{number}"))


def told(there: World, tokens: dict[str, Any]) -> str:
    """All that an application learns by these tokens, refreshed ones too."""
    http, portal = there.http, there.portal
    answers = [tokens]
    if "refresh_token" in tokens:
        answers.append(portal.refresh(http, tokens["refresh_token"]).get_json())
    said = [
        (
            claims_of(http, each["id_token"]),
            portal.userinfo(http, each["access_token"]).get_json(),
            portal.introspect(http, each["access_token"]),
        )
        for each in answers
    ]
    return json.dumps(said, ensure_ascii=False)


@pytest.mark.parametrize("way", WAYS)
def test_n3_a_choice_made_for_the_portal_is_no_choice_for_a_third_party(
    client: FlaskClient, way: dict[str, str]
) -> None:
    there, portal = third_party(client)
    tokens = allow(there, 1, **way)

    choose_in_the_portal(there, portal, 2)

    assert there.answer(prompt="none", **way)["error"] == "account_selection_required"
    there.ask(**way)
    assert there.browser.shows("child-list")
    known = told(there, tokens)
    assert "Lina" in known
    assert "Noé" not in known


def test_n3_consent_for_one_child_is_none_for_a_sibling(client: FlaskClient) -> None:
    there, _portal = third_party(client)
    allow(there, 1)

    there.ask(scope=SCOPE, prompt="select_account")
    there.browser.press("child-submit-2")

    assert there.browser.shows("consent-form"), "Noé was never allowed"
    assert answer(there.browser.press("consent-cancel"))["error"] == "access_denied"
    assert there.answer(scope=SCOPE, prompt="none")["error"] == "consent_required"
    assert "code" in there.answer(scope="openid", prompt="none")


def test_n3_what_was_chosen_and_allowed_here_goes_on_without_a_page(client: FlaskClient) -> None:
    there, _portal = third_party(client)
    allow(there, 2)

    again = there.tokens_of(there.answer(scope=SCOPE, prompt="none"))

    assert claims_of(client, again["id_token"])["child"]["given_name"] == "Noé"


def test_n3_an_only_child_who_takes_a_siblings_place_is_asked_about(client: FlaskClient) -> None:
    there, _portal = third_party(client, "Lina")
    there.ask(scope=SCOPE)
    there.browser.press("consent-allow")
    factories.guardianship(there.guardian, factories.child(there.school, "Noé"))
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    assert there.answer(scope=SCOPE, prompt="none")["error"] == "consent_required"


def test_n3_the_page_names_the_child_and_leads_to_another(client: FlaskClient) -> None:
    there, _portal = third_party(client)
    there.ask(scope=SCOPE)

    page = there.browser.press("child-submit-1").text
    assert "Lina Dubois" in page
    assert "Noé" not in page
    there.browser.press("consent-other-child")
    assert there.browser.shows("child-list")
    there.browser.press("child-submit-2")
    tokens = there.tokens_of(answer(there.browser.press("consent-allow")))

    assert claims_of(client, tokens["id_token"])["child"]["given_name"] == "Noé"
    assert set(consents(there)) == {there.children[1].id}


def test_n3_a_tampered_page_allows_nothing_about_another_child(client: FlaskClient) -> None:
    there, _portal = third_party(client)
    stranger = factories.child(there.school, "Zoé")
    there.ask(scope=SCOPE)
    there.browser.press("child-submit-1")

    for value in ("", "c_nobody", stranger.id, there.children[1].id):
        there.browser.press("consent-allow", child=value)
        assert there.browser.shows("consent-form"), value
    assert consents(there) == {}


def test_n3_the_end_of_a_guardianship_ends_its_consent(client: FlaskClient) -> None:
    there, _portal = third_party(client)
    for number in (1, 2):
        allow(there, number)
    lina, noe = there.children
    endings.end_guardianship(there.guardian.id, lina.id, "moved")
    assert set(consents(there)) == {noe.id}

    with transaction():
        ended = select(Guardianship.id).where(Guardianship.child_id == noe.id)
        endings.end_guardianships(ended, "left the roster")
    assert consents(there) == {}

    factories.guardianship(there.guardian, lina)
    assert there.answer(scope=SCOPE, prompt="none")["error"] == "consent_required"


def test_n3_what_is_withdrawn_is_withdrawn_for_each_child(client: FlaskClient) -> None:
    there, _portal = third_party(client)
    tokens = [allow(there, number) for number in (1, 2)]

    endings.withdraw_consent(there.guardian.id, there.portal.client_id)

    assert consents(there) == {}
    for each in tokens:
        assert there.portal.userinfo(client, each["access_token"]).status_code == 401
    allow(there, 1)
    assert set(consents(there)) == {there.children[0].id}


def test_n3_a_grant_that_names_a_child_whom_nobody_allowed_tells_nothing_of_it(
    client: FlaskClient,
) -> None:
    there, _portal = third_party(client)
    tokens = allow(there, 1)
    with transaction() as session:  # as grants of an earlier release stand
        session.execute(delete(ChildConsent))

    refreshed = there.portal.refresh(client, tokens["refresh_token"]).get_json()

    assert "child" not in claims_of(client, refreshed["id_token"])
    for access_token in (tokens["access_token"], refreshed["access_token"]):
        assert "child" not in (there.portal.userinfo(client, access_token).json or {})


def test_n3_the_guardian_sees_which_children_each_application_knows(client: FlaskClient) -> None:
    there, portal = third_party(client)
    allow(there, 1)
    choose_in_the_portal(there, portal, 2)

    page = there.browser.open("/account/applications").text
    account = db.session.get(Account, there.guardian.id)
    assert account is not None
    document = export.document(account)

    third, own = sorted(page.split("row-tall")[1:], key=lambda row: "un tiers" not in row)
    assert ("Lina" in third, "Noé" in third) == (True, False)
    assert ("Lina" in own, "Noé" in own) == (False, True)
    allowed = document["child_permissions"]
    assert [each["child_id"] for each in allowed] == [there.children[0].id]


def consents(there: World) -> dict[str, frozenset[str]]:
    """What the guardian allows the third party, by child."""
    db.session.commit()  # look afresh
    given = consent.allowed_now(there.guardian.id, there.portal.client_id)
    return dict(given.children) if given else {}
