"""OAuth 2.0 Token Exchange (RFC 8693): a narrower token of the application's own."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.clients import registration
from idp.errors import Invalid
from idp.lifecycle import endings
from tests.relying_party import RelyingParty, World, answer, claims_of, error_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
API = "https://api.example/homework"
MARKS = "https://marks.example"
GRANTS = ["authorization_code", "refresh_token", GRANT]
REFUSED = (400, "invalid_request")
WHOLE = "openid profile child"


def place(client: FlaskClient, *children: str, **metadata: Any) -> World:
    values = {"grant_types": GRANTS, "resources": [API, MARKS], **metadata}
    return world(client, *children, **values)


def exchange(
    portal: RelyingParty, client: FlaskClient, token: str, **changes: str | None
) -> TestResponse:
    data: dict[str, str | None] = {
        "grant_type": GRANT,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        **changes,
    }
    given = {name: value for name, value in data.items() if value is not None}
    return portal.post(client, "/oauth2/token", given)


def exchanged(there: World, token: str, **changes: str | None) -> dict[str, Any]:
    response = exchange(there.portal, there.http, token, **changes)
    assert response.status_code == 200, response.text
    return dict(response.json or {})


def test_the_answer_says_what_was_issued(client: FlaskClient) -> None:
    """RFC 8693 §2.2.1: access_token, issued_token_type and token_type are required."""
    there = place(client)
    answered = exchanged(there, there.redeem(scope="openid profile")["access_token"])

    assert answered["issued_token_type"] == ACCESS_TOKEN
    assert answered["token_type"] == "Bearer"
    assert answered["scope"] == "openid profile"
    assert there.portal.userinfo(client, answered["access_token"]).status_code == 200
    assert not {"refresh_token", "id_token"} & set(answered)


def test_the_answer_is_not_kept(client: FlaskClient) -> None:
    """RFC 8693 §2.2.1: the answer is not cached (RFC 6749 §5.1)."""
    there = place(client)

    response = exchange(there.portal, client, there.redeem()["access_token"])

    assert response.headers["Cache-Control"] == "no-store"


def test_the_scope_may_be_narrower(client: FlaskClient) -> None:
    """RFC 8693 §2.1: scope says what the new token is wanted for."""
    there = place(client)
    token = there.redeem(scope="openid profile")["access_token"]

    narrow = exchanged(there, token, scope="openid")

    assert narrow["scope"] == "openid"
    assert set(there.portal.userinfo(client, narrow["access_token"]).json or {}) == {"sub"}


@pytest.mark.parametrize("scope", ["openid email", "openid profile unheard-of"])
def test_the_scope_is_never_wider(client: FlaskClient, scope: str) -> None:
    """RFC 8693 §2.2.2: what the subject token does not allow is invalid_scope."""
    there = place(client)
    token = there.redeem(scope="openid profile")["access_token"]

    assert error_of(exchange(there.portal, client, token, scope=scope)) == (400, "invalid_scope")


def test_the_token_is_for_the_resource_that_is_named(client: FlaskClient) -> None:
    """RFC 8693 §2.1: resource names where the new token is to be used."""
    there = place(client, "Lina")
    token = there.redeem(scope=WHOLE)["access_token"]

    answered = exchanged(there, token, resource=API, scope="openid child")
    claims = claims_of(client, answered["access_token"])

    assert claims["aud"] == API
    assert claims["scope"] == "openid child"
    assert claims["child"]["given_name"] == "Lina"


def test_it_is_about_the_same_guardian_and_child_and_nobody_acts(client: FlaskClient) -> None:
    """RFC 8693 §4.1: there is no act claim; the subject is the guardian as before."""
    there = place(client, "Lina", "Tom")
    there.ask(scope=WHOLE)
    tokens = there.tokens_of(answer(there.browser.press("child-submit-2")))
    before = claims_of(client, tokens["id_token"])

    after = claims_of(
        client, exchanged(there, tokens["access_token"], resource=API)["access_token"]
    )

    assert after["sub"] == before["sub"]
    assert after["child"] == before["child"]
    assert "act" not in after
    assert "may_act" not in after


def test_an_unregistered_resource_is_refused(client: FlaskClient) -> None:
    """RFC 8693 §2.2.2: a target that the server is unwilling to serve is invalid_target."""
    there = place(client)
    token = there.redeem()["access_token"]

    refused = exchange(there.portal, client, token, resource="https://other.example")

    assert error_of(refused) == (400, "invalid_target")


def test_a_target_is_not_named_by_audience(client: FlaskClient) -> None:
    """RFC 8693 §2.1: audience names that nobody knows are invalid_target."""
    there = place(client)
    token = there.redeem()["access_token"]

    assert error_of(exchange(there.portal, client, token, audience=API)) == (400, "invalid_target")


def test_a_token_for_one_resource_is_turned_into_none_for_another(client: FlaskClient) -> None:
    """RFC 8693 §1: what a resource server got hold of opens nothing else."""
    there = place(client)
    token = there.redeem(scope="openid")["access_token"]
    held = exchanged(there, token, resource=API)["access_token"]

    for other in (MARKS, "http://127.0.0.1:8000/oauth2/userinfo"):
        refused = exchange(there.portal, client, held, resource=other)
        assert error_of(refused) == (400, "invalid_target"), other
    again = exchanged(there, held)["access_token"]
    assert claims_of(client, again)["aud"] == API


def test_what_a_registration_lost_is_not_held_anew(client: FlaskClient) -> None:
    """RFC 8693 §2.1: the resource of the subject token has to be registered still."""
    there = place(client)
    held = there.redeem(scope="openid", resource=API)["access_token"]
    now = there.portal.registered.client
    registration.change(now.id, {**now.metadata_, "resources": [MARKS]})

    assert error_of(exchange(there.portal, client, held)) == (400, "invalid_target")


def test_a_token_goes_no_further_than_the_authorization_request(client: FlaskClient) -> None:
    """RFC 8707 §2.2: what the guardian's request did not name is no target."""
    there = place(client)
    token = there.redeem(scope="openid", resource=API)["access_token"]

    refused = exchange(there.portal, client, token, resource=MARKS)

    assert error_of(refused) == (400, "invalid_target")


def test_it_lives_no_longer_than_the_subject_token(client: FlaskClient) -> None:
    """RFC 8693 §2.2.1: expires_in is what is left, and no more."""
    there = place(client)
    token = there.redeem()["access_token"]
    until = there.portal.introspect(client, token)["exp"]

    with later(minutes=50):
        answered = exchanged(there, token, resource=API)
        told = there.portal.introspect(client, answered["access_token"])
        claims = claims_of(client, answered["access_token"])

    assert answered["expires_in"] <= 600
    assert told["exp"] <= until
    assert claims["exp"] <= until


def test_it_hangs_on_the_same_grant(client: FlaskClient) -> None:
    """RFC 8693 §1.1: the end of the guardianship ends what was exchanged as well."""
    there = place(client, "Lina")
    token = there.redeem(scope=WHOLE)["access_token"]
    made = [exchanged(there, token, resource=API), exchanged(there, token, scope="openid")]
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    for each in made:
        assert there.portal.introspect(client, each["access_token"]) == {"active": False}
    assert error_of(exchange(there.portal, client, token)) == REFUSED


@pytest.mark.parametrize("changes", [{"subject_token": None}, {"subject_token_type": None}])
def test_subject_token_and_its_type_are_required(
    client: FlaskClient, changes: dict[str, None]
) -> None:
    """RFC 8693 §2.1: subject_token and subject_token_type are required."""
    there = place(client)
    token = there.redeem()["access_token"]

    assert error_of(exchange(there.portal, client, token, **changes)) == REFUSED


@pytest.mark.parametrize("name", ["subject_token_type", "requested_token_type"])
@pytest.mark.parametrize("kind", ["id_token", "refresh_token", "saml2", "jwt"])
def test_only_access_tokens_come_in_and_go_out(client: FlaskClient, name: str, kind: str) -> None:
    """RFC 8693 §2.2.2: a token type that is not supported is invalid_request."""
    there = place(client)
    token = there.redeem()["access_token"]
    changes = {name: f"urn:ietf:params:oauth:token-type:{kind}"}

    assert error_of(exchange(there.portal, client, token, **changes)) == REFUSED


@pytest.mark.parametrize("name", ["actor_token", "actor_token_type"])
def test_there_is_no_actor(client: FlaskClient, name: str) -> None:
    """RFC 8693 §2.2.2: an actor token is unacceptable by our policy: invalid_request."""
    there = place(client)
    token = there.redeem()["access_token"]

    assert error_of(exchange(there.portal, client, token, **{name: token})) == REFUSED


def test_what_is_no_live_access_token_is_refused(client: FlaskClient) -> None:
    """RFC 8693 §2.2.2: a subject token that is not valid is invalid_request."""
    there = place(client)
    answered = there.redeem(scope="openid offline_access")
    revoked = there.redeem()["access_token"]
    there.portal.post(client, "/oauth2/revoke", {"token": revoked})

    for wrong in (answered["id_token"], answered["refresh_token"], revoked, "unknown", "é"):
        assert error_of(exchange(there.portal, client, wrong)) == REFUSED
    with later(hours=1, seconds=1):
        assert error_of(exchange(there.portal, client, answered["access_token"])) == REFUSED


def test_another_applications_token_is_refused(client: FlaskClient) -> None:
    """RFC 8693 §2.2.2: nobody exchanges what was given to somebody else."""
    there = place(client)
    other = there.other_portal(grant_types=GRANTS)
    token = there.redeem()["access_token"]

    assert error_of(exchange(other, client, token)) == REFUSED
    assert there.portal.introspect(client, token)["active"] is True


def test_an_application_needs_the_grant_type(client: FlaskClient) -> None:
    """RFC 6749 §5.2: an application that is not registered for it is unauthorized_client."""
    there = world(client)
    token = there.redeem()["access_token"]

    assert error_of(exchange(there.portal, client, token)) == (400, "unauthorized_client")


def test_an_application_that_keeps_no_secret_is_not_registered_for_it(client: FlaskClient) -> None:
    """RFC 8693 §2.1: without client authentication a stolen token would be worth more tokens."""
    there = world(client)
    registered = there.portal.registered.client
    values = {**registered.metadata_, "grant_types": GRANTS, "token_endpoint_auth_method": "none"}

    with pytest.raises(Invalid) as refused:
        registration.change(registered.id, values)
    assert refused.value.field == "grant_types"


def test_discovery_names_the_grant_type(client: FlaskClient) -> None:
    """RFC 8414 §2: grant_types_supported tells that tokens are exchanged."""
    told = client.get("/.well-known/oauth-authorization-server").json or {}

    assert GRANT in told["grant_types_supported"]
