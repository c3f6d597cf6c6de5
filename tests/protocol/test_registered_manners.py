"""How an application wants us to behave, by its registration: popups, and no ``iss``."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from idp.clients.models import Client
from idp.database import transaction
from tests.relying_party import answer, form_of, world

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

POLICY = "Cross-Origin-Opener-Policy"
CHILD = "openid child"


def test_the_pages_of_a_request_keep_the_opener_where_that_is_registered(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina", "Noé", signed_in=False, allow_popups=True, first_party=False)
    seen = []

    seen.append(there.ask(scope=CHILD))
    seen.append(there.browser.sign_in("claire", "certainly wrong"))
    seen.append(there.browser.sign_in("claire"))
    seen.append(there.browser.press("child-submit-1"))
    seen.append(there.browser.press("consent-allow"))
    seen.append(there.ask(scope=CHILD))

    assert [each.headers[POLICY] for each in seen] == ["unsafe-none"] * len(seen)
    for each in seen:
        assert "frame-ancestors 'none'" in each.headers["Content-Security-Policy"]
    assert "code" in answer(there.browser.page)  # type: ignore[arg-type]


def test_every_other_page_keeps_its_protection(client: FlaskClient) -> None:
    there = world(client, "Lina", allow_popups=True)
    other = there.other_portal(redirect_uris=["https://other.example/cb"])

    places = ["/", "/account/sessions", other.authorize_path(prompt="login")]

    assert {there.browser.open(each).headers[POLICY] for each in places} == {"same-origin"}


@pytest.mark.parametrize("registered", [True, False])
def test_iss_stands_in_every_answer_unless_the_registration_leaves_it_out(
    client: FlaskClient, registered: bool
) -> None:
    there = world(client, omit_iss=registered)
    with_child = there.other_portal(omit_iss=registered)
    answers = [there.answer(), there.answer(max_age="x"), there.answer(prompt="none login")]

    there.browser.open(with_child.authorize_path(prompt="login"))
    answers.append(answer(there.browser.press("login-cancel")))

    assert [("iss" in each) for each in answers] == [not registered] * 4


def test_a_faulty_request_takes_no_iss_back_either(client: FlaskClient) -> None:
    there = world(client, signed_in=False, first_party=False, omit_iss=True)

    page = there.ask(response_mode="form_post", max_age="x")

    assert set(form_of(page.text, "back-form")[1]) == {"error", "error_description", "state"}


def test_registrations_from_before_are_as_they_were(client: FlaskClient) -> None:
    there = world(client)
    document = there.portal.registered.client.metadata_
    assert (document["allow_popups"], document["omit_iss"]) == (False, False)

    with transaction() as session:
        old = {k: v for k, v in document.items() if k not in {"allow_popups", "omit_iss"}}
        session.execute(update(Client).values(metadata_=old))

    page = there.ask(prompt="login")
    assert page.headers[POLICY] == "same-origin"
    assert "iss" in answer(there.browser.sign_in("claire"))


def test_cancelling_by_form_post_may_leave(client: FlaskClient) -> None:
    there = world(client, signed_in=False)
    there.ask(response_mode="form_post")

    page = there.browser.press("login-cancel")

    assert form_of(page.text, "form-post")[1]["error"] == "access_denied"
    assert "form-action" not in page.headers["Content-Security-Policy"]
