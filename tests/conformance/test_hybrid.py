"""The Hybrid Flow (OpenID Connect Core 1.0 §3.3), with ``code id_token`` alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from idp.clients.metadata import checked
from idp.errors import Invalid
from tests.front_channel import allowing, fragment_of, half_hash
from tests.relying_party import CALLBACK, World, answer, claims_of, form_of, world

pytestmark = pytest.mark.quick_on("sqlite")
HYBRID = "code id_token"


@pytest.fixture
def allowed(database_url: str, keys_folder: Path) -> Iterator[FlaskClient]:
    with allowing(database_url, keys_folder) as browser:
        yield browser


def hybrid(client: FlaskClient, *children: str, **more: object) -> World:
    return world(client, *children, response_types=["code", HYBRID], **more)  # type: ignore[arg-type]


def test_code_and_id_token_come_in_the_fragment(allowed: FlaskClient) -> None:
    """OpenID Connect Core §3.3.2.5: code and id_token, no access token, in the fragment."""
    there = hybrid(allowed)

    fields = fragment_of(there.ask(response_type=HYBRID, nonce="n", state="s"))

    assert set(fields) == {"code", "id_token", "state", "iss"}
    claims = claims_of(allowed, fields["id_token"])
    assert claims["nonce"] == "n"
    assert claims["aud"] == there.portal.client_id
    assert claims["c_hash"] == half_hash(fields["code"])
    assert claims["s_hash"] == half_hash("s")
    assert "at_hash" not in claims
    second = claims_of(allowed, there.tokens_of(fields)["id_token"])
    assert (second["iss"], second["sub"]) == (claims["iss"], claims["sub"])
    assert second["nonce"] == "n"


def test_the_words_may_come_in_any_order(allowed: FlaskClient) -> None:
    """RFC 6749 §3.1.1: the order of the values does not matter."""
    there = hybrid(allowed)

    assert "id_token" in fragment_of(there.ask(response_type="id_token code", nonce="n"))


def test_profile_claims_wait_for_userinfo(allowed: FlaskClient) -> None:
    """OpenID Connect Core §5.4: with a code, claims of scopes are UserInfo's."""
    there = hybrid(allowed)
    scope = "openid profile email"

    fields = fragment_of(there.ask(response_type=HYBRID, nonce="n", scope=scope))

    assert not {"name", "email"} & claims_of(allowed, fields["id_token"]).keys()


def test_the_child_is_the_one_that_was_chosen(allowed: FlaskClient) -> None:
    """OpenID Connect Core §3.3.3.6: both ID tokens say the same of the person."""
    there = hybrid(allowed, "Lina")

    fields = fragment_of(there.ask(response_type=HYBRID, nonce="n", scope="openid child"))

    first = claims_of(allowed, fields["id_token"])["child"]
    assert first["given_name"] == "Lina"
    assert claims_of(allowed, there.tokens_of(fields)["id_token"])["child"]["sub"] == first["sub"]


def test_after_a_sign_in_the_page_goes_on_with_the_fragment(allowed: FlaskClient) -> None:
    """OpenID Connect Core §3.3.2.5: the fragment survives our own page."""
    there = hybrid(allowed, signed_in=False)
    there.ask(response_type=HYBRID, nonce="n", state="s")

    fields = fragment_of(there.browser.sign_in("claire"))

    assert {"code", "id_token"} <= fields.keys()
    assert fields["state"] == "s"


def test_form_post_is_answered_by_form(allowed: FlaskClient) -> None:
    """OAuth 2.0 Form Post Response Mode §2: every field by form."""
    there = hybrid(allowed)

    page = there.ask(response_type=HYBRID, nonce="n", response_mode="form_post")

    action, fields = form_of(page.text, "form-post")
    assert action == CALLBACK
    assert set(fields) == {"code", "id_token", "state", "iss"}


def test_signed_answers_hold_both(allowed: FlaskClient) -> None:
    """JARM §2.3.4: jwt means fragment.jwt where an ID token comes."""
    there = hybrid(allowed)

    fields = fragment_of(there.ask(response_type=HYBRID, nonce="n", response_mode="jwt"))

    assert {"code", "id_token"} <= claims_of(allowed, fields["response"]).keys()


@pytest.mark.parametrize("mode", ["query", "query.jwt"])
def test_an_id_token_never_stands_in_a_query(allowed: FlaskClient, mode: str) -> None:
    """OAuth 2.0 Multiple Response Types §5: query is refused."""
    there = hybrid(allowed)

    fields = fragment_of(there.ask(response_type=HYBRID, nonce="n", response_mode=mode))

    assert fields["error"] == "invalid_request"


def test_the_nonce_is_required(allowed: FlaskClient) -> None:
    """OpenID Connect Core §3.3.2.11: without a nonce nobody notices a token that was swapped."""
    there = hybrid(allowed)

    fields = fragment_of(there.ask(response_type=HYBRID))

    assert fields["error"] == "invalid_request"
    assert fields["state"] == "st4te"


def test_pkce_counts_for_the_code(allowed: FlaskClient) -> None:
    """RFC 9700 §2.1.1: a code is protected by PKCE, whatever comes beside it."""
    there = hybrid(allowed, require_pkce=True)

    without = fragment_of(there.ask(response_type=HYBRID, nonce="n"))
    fields = fragment_of(there.ask(response_type=HYBRID, nonce="n", **there.portal.pkce()))

    assert without["error"] == "invalid_request"
    assert there.tokens_of(fields, code_verifier=there.portal.verifier)


def test_errors_come_in_the_fragment(allowed: FlaskClient) -> None:
    """OpenID Connect Core §3.3.2.6: errors go as the answer would."""
    there = hybrid(allowed, signed_in=False)

    fields = fragment_of(there.ask(response_type=HYBRID, nonce="n", prompt="none"))

    assert fields["error"] == "login_required"


def test_a_client_that_is_not_registered_for_it_is_refused(allowed: FlaskClient) -> None:
    """RFC 6749 §4.1.2.1: unauthorized_client."""
    there = world(allowed)

    fields = fragment_of(there.ask(response_type=HYBRID, nonce="n"))

    assert fields["error"] == "unauthorized_client"


@pytest.mark.parametrize("wanted", ["code token", "token", "id_token token", "code id_token token"])
def test_no_access_token_goes_by_the_browser(allowed: FlaskClient, wanted: str) -> None:
    """RFC 9700 §2.1.2: response types with token are not there at all."""
    there = hybrid(allowed)

    assert (
        answer(there.ask(response_type=wanted, nonce="n"))["error"] == "unsupported_response_type"
    )
    with pytest.raises(Invalid):
        checked({"client_name": "x", "redirect_uris": [CALLBACK], "response_types": [wanted]})


def test_it_is_off_unless_the_operator_allows_it(client: FlaskClient) -> None:
    """RFC 9700 §2.1.2: clients should use the code flow."""
    there = world(client)

    fields = answer(there.ask(response_type=HYBRID, nonce="n"))

    assert fields["error"] == "unsupported_response_type"
    with pytest.raises(Invalid) as refused:
        there.other_portal(response_types=["code", HYBRID])
    assert refused.value.field == "response_types"
    told = client.get("/.well-known/openid-configuration").json or {}
    assert told["response_types_supported"] == ["code"]
    assert "fragment" not in told["response_modes_supported"]


def test_discovery_tells_what_is_allowed(allowed: FlaskClient) -> None:
    """OpenID Connect Discovery §3: response types, modes and grant types."""
    told = allowed.get("/.well-known/openid-configuration").json or {}

    assert set(told["response_types_supported"]) == {"code", "code id_token", "id_token"}
    assert "fragment" in told["response_modes_supported"]
    assert "implicit" in told["grant_types_supported"]


def test_grant_types_follow_response_types(allowed: FlaskClient) -> None:
    """RFC 7591 §2.1: code id_token needs authorization_code and implicit."""
    document = {"client_name": "x", "redirect_uris": [CALLBACK]}

    both = checked({**document, "response_types": ["id_token code"]})
    plain = checked({**document, "grant_types": ["authorization_code", "implicit"]})

    assert both["response_types"] == [HYBRID]
    assert {"authorization_code", "implicit"} <= set(both["grant_types"])
    assert "implicit" not in plain["grant_types"]
