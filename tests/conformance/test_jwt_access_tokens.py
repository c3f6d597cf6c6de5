"""JWT access tokens (RFC 9068) for the resource servers that a request names (RFC 8707)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from joserfc import jws
from werkzeug.datastructures import MultiDict

from idp.clients import registration
from idp.errors import Invalid
from idp.lifecycle import endings
from tests.relying_party import World, answer, claims_of, error_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

API = "https://api.example/homework"
MARKS = "https://marks.example"
ISSUER = "http://127.0.0.1:8000"
USERINFO = f"{ISSUER}/oauth2/userinfo"
REFUSED = (400, "invalid_target")


def place(client: FlaskClient, *children: str, **metadata: Any) -> World:
    return world(client, *children, resources=[API, MARKS], **metadata)


def for_api(there: World, scope: str = "openid", **parameters: str) -> dict[str, Any]:
    return there.redeem(scope=scope, resource=API, **parameters)


def header_of(token: str) -> Mapping[str, Any]:
    return jws.extract_compact(token.encode()).headers()


def test_a_token_for_a_resource_is_signed_by_a_published_key(client: FlaskClient) -> None:
    """RFC 9068 §2.1: JWT access tokens are signed, and never with none."""
    there = place(client)
    token = for_api(there)["access_token"]

    assert claims_of(client, token)["aud"] == API
    assert header_of(token)["alg"] == "RS256"
    assert header_of(token)["kid"]


def test_its_type_is_at_jwt(client: FlaskClient) -> None:
    """RFC 9068 §2.1: the typ header is at+jwt."""
    token = for_api(place(client))["access_token"]

    assert header_of(token)["typ"] == "at+jwt"


def test_the_required_claims_are_there(client: FlaskClient) -> None:
    """RFC 9068 §2.2: iss, exp, aud, sub, client_id, iat and jti are required."""
    there = place(client)
    answered = for_api(there)
    claims = claims_of(client, answered["access_token"])
    about = claims_of(client, answered["id_token"])

    assert claims["iss"] == ISSUER
    assert claims["aud"] == API
    assert claims["sub"] == about["sub"]
    assert claims["client_id"] == there.portal.client_id
    assert claims["exp"] - claims["iat"] == answered["expires_in"]
    assert len(claims["jti"]) >= 20


def test_each_token_has_an_identifier_of_its_own(client: FlaskClient) -> None:
    """RFC 9068 §2.2: jti tells one token from every other."""
    there = place(client)

    seen = {claims_of(client, for_api(there)["access_token"])["jti"] for _ in range(3)}

    assert len(seen) == 3


def test_how_the_guardian_signed_in_is_told(client: FlaskClient) -> None:
    """RFC 9068 §2.2.1: auth_time, acr and amr are those of the ID token."""
    answered = for_api(place(client))
    claims = claims_of(client, answered["access_token"])
    about = claims_of(client, answered["id_token"])

    for name in ("auth_time", "acr", "amr"):
        assert claims[name] == about[name], name


def test_the_scope_is_told(client: FlaskClient) -> None:
    """RFC 9068 §2.2.3: where the request had a scope, the token has the scope claim."""
    answered = for_api(place(client), "openid profile")

    assert claims_of(client, answered["access_token"])["scope"] == answered["scope"]


def test_names_and_addresses_are_not_in_it(client: FlaskClient) -> None:
    """RFC 9068 §6: a token that others read holds nothing of the guardian but who."""
    claims = claims_of(client, for_api(place(client), "openid profile email")["access_token"])

    assert not {"name", "given_name", "family_name", "email", "preferred_username"} & set(claims)


def test_it_names_the_child_where_scope_and_grant_do(client: FlaskClient) -> None:
    """RFC 9068 §2.2.2: what else a resource needs to know is a claim: the child, as always."""
    there = place(client, "Lina")

    named = claims_of(client, for_api(there, "openid child")["access_token"])
    plain = claims_of(client, for_api(there, "openid")["access_token"])

    assert named["child"]["given_name"] == "Lina"
    assert "child" not in plain


def test_the_pupils_own_number_is_not_in_it(client: FlaskClient) -> None:
    """RFC 9068 §6: what never stands in an ID token does not stand here either."""
    there = place(client, "Lina", child_fields=["sub", "given_name", "sourced_id"])

    claims = claims_of(client, for_api(there, "openid child")["access_token"])

    assert set(claims["child"]) == {"sub", "given_name"}


def test_the_algorithm_is_the_registrations(client: FlaskClient) -> None:
    """RFC 9068 §2.1: the resource server verifies with a key of the published set."""
    there = place(client, id_token_signed_response_alg="ES256")
    token = for_api(there)["access_token"]

    assert header_of(token)["alg"] == "ES256"
    assert claims_of(client, token)["aud"] == API


def test_without_a_resource_the_token_is_opaque(client: FlaskClient) -> None:
    """RFC 8707 §2: without the parameter the token is for the default, which is UserInfo."""
    there = place(client)
    token = there.redeem(scope="openid")["access_token"]

    assert "." not in token
    assert there.portal.userinfo(client, token).status_code == 200


@pytest.mark.parametrize("own", [USERINFO, ISSUER])
def test_userinfo_and_the_provider_are_resources_too(client: FlaskClient, own: str) -> None:
    """RFC 8707 §2: the resource that RFC 9728 metadata names can be asked for."""
    there = place(client)
    token = there.redeem(scope="openid", resource=own)["access_token"]

    assert there.portal.userinfo(client, token).status_code == 200


@pytest.mark.parametrize(
    "resource", ["https://other.example", f"{API}/", f"{API}#part", "no-uri", "https://api.example"]
)
def test_an_unregistered_resource_is_refused_at_the_authorization_endpoint(
    client: FlaskClient, resource: str
) -> None:
    """RFC 8707 §2: what the server is unwilling to give a token for is invalid_target."""
    assert place(client).answer(scope="openid", resource=resource)["error"] == "invalid_target"


def test_an_unregistered_resource_is_refused_at_the_token_endpoint(client: FlaskClient) -> None:
    """RFC 8707 §2.2: the same at the token endpoint, and the code works on."""
    there = place(client)
    code = there.answer(scope="openid")["code"]

    refused = there.portal.redeem(client, code, resource="https://other.example")

    assert error_of(refused) == REFUSED
    assert there.portal.redeem(client, code).status_code == 200


def test_the_resource_may_be_named_at_the_token_endpoint(client: FlaskClient) -> None:
    """RFC 8707 §2.2: a token request names the resource that its token is for."""
    there = place(client)
    code = there.answer(scope="openid")["code"]

    answered = there.portal.redeem(client, code, resource=MARKS).json or {}

    assert claims_of(client, answered["access_token"])["aud"] == MARKS


def test_a_token_goes_no_further_than_the_authorization_request(client: FlaskClient) -> None:
    """RFC 8707 §2.2: a token request names a subset of what was authorized."""
    there = place(client)
    code = there.answer(scope="openid", resource=API)["code"]

    assert error_of(there.portal.redeem(client, code, resource=MARKS)) == REFUSED


def test_several_resources_are_authorized_and_asked_for_one_by_one(client: FlaskClient) -> None:
    """RFC 8707 §2: the parameter may be repeated; each token is for one of them."""
    there = place(client)
    wanted = there.portal.request(scope="openid offline_access")
    pairs = MultiDict([*wanted.items(), ("resource", API), ("resource", MARKS)])
    fields = answer(client.get(f"/oauth2/authorize?{urlencode(list(pairs.items(multi=True)))}"))

    unnamed = there.portal.redeem(client, fields["code"])
    first = there.portal.redeem(client, fields["code"], resource=API).json or {}
    second = there.portal.refresh(client, first["refresh_token"], resource=MARKS).json or {}

    assert error_of(unnamed) == REFUSED
    assert claims_of(client, first["access_token"])["aud"] == API
    assert claims_of(client, second["access_token"])["aud"] == MARKS


@pytest.mark.parametrize("pushed", [False, True])
def test_each_of_two_resources_of_a_request_gets_its_token(
    client: FlaskClient, pushed: bool
) -> None:
    """RFC 8707 §2: a request may name several resources, pushed or in the address."""
    there = world(client, "Lina", resources=[API, MARKS])
    sent = there.portal.request(scope="openid offline_access")
    query = urlencode([*sent.items(), ("resource", API), ("resource", MARKS)])
    if pushed:
        answered = client.application.test_client(use_cookies=False).post(
            "/oauth2/par",
            data=query,
            content_type="application/x-www-form-urlencoded",
            auth=(there.portal.client_id, there.portal.registered.secret),
        )
        reference = (answered.json or {})["request_uri"]
        query = urlencode({"client_id": there.portal.client_id, "request_uri": reference})
    code = answer(there.browser.open(f"/oauth2/authorize?{query}"))["code"]

    first = there.portal.redeem(client, code, resource=API)
    second = there.portal.refresh(client, (first.json or {})["refresh_token"], resource=MARKS)

    each = [claims_of(client, (one.json or {})["access_token"])["aud"] for one in (first, second)]
    assert each == [API, MARKS]


def test_two_resources_in_one_token_request_are_refused(client: FlaskClient) -> None:
    """RFC 9068 §5: no token is for two resources, each of which might use it at the other."""
    there = place(client)
    code = there.answer(scope="openid")["code"]
    body = MultiDict(
        [
            *(("grant_type", "authorization_code"), ("code", code)),
            *(("redirect_uri", there.portal.redirect_uri), ("resource", API)),
            ("resource", MARKS),
        ]
    )

    secret = (there.portal.client_id, there.portal.registered.secret)
    refused = client.post("/oauth2/token", data=body, auth=secret)

    assert error_of(refused) == REFUSED


def test_a_refresh_keeps_the_resource(client: FlaskClient) -> None:
    """RFC 8707 §2.2: without the parameter a refresh gives a token for what was authorized."""
    there = place(client)
    answered = for_api(there, "openid offline_access")

    refreshed = there.portal.refresh(client, answered["refresh_token"]).json or {}

    assert claims_of(client, refreshed["access_token"])["aud"] == API


def test_a_refresh_gives_one_for_userinfo_where_it_is_named(client: FlaskClient) -> None:
    """RFC 8707 §2.2: one refresh token gives tokens for each of its resources in turn."""
    there = place(client)
    answered = for_api(there, "openid offline_access")

    own = there.portal.refresh(client, answered["refresh_token"], resource=USERINFO).json or {}

    assert there.portal.userinfo(client, own["access_token"]).status_code == 200


def test_userinfo_refuses_a_token_for_another_resource(client: FlaskClient) -> None:
    """RFC 9068 §4: a resource that the audience does not name refuses the token."""
    there = place(client)

    refused = there.portal.userinfo(client, for_api(there)["access_token"])

    assert error_of(refused) == (401, "invalid_token")
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


def test_it_is_no_id_token_hint(client: FlaskClient) -> None:
    """RFC 9068 §5: a JWT access token is never taken for an ID token."""
    there = place(client)
    token = for_api(there)["access_token"]

    there.browser.open(f"/oauth2/logout?{urlencode({'id_token_hint': token})}")
    assert there.browser.shows("logout-confirm")


def test_an_id_token_is_no_access_token(client: FlaskClient) -> None:
    """RFC 9068 §5: nor the other way round."""
    there = place(client)
    id_token = for_api(there)["id_token"]

    assert there.portal.userinfo(client, id_token).status_code == 401
    assert there.portal.introspect(client, id_token) == {"active": False}


def test_introspection_tells_the_audience(client: FlaskClient) -> None:
    """RFC 7662 §2.2: aud is whom the token is for."""
    there = place(client)
    answered = for_api(there)

    told = there.portal.introspect(client, answered["access_token"])

    assert told["active"] is True
    assert told["aud"] == API
    assert told["exp"] == claims_of(client, answered["access_token"])["exp"]


def test_a_revoked_token_is_inactive(client: FlaskClient) -> None:
    """RFC 7009 §2: a signed token is revoked like any other."""
    there = place(client)
    token = for_api(there)["access_token"]

    there.portal.post(client, "/oauth2/revoke", {"token": token})

    assert there.portal.introspect(client, token) == {"active": False}


def test_a_token_whose_guardianship_ended_is_inactive(client: FlaskClient) -> None:
    """RFC 7662 §2.2: active is what it is worth now, whatever stands in it."""
    there = place(client, "Lina")
    token = for_api(there, "openid child")["access_token"]
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    assert there.portal.introspect(client, token) == {"active": False}


def test_an_expired_token_is_inactive(client: FlaskClient) -> None:
    """RFC 7662 §2.2: an expired token is not active."""
    there = place(client)
    token = for_api(there)["access_token"]

    with later(hours=1, seconds=1):
        assert there.portal.introspect(client, token) == {"active": False}


def test_a_changed_signature_is_inactive(client: FlaskClient) -> None:
    """RFC 7662 §2.2: only the very token that was given is active."""
    there = place(client)
    head, body, signature = for_api(there)["access_token"].split(".")
    other = "A" if signature[0] != "A" else "B"

    forged = f"{head}.{body}.{other}{signature[1:]}"

    assert there.portal.introspect(client, forged) == {"active": False}


def test_a_resource_that_is_registered_no_more_gets_no_token(client: FlaskClient) -> None:
    """RFC 8707 §2.2: what the server no longer gives tokens for is invalid_target."""
    there = place(client)
    refresh = for_api(there, "openid offline_access")["refresh_token"]
    registered = there.portal.registered.client
    registration.change(registered.id, {**registered.metadata_, "resources": [MARKS]})

    assert error_of(there.portal.refresh(client, refresh)) == REFUSED


@pytest.mark.parametrize(
    "resources",
    [
        ["api.example"],
        ["/api"],
        [f"{API}#part"],
        ["https://api.example/a b"],
        ["http://api.example"],
        [f"https://api.example/{'a' * 500}"],
        [f"https://{number}.example" for number in range(11)],
        "https://api.example",
        [7],
    ],
)
def test_what_is_no_absolute_uri_is_not_registered(client: FlaskClient, resources: Any) -> None:
    """RFC 8707 §2: a resource is an absolute URI without a fragment."""
    there = world(client)
    registered = there.portal.registered.client

    with pytest.raises(Invalid) as refused:
        registration.change(registered.id, {**registered.metadata_, "resources": resources})
    assert refused.value.field == "resources"


def test_a_name_that_is_no_address_may_be_registered(client: FlaskClient) -> None:
    """RFC 8707 §2: an absolute URI need not be an address."""
    there = world(client, resources=["urn:school:homework"])

    answered = there.redeem(scope="openid", resource="urn:school:homework")

    assert claims_of(client, answered["access_token"])["aud"] == "urn:school:homework"


def test_registrations_from_before_name_no_resource(client: FlaskClient) -> None:
    """RFC 6749 §3.1: what is not recognised is ignored, where nothing is registered of it."""
    there = world(client)

    answered = there.redeem(scope="openid", resource=API)

    assert there.portal.userinfo(client, answered["access_token"]).status_code == 200
    assert "code" in there.answer(scope="openid", resource=USERINFO)
