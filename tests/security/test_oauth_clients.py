"""Security rules O10 to O15: how applications prove themselves, and what stands for what."""

import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey

from idp.clients.metadata import checked
from idp.clients.models import Client
from idp.database import base64url, db
from idp.deliveries import worker
from idp.errors import Invalid
from idp.oidc.models import AccessToken, AuthorizationCode, RefreshToken
from tests import receiver
from tests.protocol.assertions import Assertion, jwks, key_for
from tests.relying_party import CALLBACK, error_of, world

pytestmark = [
    pytest.mark.quick_on("sqlite"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
]


def test_o10_several_methods_at_once_are_refused(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    secret = there.portal.registered.secret
    assertion = Assertion(there.portal.client_id, key_for("RS256"))
    body = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    body |= {"code": there.answer()["code"], "client_id": there.portal.client_id}
    extra = {"client_assertion": assertion.text(), "client_assertion_type": "x"}
    auth = (there.portal.client_id, secret)

    for data, basic in (
        ({**body, "client_secret": secret}, auth),
        ({**body, **extra}, auth),
        ({**body, **extra, "client_secret": secret}, None),
    ):
        response = app.test_client().post("/oauth2/token", data=data, auth=basic)
        assert response.status_code in {400, 401}
        assert "access_token" not in (response.json or {})
    assert there.tokens_of({"code": body["code"]})


def test_o10_only_the_registered_method_is_accepted(app: Flask, client: FlaskClient) -> None:
    there = world(client, token_endpoint_auth_method="client_secret_post")
    secret = there.portal.registered.secret
    code = there.answer()["code"]
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}

    for path in ("/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"):
        auth = (there.portal.client_id, secret)
        response = app.test_client().post(path, data={**body, "token": "x"}, auth=auth)
        assert error_of(response) == (401, "invalid_client"), path


def test_o10_client_secret_jwt_is_not_offered(client: FlaskClient) -> None:
    there = world(client)
    key = OctKey.import_key(there.portal.registered.secret)
    assertion = Assertion(there.portal.client_id, key, "HS256")  # type: ignore[arg-type]
    text = jwt.encode({"alg": "HS256"}, assertion.claims(), key)

    response = assertion.post(client, there.answer()["code"], text)

    assert response.status_code in {400, 401}
    with pytest.raises(Invalid):
        checked({"client_name": "x", "token_endpoint_auth_method": "client_secret_jwt"})


def test_o10_secrets_codes_and_tokens_are_stored_hashed(client: FlaskClient) -> None:
    there = world(client)
    code = there.answer(scope="openid offline_access")["code"]
    tokens = there.tokens_of({"code": code})
    secrets = (code, tokens["access_token"], tokens["refresh_token"])

    rows: list[Any] = []
    for model in (Client, AuthorizationCode, AccessToken, RefreshToken):
        rows += db.session.execute(db.select(*model.__table__.columns)).all()

    stored = repr(rows)
    assert len(rows) >= 4
    for secret in (*secrets, there.portal.registered.secret):
        assert secret not in stored


def asserted(client: FlaskClient, alg: str = "RS256", **metadata: Any) -> tuple[Any, Any, str]:
    key = key_for(alg)
    there = world(client, token_endpoint_auth_method="private_key_jwt", jwks=jwks(key), **metadata)
    return there, Assertion(there.portal.client_id, key, alg), there.answer()["code"]


def test_o11_the_algorithm_is_the_registered_one_and_not_the_headers(client: FlaskClient) -> None:
    _, assertion, code = asserted(client, token_endpoint_auth_signing_alg="PS256")

    response = assertion.post(client, code, assertion.text())
    assertion.alg = "PS256"

    assert error_of(response) in {(400, "invalid_client"), (401, "invalid_client")}
    assert assertion.post(client, code, assertion.text()).status_code == 200


def signed_by_hand(header: dict[str, Any], claims: dict[str, Any], sign: Any) -> str:
    """A JWS that no library would make."""
    parts = [base64url(json.dumps(part).encode()) for part in (header, claims)]
    signed = ".".join(parts)
    return f"{signed}.{base64url(sign(signed.encode()))}"


def test_o11_none_and_key_confusion_give_nothing(client: FlaskClient) -> None:
    _, assertion, code = asserted(client)
    claims = assertion.claims()
    public = assertion.key.as_pem(private=False)

    def hmac_of(text: bytes) -> bytes:
        return hmac.digest(public, text, "sha256")

    for header, sign in (
        ({"alg": "none"}, lambda _: b""),
        ({"alg": "None", "kid": "k1"}, lambda _: b"x"),
        ({"alg": "HS256", "kid": "k1"}, hmac_of),
        ({"alg": "RS256", "kid": "k1"}, hmac_of),
        ({"alg": ["RS256"], "kid": "k1"}, hmac_of),
        ({"kid": "k1"}, hmac_of),
    ):
        response = assertion.post(client, code, signed_by_hand(header, claims, sign))
        assert response.status_code in {400, 401}, header


def test_o12_unknown_crit_is_refused_and_embedded_keys_are_ignored(client: FlaskClient) -> None:
    _, assertion, code = asserted(client)
    own = RSAKey.generate_key(2048, {"kid": "mine"})
    stranger = Assertion(assertion.client_id, own)
    public = own.as_dict(private=False)
    registry = jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    claims = json.dumps(stranger.claims()).encode()

    for header in (
        {"jwk": public},
        {"jwk": public, "kid": "k1"},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
    ):
        text = jws.serialize_compact({"alg": "RS256", **header}, claims, own, registry=registry)
        assert stranger.post(client, code, text).status_code in {400, 401}, header
    crit = forged_crit(assertion)
    assert assertion.post(client, code, crit).status_code in {400, 401}
    assert assertion.post(client, code, assertion.text()).status_code == 200


def forged_crit(assertion: Assertion) -> str:
    """A rightly signed assertion whose header has an unknown critical member."""
    key: Any = assertion.key.private_key
    header = {"alg": "RS256", "kid": "k1", "crit": ["x-new"], "x-new": 1}
    return signed_by_hand(
        header, assertion.claims(), lambda text: key.sign(text, PKCS1v15(), SHA256())
    )


def test_o13_a_token_in_a_query_is_refused_everywhere(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    tokens = there.redeem(scope="openid offline_access")
    auth = (there.portal.client_id, there.portal.registered.secret)
    query = urlencode({"access_token": tokens["access_token"]})
    refresh = urlencode({"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})

    for method in ("GET", "POST"):
        response = app.test_client().open(f"/oauth2/userinfo?{query}", method=method)
        assert response.status_code == 400
    assert app.test_client().post(f"/oauth2/token?{refresh}", auth=auth).status_code == 400


def test_o14_the_token_endpoint_takes_posts_only(app: Flask) -> None:
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        response = app.test_client().open("/oauth2/token", method=method)
        assert response.status_code == 405, method
        assert response.headers["Cache-Control"] == "no-store"


def test_o15_no_kind_of_secret_stands_in_for_another(client: FlaskClient) -> None:
    there = world(client)
    code = there.answer()["code"]
    tokens = there.redeem(scope="openid offline_access")
    kinds = {"code": code, **{k: tokens[k] for k in ("access_token", "refresh_token", "id_token")}}

    for name, secret in kinds.items():
        if name != "access_token":
            assert there.portal.userinfo(client, secret).status_code == 401, name
        if name != "refresh_token":
            assert there.portal.refresh(client, secret).status_code == 400, name
        if name != "code":
            assert there.portal.redeem(client, secret).status_code == 400, name
        if name != "id_token":
            there.browser.open(f"/oauth2/logout?id_token_hint={secret}")
            assert there.browser.shows("logout-confirm"), name


def test_o15_a_client_assertion_is_no_hint_and_an_id_token_no_assertion(
    client: FlaskClient,
) -> None:
    there, assertion, code = asserted(client)
    id_token = (assertion.post(client, code, assertion.text()).json or {})["id_token"]

    response = assertion.post(client, there.answer()["code"], id_token)
    there.browser.open(f"/oauth2/logout?id_token_hint={assertion.text()}")

    assert response.status_code in {400, 401}
    assert there.browser.shows("logout-confirm")


def test_o15_what_applications_are_told_proves_nothing_anywhere_else(
    client: FlaskClient,
) -> None:
    """Logout tokens and security events: no other kind of token can be made of one."""
    with receiver.running() as there:
        here = world(client, "Lina", **there.registered())
        here.portal.redirect_uri = f"{there.address}/callback"
        here.claims()
        here.browser.sign_out()
        worker.deliver_due()
        told = [*there.tokens("/logout"), *there.tokens("/events")]
    assert told
    assertion = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "grant_type": "authorization_code",
        "code": "x",
    }

    for token in told:
        assert here.portal.userinfo(here.http, token).status_code == 401
        assert here.portal.introspect(here.http, token) == {"active": False}
        assert here.portal.refresh(here.http, token).status_code == 400
        posted = here.http.post("/oauth2/token", data={**assertion, "client_assertion": token})
        assert (posted.json or {})["error"] in {"invalid_client", "invalid_request"}


def test_an_assertion_from_the_future_clock_is_within_a_minute(client: FlaskClient) -> None:
    _, assertion, code = asserted(client)
    now = int(time.time())

    ahead = assertion.text(iat=now + 50, nbf=now + 50, exp=now + 290)

    assert assertion.post(client, code, ahead).status_code == 200
