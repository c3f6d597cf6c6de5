"""Refresh tokens (RFC 6749 §6; RFC 9700 §4.14.2; OpenID Connect Core §11, §12)."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from idp.lifecycle import endings
from tests.relying_party import World, answer, claims_of, error_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("postgresql")

REFUSED = (400, "invalid_grant")


def offline(there: World, scope: str = "openid offline_access") -> str:
    return str(there.redeem(scope=scope)["refresh_token"])


def test_a_refresh_gives_new_tokens_and_the_new_ones_work(client: FlaskClient) -> None:
    """RFC 6749 §6: a refresh token gives new tokens."""
    there = world(client)
    first = there.redeem(scope="openid profile offline_access")

    response = there.portal.refresh(client, first["refresh_token"])

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    second = response.json or {}
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert there.portal.userinfo(client, second["access_token"]).json["name"]  # type: ignore[index]
    assert there.portal.refresh(client, second["refresh_token"]).status_code == 200


def test_the_new_id_token_speaks_of_the_first_sign_in(client: FlaskClient) -> None:
    """OpenID Connect Core §12.2: the same iss, sub and auth_time as at first."""
    there = world(client)
    first = there.redeem(scope="openid offline_access", nonce="n")
    before = claims_of(client, first["id_token"])

    with later(minutes=20):
        second = there.portal.refresh(client, first["refresh_token"]).json or {}
        after = claims_of(client, second["id_token"])

    # Core §12.2
    for name in ("iss", "sub", "aud", "auth_time", "sid", "acr", "amr"):
        assert after[name] == before[name]
    assert after["iat"] > before["iat"]
    assert after.get("nonce", "n") == "n"


def test_a_lost_answer_may_be_asked_again_and_gives_the_same_successor(
    client: FlaskClient,
) -> None:
    there = world(client)
    token = offline(there)

    first = there.portal.refresh(client, token).json or {}
    second = there.portal.refresh(client, token).json or {}

    assert second["refresh_token"] == first["refresh_token"]
    assert there.portal.refresh(client, second["refresh_token"]).status_code == 200


def test_reuse_after_the_grace_revokes_the_family(client: FlaskClient) -> None:
    """RFC 9700 §4.14.2: the reuse of a rotated refresh token revokes the grant."""
    there = world(client)
    token = offline(there)
    newer = there.portal.refresh(client, token).json or {}

    with later(seconds=21):
        assert error_of(there.portal.refresh(client, token)) == REFUSED
        assert error_of(there.portal.refresh(client, newer["refresh_token"])) == REFUSED
        assert there.portal.userinfo(client, newer["access_token"]).status_code == 401


def test_r5_what_a_clock_has_noted_that_was_set_back_since_is_no_lost_answer(
    client: FlaskClient,
) -> None:
    """For ten days whoever has the former token could ask again."""
    there = world(client)
    token = offline(there)
    with later(days=10):
        newer = there.portal.refresh(client, token).json or {}

    assert error_of(there.portal.refresh(client, token)) == REFUSED
    assert error_of(there.portal.refresh(client, newer["refresh_token"])) == REFUSED


def test_reuse_once_the_successor_was_used_revokes_even_in_the_grace(
    client: FlaskClient,
) -> None:
    there = world(client)
    token = offline(there)
    second = there.portal.refresh(client, token).json or {}
    third = there.portal.refresh(client, second["refresh_token"]).json or {}

    assert error_of(there.portal.refresh(client, token)) == REFUSED
    assert error_of(there.portal.refresh(client, third["refresh_token"])) == REFUSED


def test_another_client_gets_nothing_and_does_no_harm(client: FlaskClient) -> None:
    """RFC 6749 §6: the refresh token is bound to the client that it was issued to."""
    there = world(client)
    thief = there.other_portal()
    token = offline(there)
    there.portal.refresh(client, token)

    with later(seconds=30):
        assert error_of(thief.refresh(client, token)) == REFUSED
    assert there.portal.refresh(client, token).status_code == 200


def test_an_access_token_and_a_code_are_no_refresh_tokens(client: FlaskClient) -> None:
    there = world(client)
    access = there.redeem()["access_token"]
    code = there.answer()["code"]

    for wrong in (access, code, "é", "x" * 5000):
        assert error_of(there.portal.refresh(client, wrong)) == REFUSED


def test_scope_may_be_narrowed_and_never_widened(client: FlaskClient) -> None:
    """RFC 6749 §6: the scope is no wider than what was granted."""
    there = world(client)
    token = offline(there, "openid profile offline_access")

    wider = there.portal.refresh(client, token, scope="openid profile email")
    narrow = there.portal.refresh(client, token, scope="openid").json or {}
    whole = there.portal.refresh(client, narrow["refresh_token"]).json or {}

    assert error_of(wider) == (400, "invalid_scope")
    assert narrow["scope"] == "openid"
    assert set(there.portal.userinfo(client, narrow["access_token"]).json or {}) == {"sub"}
    assert set(whole["scope"].split()) == {"openid", "profile", "offline_access"}


def test_without_openid_in_the_narrowed_scope_there_is_no_id_token(client: FlaskClient) -> None:
    there = world(client)
    token = offline(there, "openid profile offline_access")

    narrow = there.portal.refresh(client, token, scope="profile").json or {}

    assert "id_token" not in narrow
    assert there.portal.userinfo(client, narrow["access_token"]).status_code == 403


def test_a_refresh_keeps_its_child_whatever_is_chosen_later(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child offline_access")
    tokens = there.tokens_of(answer(there.browser.press("child-submit-1")))
    there.ask(scope="openid child", prompt="select_account")
    there.browser.press("child-submit-2")

    refreshed = there.portal.refresh(client, tokens["refresh_token"]).json or {}

    assert claims_of(client, refreshed["id_token"])["child"]["given_name"] == "Lina"


def test_a_refresh_fails_rather_than_switch_the_child(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child offline_access")
    tokens = there.tokens_of(answer(there.browser.press("child-submit-1")))
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    assert error_of(there.portal.refresh(client, tokens["refresh_token"])) == REFUSED


def test_offline_access_outlives_the_sign_out_and_other_access_does_not(
    client: FlaskClient,
) -> None:
    there = world(client)
    kept, ended = offline(there), there.redeem(scope="openid")["access_token"]

    there.browser.sign_out()

    assert there.portal.refresh(client, kept).status_code == 200  # Core §11
    assert there.portal.userinfo(client, ended).status_code == 401


def test_a_disabled_account_refreshes_nothing(client: FlaskClient) -> None:
    there = world(client)
    token = offline(there)

    endings.disable_account(there.guardian.id)

    assert error_of(there.portal.refresh(client, token)) == REFUSED


def test_withdrawn_consent_ends_the_family(client: FlaskClient) -> None:
    there = world(client)
    token = offline(there)

    endings.withdraw_consent(there.guardian.id, there.portal.client_id)

    assert error_of(there.portal.refresh(client, token)) == REFUSED


def test_an_unused_refresh_token_expires_and_a_used_one_goes_on(client: FlaskClient) -> None:
    there = world(client)
    idle, used = offline(there), offline(there)

    with later(days=20):
        used = (there.portal.refresh(client, used).json or {})["refresh_token"]
    with later(seconds=timedelta(days=31).total_seconds()):
        assert error_of(there.portal.refresh(client, idle)) == REFUSED
        assert there.portal.refresh(client, used).status_code == 200
