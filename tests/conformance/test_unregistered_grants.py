"""Every endpoint × every application whose grant and response types do not include it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from idp.clients.metadata import DEVICE_CODE, TOKEN_EXCHANGE, checked
from idp.clients.models import Client
from idp.database import transaction
from idp.errors import Invalid
from tests.front_channel import allowing
from tests.relying_party import CALLBACK, RelyingParty, World, leads_to, world

pytestmark = pytest.mark.quick_on("sqlite")

TYPES = ("code", "id_token", "code id_token")
REFUSED = "unauthorized_client"
TOKENS = {
    "authorization_code": {"code": "x", "redirect_uri": CALLBACK},
    "refresh_token": {"refresh_token": "x"},
    DEVICE_CODE: {"device_code": "x"},
    TOKEN_EXCHANGE: {"subject_token": "x"},
}
GRANTS = ("authorization_code", "implicit", "refresh_token", DEVICE_CODE, TOKEN_EXCHANGE)
KINDS: dict[str, dict[str, list[str]]] = {
    "a browser's": {"grant_types": ["authorization_code"]},
    "a browser's, offline": {"grant_types": ["authorization_code", "refresh_token"]},
    "a screen": {"grant_types": [DEVICE_CODE]},
    "a screen, offline": {"grant_types": [DEVICE_CODE, "refresh_token"]},
    "one that exchanges": {"grant_types": ["authorization_code", TOKEN_EXCHANGE]},
    "one that exchanges alone": {"grant_types": [TOKEN_EXCHANGE]},
    "one without a code": {"response_types": ["id_token"]},
    "a hybrid": {"response_types": ["code id_token"], "grant_types": ["authorization_code"]},
    "both": {"response_types": ["code", "id_token"]},
}


@pytest.fixture
def allowed(database_url: str, keys_folder: Path) -> Iterator[FlaskClient]:
    with allowing(database_url, keys_folder) as browser:
        yield browser


def portals(there: World) -> dict[str, RelyingParty]:
    return {name: there.other_portal(client_name=name, **kind) for name, kind in KINDS.items()}


def ways(there: World, portal: RelyingParty) -> Iterator[tuple[str, bool, str]]:
    """Each way in, whether this application is registered for it, and what it is answered."""
    metadata = portal.registered.client.metadata_
    grants, types = metadata["grant_types"], metadata["response_types"]
    for response_type in TYPES:
        asked = {"response_type": response_type, "nonce": "n", **portal.pkce()}
        sent = leads_to(there.browser.open(portal.authorize_path(**asked)))
        yield f"authorize {response_type}", response_type in types, sent
        pushed = portal.post(there.http, "/oauth2/par", portal.request(**asked))
        yield f"push {response_type}", response_type in types, pushed.text
    for grant, fields in TOKENS.items():
        asked = {"grant_type": grant, **fields}
        answered = portal.post(there.http, "/oauth2/token", asked)
        yield f"redeem {grant}", grant in grants, answered.text
    screen = portal.post(there.http, "/oauth2/device_authorization", {"scope": "openid"})
    yield "ask from a screen", DEVICE_CODE in grants, screen.text


def test_each_endpoint_refuses_who_is_not_registered_for_it(allowed: FlaskClient) -> None:
    """RFC 6749 §4.1.2.1, §5.2: unauthorized_client, wherever it is asked."""
    there = world(allowed)
    for name, portal in portals(there).items():
        for way, is_registered, told in ways(there, portal):
            assert (REFUSED in told) is not is_registered, (name, way, told)


def test_a_screen_of_a_former_registration_is_not_served_in_a_browser(client: FlaskClient) -> None:
    """RFC 7591 §2.1: what an older registration says beside its grant types counts for nothing."""
    there = world(client)
    screen = there.other_portal(grant_types=[DEVICE_CODE])
    with transaction() as writes:
        row = writes.get_one(Client, screen.client_id)
        row.metadata_ = {**row.metadata_, "response_types": ["code"]}

    sent = leads_to(there.browser.open(screen.authorize_path(**screen.pkce())))

    assert f"error={REFUSED}" in sent
    assert sent.startswith(CALLBACK)


def test_no_refresh_token_without_its_grant_type(client: FlaskClient) -> None:
    """RFC 7591 §2: refresh_token is given and taken where it is registered alone."""
    there = world(client, grant_types=["authorization_code"], scope="openid offline_access")

    assert "refresh_token" not in there.redeem(scope="openid offline_access")


@pytest.mark.parametrize(
    ("asked", "grants", "types"),
    [
        ({"grant_types": [DEVICE_CODE]}, [DEVICE_CODE], []),
        ({"grant_types": [DEVICE_CODE], "response_types": []}, [DEVICE_CODE], []),
        ({}, ["authorization_code", "refresh_token"], ["code"]),
    ],
)
def test_response_types_follow_grant_types(
    client: FlaskClient, asked: dict[str, Any], grants: list[str], types: list[str]
) -> None:
    """RFC 7591 §2.1: no response type code without the grant type that redeems it."""
    made = checked({"client_name": "x", "redirect_uris": [CALLBACK], **asked})

    assert (made["grant_types"], made["response_types"]) == (grants, types)


@pytest.mark.parametrize(
    "asked",
    [{"response_types": []}, {"grant_types": ["implicit"]}, {"grant_types": []}],
    ids=str,
)
def test_a_registration_by_which_nothing_can_be_asked_is_refused(
    client: FlaskClient, asked: dict[str, Any]
) -> None:
    """RFC 7591 §3.2.2: invalid_client_metadata."""
    with pytest.raises(Invalid):
        checked({"client_name": "x", "redirect_uris": [CALLBACK], **asked})
