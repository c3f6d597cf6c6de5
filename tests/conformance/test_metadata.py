"""The authorization server's metadata: RFC 8414 beside OpenID Connect Discovery 1.0."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from idp import create_app
from idp.database import db
from tests.conftest import settings_for_tests
from tests.relying_party import world

pytestmark = pytest.mark.quick_on("sqlite")

OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"
ISSUER = "http://127.0.0.1:8000"
BESIDE_A_PATH = f"{ISSUER}/schools"


@pytest.fixture
def below(database_url: str, keys_folder: Path) -> Iterator[FlaskClient]:
    """A provider whose issuer has a path."""
    app = create_app(settings_for_tests(database_url, keys_folder, issuer=BESIDE_A_PATH))
    with app.app_context():
        yield app.test_client()
        db.session.remove()
        db.engine.dispose()


def test_both_documents_say_the_same(client: FlaskClient) -> None:
    """RFC 8414 §3: the metadata is at the well-known address, in step with discovery."""
    assert client.get(OAUTH).json == client.get(OPENID).json


def test_the_document_is_json_with_status_200(client: FlaskClient) -> None:
    """RFC 8414 §3.2: a successful answer is 200 OK with the content type application/json."""
    response = client.get(OAUTH)

    assert response.status_code == 200
    assert response.content_type == "application/json"


def test_the_required_members_are_there(client: FlaskClient) -> None:
    """RFC 8414 §2: issuer, endpoints and response types are told."""
    told = client.get(OAUTH).json or {}

    for name in (
        *("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"),
        *("response_types_supported", "grant_types_supported", "scopes_supported"),
        *("token_endpoint_auth_methods_supported", "code_challenge_methods_supported"),
        *("revocation_endpoint", "introspection_endpoint"),
    ):
        assert told[name], name


def test_the_issuer_has_no_query_and_no_fragment(client: FlaskClient) -> None:
    """RFC 8414 §2: the issuer is an address without query and fragment."""
    parts = urlsplit((client.get(OAUTH).json or {})["issuer"])

    assert not parts.query
    assert not parts.fragment


def test_members_without_a_value_are_left_out(client: FlaskClient) -> None:
    """RFC 8414 §3.2: claims with zero elements must be omitted."""
    told = client.get(OAUTH).json or {}

    assert [name for name, value in told.items() if value in ([], "", None)] == []


def test_the_issuer_is_the_one_whose_address_was_asked(
    client: FlaskClient, below: FlaskClient
) -> None:
    """RFC 8414 §3.3: the issuer told is the one into which the path was inserted."""
    assert (client.get(OAUTH).json or {})["issuer"] == ISSUER
    assert (below.get(f"{OAUTH}/schools").json or {})["issuer"] == BESIDE_A_PATH


@pytest.mark.parametrize("path", [f"{OAUTH}/schools", f"{OPENID}/schools"])
def test_an_issuer_with_a_path_is_found_with_the_path_behind(below: FlaskClient, path: str) -> None:
    """RFC 8414 §3.1: the well-known path goes between the host and the issuer's path."""
    assert (below.get(path).json or {})["issuer"] == BESIDE_A_PATH


@pytest.mark.parametrize("path", [f"/schools{OPENID}", f"/schools{OAUTH}"])
def test_an_issuer_with_a_path_is_found_with_the_path_before(below: FlaskClient, path: str) -> None:
    """RFC 8414 §5: the older form, as OpenID Connect Discovery §4 has it, works as well."""
    assert (below.get(path).json or {})["issuer"] == BESIDE_A_PATH


@pytest.mark.parametrize(
    "path",
    [f"{OAUTH}/other", f"{OPENID}/schools/more", f"/other{OPENID}", f"{OAUTH}/schools%2Fx"],
)
def test_no_other_issuer_is_answered_for(below: FlaskClient, path: str) -> None:
    """RFC 8414 §3.3: nothing is told under a path that is not the issuer's."""
    assert below.get(path).status_code == 404


def test_an_issuer_without_a_path_has_one_address(client: FlaskClient) -> None:
    """RFC 8414 §3: an issuer without a path has no document under another one."""
    assert client.get(f"{OAUTH}/schools").status_code == 404
    assert client.get(f"/schools{OPENID}").status_code == 404


def test_the_endpoints_of_an_issuer_with_a_path_begin_with_it(below: FlaskClient) -> None:
    """RFC 8414 §2: every address that is told belongs to the issuer."""
    told = below.get(f"{OAUTH}/schools").json or {}

    addresses = [v for k, v in told.items() if k.endswith(("_endpoint", "_uri"))]
    assert addresses
    assert all(each.startswith(f"{BESIDE_A_PATH}/") for each in addresses)


def test_no_session_management_is_promised(client: FlaskClient) -> None:
    """OpenID Connect Session Management 1.0 §3.3: without it, discovery names no frame."""
    there = world(client)
    told = client.get("/.well-known/openid-configuration").json or {}

    assert "check_session_iframe" not in told
    assert "session_state" not in there.answer()
