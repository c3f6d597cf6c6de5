"""ID tokens and UserInfo that are signed, encrypted, or both: OpenID Connect Core §5.3.2, §10.2."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwe, jws
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey
from werkzeug.test import TestResponse

from idp.clients import key_sets
from idp.errors import Invalid
from idp.oidc.logout import hint_claims
from idp.outgoing.documents import Documents
from tests import factories
from tests.outgoing import servers
from tests.outgoing.servers import Server, reply
from tests.protocol.assertions import jwks
from tests.relying_party import World, claims_of, error_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")
RSA = RSAKey.generate_key(2048, {"kid": "r", "use": "enc"})
EC = ECKey.generate_key("P-256", {"kid": "e", "use": "enc"})
X25519 = OKPKey.generate_key("X25519", {"kid": "x", "use": "enc"})
SIGNING = ECKey.generate_key("P-256", {"kid": "s", "use": "sig"})
NEXT = ECKey.generate_key("P-256", {"kid": "n", "use": "enc"})
WAYS = [
    (alg, enc, key)
    for alg, key in (
        ("RSA-OAEP-256", RSA),
        ("ECDH-ES", EC),
        ("ECDH-ES+A256KW", EC),
        ("ECDH-ES", X25519),
    )
    for enc in ("A128CBC-HS256", "A256GCM")
]


def decrypted(token: str, key: Key, alg: str, enc: str) -> tuple[dict[str, Any], str]:
    """The header and the content of a JWE."""
    opened = jwe.decrypt_compact(token, key, algorithms=[alg, enc])
    assert (opened.protected["alg"], opened.protected["enc"]) == (alg, enc)
    return dict(opened.protected), (opened.plaintext or b"").decode()


def userinfo(there: World, scope: str = "openid profile") -> TestResponse:
    tokens = there.redeem(scope=scope)
    return there.portal.userinfo(there.http, tokens["access_token"])


def signed_claims(there: World, text: str, alg: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(there.http.get("/oauth2/jwks").json)  # type: ignore[arg-type]
    return dict(json.loads(jws.deserialize_compact(text, keys, algorithms=[alg]).payload))


@pytest.mark.parametrize(("alg", "enc", "key"), WAYS)
def test_an_id_token_is_signed_then_encrypted(
    client: FlaskClient, alg: str, enc: str, key: Key
) -> None:
    """OpenID Connect Core §10.2: a Nested JWT, for a key of the client."""
    wanted = {"id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc}
    there = world(client, jwks=jwks(SIGNING, key), **wanted)

    header, inner = decrypted(there.redeem(nonce="n0nce")["id_token"], key, alg, enc)

    assert (header["cty"], header["kid"]) == ("JWT", key.kid)
    assert claims_of(client, inner)["nonce"] == "n0nce"


def test_the_content_algorithm_has_a_default(client: FlaskClient) -> None:
    """OpenID Connect Registration 1.0 §2: A128CBC-HS256 where only the alg is registered."""
    there = world(client, jwks=jwks(EC), id_token_encrypted_response_alg="ECDH-ES")
    decrypted(there.redeem()["id_token"], EC, "ECDH-ES", "A128CBC-HS256")


def test_the_id_token_of_a_refresh_is_encrypted_too(client: FlaskClient) -> None:
    """OpenID Connect Core §12.2: the ID token of a refresh is as the first one."""
    there = world(client, jwks=jwks(EC), id_token_encrypted_response_alg="ECDH-ES")
    tokens = there.redeem(scope="openid offline_access", prompt=None)
    again = there.portal.refresh(client, tokens["refresh_token"]).json
    decrypted(again["id_token"], EC, "ECDH-ES", "A128CBC-HS256")


@pytest.mark.parametrize("alg", ["RS256", "ES256"])
def test_userinfo_is_signed(client: FlaskClient, alg: str) -> None:
    """OpenID Connect Core §5.3.2: application/jwt, with iss and aud beside the claims."""
    there = world(client, "Lina", userinfo_signed_response_alg=alg)
    response = userinfo(there, "openid child")
    assert response.mimetype == "application/jwt"
    assert response.headers["Cache-Control"] == "no-store"
    claims = signed_claims(there, response.text, alg)
    assert (claims["iss"], claims["aud"]) == ("http://127.0.0.1:8000", there.portal.client_id)
    assert claims["child"]["given_name"] == "Lina"


def test_o15_signed_userinfo_is_no_id_token(client: FlaskClient) -> None:
    """OpenID Connect Core §16.11: what was made for one purpose is no hint for another."""
    there = world(client, userinfo_signed_response_alg="RS256")
    assert hint_claims(userinfo(there).text) is None


@pytest.mark.parametrize(("alg", "enc", "key"), WAYS[:4])
@pytest.mark.parametrize("signed", [None, "ES256"])
def test_userinfo_is_encrypted_and_signed_first_if_both(
    client: FlaskClient, alg: str, enc: str, key: Key, signed: str | None
) -> None:
    """OpenID Connect Core §5.3.2: signed then encrypted, or encrypted alone."""
    wanted = {"userinfo_encrypted_response_alg": alg, "userinfo_encrypted_response_enc": enc}
    there = world(client, jwks=jwks(key), userinfo_signed_response_alg=signed, **wanted)
    response = userinfo(there)
    assert response.mimetype == "application/jwt"
    header, inner = decrypted(response.text, key, alg, enc)
    claims = signed_claims(there, inner, signed) if signed else json.loads(inner)
    assert header.get("cty") == ("JWT" if signed else None)
    assert claims["sub"]


def test_plain_userinfo_stays_json(client: FlaskClient) -> None:
    """OpenID Connect Core §5.3.2: application/json unless the client registered otherwise."""
    response = userinfo(world(client))
    assert response.mimetype == "application/json"
    assert "iss" not in response.json


REFUSED: dict[str, dict[str, Any]] = {
    "enc without alg": {"id_token_encrypted_response_enc": "A256GCM"},
    "no key": {"id_token_encrypted_response_alg": "RSA-OAEP-256"},
    "a key of another kind": {
        "id_token_encrypted_response_alg": "RSA-OAEP-256",
        "jwks": jwks(EC),
    },
    "a key for signatures": {"userinfo_encrypted_response_alg": "ECDH-ES", "jwks": jwks(SIGNING)},
    "a key that only signs": {
        "userinfo_encrypted_response_alg": "ECDH-ES",
        "jwks": jwks(OKPKey.generate_key("Ed25519", {"kid": "ed"})),
    },
    "RSA with PKCS 1.5": {"id_token_encrypted_response_alg": "RSA1_5", "jwks": jwks(RSA)},
    "a shared secret": {"id_token_encrypted_response_alg": "dir", "jwks": jwks(RSA)},
    "no signature": {"userinfo_signed_response_alg": "none"},
    "a signature by the secret": {"userinfo_signed_response_alg": "HS256"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_kept_is_not_registered(app: Flask, name: str) -> None:
    """OpenID Connect Registration 1.0 §2: enc needs alg; §9: what is not supported is refused."""
    with pytest.raises(Invalid):
        factories.client_app(factories.school(), **REFUSED[name])


def test_discovery_tells_what_is_offered(client: FlaskClient) -> None:
    """OpenID Connect Discovery 1.0 §3: the algorithms of ID tokens and UserInfo."""
    told = client.get("/.well-known/openid-configuration").json
    for answer in ("id_token", "userinfo"):
        algs = told[f"{answer}_encryption_alg_values_supported"]
        assert algs == ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"]
        assert told[f"{answer}_encryption_enc_values_supported"] == ["A128CBC-HS256", "A256GCM"]
    assert "RS256" in told["userinfo_signing_alg_values_supported"]
    assert "none" not in told["userinfo_signing_alg_values_supported"]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(key_sets, "_published", Documents("jwks_uri", key_sets._of_answer))
    with servers.running() as server:
        publish(server, EC)
        yield server


def publish(server: Server, *keys: Key) -> None:
    server.answer = reply(json.dumps(jwks(*keys)).encode(), Cache_Control="max-age=60")  # type: ignore[arg-type]


def test_a_rotated_encryption_key_is_used_once_the_old_one_is_stale(
    client: FlaskClient, published: Server
) -> None:
    """OpenID Connect Core §10.2.1: encryption keys are rotated at the jwks_uri."""
    wanted = {"id_token_encrypted_response_alg": "ECDH-ES"}
    there = world(client, jwks_uri=published.address(), **wanted)
    decrypted(there.redeem()["id_token"], EC, "ECDH-ES", "A128CBC-HS256")
    publish(published, NEXT)
    with later(seconds=61):
        decrypted(there.redeem()["id_token"], NEXT, "ECDH-ES", "A128CBC-HS256")


def test_without_a_key_nothing_leaves_in_clear_and_the_code_is_not_spent(
    client: FlaskClient, published: Server
) -> None:
    """OpenID Connect Core §10.2: an answer that can not be encrypted is not given."""
    publish(published, SIGNING)
    there = world(client, jwks_uri=published.address(), id_token_encrypted_response_alg="ECDH-ES")
    code = there.answer()["code"]
    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_request")
    publish(published, EC)
    key_sets._published = Documents("jwks_uri", key_sets._of_answer)
    assert there.portal.redeem(client, code).status_code == 200
