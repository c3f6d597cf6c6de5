"""OAuth 2.0 Protected Resource Metadata (RFC 9728), of UserInfo."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from idp import create_app
from idp.database import db
from tests.conftest import settings_for_tests
from tests.relying_party import world

pytestmark = pytest.mark.quick_on("sqlite")

WELL_KNOWN = "/.well-known/oauth-protected-resource"
ISSUER = "http://127.0.0.1:8000"
USERINFO = f"{ISSUER}/oauth2/userinfo"


@pytest.fixture
def below(database_url: str, keys_folder: Path) -> Iterator[FlaskClient]:
    """A provider whose issuer has a path."""
    issuer = f"{ISSUER}/schools"
    app = create_app(settings_for_tests(database_url, keys_folder, issuer=issuer))
    with app.app_context():
        yield app.test_client()
        db.session.remove()
        db.engine.dispose()


def challenge(client: FlaskClient, **headers: str) -> str:
    return client.get("/oauth2/userinfo", headers=headers).headers["WWW-Authenticate"]


def test_the_document_names_resource_and_authorization_server(client: FlaskClient) -> None:
    """RFC 9728 §2: the metadata names the resource and who gives tokens for it."""
    told = client.get(f"{WELL_KNOWN}/oauth2/userinfo").json or {}

    assert told["resource"] == USERINFO
    assert told["authorization_servers"] == [ISSUER]
    assert told["bearer_methods_supported"] == ["header", "body"]
    assert {"openid", "child"} <= set(told["scopes_supported"])


def test_the_authorization_server_has_metadata(client: FlaskClient) -> None:
    """RFC 9728 §5: from the resource a client finds the authorization server's metadata."""
    told = client.get(f"{WELL_KNOWN}/oauth2/userinfo").json or {}
    (issuer,) = told["authorization_servers"]

    server = client.get("/.well-known/oauth-authorization-server").json or {}

    assert server["issuer"] == issuer


def test_the_answer_is_json_that_anybody_may_read(client: FlaskClient) -> None:
    """RFC 9728 §3.2: a successful answer is 200 OK with the content type application/json."""
    response = client.get(f"{WELL_KNOWN}/oauth2/userinfo")

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_each_document_names_the_resource_that_was_asked_for(client: FlaskClient) -> None:
    """RFC 9728 §3.3: the resource told is the one into which the path was inserted."""
    assert (client.get(WELL_KNOWN).json or {})["resource"] == ISSUER
    assert (client.get(f"{WELL_KNOWN}/oauth2/userinfo").json or {})["resource"] == USERINFO


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/userinfo/x", "/x"])
def test_other_paths_are_no_resources(client: FlaskClient, path: str) -> None:
    """RFC 9728 §3.3: nothing is told of a resource that is not ours."""
    assert client.get(f"{WELL_KNOWN}{path}").status_code == 404


def test_a_resource_below_an_issuers_path_keeps_it(below: FlaskClient) -> None:
    """RFC 9728 §3.1: the well-known path goes between the host and the resource's path."""
    told = below.get(f"{WELL_KNOWN}/schools/oauth2/userinfo").json or {}

    assert told["resource"] == f"{ISSUER}/schools/oauth2/userinfo"
    assert f'resource_metadata="{ISSUER}{WELL_KNOWN}/schools/oauth2/userinfo"' in challenge(below)


def test_a_refusal_says_where_the_metadata_is(client: FlaskClient) -> None:
    """RFC 9728 §5.1: WWW-Authenticate names the metadata's address."""
    for refused in (challenge(client), challenge(client, Authorization="Bearer wrong")):
        (address,) = re.findall(r'resource_metadata="([^"]+)"', refused)
        told = client.get(address.removeprefix(ISSUER)).json or {}
        assert told["resource"] == USERINFO


def test_a_refusal_for_want_of_scope_says_so_too(client: FlaskClient) -> None:
    """RFC 9728 §5.1: resource_metadata stands beside what RFC 6750 §3 asks for."""
    there = world(client)
    refresh = there.redeem(scope="openid profile offline_access")["refresh_token"]
    narrow = there.portal.refresh(client, refresh, scope="profile").json or {}

    refused = there.portal.userinfo(client, narrow["access_token"])

    assert refused.status_code == 403
    header = refused.headers["WWW-Authenticate"]
    assert header.startswith('Bearer error="insufficient_scope"')
    assert 'scope="openid"' in header
    assert "resource_metadata=" in header


def test_the_authorization_server_names_the_resource(client: FlaskClient) -> None:
    """RFC 9728 §4: the authorization server's metadata lists its protected resources."""
    told = client.get("/.well-known/oauth-authorization-server").json or {}

    assert told["protected_resources"] == [USERINFO]
