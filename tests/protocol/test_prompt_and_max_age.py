"""``prompt``, ``max_age`` and ``id_token_hint`` (OpenID Connect Core §3.1.2.1, §3.1.2.6)."""

import time

import pytest
from flask.testing import FlaskClient

from idp.lifecycle import endings
from tests import factories
from tests.relying_party import RelyingParty, answer, claims_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")


def test_prompt_none_answers_at_once_where_all_is_remembered(client: FlaskClient) -> None:
    there = world(client)

    assert "code" in there.answer(prompt="none")


def test_prompt_none_without_a_session_is_login_required(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.6: login_required."""
    there = world(client, signed_in=False)

    fields = there.answer(prompt="none")

    assert fields["error"] == "login_required"
    assert fields["state"] == "st4te"


def test_prompt_none_without_consent_is_consent_required(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.6: consent_required."""
    there = world(client, first_party=False)

    assert there.answer(prompt="none")["error"] == "consent_required"


def test_prompt_none_without_a_choice_is_account_selection_required(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.6: account_selection_required."""
    there = world(client, "Lina", "Noé")

    fields = there.answer(prompt="none", scope="openid child")

    assert fields["error"] == "account_selection_required"


def test_prompt_none_without_any_child_is_interaction_required(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.6: interaction_required."""
    there = world(client)

    fields = there.answer(prompt="none", scope="openid child")

    assert fields["error"] == "interaction_required"


def test_prompt_none_after_the_account_was_disabled_is_login_required(client: FlaskClient) -> None:
    there = world(client)
    endings.disable_account(there.guardian.id)

    assert there.answer(prompt="none")["error"] == "login_required"


def test_prompt_none_shows_nothing_even_where_the_sign_in_is_too_old(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: prompt=none shows no page, whatever max_age says."""
    there = world(client)

    with later(minutes=10):
        assert there.answer(prompt="none", max_age="300")["error"] == "login_required"


def test_prompt_login_asks_again_and_renews_auth_time(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: prompt=login asks the end-user again."""
    there = world(client)
    before = there.claims()["auth_time"]

    with later(minutes=10):
        there.ask(prompt="login")
        assert there.browser.shows("login-form")
        tokens = there.tokens_of(answer(there.browser.sign_in("claire")))

    assert claims_of(client, tokens["id_token"])["auth_time"] >= before + 600


@pytest.mark.parametrize("parameters", [{"prompt": "login"}, {"max_age": "0"}])
def test_a_new_sign_in_is_not_skipped_by_opening_the_interaction(
    client: FlaskClient, parameters: dict[str, str]
) -> None:
    there = world(client)
    path = there.ask(**parameters).request.path.removesuffix("/login")

    for step in ("", "/child", "/consent", "/no-child"):
        there.browser.open(path + step)
        assert there.browser.shows("login-form"), step


def test_max_age_lets_a_young_session_pass_and_asks_an_old_one(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: max_age; an older sign-in is asked again."""
    there = world(client)

    assert "code" in there.answer(max_age="300")
    with later(minutes=10):
        there.ask(max_age="300")
        assert there.browser.shows("login-form")
        tokens = there.tokens_of(answer(there.browser.sign_in("claire")))
        claims = claims_of(client, tokens["id_token"])
        assert time.time() - claims["auth_time"] <= 300


def test_max_age_zero_always_asks(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: max_age=0 is as prompt=login."""
    there = world(client)

    there.ask(max_age="0")

    assert there.browser.shows("login-form")
    assert "code" in answer(there.browser.sign_in("claire"))


def test_auth_time_is_there_whenever_max_age_is_asked(client: FlaskClient) -> None:
    """OpenID Connect Core §2: auth_time is REQUIRED where max_age was asked."""
    there = world(client)

    claims = there.claims(max_age="10000")

    assert isinstance(claims["auth_time"], int)
    assert abs(claims["auth_time"] - time.time()) < 60


def test_a_clients_default_max_age_counts_where_the_request_says_nothing(
    client: FlaskClient,
) -> None:
    """OpenID Connect Registration §2: default_max_age; max_age overrides it."""
    there = world(client, default_max_age=300)

    with later(minutes=10):
        there.ask()

        assert there.browser.shows("login-form")


def test_prompt_consent_asks_even_a_first_party_application(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: prompt=consent asks for consent."""
    there = world(client)

    there.ask(prompt="consent")

    assert there.browser.shows("consent-form")
    assert "code" in answer(there.browser.press("consent-allow"))


def test_prompts_can_be_combined_and_each_is_asked(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")

    there.ask(prompt="login select_account consent", scope="openid child")
    assert there.browser.shows("login-form")
    there.browser.sign_in("claire")
    assert there.browser.shows("child-list")
    there.browser.press("child-submit-1")
    assert there.browser.shows("consent-form")

    assert "code" in answer(there.browser.press("consent-allow"))


def test_id_token_hint_of_the_signed_in_guardian_passes(client: FlaskClient) -> None:
    there = world(client)
    hint = there.redeem()["id_token"]

    assert "code" in there.answer(id_token_hint=hint, prompt="none")
    with later(hours=3):  # an expired hint says who, all the same
        assert "code" in there.answer(id_token_hint=hint, prompt="none")


def test_id_token_hint_of_another_guardian_is_login_required(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: a hint about somebody else, silently: login_required."""
    there = world(client)
    hint = there.redeem()["id_token"]
    factories.account("paul")
    there.browser.sign_out()
    there.browser.sign_in_at_home("paul")

    assert there.answer(id_token_hint=hint, prompt="none")["error"] == "login_required"
    there.ask(id_token_hint=hint)
    assert there.browser.shows("login-form")
    assert answer(there.browser.sign_in("paul"))["error"] == "login_required"


def test_id_token_hint_lets_the_right_guardian_sign_in_instead(client: FlaskClient) -> None:
    there = world(client)
    hint = there.redeem()["id_token"]
    factories.account("paul")
    there.browser.sign_out()
    there.browser.sign_in_at_home("paul")
    there.ask(id_token_hint=hint)

    tokens = there.tokens_of(answer(there.browser.sign_in("claire")))

    assert claims_of(client, tokens["id_token"])["sub"] == claims_of(client, hint)["sub"]


def test_id_token_hint_of_another_application_counts_as_absent(client: FlaskClient) -> None:
    there = world(client)
    other = there.other_portal(subject_type="public")
    fields = answer(there.browser.open(other.authorize_path()))
    foreign = other.redeem(client, fields["code"]).json["id_token"]  # type: ignore[index]

    assert "code" in there.answer(id_token_hint=foreign, prompt="none")


def test_login_hint_fills_in_the_user_name_and_nothing_more(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: login_hint is a hint, and up to us."""
    there = world(client, signed_in=False)

    page = there.ask(login_hint='claire"><script>')

    assert "claire&#34;&gt;&lt;script&gt;" in page.text
    assert "<script>" not in page.text.replace("<script src", "")


def test_the_session_of_one_application_serves_the_next(client: FlaskClient) -> None:
    there = world(client, signed_in=False)
    there.portal.sign_in(there.browser, "claire")
    other = RelyingParty.of(there.school, redirect_uris=["https://other.example/cb"])

    fields = answer(there.browser.open(other.authorize_path(prompt="none")))

    assert "code" in fields


@pytest.mark.parametrize("prompt", ["create", "tomorrow", "LOGIN"])
def test_a_prompt_of_an_extension_is_left_out(client: FlaskClient, prompt: str) -> None:
    there = world(client, "Lina")

    assert "code" in there.answer(scope="openid child", prompt=prompt)
    there.ask(scope="openid child", prompt=f"{prompt} login")

    assert there.browser.shows("login-form"), "what we know still counts"


def test_a_max_age_of_centuries_is_no_error(client: FlaskClient) -> None:
    there = world(client)

    assert "auth_time" in there.claims(max_age="31536000000")
