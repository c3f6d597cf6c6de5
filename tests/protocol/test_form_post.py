"""OAuth 2.0 Form Post Response Mode 1.0."""

import pytest
from flask.testing import FlaskClient

from tests.relying_party import CALLBACK, claims_of, form_of, world

pytestmark = pytest.mark.quick_on("sqlite")

NASTY = "\"'><script>alert(1)</script>&amp;<!-- + %20 \\"


def test_the_answer_is_a_form_that_posts_itself_or_by_its_button(client: FlaskClient) -> None:
    there = world(client)

    page = there.ask(response_mode="form_post", state="s")

    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    action, fields = form_of(page.text, "form-post")
    assert action == CALLBACK
    assert set(fields) == {"code", "state", "iss"}
    assert "<button" in page.text
    tokens = there.tokens_of(fields)
    assert claims_of(client, tokens["id_token"])["aud"] == there.portal.client_id


def test_values_are_escaped_as_html_and_arrive_to_the_letter(client: FlaskClient) -> None:
    there = world(client)

    page = there.ask(response_mode="form_post", state=NASTY)

    assert form_of(page.text, "form-post")[1]["state"] == NASTY
    assert "<script>" not in page.text
    assert "alert(1)</script>" not in page.text


def test_the_page_keeps_the_policy_and_lets_the_form_leave(client: FlaskClient) -> None:
    there = world(client)

    page = there.ask(response_mode="form_post")

    policy = page.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    # The callback may send the browser on to anywhere, and browsers check each redirect.
    assert "form-action" not in policy
    assert "default-src 'none'" in policy
    assert page.text.count("<form") == 1
    assert "<script src=" in page.text
    assert "javascript:" not in page.text
    assert "onload" not in page.text


def test_errors_come_by_form_too(client: FlaskClient) -> None:
    there = world(client, signed_in=False)

    silent = there.ask(response_mode="form_post", prompt="none", state="s")
    _, fields = form_of(silent.text, "form-post")
    assert fields["error"] == "login_required"
    assert fields["state"] == "s"
    assert fields["iss"] == "http://127.0.0.1:8000"

    wrong = there.ask(response_mode="form_post", response_type="token")
    assert form_of(wrong.text, "form-post")[1]["error"] == "unsupported_response_type"


def test_cancelling_answers_by_form(client: FlaskClient) -> None:
    there = world(client, signed_in=False)
    there.ask(response_mode="form_post")

    page = there.browser.press("login-cancel")

    assert form_of(page.text, "form-post")[1]["error"] == "access_denied"


def test_after_sign_in_the_answer_comes_by_form(client: FlaskClient) -> None:
    there = world(client, signed_in=False)
    there.ask(response_mode="form_post", state=NASTY)

    page = there.browser.sign_in("claire")

    action, fields = form_of(page.text, "form-post")
    assert action == CALLBACK
    assert fields["state"] == NASTY
    assert there.tokens_of(fields)


def test_response_mode_query_is_the_default_said_aloud(client: FlaskClient) -> None:
    there = world(client)

    assert "code" in there.answer(response_mode="query")


def test_an_action_with_a_query_stays_whole(client: FlaskClient) -> None:
    uri = CALLBACK + "?a=1&b=%22"
    there = world(client, redirect_uris=[uri])

    page = there.ask(response_mode="form_post")

    assert form_of(page.text, "form-post")[0] == uri
