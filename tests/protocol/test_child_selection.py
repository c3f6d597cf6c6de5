"""The choice of the child: each row of the child claim's table, and what is remembered."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from idp import clock
from idp.lifecycle import endings
from tests import factories
from tests.relying_party import Browser, World, answer, claims_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

ALL_FIELDS = [
    *("sub", "given_name", "family_name", "school.id", "school.name", "class", "relationship"),
    *("selection", "selected_at", "switchable", "sourced_id"),
]


def with_every_field(client: FlaskClient, *children: str, **metadata: Any) -> World:
    return world(client, *children, child_fields=ALL_FIELDS, **metadata)


def child_of(there: World, fields: dict[str, str]) -> dict[str, Any]:
    claims = claims_of(there.http, there.tokens_of(fields)["id_token"])
    return dict(claims["child"])


def test_without_the_scope_there_is_no_claim_and_no_page(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")

    tokens = there.redeem(scope="openid profile")

    assert "child" not in claims_of(client, tokens["id_token"])
    assert "child" not in there.portal.userinfo(client, tokens["access_token"]).json  # type: ignore[operator]


def test_an_only_child_is_chosen_silently(client: FlaskClient) -> None:
    there = with_every_field(client, "Lina")

    child = child_of(there, there.answer(scope="openid child"))

    assert child["given_name"] == "Lina"
    assert child["selection"] == "only"
    assert child["switchable"] is False


def test_several_children_get_the_page_and_the_chosen_one_is_named(client: FlaskClient) -> None:
    there = with_every_field(client, "Lina", "Noé")

    page = there.ask(scope="openid child")
    assert there.browser.shows("child-card-2")
    assert "Lina" in page.text
    assert "Noé" in page.text
    child = child_of(there, answer(there.browser.press("child-submit-2")))

    assert child["given_name"] == "Noé"
    assert child["selection"] == "user"
    assert child["switchable"] is True


def test_a_remembered_child_is_named_without_a_page(client: FlaskClient) -> None:
    there = with_every_field(client, "Lina", "Noé")
    there.ask(scope="openid child")
    first = child_of(there, answer(there.browser.press("child-submit-2")))

    child = child_of(there, there.answer(scope="openid child"))

    assert child["given_name"] == "Noé"
    assert child["selection"] == "remembered"
    assert child["selected_at"] == first["selected_at"]
    assert "code" in there.answer(scope="openid child", prompt="none")


def test_a_choice_is_dated_when_it_was_made(client: FlaskClient) -> None:
    there = with_every_field(client, "Lina", "Noé", first_party=False)
    there.ask(scope="openid child")
    made = clock.now().timestamp()
    there.browser.press("child-submit-2")

    with later(minutes=5):
        child = child_of(there, answer(there.browser.press("consent-allow")))

    assert child["selection"] == "user"
    assert child["selected_at"] == pytest.approx(made, abs=60)


def test_select_account_always_shows_the_page(client: FlaskClient) -> None:
    there = with_every_field(client, "Lina", "Noé")
    there.ask(scope="openid child")
    there.browser.press("child-submit-2")

    there.ask(scope="openid child", prompt="select_account")
    assert there.browser.shows("child-list")
    child = child_of(there, answer(there.browser.press("child-submit-1")))

    assert child["given_name"] == "Lina"
    assert child["selection"] == "user"


def test_a_hint_preselects_one_of_the_children(client: FlaskClient) -> None:
    there = with_every_field(client, "Lina", "Noé")
    there.ask(scope="openid child")
    noe = child_of(there, answer(there.browser.press("child-submit-2")))["sub"]

    page = there.ask(scope="openid child", prompt="select_account", child_hint=noe)

    assert page.text.count("card-hinted") == 1
    card = page.text.split("card-hinted")[1].split("</li>")[0]
    assert "Noé" in card
    assert noe not in page.request.url


def test_a_foreign_hint_is_as_absent(client: FlaskClient) -> None:
    there = with_every_field(client, "Lina", "Noé")
    stranger = factories.child(there.school, "Zoé")

    for hint in ("c_nobody", stranger.id, stranger.subject_id, "é", "x" * 500):
        page = there.ask(scope="openid child", child_hint=hint)
        assert there.browser.shows("child-list"), hint
        assert "card-hinted" not in page.text


def test_a_guardian_without_a_child_gets_a_page_with_the_schools_contact(
    client: FlaskClient,
) -> None:
    there = world(client)

    page = there.ask(scope="openid child", state="s")
    assert there.browser.shows("no-child")
    assert "bureau@tilleuls.example" in page.text
    fields = answer(there.browser.press("no-child-back"))

    assert fields["error"] == "access_denied"
    # Nobody cancelled: what docs/integrate.md promises
    assert fields["error_description"] == "The guardian has no child at this school"
    assert fields["state"] == "s"


def test_the_subject_is_always_the_guardian(client: FlaskClient) -> None:
    there = with_every_field(client, "Lina", "Noé")
    without_child = there.claims()["sub"]
    subjects = []

    for number in (1, 2):
        there.ask(scope="openid child", prompt="select_account")
        tokens = there.tokens_of(answer(there.browser.press(f"child-submit-{number}")))
        claims = claims_of(client, tokens["id_token"])
        subjects.append(claims["child"]["sub"])
        assert claims["sub"] == without_child
        assert "act" not in claims

    assert len({without_child, *subjects}) == 3


def test_only_children_at_a_school_of_the_client_are_offered(client: FlaskClient) -> None:
    there = world(client, "Lina")
    elsewhere = factories.school("École du Moulin")
    sibling = factories.child(elsewhere, "Noé")
    factories.guardianship(there.guardian, sibling)
    both = there.other_portal(there.school, elsewhere)

    assert there.claims(scope="openid child")["child"]["given_name"] == "Lina"
    there.browser.open(both.authorize_path(scope="openid child"))

    assert there.browser.shows("child-card-2")
    assert "École du Moulin" in there.browser.page.text  # type: ignore[union-attr]


def test_ended_guardianships_and_children_who_left_are_not_offered(client: FlaskClient) -> None:
    from idp import clock
    from idp.database import transaction

    there = world(client, "Lina", "Noé", "Zoé")
    endings.end_guardianship(there.guardian.id, there.children[1].id, "moved")
    with transaction():
        there.children[2].left_at = clock.now()

    child = there.claims(scope="openid child")["child"]

    assert child["given_name"] == "Lina"


def test_the_choice_lasts_for_the_session_and_no_longer(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child")
    there.browser.press("child-submit-1")
    there.browser.sign_out()
    there.browser.sign_in_at_home("claire")

    there.ask(scope="openid child")

    assert there.browser.shows("child-list")


def test_the_choice_counts_for_every_application_of_the_school(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child")
    there.browser.press("child-submit-2")
    helper = there.other_portal(redirect_uris=["https://helper.example/cb"])

    fields = answer(there.browser.open(helper.authorize_path(scope="openid child")))

    token = helper.redeem(client, fields["code"]).json["id_token"]  # type: ignore[index]
    assert claims_of(client, token)["child"]["given_name"] == "Noé"


def test_a_choice_at_one_school_says_nothing_about_another(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    moulin = factories.school("École du Moulin")
    for name in ("Max", "Mia"):
        factories.guardianship(there.guardian, factories.child(moulin, name))
    there.ask(scope="openid child")
    there.browser.press("child-submit-1")
    other = there.other_portal(moulin, redirect_uris=["https://moulin.example/cb"])

    there.browser.open(other.authorize_path(scope="openid child"))

    assert there.browser.shows("child-list")
    assert "Lina" not in there.browser.page.text  # type: ignore[union-attr]


def test_changing_the_child_on_the_own_page_asks_again(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child")
    there.browser.press("child-submit-1")
    there.browser.open("/")

    there.browser.press("change-child")
    there.ask(scope="openid child")

    assert there.browser.shows("child-list")


def test_the_claims_fields_are_those_of_the_registration(client: FlaskClient) -> None:
    there = world(client, "Lina")

    child = there.claims(scope="openid child")["child"]

    assert child["school"] == {"id": there.school.id}
    assert set(child) == {"sub", "given_name", "school"}


def test_every_registered_field_is_given_in_its_form(client: FlaskClient) -> None:
    there = with_every_field(client, "Lina")

    child = there.claims(scope="openid child")["child"]

    assert child["school"] == {"id": there.school.id, "name": "Collège des Tilleuls"}
    assert child["class"] == "3B"
    assert child["family_name"] == "Dubois"
    assert child["relationship"] == "parent"
    assert isinstance(child["selected_at"], int)


def test_the_schools_own_number_stands_in_userinfo_only(client: FlaskClient) -> None:
    there = with_every_field(client)
    factories.guardianship(there.guardian, factories.child(there.school, sourced_id="P-17"))

    tokens = there.redeem(scope="openid child")

    assert "sourced_id" not in claims_of(client, tokens["id_token"])["child"]
    told = there.portal.userinfo(client, tokens["access_token"]).json
    assert told["child"]["sourced_id"] == "P-17"  # type: ignore[index]


def test_the_uri_profile_puts_the_object_under_an_address_of_ours(client: FlaskClient) -> None:
    there = world(client, "Lina", child_claim_profile="uri")

    claims = there.claims(scope="openid child")

    assert claims["http://127.0.0.1:8000/claims/child"]["given_name"] == "Lina"
    assert "child" not in claims


def test_the_flat_profile_gives_texts_only(client: FlaskClient) -> None:
    there = with_every_field(client, "Lina", child_claim_profile="flat")

    claims = there.claims(scope="openid child")

    assert claims["child_given_name"] == "Lina"
    assert claims["child_school_id"] == there.school.id
    flat = {name: value for name, value in claims.items() if name.startswith("child")}
    assert all(isinstance(value, str) for value in flat.values())
    assert "child" not in claims


def test_child_subjects_are_pairwise_between_schools_and_stable(client: FlaskClient) -> None:
    there = world(client, "Lina")
    same = there.other_portal(redirect_uris=["https://helper.example/cb"])
    alien = there.other_portal(first_party=True, subject_type="public")
    seen = []

    for portal in (there.portal, there.portal, same, alien):
        fields = answer(Browser(client).open(portal.authorize_path(scope="openid child")))
        token = portal.redeem(client, fields["code"]).json["id_token"]  # type: ignore[index]
        seen.append(claims_of(client, token)["child"]["sub"])

    assert seen[0] == seen[1] == seen[2]
    assert seen[3] != seen[0]
    assert there.children[0].id not in seen
