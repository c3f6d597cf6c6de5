"""What discovery offers and what only protects more: every application may use it."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from idp.clients.metadata import checked
from tests.conformance.test_introspection_jwt import asked, read
from tests.conformance.test_jarm import fields_at, opened
from tests.conformance.test_par import ask, pushed
from tests.protocol.proofs import Prover, post
from tests.relying_party import answer, claims_of, world

pytestmark = pytest.mark.quick_on("sqlite")
KINDS: dict[str, dict[str, Any]] = {
    "default": {},
    "legacy": {"profile": "legacy"},
    "public": {"token_endpoint_auth_method": "none"},
}


@pytest.fixture(params=KINDS)
def registered(request: pytest.FixtureRequest) -> dict[str, Any]:
    return KINDS[request.param]


def test_a_proof_binds_the_tokens_of_whoever_sends_one(
    client: FlaskClient, registered: dict[str, Any]
) -> None:
    """RFC 9449 §5: the client's proof is what asks for a bound token."""
    there, key = world(client, **registered), Prover()
    asked = there.portal.pkce()

    code = there.answer(**asked)["code"]
    verifier = there.portal.verifier
    told = post(there.portal, client, key.proof(), code=code, code_verifier=verifier).json or {}

    assert told["token_type"] == "DPoP"
    assert key.userinfo(client, told["access_token"]).status_code == 200
    assert there.portal.userinfo(client, told["access_token"]).status_code == 401


def test_a_request_may_be_pushed_by_everybody(
    client: FlaskClient, registered: dict[str, Any]
) -> None:
    """RFC 9126 §5: where it is offered it may be used, whether it is required or not."""
    there = world(client, **registered)

    fields = answer(ask(there, pushed(there, **there.portal.pkce())))

    told = there.tokens_of(fields, code_verifier=there.portal.verifier)
    assert claims_of(client, told["id_token"])["aud"] == there.portal.client_id


def test_an_answer_is_signed_for_whoever_asks(
    client: FlaskClient, registered: dict[str, Any]
) -> None:
    """JARM §2.3: response_mode in the request decides."""
    there = world(client, **registered)

    fields = opened(there, fields_at(there.ask(response_mode="jwt", **there.portal.pkce())))

    assert there.tokens_of(fields, code_verifier=there.portal.verifier)["id_token"]


@pytest.mark.parametrize("registered", ["default", "legacy"], indirect=True)
def test_what_is_said_of_a_token_is_signed_for_whoever_asks(
    client: FlaskClient, registered: dict[str, Any]
) -> None:
    """RFC 9701 §4: the Accept header of who may introspect decides."""
    there = world(client, **registered)
    fields = there.answer(**there.portal.pkce())
    token = there.tokens_of(fields, code_verifier=there.portal.verifier)["access_token"]

    _header, claims = read(there, asked(there, token))

    assert claims["token_introspection"]["active"] is True


@pytest.mark.parametrize(
    "name",
    [
        "dpop_bound_access_tokens",
        "require_pushed_authorization_requests",
        "require_signed_request_object",
        "tls_client_certificate_bound_access_tokens",
    ],
)
def test_a_registration_says_who_must(name: str) -> None:
    """RFC 9449 §5.2, RFC 9126 §6, RFC 9101 §10.5, RFC 8705 §3.4: off where nothing is said."""
    least = {"client_name": "x", "redirect_uris": ["https://x.example/"]}

    assert not checked(least).get(name)


def test_discovery_offers_what_everybody_may_use(client: FlaskClient) -> None:
    """RFC 8414 §2: the metadata is the server's, the same for every client that reads it."""
    told = client.get("/.well-known/openid-configuration").json or {}

    assert told["dpop_signing_alg_values_supported"]
    assert told["pushed_authorization_request_endpoint"]
    assert told["introspection_signing_alg_values_supported"]
    assert {"jwt", "query.jwt", "form_post.jwt"} <= set(told["response_modes_supported"])
    assert told["require_pushed_authorization_requests"] is False
