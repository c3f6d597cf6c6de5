"""OAuth 2.0 Form Post Response Mode 1.0."""

import pytest
from flask.testing import FlaskClient

from tests.protocol.assertions import key_for
from tests.relying_party import CALLBACK, form_of, leads_to, world
from tests.request_objects import Signer, signing, unsigned

pytestmark = pytest.mark.quick_on("sqlite")


def test_every_parameter_of_an_answer_is_a_field_of_the_form(client: FlaskClient) -> None:
    """OAuth 2.0 Form Post Response Mode §2: values of a form that is sent by POST."""
    there = world(client)

    page = there.ask(response_mode="form_post", state="s")

    action, fields = form_of(page.text, "form-post")
    assert action == CALLBACK
    assert set(fields) == {"code", "state", "iss"}
    assert 'method="post"' in page.text


def test_the_page_is_not_kept(client: FlaskClient) -> None:
    """OAuth 2.0 Form Post Response Mode §2: the page is not cached."""
    there = world(client)

    assert there.ask(response_mode="form_post").headers["Cache-Control"] == "no-store"


def test_an_error_goes_the_same_way(client: FlaskClient) -> None:
    """OAuth 2.0 Multiple Response Types §2.1: response_mode is how every answer is returned."""
    there = world(client)

    for wrong in ({"response_type": "token"}, {"scope": "profile"}, {"prompt": "none login"}):
        page = there.ask(response_mode="form_post", state="s", **wrong)
        fields = form_of(page.text, "form-post")[1]
        assert fields["error"]
        assert fields["state"] == "s"


@pytest.mark.parametrize("by_client_with_keys", [True, False])
def test_a_mode_that_stands_inside_an_unsupported_object_alone_is_obeyed(
    client: FlaskClient, by_client_with_keys: bool
) -> None:
    """OAuth 2.0 Form Post Response Mode §2: an unsigned object that is refused says how to."""
    there = world(client, **(signing()[1] if by_client_with_keys else {}))
    portal = Signer(there, key_for("ES256"))
    inside = portal.claims(response_mode="form_post", state="only inside", iss=None, aud=None)

    page = portal.ask(unsigned(inside), redirect_uri=CALLBACK, scope="openid")

    action, fields = form_of(page.text, "form-post")
    assert action == CALLBACK
    assert fields["error"] in {"request_not_supported", "invalid_request_object"}
    assert fields["state"] == "only inside"
    assert not leads_to(page)


def test_what_an_object_says_of_another_address_is_nobodys_word(client: FlaskClient) -> None:
    """OAuth 2.0 Form Post Response Mode §4: the form goes to a registered address alone."""
    there = world(client)
    portal = Signer(there, key_for("ES256"))
    inside = portal.claims(response_mode="form_post", redirect_uri="https://evil.example/")

    page = portal.ask(unsigned(inside), redirect_uri=CALLBACK)

    assert page.status_code == 400
    assert "evil.example" not in page.text


def test_a_signed_out_visitor_presses_the_button(client: FlaskClient) -> None:
    """RFC 9700 §4.11.2: a third party's error is a page with a form, and no bounce."""
    there = world(client, signed_in=False, first_party=False)

    page = there.ask(response_mode="form_post", prompt="none login", state="s")

    assert page.status_code == 400
    assert f'action="{CALLBACK}"' in page.text
    assert "form-action" not in page.headers["Content-Security-Policy"]
    assert "form-post.js" not in page.text, "it does not send itself"
