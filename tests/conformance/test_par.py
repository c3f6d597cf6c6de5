"""OAuth 2.0 Pushed Authorization Requests (RFC 9126)."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp import create_app, purge
from idp.clients import registration
from idp.database import db
from idp.oidc.models import PushedRequest
from tests import factories
from tests.conftest import settings_for_tests
from tests.parallel import Queries, at_once
from tests.protocol.assertions import TYPE, Assertion, jwks, key_for
from tests.relying_party import (
    CALLBACK,
    Browser,
    RelyingParty,
    World,
    answer,
    error_of,
    form_of,
    leads_to,
    world,
)
from tests.request_objects import Signer, signing
from tests.times import later
from tests.twice import cookies

pytestmark = pytest.mark.quick_on("sqlite")

PREFIX = "urn:ietf:params:oauth:request_uri:"


def push(there: World, portal: RelyingParty | None = None, **changes: str | None) -> TestResponse:
    portal = portal or there.portal
    return portal.post(there.http, "/oauth2/par", portal.request(**changes))


def pushed(there: World, **changes: str | None) -> str:
    """The name of a request that was pushed."""
    response = push(there, **changes)
    assert response.status_code == 201, response.text
    return str((response.json or {})["request_uri"])


def path(there: World, request_uri: str, **more: str) -> str:
    named = {"client_id": there.portal.client_id, "request_uri": request_uri, **more}
    return f"/oauth2/authorize?{urlencode(named)}"


def ask(there: World, request_uri: str, **more: str) -> TestResponse:
    return there.browser.open(path(there, request_uri, **more))


class TestThePushEndpoint:
    """§2: what is pushed, by whom, and what comes back."""

    def test_a_pushed_request_gets_a_name_and_a_lifetime(self, client: FlaskClient) -> None:
        """RFC 9126 §2.2: 201 with request_uri and expires_in, not cached."""
        there = world(client)

        response = push(there)

        assert response.status_code == 201
        assert response.content_type == "application/json"
        assert "no-store" in response.headers["Cache-Control"]
        told = response.json or {}
        assert set(told) == {"request_uri", "expires_in"}
        assert told["request_uri"].startswith(PREFIX)
        assert len(told["request_uri"]) > len(PREFIX) + 40
        assert told["expires_in"] == 90

    def test_the_client_proves_itself_as_at_the_token_endpoint(self, client: FlaskClient) -> None:
        """RFC 9126 §2: client authentication as at the token endpoint."""
        there = world(client)
        server = client.application.test_client(use_cookies=False)

        for auth in (None, (there.portal.client_id, "wrong")):
            response = server.post("/oauth2/par", data=there.portal.request(), auth=auth)
            assert error_of(response) == (401, "invalid_client")
            assert response.headers["WWW-Authenticate"].startswith("Basic")
        posted = there.other_portal(token_endpoint_auth_method="client_secret_post")
        secret = {"client_secret": posted.registered.secret}
        assert server.post("/oauth2/par", data={**posted.request(), **secret}).status_code == 201

    def test_private_key_jwt_works_once(self, client: FlaskClient) -> None:
        """RFC 9126 §2: an assertion is good for one push."""
        key = key_for("ES256")
        there = world(client, token_endpoint_auth_method="private_key_jwt", jwks=jwks(key))
        text = Assertion(there.portal.client_id, key, "ES256").text()
        server = client.application.test_client(use_cookies=False)
        data = {"client_assertion_type": TYPE, "client_assertion": text, **there.portal.request()}

        first, second = (server.post("/oauth2/par", data=data) for _ in range(2))

        assert first.status_code == 201, first.text
        assert (second.json or {})["error"] == "invalid_client"

    def test_a_public_client_names_itself(self, client: FlaskClient) -> None:
        """RFC 9126 §2: a public client sends its client_id, and PKCE as ever."""
        there = world(client, token_endpoint_auth_method="none")

        assert push(there, **there.portal.pkce()).status_code == 201
        assert error_of(push(there)) == (400, "invalid_request")

    def test_a_client_id_that_is_not_the_one_that_proved_itself_is_refused(
        self, client: FlaskClient
    ) -> None:
        """RFC 9126 §2.1: the client_id of the request is the one that authenticates."""
        there = world(client)
        other = there.other_portal()

        response = push(there, client_id=other.client_id)

        assert (response.json or {})["error"] == "invalid_client"
        assert push(there, client_id=None).status_code == 201, "it has proved which one it is"

    def test_a_request_uri_can_not_be_pushed(self, client: FlaskClient) -> None:
        """RFC 9126 §2.1: request_uri MUST NOT be provided."""
        there = world(client)

        for uri in (pushed(there), "https://portal.example/r"):
            assert error_of(push(there, request_uri=uri)) == (400, "invalid_request")

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [
            ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
            ({"redirect_uri": None}, "invalid_request"),
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_type": None}, "invalid_request"),
            ({"scope": "profile"}, "invalid_scope"),
            ({"response_mode": "web_message"}, "invalid_request"),
            ({"prompt": "none login"}, "invalid_request"),
            ({"claims": "{"}, "invalid_request"),
            ({"nonce": "a\0b"}, "invalid_request"),
            ({"state": "x" * 5000}, "invalid_request"),
            ({"request": "e30.e30."}, "request_not_supported"),
        ],
        ids=str,
    )
    def test_a_request_that_could_not_be_answered_is_refused_at_once(
        self, client: FlaskClient, wrong: dict[str, str | None], error: str
    ) -> None:
        """RFC 9126 §2.3: errors as JSON with the codes of the authorization endpoint."""
        there = world(client)

        response = push(there, **wrong)

        assert error_of(response) == (400, error)
        assert response.content_type == "application/json"
        assert "no-store" in response.headers["Cache-Control"]
        assert db.session.query(PushedRequest).count() == 0

    def test_only_posted_forms_are_taken(self, client: FlaskClient) -> None:
        """RFC 9126 §2.3: 405 for another method."""
        there = world(client)
        auth = (there.portal.client_id, there.portal.registered.secret)

        assert client.get("/oauth2/par").status_code == 405
        in_json = client.post("/oauth2/par", json=there.portal.request(), auth=auth)
        in_query = client.post(f"/oauth2/par?{urlencode(there.portal.request())}", auth=auth)
        for response in (in_json, in_query):
            assert error_of(response) == (400, "invalid_request")

    def test_a_request_that_is_too_large_is_413(self, client: FlaskClient) -> None:
        """RFC 9126 §2.3: 413 where the request is too large."""
        there = world(client)

        response = push(there, **{f"extra{n}": "x" * 7000 for n in range(20)})

        assert response.status_code == 413

    def test_nothing_of_how_the_client_proved_itself_is_kept(self, client: FlaskClient) -> None:
        """RFC 9126 §2.1: parameters for client authentication are no part of the request."""
        there = world(client, token_endpoint_auth_method="client_secret_post")
        secret = there.portal.registered.secret
        data = {**there.portal.request(), "client_secret": secret}

        uri = client.post("/oauth2/par", data=data).json["request_uri"]  # type: ignore[index]

        row = db.session.query(PushedRequest).one()
        assert secret not in str(row.request)
        assert uri.removeprefix(PREFIX) not in (row.uri_hash, str(row.request))

    def test_a_push_costs_one_insert_and_its_answer_none_of_its_own(
        self, client: FlaskClient
    ) -> None:
        """RFC 9126 §2: what a push costs the database."""
        there = world(client)
        there.answer()
        with Queries() as plain:
            there.answer()

        with Queries() as push_:
            uri = pushed(there)
        with Queries() as answer_:
            assert "code" in answer(ask(there, uri))

        assert [each.split()[0] for each in push_ if not each.startswith("SELECT")] == ["INSERT"]
        assert len(answer_) <= len(plain) + 1, answer_

    def test_an_unknown_flood_of_a_public_client_is_told_to_wait(self, client: FlaskClient) -> None:
        """RFC 9126 §2.3: 429 where a client sends too many."""
        from idp.credentials import throttling

        there = world(client, token_endpoint_auth_method="none")
        limit = throttling.POLICIES["stored"]
        short = type(limit)(limit=2, length=limit.length)  # type: ignore[call-arg]

        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(throttling.POLICIES, "stored", short)
            responses = [push(there, **there.portal.pkce()) for _ in range(3)]

        assert [each.status_code for each in responses] == [201, 201, 429]
        assert responses[2].headers["Retry-After"]
        assert (responses[2].json or {})["error"] == "temporarily_unavailable"


class TestTheAuthorizationRequest:
    """§4: the name, brought by a browser."""

    def test_the_name_is_answered_as_what_was_pushed(self, client: FlaskClient) -> None:
        """RFC 9126 §4: client_id and request_uri make an authorization request."""
        there = world(client)
        uri = pushed(there, state="pushed", scope="openid profile", nonce="n")

        fields = answer(ask(there, uri))

        assert fields["state"] == "pushed"
        assert there.tokens_of(fields)["scope"] == "openid profile"

    def test_what_stands_beside_the_name_does_not_count(self, client: FlaskClient) -> None:
        """RFC 9101 §6.3, RFC 9126 §4: the pushed parameters alone are used."""
        there = world(client)
        uri = pushed(there, state="pushed")

        fields = answer(ask(there, uri, state="beside", scope="openid profile", prompt="login"))

        assert fields["state"] == "pushed"
        assert there.tokens_of(fields)["scope"] == "openid"

    def test_the_request_uri_works_once(self, client: FlaskClient) -> None:
        """RFC 9126 §4, §7.3: a request URI is one-time use."""
        there = world(client)
        uri = pushed(there)
        assert "code" in answer(ask(there, uri))

        again = answer(ask(there, uri))

        assert again["error"] == "invalid_request_uri"
        assert again["state"] == "st4te"
        assert "code" not in again

    def test_an_error_uses_it_up_too(self, client: FlaskClient) -> None:
        """RFC 9126 §4: one request, one answer."""
        there = world(client, signed_in=False)
        uri = pushed(there, prompt="none")
        assert answer(ask(there, uri))["error"] == "login_required"

        assert answer(ask(there, uri))["error"] == "invalid_request_uri"

    def test_an_expired_name_is_refused(self, client: FlaskClient) -> None:
        """RFC 9126 §4: an expired request_uri MUST be rejected as invalid."""
        there = world(client)
        uri, form = pushed(there), pushed(there, response_mode="form_post")

        with later(seconds=91):
            assert answer(ask(there, uri))["error"] == "invalid_request_uri"
            page = ask(there, form)
            assert form_of(page.text, "form-post")[1]["error"] == "invalid_request_uri"

    def test_the_name_is_the_clients_alone(self, client: FlaskClient) -> None:
        """RFC 9126 §2.2: the request_uri is bound to the client that pushed it."""
        there = world(client)
        other = there.other_portal()
        uri = pushed(there)
        named = {"client_id": other.client_id, "request_uri": uri}

        page = there.browser.open(f"/oauth2/authorize?{urlencode(named)}")

        assert page.status_code == 400
        assert "invalid_request_uri" in page.text
        assert not leads_to(page)
        assert "code" in answer(ask(there, uri)), "and is still whole"

    def test_a_guessed_name_is_a_page_and_no_redirect(self, client: FlaskClient) -> None:
        """RFC 9126 §7.1: names can't be guessed; whoever tries learns nothing."""
        there = world(client)

        for name in ("", "x", "x" * 43, "é", "a" * 5000, "\0"):
            page = ask(there, PREFIX + name, redirect_uri=CALLBACK, state="s")
            assert page.status_code in {302, 400}
            assert "code" not in leads_to(page)

    def test_a_name_and_an_object_at_once_are_refused(self, client: FlaskClient) -> None:
        """RFC 9101 §5: request and request_uri are not used together."""
        there = world(client)
        uri = pushed(there)

        page = ask(there, uri, request="e30.e30.", redirect_uri=CALLBACK)

        assert answer(page)["error"] == "invalid_request"

    def test_a_client_that_was_disabled_meanwhile_gets_nothing(self, client: FlaskClient) -> None:
        """RFC 9126 §4: the request is validated as any other one."""
        there = world(client)
        uri = pushed(there)
        registration.disable(there.portal.client_id)

        page = ask(there, uri)

        assert page.status_code == 400
        assert not leads_to(page)

    def test_an_address_that_is_registered_no_more_gets_nothing(self, client: FlaskClient) -> None:
        """RFC 9126 §4: a changed registration counts."""
        there = world(client)
        uri = pushed(there)
        document = registration.get_client(there.portal.client_id).metadata_
        moved = {**document, "redirect_uris": ["https://portal.example/new"]}
        registration.change(there.portal.client_id, moved)

        page = ask(there, uri)

        assert page.status_code == 400
        assert not leads_to(page)

    def test_the_hint_of_a_pushed_request_is_not_kept(self, client: FlaskClient) -> None:
        """OpenID Connect Core §3.1.2.1: id_token_hint says who signs in, pushed too."""
        there = world(client)
        hint = there.redeem()["id_token"]
        uri = pushed(there, id_token_hint=hint, prompt="none")

        assert hint not in str(db.session.query(PushedRequest).one().request)
        there.browser.sign_out()
        factories.account("paul")
        there.browser.sign_in_at_home("paul")
        assert answer(ask(there, uri))["error"] == "login_required"


class TestAParentWhoIsSlow:
    """§4: duplicate requests of one browser are no attack."""

    def test_signing_in_may_take_longer_than_the_name_lives(self, client: FlaskClient) -> None:
        """RFC 9126 §2.2: the lifetime is the time until the authorization request."""
        there = world(client, signed_in=False)
        ask(there, pushed(there))

        with later(minutes=20):
            assert "code" in answer(there.browser.sign_in("claire"))

    def test_loading_the_first_page_again_goes_on(self, client: FlaskClient) -> None:
        """RFC 9126 §4: reloading by the user agent is allowed for."""
        there = world(client, signed_in=False)
        uri = pushed(there)
        ask(there, uri)
        ask(there, uri)
        assert there.browser.shows("login-form")

        with later(minutes=5):
            ask(there, uri)
            assert there.browser.shows("login-form"), "the browser remembers its way"
            assert "code" in answer(there.browser.sign_in("claire"))

    def test_after_an_act_too(self, client: FlaskClient) -> None:
        """RFC 9126 §4: what was done on our pages is not lost by a reload."""
        there = world(client, signed_in=False)
        uri = pushed(there)
        ask(there, uri)
        there.browser.submit("login-form", username="claire", password="wrong")
        there.browser.open("/")

        with later(minutes=5):
            ask(there, uri)
            assert "code" in answer(there.browser.sign_in("claire"))

    def test_coming_back_after_the_answer_says_that_it_is_done(self, client: FlaskClient) -> None:
        """RFC 9126 §4: no second answer, and no riddle for a person."""
        there = world(client, signed_in=False)
        uri = pushed(there)
        ask(there, uri)
        assert "code" in answer(there.browser.sign_in("claire"))

        page = ask(there, uri)

        assert there.browser.shows("interaction-done")
        assert not leads_to(page)

    def test_two_tabs_with_one_name_give_one_answer(self, client: FlaskClient) -> None:
        """RFC 9126 §7.3: whichever tab, one answer."""
        there = world(client, "Lina", "Noé", signed_in=False)
        uri = pushed(there, scope="openid child")
        first = ask(there, uri).request.path
        second = ask(there, uri).request.path
        there.browser.open(first)
        there.browser.sign_in("claire")
        there.browser.open(second.removesuffix("/login"))

        assert "code" in answer(there.browser.press("child-submit-2"))
        there.browser.open(first.removesuffix("/login"))

        assert there.browser.shows("interaction-done")

    def test_a_look_ahead_by_a_program_does_not_use_it_up(
        self, app: Flask, client: FlaskClient
    ) -> None:
        """FAPI 2.0 Security Profile §5.3.2.2: used up at the authorization, not by a page."""
        there = world(client, signed_in=False)
        uri = pushed(there)
        scanner = Browser(app.test_client())
        scanner.open(path(there, uri))

        ask(there, uri)

        assert "code" in answer(there.browser.sign_in("claire"))

    def test_of_two_browsers_one_is_answered(self, app: Flask, client: FlaskClient) -> None:
        """RFC 9126 §7.3: a name that was stolen gives no second answer."""
        there = world(client, signed_in=False)
        factories.account("paul")
        uri = pushed(there)
        thief = Browser(app.test_client())
        thief.open(path(there, uri))
        ask(there, uri)
        assert "code" in answer(there.browser.sign_in("claire"))

        thief.sign_in("paul")

        assert thief.shows("interaction-done")

    def test_cancelling_uses_it_up(self, client: FlaskClient) -> None:
        """RFC 6749 §4.1.2.1: access_denied is the answer."""
        there = world(client, signed_in=False)
        uri = pushed(there)
        ask(there, uri)
        assert answer(there.browser.press("login-cancel"))["error"] == "access_denied"

        ask(there, uri)

        assert there.browser.shows("interaction-done")


class TestPolicy:
    """§5, §6: who has to push."""

    def test_a_client_that_has_to_push_is_refused_otherwise(self, client: FlaskClient) -> None:
        """RFC 9126 §6: require_pushed_authorization_requests of a client."""
        there = world(client, require_pushed_authorization_requests=True)

        assert there.answer()["error"] == "invalid_request"
        assert "code" in answer(ask(there, pushed(there)))

    def test_a_signed_object_does_not_stand_for_a_push(self, client: FlaskClient) -> None:
        """RFC 9126 §4: PAR is the only means then."""
        key, metadata = signing(require_pushed_authorization_requests=True)
        portal = Signer(world(client, **metadata), key)

        assert answer(portal.ask(portal.text()))["error"] == "invalid_request"

    def test_the_operator_may_have_everybody_push(
        self, database_url: str, keys_folder: Path
    ) -> None:
        """RFC 9126 §5: require_pushed_authorization_requests of the server, in its metadata."""
        changes: dict[str, Any] = {"require_pushed_authorization_requests": True}
        strict = create_app(settings_for_tests(database_url, keys_folder, **changes))
        with strict.app_context():
            there = world(strict.test_client())

            assert there.answer()["error"] == "invalid_request"
            assert "code" in answer(ask(there, pushed(there)))
            told = there.http.get("/.well-known/openid-configuration").json or {}
            assert told["require_pushed_authorization_requests"] is True

    def test_discovery_names_the_endpoint(self, client: FlaskClient) -> None:
        """RFC 9126 §5: pushed_authorization_request_endpoint."""
        told = client.get("/.well-known/oauth-authorization-server").json or {}

        assert told["pushed_authorization_request_endpoint"].endswith("/oauth2/par")
        assert told["require_pushed_authorization_requests"] is False


class TestSignedAndPushed:
    """§3: a request object that is pushed."""

    def test_a_pushed_object_is_verified_at_the_push(self, client: FlaskClient) -> None:
        """RFC 9126 §3: the request parameter carries all parameters."""
        key, metadata = signing(require_signed_request_object=True)
        portal = Signer(world(client, **metadata), key)
        there = portal.there
        signed = there.portal.post(client, "/oauth2/par", {"request": portal.text()})
        forged = Signer(there, key_for("ES256")).text()

        fields = answer(ask(there, (signed.json or {})["request_uri"]))

        assert fields["state"] == "inside"
        bad = there.portal.post(client, "/oauth2/par", {"request": forged})
        assert error_of(bad) == (400, "invalid_request_object")
        assert error_of(push(there)) == (400, "invalid_request"), "plain parameters"

    def test_an_object_of_another_client_is_refused(self, client: FlaskClient) -> None:
        """RFC 9126 §3: the client_id inside is the one that authenticates."""
        key, metadata = signing()
        portal = Signer(world(client, **metadata), key)
        other = portal.there.other_portal(**metadata)

        response = other.post(client, "/oauth2/par", {"request": portal.text()})

        assert error_of(response) == (400, "invalid_request_object")


def test_what_is_done_with_is_purged(client: FlaskClient) -> None:
    """RFC 9126 §7.4: expired requests are not kept."""
    there = world(client)
    pushed(there)

    assert purge.run()["pushed_requests"] == 0
    with later(days=2):
        assert purge.run()["pushed_requests"] == 1


def test_the_same_name_at_the_same_moment_gives_one_code(app: Flask, client: FlaskClient) -> None:
    """RFC 9126 §7.3: of many requests at once one is answered with a code."""
    there = world(client)
    uri = pushed(there)
    browser = Browser(client)

    def bring() -> dict[str, str]:
        headers = {"Cookie": cookies(browser)}
        return answer(app.test_client(use_cookies=False).get(path(there, uri), headers=headers))

    answers, errors = at_once(app, 12, bring)

    assert not errors, errors[:2]
    assert sum("code" in each for each in answers) == 1
    assert {each["error"] for each in answers if "error" in each} == {"invalid_request_uri"}
