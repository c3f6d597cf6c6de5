"""A parent signs in with a provider, links on the way, and comes to the waiting application."""

import pytest

from idp.database import db
from idp.federation import links
from idp.federation.models import PendingLink
from idp.lifecycle import federation
from tests.conftest import Measured
from tests.factories import PASSWORD
from tests.federation.rogue import Reply
from tests.federation.worlds import Walker, address_of, asked_of, links_of, mails
from tests.relying_party import answer, claims_of
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")


def test_a_linked_parent_is_signed_in_and_the_application_goes_on(here: Walker) -> None:
    here.linked()
    here.at_sign_in(scope="openid child", nonce="n")

    fields = answer(here.walk())

    tokens = here.portal.redeem(here.browser.client, fields["code"]).json or {}
    claims = claims_of(here.browser.client, tokens["id_token"])
    assert (claims["amr"], claims["acr"]) == (["fed"], "urn:school-idp:acr:single-factor")
    assert claims["child"]["given_name"] == "Lina"
    assert fields["state"] == "st4te"


def test_a_providers_way_in_is_counted_by_its_key_whatever_comes_of_it(
    here: Walker, measured: Measured
) -> None:
    here.linked()
    here.at_sign_in()
    here.walk()
    assert measured("idp_sign_ins_total", way="google", outcome="ok") == 1

    here.browser.sign_out()
    here.provider.replies["/token"] = Reply(b"", 500)
    here.at_sign_in()
    here.walk()
    assert measured("idp_sign_ins_total", way="google", outcome="ok") == 1
    assert measured("idp_sign_ins_total", way="google", outcome="refused") == 1


def test_the_box_of_the_page_counts_for_this_way_in_too(here: Walker) -> None:
    here.linked()
    here.at_sign_in()
    page = here.browser.press("provider-google", stay="yes")
    here.browser.open(here.provider.answer(address_of(page)))

    with later(days=1):
        assert "code" in answer(here.at_sign_in())
    federation.unlink(here.parent.id, links.of_account(here.parent.id)[0].id)
    with later(days=2):
        here.at_sign_in()
        assert here.browser.shows("login-form")


def test_an_unlinked_identity_is_linked_after_one_sign_in_with_the_password(here: Walker) -> None:
    here.at_sign_in(scope="openid")
    page = here.walk()
    assert "connect" in page.request.path
    assert "claire@example.org" in page.text.replace("<wbr>", "")

    here.browser.sign_in("claire")
    assert "code" in answer(here.browser.press("join-yes"))

    assert links_of(here.parent) == [("google", "1001")]
    assert mails() == ["link_made"]
    assert db.session.query(PendingLink).count() == 0


def test_an_equal_address_links_nothing(here: Walker) -> None:
    here.provider.claims = {"email": "claire@example.org", "email_verified": True}
    here.at_sign_in()

    page = here.walk()

    assert "connect" in page.request.path
    assert links_of(here.parent) == []
    assert here.browser.open("/").request.path.endswith("/login")


def test_the_request_carries_state_nonce_and_pkce(here: Walker) -> None:
    here.at_sign_in()
    asked = asked_of(here.leave())
    assert asked["code_challenge_method"] == "S256"
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == "http://127.0.0.1:8000/federation/google/callback"
    assert len(asked["state"]) >= 43
    assert len(asked["nonce"]) >= 43
    assert asked["scope"] == "openid email profile"


def test_wrong_password_on_the_way_keeps_the_identity_waiting(here: Walker) -> None:
    here.at_sign_in()
    here.walk()
    here.browser.sign_in("claire", "wrong")
    assert here.browser.shows("waiting-link")

    here.browser.sign_in("claire", PASSWORD)
    here.browser.press("join-yes")

    assert links_of(here.parent) == [("google", "1001")]
