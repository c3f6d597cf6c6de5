"""Security rules C1 to C10: children and guardians. Each test is named after its rule."""

import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from idp import clock
from idp.audit.models import AuditEvent
from idp.clients import registration
from idp.database import db, transaction
from idp.lifecycle import endings
from idp.oidc import subjects
from idp.people.models import Child
from idp.sessions.models import ChildChoice
from tests import factories
from tests.relying_party import (
    Browser,
    RelyingParty,
    World,
    answer,
    claims_of,
    error_of,
    form_of,
    leads_to,
    world,
)
from tests.wording import words

pytestmark = pytest.mark.long_on("postgresql")


def key_of(child: Child, portal: RelyingParty) -> str:
    """The value that a card for this child would post."""
    return subjects.of_child(child, portal.registered.client)


def post_choice(there: World, value: str, **more: str) -> Any:
    assert there.browser.page is not None
    action, hidden = form_of(there.browser.page.text, "child-form")
    return there.http.post(action, data={**hidden, "child": value, **more})


def refusals() -> int:
    db.session.commit()  # look afresh: other connections wrote
    events = db.session.scalars(select(AuditEvent).where(AuditEvent.event == "child_refused"))
    return len(list(events))


def choices() -> int:
    db.session.commit()
    return len(list(db.session.scalars(select(ChildChoice))))


def test_c1_a_child_that_is_not_the_guardians_own_is_refused_and_changes_nothing(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina", "Noé", "Zoé")
    _, others = factories.family(there.school, "Max", username="paul")
    elsewhere = factories.child(factories.school("École du Moulin"), "Mia")
    factories.guardianship(there.guardian, elsewhere)
    there.ask(scope="openid child")
    endings.end_guardianship(there.guardian.id, there.children[2].id, "moved")
    wrong = [key_of(child, there.portal) for child in (others[0], elsewhere, there.children[2])]
    wrong += [there.children[0].id, there.children[0].subject_id, "", "c_", "é", "1", "0"]

    for number, value in enumerate(wrong, start=1):
        response = post_choice(there, value)
        assert response.status_code == 403, value
        assert not leads_to(response)
        assert refusals() == number
        assert choices() == 0
    fields = there.answer(scope="openid child", prompt="none")
    assert fields["error"] == "account_selection_required"


def test_c1_a_child_who_left_the_school_is_refused(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé", "Zoé")
    there.ask(scope="openid child")
    with transaction():
        there.children[0].left_at = clock.now()

    assert post_choice(there, key_of(there.children[0], there.portal)).status_code == 403


def test_c1_the_key_of_another_application_is_refused(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    other = there.other_portal(first_party=False)
    there.ask(scope="openid child")

    assert post_choice(there, key_of(there.children[0], other)).status_code == 403


def walked_to_a_choice(client: FlaskClient) -> tuple[World, dict[str, Any]]:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child offline_access")
    return there, there.tokens_of(answer(there.browser.press("child-submit-1")))


def test_c2_the_end_of_a_guardianship_takes_effect_everywhere_at_once(client: FlaskClient) -> None:
    there, tokens = walked_to_a_choice(client)
    code = there.answer(scope="openid child")["code"]

    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")
    refreshed = there.portal.refresh(client, tokens["refresh_token"])
    assert error_of(refreshed) == (400, "invalid_grant")
    assert "Lina" not in there.portal.userinfo(client, tokens["access_token"]).text
    assert there.portal.introspect(client, tokens["access_token"]) == {"active": False}
    assert choices() == 0
    assert there.claims(scope="openid child")["child"]["given_name"] == "Noé"


def test_c2_the_end_for_one_guardian_leaves_the_other_untouched(
    app: Flask, client: FlaskClient
) -> None:
    there, _ = walked_to_a_choice(client)
    factories.account("paul")
    from idp.people import accounts

    paul = accounts.find_by_username("paul")
    assert paul is not None
    factories.guardianship(paul, there.children[0])
    browser = Browser(app.test_client())
    tokens = there.portal.tokens(browser, "paul", scope="openid child")

    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    told = there.portal.userinfo(client, tokens["access_token"]).json or {}
    assert told["child"]["given_name"] == "Lina"


def test_c2_a_page_that_was_open_is_judged_by_what_holds_now(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child")
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    response = there.browser.press("child-submit-1")

    assert "Lina" not in response.text
    assert choices() == 0


def test_c2_a_pending_consent_does_not_keep_a_child(client: FlaskClient) -> None:
    there = world(client, "Lina", first_party=False)
    there.ask(scope="openid child")
    assert there.browser.shows("consent-form")
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    response = there.browser.press("consent-allow")

    assert "code=" not in leads_to(response)


def test_c3_neither_sibling_nor_school_nor_guardian_is_told(client: FlaskClient) -> None:
    there, tokens = walked_to_a_choice(client)
    moulin = factories.school("École du Moulin")
    factories.guardianship(there.guardian, factories.child(moulin, "Mia", family_name="Petit"))
    second = factories.account("paul", given_name="Paul", family_name="Autre")
    factories.guardianship(second, there.children[0])

    page = there.ask(scope="openid child", prompt="select_account")
    seen = [
        page.text,
        there.portal.userinfo(client, tokens["access_token"]).text,
        json.dumps(claims_of(client, tokens["id_token"])),
        json.dumps(there.portal.introspect(client, tokens["access_token"])),
    ]

    for text in seen:
        for secret in ("Mia", "Moulin", "Petit", "paul", "Autre", second.id, second.subject_id):
            assert secret not in text
    for text in seen[1:]:
        assert "Noé" not in text
        assert "No\\u00e9" not in text


def test_c4_two_tabs_with_two_children_give_each_application_its_own(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    helper = there.other_portal(redirect_uris=["https://helper.example/cb"])
    first, second = Browser(client), Browser(client)
    first.open(there.portal.authorize_path(scope="openid child"))
    second.open(helper.authorize_path(scope="openid child"))

    lina = there.tokens_of(answer(first.press("child-submit-1")))
    noe = helper.redeem(client, answer(second.press("child-submit-2"))["code"]).json or {}

    assert claims_of(client, lina["id_token"])["child"]["given_name"] == "Lina"
    assert claims_of(client, noe["id_token"])["child"]["given_name"] == "Noé"
    told = there.portal.userinfo(client, lina["access_token"]).json or {}
    assert told["child"]["given_name"] == "Lina"


def test_c4_the_child_of_a_code_is_that_of_its_request(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child")
    fields = answer(there.browser.press("child-submit-1"))
    there.ask(scope="openid child", prompt="select_account")
    there.browser.press("child-submit-2")

    claims = claims_of(client, there.tokens_of(fields)["id_token"])

    assert claims["child"]["given_name"] == "Lina"


def test_c5_a_client_gets_the_fields_of_its_registration_and_no_sibling(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina", "Noé", child_fields=["sub"])
    there.ask(scope="openid child")

    tokens = there.tokens_of(answer(there.browser.press("child-submit-1")))

    claims = claims_of(client, tokens["id_token"])
    told = there.portal.userinfo(client, tokens["access_token"]).json or {}
    assert set(claims["child"]) == set(told["child"]) == {"sub"}


def test_c7_foreign_hints_behave_as_absent(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    _, (stranger,) = factories.family(there.school, "Max", username="paul")
    hint = key_of(stranger, there.portal)
    claims = json.dumps({"id_token": {"child": {"value": hint}}})

    with_hint = there.ask(scope="openid child", child_hint=hint, claims=claims)
    plain = there.ask(scope="openid child")

    def shown(text: str) -> str:
        return text.split('id="child-list"')[1].split("</ul>", maxsplit=1)[0]

    assert shown(with_hint.text) == shown(plain.text)
    quiet = {"prompt": "none", "scope": "openid child"}
    assert there.answer(child_hint=hint, **quiet)["error"] == "account_selection_required"
    assert "Max" not in words(with_hint.text)


def test_c7_a_foreign_login_hint_tells_nothing(client: FlaskClient) -> None:
    there = world(client, signed_in=False)

    def shown(hint: str) -> tuple[int, str]:
        """But for what each page has of its own: its request, which is sealed, and its forms."""
        page = there.ask(login_hint=hint)
        own = rf"(?<=/interaction/)[\w-]+|(?<=value=\"){hint}|(?<=name=\"once\" value=\")[\w-]+"
        assert len(re.findall(own, page.text)) > 4
        return page.status_code, re.sub(own, "", page.text)

    assert shown("claire") == shown("clairx")


def test_c8_child_ids_are_unguessable_and_never_in_an_address(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    page = there.ask(scope="openid child")
    addresses = [page.request.url]
    _, hidden = form_of(page.text, "child-form")
    response = there.browser.press("child-submit-1")
    addresses.append(leads_to(response))

    subject = claims_of(client, there.tokens_of(answer(response))["id_token"])["child"]["sub"]

    assert len(subject.removeprefix("c_")) >= 22  # 128 bits
    for child in there.children:
        for secret in (child.id, child.subject_id, key_of(child, there.portal)):
            assert not any(secret in address for address in addresses)
            assert secret not in str(hidden)


def test_c8_child_ids_differ_between_sectors(client: FlaskClient) -> None:
    there = world(client, "Lina")
    moulin = factories.school("École du Moulin")
    both = RelyingParty.of(there.school, moulin, redirect_uris=["https://both.example/cb"])
    foreign = there.other_portal(first_party=False, redirect_uris=["https://x.example/cb"])
    child = there.children[0]

    seen = {key_of(child, portal) for portal in (there.portal, both, foreign)}

    assert len(seen) == 3


@pytest.mark.parametrize("field", ["child_id", "account_id", "scope", "client_id", "redirect_uri"])
def test_c9_unknown_fields_are_ignored(client: FlaskClient, field: str) -> None:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child")
    value = there.children[1].id

    response = post_choice(there, key_of(there.children[0], there.portal), **{field: value})
    fields = answer(there.browser.open(response.headers["Location"]))

    assert claims_of(client, there.tokens_of(fields)["id_token"])["child"]["given_name"] == "Lina"


def test_c10_a_second_child_added_later_asks_again(client: FlaskClient) -> None:
    there = world(client, "Lina")
    assert "code" in there.answer(scope="openid child", prompt="none")

    factories.guardianship(there.guardian, factories.child(there.school, "Noé"))

    fields = there.answer(scope="openid child", prompt="none")
    assert fields["error"] == "account_selection_required"


def test_a_client_that_lost_its_school_sees_its_children_no_more(client: FlaskClient) -> None:
    there, tokens = walked_to_a_choice(client)
    code = there.answer(scope="openid child")["code"]
    moulin = factories.school("École du Moulin")
    metadata = there.portal.registered.client.metadata_

    registration.change(there.portal.client_id, metadata, school_ids=[moulin.id])

    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")
    assert "Lina" not in there.portal.refresh(client, tokens["refresh_token"]).text
    assert "Lina" not in there.portal.userinfo(client, tokens["access_token"]).text
    there.ask(scope="openid child")
    assert there.browser.shows("no-child")


def test_the_choice_of_one_guardian_is_not_that_of_the_next_in_the_browser(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina", "Noé")
    paul = factories.account("paul")
    for child in there.children:
        factories.guardianship(paul, child)
    there.ask(scope="openid child")
    there.browser.press("child-submit-1")
    there.browser.sign_out()
    there.browser.sign_in_at_home("paul")

    fields = there.answer(scope="openid child", prompt="none")

    assert fields["error"] == "account_selection_required"
