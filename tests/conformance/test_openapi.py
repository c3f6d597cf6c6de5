"""``/openapi.json``: sound, complete, and true when fuzzed."""

import os
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from tests.relying_party import World, world

pytestmark = pytest.mark.quick_on("sqlite")

FORM = "application/x-www-form-urlencoded"
OF_PROGRAMS = ("oauth2.", "health.")
MOST = int(os.environ.get("FUZZ", "25"))
"""Requests at each address; ``make fuzz`` says 2000."""

WORDS = st.one_of(
    st.sampled_from(
        ["", "openid", "none", "S256", "[", "{}", "null", "é", "\N{GRINNING FACE}", "-1"]
    ),
    st.text(max_size=30),
    st.text("aAzZ0-_. ", min_size=40, max_size=60),
    st.just("x" * 9000),
)


def document(client: FlaskClient) -> dict[str, Any]:
    return dict(client.get("/openapi.json").json or {})


def operations(client: FlaskClient) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in document(client)["paths"].items()
        for method, operation in methods.items()
        if method in {"get", "post", "put", "delete"}
    ]


def names_of(operation: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The parameters of the query, and the fields of the form."""
    query = [each["name"] for each in operation.get("parameters", [])]
    body = operation.get("requestBody", {}).get("content", {}).get(FORM, {})
    return query, list(body.get("schema", {}).get("properties", {}))


def test_the_document_is_sound(client: FlaskClient) -> None:
    """OpenAPI 3.1 §4.8.1: the document is valid by a library of others."""
    validate(document(client))


def test_every_address_of_programs_is_told_and_every_told_one_is_there(
    app: Flask, client: FlaskClient
) -> None:
    """OpenAPI 3.1 §4.8.8: the paths are those that the application has."""
    told = {(path, method.upper()) for path, method, _operation in operations(client)}
    there = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(OF_PROGRAMS)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    elsewhere = {each for each in there if "{issuer_path}" in each[0] or "{resource" in each[0]}
    registration = {each for each in there if each[0].startswith("/oauth2/register")}
    own = ("/.well-known/oauth-protected-resource/oauth2/userinfo", "GET")

    assert there - elsewhere - registration == told - {own}


def test_no_request_breaks_what_the_document_promises(client: FlaskClient) -> None:
    """OpenAPI 3.1 §4.8.16: whatever is sent, the status is one that is told, and never a 500."""
    there = world(client, "Lina")
    for path, method, operation in operations(client):
        _fuzz(there, path, method, operation)


def _fuzz(there: World, path: str, method: str, operation: dict[str, Any]) -> None:
    query, form = names_of(operation)
    names = [*query, *form] or ["x"]
    secret = (there.portal.client_id, there.portal.registered.secret)
    known = {"client_id": there.portal.client_id, "redirect_uri": there.portal.redirect_uri}
    values = st.dictionaries(st.sampled_from(names), WORDS, max_size=6)

    @settings(max_examples=MOST, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values=values, real=st.booleans(), proved=st.booleans(), odd=st.booleans())
    def check(values: dict[str, str], real: bool, proved: bool, odd: bool) -> None:
        if real:
            values = {**{k: v for k, v in known.items() if k in names}, **values}
        options: dict[str, Any] = {"query_string": values} if query or not form else {}
        if form:
            options = {"data": values}
        if proved and form:
            options["auth"] = secret
        if odd and form:
            options["content_type"] = "text/plain"
        response = there.http.open(path, method=method.upper(), **options)
        assert str(response.status_code) in operation["responses"], (path, values, response.text)

    check()
