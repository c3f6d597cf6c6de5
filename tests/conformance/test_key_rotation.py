"""Keys that change: the provider's, and the application's. OpenID Connect Core §10.1.1, §10.2.1."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import KeySet

from idp.clients import key_sets
from idp.oidc.keyring import keyring
from idp.oidc.keys import Keyring
from idp.oidc.logout import hint_claims
from idp.outgoing.documents import Documents
from tests.outgoing import servers
from tests.outgoing.servers import Server, reply
from tests.protocol.assertions import TYPE, Assertion, Key, jwks, key_for
from tests.relying_party import World, claims_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")
OLD, NEW = key_for("ES256", "old"), key_for("ES256", "new")


def kid_of(token: str) -> str:
    return str(jws.extract_compact(token.encode()).headers()["kid"])


def published(client: FlaskClient) -> dict[str, Any]:
    return {each["kid"]: each for each in client.get("/oauth2/jwks").json["keys"]}


def test_the_provider_signs_with_another_key_after_a_rotation(
    client: FlaskClient, own_keys: Keyring
) -> None:
    """OpenID Connect Core §10.1.1: the signer publishes the new key and names it by kid."""
    there = world(client)
    before = there.redeem()["id_token"]
    own_keys.rotate(force=True)
    after = there.redeem()["id_token"]

    assert kid_of(before) != kid_of(after)
    assert {kid_of(before), kid_of(after)} <= set(published(client))
    assert claims_of(client, before)["sub"] == claims_of(client, after)["sub"]


def test_the_next_key_is_published_before_it_signs(client: FlaskClient, own_keys: Keyring) -> None:
    """OpenID Connect Core §10.1.1: who caches the key set knows the next key already."""
    there = world(client)
    cached = KeySet.import_key_set(client.get("/oauth2/jwks").json)  # type: ignore[arg-type]
    own_keys.rotate(force=True)
    token = there.redeem()["id_token"]
    assert kid_of(token) in {key.kid for key in cached.keys}


def test_a_key_set_is_cached_no_longer_than_it_says(client: FlaskClient) -> None:
    """OpenID Connect Core §10.1.1: the key set's Cache-Control tells for how long."""
    control = client.get("/oauth2/jwks").headers["Cache-Control"]
    assert control == "public, max-age=3600"


def test_an_old_hint_is_known_after_two_rotations(client: FlaskClient, own_keys: Keyring) -> None:
    """OpenID Connect RP-Initiated Logout 1.0 §2: the provider accepts ID tokens whose key it has
    retired.
    """
    there = world(client)
    token = there.redeem()["id_token"]
    for _ in range(2):
        own_keys.rotate(force=True)
    assert keyring() is own_keys
    assert hint_claims(token) is not None


def test_a_disclosed_key_is_out_of_the_set_at_once(client: FlaskClient, own_keys: Keyring) -> None:
    """OpenID Connect Core §10.1.1: a key that is compromised is taken out, and signs nothing."""
    there = world(client)
    kid = kid_of(there.redeem()["id_token"])
    own_keys.retire(kid)
    assert kid not in published(client)
    assert kid_of(there.redeem()["id_token"]) != kid


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(key_sets, "_published", Documents("jwks_uri", key_sets._of_answer))
    with servers.running() as made:
        yield made


def tells(server: Server, *keys: Key) -> None:
    server.answer = reply(json.dumps(jwks(*keys)).encode())


def refreshes(there: World, token: str, key: Key) -> Any:
    """The answer to a refresh that the application has signed with this key."""
    assertion = Assertion(there.portal.client_id, key, "ES256").text()
    data = {"grant_type": "refresh_token", "refresh_token": token}
    data |= {"client_assertion_type": TYPE, "client_assertion": assertion}
    return there.http.application.test_client(use_cookies=False).post("/oauth2/token", data=data)


def test_a_client_rotates_its_keys_in_the_midst_of_a_grant(
    client: FlaskClient, server: Server
) -> None:
    """OpenID Connect Core §10.1.1: the client's grants go on with its new key."""
    tells(server, OLD)
    there = world(client, token_endpoint_auth_method="private_key_jwt", jwks_uri=server.address())
    assertion = Assertion(there.portal.client_id, OLD, "ES256")
    code = there.answer(scope="openid offline_access")["code"]
    first = assertion.post(client, code, assertion.text()).json

    tells(server, NEW)
    with later(seconds=61):
        second = refreshes(there, first["refresh_token"], NEW)
        assert second.status_code == 200
        old = refreshes(there, second.json["refresh_token"], OLD)

    assert old.json["error"] == "invalid_client"


def test_a_request_object_is_verified_by_a_rotated_key(client: FlaskClient, server: Server) -> None:
    """RFC 9101 §6.2 and OpenID Connect Core §10.1.1: by the client's present keys."""
    tells(server, OLD)
    there = world(client, jwks_uri=server.address())

    def request(key: Key) -> dict[str, str]:
        claims = there.portal.request() | {"iss": there.portal.client_id}
        header = {"alg": "ES256", "kid": key.kid, "typ": "oauth-authz-req+jwt"}
        text = jws.serialize_compact(header, json.dumps(claims), key, algorithms=["ES256"])
        return there.answer(
            request=text, redirect_uri=None, scope=None, state=None, response_type=None
        )

    assert "code" in request(OLD)
    tells(server, NEW)
    with later(seconds=61):
        assert "code" in request(NEW)
        assert request(OLD)["error"] == "invalid_request_object"
