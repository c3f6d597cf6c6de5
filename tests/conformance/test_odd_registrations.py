"""Registrations that no honest client sends: refused by name, without a trace in the database."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from idp.people.models import School
from tests.conformance.test_dynamic_registration import LEAST, register, school, token

KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}

__all__ = ["school"]

pytestmark = pytest.mark.quick_on("postgresql")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("jwks", {"keys": [{**KEY, "x-note": "\ud800"}]}),
        ("jwks", {"keys": [{**KEY, "x-note": "\0"}]}),
        ("client_name", "\ud800"),
        ("response_types", 5),
        ("token_endpoint_auth_method", []),
        ("grant_types", 5),
        ("redirect_uris", 7),
        ("redirect_uris", [5]),
        ("profile", []),
    ],
)
def test_what_no_database_keeps_and_no_field_is_gets_its_name(
    client: FlaskClient, school: School, field: str, value: Any
) -> None:
    """RFC 7591 §3.2.2: invalid_client_metadata, and nothing is registered."""
    answer = register(client, token(school), {**LEAST, field: value})

    assert answer.status_code == 400
    assert answer.json["error"] in {"invalid_client_metadata", "invalid_redirect_uri"}
    assert field in answer.json["error_description"]


def test_nobody_names_resources_for_themselves(client: FlaskClient, school: School) -> None:
    """RFC 7591 §2: the server may ignore what is asked; resources are the operator's word."""
    made = register(client, token(school), {**LEAST, "resources": ["https://api.portal.example"]})

    assert made.status_code == 201
    assert not made.json.get("resources")
