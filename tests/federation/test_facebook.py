"""Facebook: OAuth 2.0 and Graph (F2), and its signed callbacks."""

import hashlib
import hmac
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken, Password
from idp.database import db, transaction
from idp.federation.models import FederatedLink
from idp.lifecycle.mails.tokens import about_link
from idp.mail.models import OutboxMessage
from idp.people import accounts
from idp.sessions import service as sessions
from tests import factories
from tests.federation.rogue import CLIENT_ID, SECRET, Reply, Rogue, signed_request
from tests.federation.worlds import Walker, asked_of, events_named, linked, links_of, mails
from tests.relying_party import answer, claims_of

pytestmark = pytest.mark.quick_on("sqlite")

ISSUER = "https://www.facebook.com"
DELETION = "/federation/facebook/deletion"
DEAUTHORIZE = "/federation/facebook/deauthorize"


def walk(here: Walker) -> TestResponse:
    return here.browser.open(here.provider.answer(here.leave("facebook"), iss=None))


def test_a_linked_parent_is_signed_in(here: Walker) -> None:
    linked(here.parent, ISSUER, "1001", "facebook")
    here.at_sign_in()

    fields = answer(walk(here))

    tokens = here.portal.redeem(here.browser.client, fields["code"]).json or {}
    claims = claims_of(here.browser.client, tokens["id_token"])
    assert claims["amr"] == ["fed"]
    assert "auth_time" not in claims, "Facebook tells none"


def test_the_dialog_is_asked_at_the_configured_version(here: Walker) -> None:
    here.at_sign_in()
    address = here.leave("facebook")
    assert urlsplit(address).path == "/v26.0/dialog/oauth"
    asked = asked_of(address)
    assert asked["scope"] == "public_profile email"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"].endswith("/federation/facebook/callback")


def test_f2_every_call_of_graph_carries_its_proof(here: Walker) -> None:
    linked(here.parent, ISSUER, "1001", "facebook")
    here.at_sign_in()
    walk(here)

    for path, token in (("/debug_token", f"{CLIENT_ID}|{SECRET}"), ("/v26.0/me", "fb-token")):
        query = here.provider.last(path).query
        proof = hmac.new(SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
        assert query["access_token"] == token
        assert query["appsecret_proof"] == proof
    assert here.provider.last("/v26.0/oauth/access_token").form["client_secret"] == SECRET


CHANGES: dict[str, Callable[[Rogue], None]] = {
    "an invalid token": lambda rogue: rogue.debug.update(is_valid=False),
    "a token of another app": lambda rogue: rogue.debug.update(app_id="another"),
    "a page's token": lambda rogue: rogue.debug.update(type="PAGE"),
    "no owner": lambda rogue: rogue.debug.update(user_id=None),
    "an owner that is no number": lambda rogue: rogue.debug.update(user_id="<script>"),
    "the profile of another": lambda rogue: rogue.profile.update(id="2002"),
    "no data": lambda rogue: rogue.replies.update({"/debug_token": Reply.json({"data": []})}),
    "no JSON": lambda rogue: rogue.replies.update({"/v26.0/me": Reply(b"oops")}),
    "no token": lambda rogue: rogue.replies.update(
        {"/v26.0/oauth/access_token": Reply.json({"token_type": "bearer"})}
    ),
    "an error": lambda rogue: rogue.replies.update(
        {"/v26.0/oauth/access_token": Reply.json({"error": {"message": "used"}}, status=400)}
    ),
    "Graph in trouble": lambda rogue: rogue.replies.update({"/v26.0/me": Reply(b"{}", 500)}),
    "Graph refuses": lambda rogue: rogue.replies.update({"/debug_token": Reply(b"{}", 400)}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_f2_what_does_not_belong_together_proves_nothing(here: Walker, name: str) -> None:
    linked(here.parent, ISSUER, "1001", "facebook")
    here.at_sign_in()
    CHANGES[name](here.provider)

    page = walk(here)

    assert page.request.path.endswith("/login")
    assert "notice-bad" in page.text
    assert events_named("sign_in") == []


@pytest.mark.parametrize("profile", [{}, {"email": None}, {"email": "claire@example.org"}])
def test_f3_without_an_address_or_with_an_equal_one_it_is_the_same(
    here: Walker, profile: dict[str, str | None]
) -> None:
    here.provider.profile = dict(profile)
    here.at_sign_in()
    assert "/connect" in walk(here).request.path
    assert links_of(here.parent) == []


@pytest.fixture
def server(here: Walker) -> FlaskClient:
    """Facebook's servers, which have no cookies of ours."""
    return here.app.test_client(use_cookies=False)


class TestCallbacks:
    def test_deletion_ends_the_link_and_answers_a_readable_page(
        self, here: Walker, server: FlaskClient
    ) -> None:
        linked(here.parent, ISSUER, "1001", "facebook")
        here.at_sign_in()
        walk(here)

        told = server.post(DELETION, data={"signed_request": signed_request()})

        assert told.status_code == 200
        document = told.json or {}
        assert document["url"] == (
            f"http://127.0.0.1:8000/federation/deletion/{document['confirmation_code']}"
        )
        page = server.get(urlsplit(document["url"]).path, headers={"Accept-Language": "fr"})
        assert page.status_code == 200
        assert "est effacé" in page.text
        assert "claire" not in page.text
        db.session.rollback()
        assert links_of(here.parent) == []
        assert sessions.live(here.parent.id) == []
        assert accounts.find_account(here.parent.id) is not None
        assert mails() == ["link_ended"]

    def test_of_somebody_unknown_it_answers_the_same_and_the_page_says_so(
        self, here: Walker, server: FlaskClient
    ) -> None:
        told = server.post(DELETION, data={"signed_request": signed_request(user_id="9")})
        page = server.get(
            urlsplit((told.json or {})["url"]).path, headers={"Accept-Language": "fr"}
        )
        assert "rien à effacer" in page.text

    def test_deauthorize_ends_the_link(self, here: Walker, server: FlaskClient) -> None:
        linked(here.parent, ISSUER, "1001", "facebook")
        answered = server.post(DEAUTHORIZE, data={"signed_request": signed_request()})
        assert answered.status_code == 204
        assert links_of(here.parent) == []

    @pytest.mark.parametrize(
        "request_text",
        [
            "",
            "x",
            "a.b",
            signed_request(secret="another"),
            signed_request(algorithm="none"),
            signed_request(user_id=None),
            signed_request(user_id=""),
            signed_request() + "x",
            "." + signed_request().partition(".")[2],
            signed_request().partition(".")[0] + ".",
            "é.é",
            "x" * 20_000,
        ],
    )
    @pytest.mark.parametrize("path", [DELETION, DEAUTHORIZE])
    def test_a_request_that_facebook_did_not_sign_ends_nothing(
        self, here: Walker, server: FlaskClient, path: str, request_text: str
    ) -> None:
        linked(here.parent, ISSUER, "1001", "facebook")
        answered = server.post(path, data={"signed_request": request_text})
        assert answered.status_code == 400
        assert links_of(here.parent) == [("facebook", "1001")]
        assert events_named("provider_refused") == [], "strangers don't fill the audit trail"

    def test_twice_or_not_at_all_is_refused(self, here: Walker, server: FlaskClient) -> None:
        good = signed_request()
        assert server.post(DELETION, data={"signed_request": [good, good]}).status_code == 400
        assert server.post(DELETION).status_code == 400
        assert server.get(DELETION).status_code == 405

    def test_an_old_request_ends_no_newer_link(self, here: Walker, server: FlaskClient) -> None:
        linked(here.parent, ISSUER, "1001", "facebook")
        old = signed_request(issued_at=int(time.time()) - 3600)
        server.post(DELETION, data={"signed_request": old})
        assert links_of(here.parent) == [("facebook", "1001")]

    def test_the_same_subject_at_another_provider_is_left_alone(
        self, here: Walker, server: FlaskClient
    ) -> None:
        here.linked("1001")
        server.post(DELETION, data={"signed_request": signed_request()})
        assert links_of(here.parent) == [("google", "1001")]

    def test_a_parent_left_without_a_way_in_is_mailed_a_token(
        self, here: Walker, server: FlaskClient
    ) -> None:
        linked(here.parent, ISSUER, "1001", "facebook")
        with transaction() as writes:
            writes.query(Password).delete()

        server.post(DELETION, data={"signed_request": signed_request()})

        db.session.rollback()
        message = db.session.query(OutboxMessage).filter_by(kind="link_ended").one()
        with transaction():
            (letter,) = about_link(message)
        token = db.session.query(OneTimeToken).filter_by(account_id=here.parent.id).one()
        assert token.purpose == "first_sign_in"
        assert "/welcome#" in letter.text
        found = one_time_tokens.find_by_id(token.id)
        assert isinstance(found, one_time_tokens.Live)

    def test_with_a_password_left_the_mail_carries_no_token(
        self, here: Walker, server: FlaskClient
    ) -> None:
        linked(here.parent, ISSUER, "1001", "facebook")
        server.post(DELETION, data={"signed_request": signed_request()})
        db.session.rollback()
        message = db.session.query(OutboxMessage).filter_by(kind="link_ended").one()
        with transaction():
            (letter,) = about_link(message)
        assert "/welcome" not in letter.text
        assert db.session.query(OneTimeToken).count() == 0

    def test_without_an_address_it_is_left_to_the_school(
        self, here: Walker, server: FlaskClient
    ) -> None:
        account = factories.account("alone")
        with transaction() as writes:
            writes.query(Password).filter_by(account_id=account.id).delete()
        linked(account, ISSUER, "1001", "facebook")
        server.post(DEAUTHORIZE, data={"signed_request": signed_request()})
        assert len(events_named("left_to_school")) == 1
        assert mails() == []
        assert db.session.query(FederatedLink).count() == 0

    def test_an_unknown_code_has_no_page(self, here: Walker, server: FlaskClient) -> None:
        for code in ("x", "abcdefghijklmnopqrstuv", "a" * 100):
            assert server.get(f"/federation/deletion/{code}").status_code == 404
