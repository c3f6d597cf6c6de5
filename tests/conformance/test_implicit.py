"""The Implicit Flow (OpenID Connect Core 1.0 §3.2), with ``id_token`` alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from idp.audit.models import AuditEvent
from idp.clients.metadata import checked
from idp.database import db
from idp.lifecycle import endings
from idp.oidc.models import AuthorizationCode, Grant
from tests.conformance.test_par import ask as bring
from tests.conformance.test_par import pushed
from tests.front_channel import allowing, fragment_of, half_hash
from tests.relying_party import CALLBACK, World, claims_of, form_of, world

pytestmark = pytest.mark.quick_on("postgresql")


@pytest.fixture
def allowed(database_url: str, keys_folder: Path) -> Iterator[FlaskClient]:
    with allowing(database_url, keys_folder) as browser:
        yield browser


def implicit(client: FlaskClient, *children: str, **more: object) -> World:
    return world(client, *children, response_types=["id_token"], **more)  # type: ignore[arg-type]


def test_an_id_token_and_no_code_comes_in_the_fragment(allowed: FlaskClient) -> None:
    """OpenID Connect Core §3.2.2.5: id_token and state, in the fragment."""
    there = implicit(allowed)

    fields = fragment_of(there.ask(response_type="id_token", nonce="n", state="s"))

    assert set(fields) == {"id_token", "state", "iss"}
    claims = claims_of(allowed, fields["id_token"])
    assert claims["nonce"] == "n"
    assert claims["s_hash"] == half_hash("s")
    assert not {"at_hash", "c_hash"} & claims.keys()
    assert db.session.query(AuthorizationCode).count() == 0


def test_claims_of_scopes_stand_in_the_id_token(allowed: FlaskClient) -> None:
    """OpenID Connect Core §5.4: without an access token, they are in the ID token."""
    there = implicit(allowed, "Lina")
    scope = "openid profile email child"

    fields = fragment_of(there.ask(response_type="id_token", nonce="n", scope=scope))

    claims = claims_of(allowed, fields["id_token"])
    assert claims["name"] == "Claire Dubois"
    assert claims["email"] == "claire@dubois.example"
    assert claims["child"]["given_name"] == "Lina"


def test_form_post_with_a_public_client_needs_no_secret(allowed: FlaskClient) -> None:
    """OAuth 2.0 Form Post Response Mode §2: what express-openid-connect does by default."""
    there = implicit(allowed, token_endpoint_auth_method="none", require_pkce=True)

    page = there.ask(response_type="id_token", response_mode="form_post", nonce="n")

    action, fields = form_of(page.text, "form-post")
    assert action == CALLBACK
    assert claims_of(allowed, fields["id_token"])["aud"] == there.portal.client_id


def test_the_nonce_is_required(allowed: FlaskClient) -> None:
    """OpenID Connect Core §3.2.2.1: nonce is REQUIRED."""
    there = implicit(allowed)

    assert fragment_of(there.ask(response_type="id_token"))["error"] == "invalid_request"


def test_errors_come_in_the_fragment(allowed: FlaskClient) -> None:
    """OpenID Connect Core §3.2.2.6: errors are returned in the fragment."""
    there = implicit(allowed, signed_in=False)

    fields = fragment_of(there.ask(response_type="id_token", nonce="n", prompt="none"))

    assert fields["error"] == "login_required"


def test_the_code_flow_is_not_this_clients(allowed: FlaskClient) -> None:
    """RFC 7591 §2.1: who is registered for id_token has no authorization_code grant."""
    there = implicit(allowed)

    assert there.answer()["error"] == "unauthorized_client"
    assert "authorization_code" not in there.portal.registered.client.metadata_["grant_types"]
    assert "implicit" in there.portal.registered.client.metadata_["grant_types"]


def test_what_was_told_is_recorded_and_ends_with_the_guardianship(allowed: FlaskClient) -> None:
    """OpenID Connect Core §3.2.2.9: an ID token is of a grant, which is in the audit log."""
    there = implicit(allowed, "Lina")
    fragment_of(there.ask(response_type="id_token", nonce="n", scope="openid child"))

    endings.end_guardianship(there.guardian.id, there.children[0].id, "separated")

    db.session.commit()
    assert db.session.query(Grant).one().ended_at is not None
    assert db.session.query(AuditEvent).filter_by(event="grant_made").count() == 1


def test_a_pushed_request_gives_one_id_token(allowed: FlaskClient) -> None:
    """RFC 9126 §4: one answer, whatever it holds."""
    there = implicit(allowed)
    uri = pushed(there, response_type="id_token", nonce="n")

    first, second = fragment_of(bring(there, uri)), fragment_of(bring(there, uri))

    assert "id_token" in first
    assert second["error"] == "invalid_request_uri"
    db.session.commit()
    assert db.session.query(Grant).count() == 1


def test_after_a_sign_in_it_is_given_once(allowed: FlaskClient) -> None:
    """OpenID Connect Core §3.2.2.5: the page that was answered is done."""
    there = implicit(allowed, signed_in=False)
    login = there.ask(response_type="id_token", nonce="n").request.path
    assert "id_token" in fragment_of(there.browser.sign_in("claire"))

    there.browser.open(login.removesuffix("/login"))

    assert there.browser.shows("interaction-done")


def test_a_registration_for_both_flows(allowed: FlaskClient) -> None:
    """RFC 7591 §2.1: several response types, each with its grant type."""
    types = ["code", "id_token"]
    document = checked({"client_name": "x", "redirect_uris": [CALLBACK], "response_types": types})

    assert {"authorization_code", "implicit"} <= set(document["grant_types"])
