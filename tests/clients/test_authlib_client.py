"""Independent libraries over a real socket: Authlib's client, and requests as the browser."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from flask import Flask
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.serving import make_server

from idp import create_app
from tests import factories
from tests.conftest import settings_for_tests
from tests.protocol.assertions import jwks, key_for
from tests.relying_party import CALLBACK, forms_of, way_on

pytestmark = [
    pytest.mark.quick_on("postgresql"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
]


@pytest.fixture
def issuer(database_url: str, keys_folder: Any) -> Iterator[str]:
    """The provider at a real address; its application context is there for factories."""
    with listening(database_url, keys_folder) as address:
        yield address


@contextmanager
def listening(database_url: str, keys_folder: Any, **changes: object) -> Iterator[str]:
    """A provider at a real address with these settings changed, until the block ends."""
    server = _server(database_url, keys_folder, **changes)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with server.app.app_context():
        yield f"http://127.0.0.1:{server.port}"
        from idp.database import db

        server.shutdown()
        thread.join(10)
        server.server_close()
        db.session.remove()
        db.engine.dispose()


def _server(database_url: str, keys_folder: Any, **changes: object) -> Any:
    """A server on a free port whose issuer is that very address."""
    probe = make_server("127.0.0.1", 0, Flask("probe"))
    port = probe.port
    probe.server_close()
    issuer = f"http://127.0.0.1:{port}"
    app = create_app(settings_for_tests(database_url, keys_folder, issuer=issuer, **changes))
    return make_server("127.0.0.1", port, app, threaded=True)


_APPLICATIONS = "https://portal.example/"
"""Where nobody listens: a walk ends there."""


class Walker:
    """A guardian's browser on requests: opens addresses, sends forms, stops at the callback."""

    def __init__(self) -> None:
        self.http = requests.Session()
        self.page: requests.Response | None = None

    def open(self, address: str) -> str:
        return self._follow(self.http.get(address, allow_redirects=False, timeout=30))

    def submit(self, form_id: str, **fields: str) -> str:
        assert self.page is not None
        form = next(each for each in forms_of(self.page.text) if each.id == form_id)
        address = urljoin(self.page.url, form.action or self.page.url)
        data = {**form.hidden, **fields}
        return self._follow(self.http.post(address, data=data, allow_redirects=False, timeout=30))

    def _follow(self, response: requests.Response) -> str:
        """The address where the walk ended: the callback's, or that of a page of ours."""
        while response.is_redirect:
            address = urljoin(response.url, response.headers["Location"])
            if address.startswith(_APPLICATIONS):
                return str(address)
            response = self.http.get(address, allow_redirects=False, timeout=30)
        self.page = response
        assert response.status_code == 200, response.text[:2000]
        onward = way_on(response.text)
        return onward if onward.startswith(_APPLICATIONS) else str(response.url)


def discovered(issuer: str) -> dict[str, Any]:
    found = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=30).json()
    assert found["issuer"] == issuer
    return dict(found)


def session_of(registered: Any, **more: Any) -> OAuth2Session:
    values = {
        "client_id": registered.client.id,
        "client_secret": registered.secret,
        "scope": "openid profile child offline_access",
        "redirect_uri": CALLBACK,
        "code_challenge_method": "S256",
        **more,
    }
    return OAuth2Session(**values)


def walked(session: OAuth2Session, metadata: dict[str, Any], **parameters: str) -> Any:
    """Sign in by hand, then let the library fetch the tokens from the callback's address."""
    verifier = "v" * 50
    address, state = session.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce="n-0", **parameters
    )
    walker = Walker()
    walker.open(address)
    callback = walker.submit("login-form", username="claire", password=factories.PASSWORD)
    assert parse_qs(urlsplit(callback).query)["iss"] == [metadata["issuer"]]
    return session.fetch_token(
        metadata["token_endpoint"],
        authorization_response=callback,
        state=state,
        code_verifier=verifier,
    )


def verified(issuer: str, metadata: dict[str, Any], id_token: str, client_id: str) -> Any:
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=30).json())
    algorithms = metadata["id_token_signing_alg_values_supported"]
    claims = jwt.decode(id_token, keys, algorithms=algorithms).claims
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        nonce={"essential": True, "value": "n-0"},
    ).validate(claims)
    return claims


def test_a_whole_life_of_tokens_with_authlibs_client(issuer: str) -> None:
    school = factories.school()
    factories.family(school, "Lina", username="claire")
    registered = factories.client_app(school, require_pkce=True)
    metadata, session = discovered(issuer), session_of(registered)

    token = walked(session, metadata)
    claims = verified(issuer, metadata, token["id_token"], registered.client.id)
    told = session.get(metadata["userinfo_endpoint"], timeout=30).json()
    refreshed = session.refresh_token(metadata["token_endpoint"])
    introspected = session.introspect_token(
        metadata["introspection_endpoint"], token=refreshed["access_token"]
    ).json()
    session.revoke_token(metadata["revocation_endpoint"], token=refreshed["refresh_token"])
    after = requests.get(
        metadata["userinfo_endpoint"],
        headers={"Authorization": f"Bearer {refreshed['access_token']}"},
        timeout=30,
    )

    assert claims["child"]["given_name"] == told["child"]["given_name"] == "Lina"
    assert claims["sub"] == told["sub"]
    assert introspected["active"] is True
    assert after.status_code == 401


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_every_signing_algorithm_verifies_with_another_library(issuer: str, alg: str) -> None:
    school = factories.school()
    factories.family(school, "Lina", username="claire")
    registered = factories.client_app(school, id_token_signed_response_alg=alg)
    metadata = discovered(issuer)

    token = walked(session_of(registered), metadata)

    claims = verified(issuer, metadata, token["id_token"], registered.client.id)
    assert claims["nonce"] == "n-0"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_authlibs_client_authenticates_by_every_secret_method(issuer: str, method: str) -> None:
    school = factories.school()
    factories.family(school, "Lina", username="claire")
    registered = factories.client_app(school, token_endpoint_auth_method=method)
    session = session_of(registered, token_endpoint_auth_method=method)

    token = walked(session, discovered(issuer))

    assert token["id_token"]


def test_authlibs_client_authenticates_with_a_key(issuer: str) -> None:
    school = factories.school()
    factories.family(school, "Lina", username="claire")
    key = key_for("RS256")
    registered = factories.client_app(
        school, token_endpoint_auth_method="private_key_jwt", jwks=jwks(key)
    )
    session = session_of(
        registered,
        client_secret=key.as_pem(private=True),
        token_endpoint_auth_method="private_key_jwt",
    )
    # Left alone, Authlib names the token endpoint and gives an hour; rule O11 wants the
    # issuer as the only audience, and five minutes at most.
    soon = {"exp": int(time.time()) + 240}
    method = PrivateKeyJWT(issuer, claims=soon, headers={"kid": key.kid}, alg="RS256")
    session.register_client_auth_method(method)

    token = walked(session, discovered(issuer))

    assert token["id_token"]


def test_form_post_over_a_real_socket(issuer: str) -> None:
    school = factories.school()
    factories.family(school, "Lina", username="claire")
    registered = factories.client_app(school)
    metadata, session = discovered(issuer), session_of(registered, code_challenge_method=None)
    address, state = session.create_authorization_url(
        metadata["authorization_endpoint"], response_mode="form_post"
    )
    walker = Walker()
    walker.open(address)
    walker.submit("login-form", username="claire", password=factories.PASSWORD)

    assert walker.page is not None
    form = next(each for each in forms_of(walker.page.text) if each.id == "form-post")
    token = session.fetch_token(metadata["token_endpoint"], code=form.hidden["code"])

    assert form.action == CALLBACK
    assert form.hidden["state"] == state
    assert token["access_token"]
