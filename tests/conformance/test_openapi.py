"""``/openapi.json``: sound, complete, and true when fuzzed."""

import json
import os
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from idp.clients import registration_tokens
from idp.clients.models import RegistrationToken
from idp.database import update_all
from tests.outgoing.conftest import change
from tests.relying_party import CALLBACK, World, world

pytestmark = pytest.mark.quick_on("sqlite")

FORM = "application/x-www-form-urlencoded"
OF_PROGRAMS = ("oauth2.", "health.", "provider_callbacks.")
OF_PEOPLE = {("/device", "GET")}
"""Pages to which a program sends somebody, beside those of the protocol's own addresses."""
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


JSON = "application/json"
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)
"""Whatever JSON can say."""
RIGHT = {"redirect_uris": [CALLBACK], "client_name": "Devoirs"}


@pytest.fixture
def opened(client: FlaskClient) -> World:
    """A provider at which applications register themselves, by a token."""
    change(client.application, dynamic_registration="token")
    return world(client, "Lina")


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
    query = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
    body = operation.get("requestBody", {}).get("content", {}).get(FORM, {})
    return query, list(body.get("schema", {}).get("properties", {}))


def test_the_document_is_sound(client: FlaskClient, opened: World) -> None:
    """OpenAPI 3.1 §4.8.1: the document is valid by a library of others."""
    # Here, as its grammar of addresses takes each process that collects tests seconds to read
    from openapi_spec_validator import validate

    validate(document(client))


def test_what_may_be_said_is_told_with_its_kind_and_its_words(
    client: FlaskClient, opened: World
) -> None:
    """OpenAPI 3.1 §4.8.24: a schema for each parameter, with the words that are understood."""
    paths = document(client)["paths"]
    supported = client.get("/.well-known/openid-configuration").json or {}
    tokens = schema_of(paths["/oauth2/token"]["post"])
    asks = {each["name"]: each for each in paths["/oauth2/authorize"]["get"]["parameters"]}

    assert set(tokens["properties"]["grant_type"]["enum"]) == {
        *supported["grant_types_supported"]
    } - {"implicit"}
    assert tokens["required"] == ["grant_type"]
    assert asks["response_type"]["schema"]["enum"] == supported["response_types_supported"]
    assert asks["response_mode"]["schema"]["enum"] == supported["response_modes_supported"]
    assert asks["code_challenge_method"]["schema"]["enum"] == ["S256"]
    assert asks["max_age"]["schema"]["type"] == "integer"
    assert asks["client_id"]["required"]
    for name in ("token", "par", "userinfo"):
        parameters = paths[f"/oauth2/{name}"]["post"]["parameters"]
        assert [each["name"] for each in parameters if each["in"] == "header"] == ["DPoP"]
    fields = paths["/oauth2/register"]["post"]["requestBody"]["content"][JSON]["schema"]
    kinds = {name: each.get("type") for name, each in fields["properties"].items()}
    assert kinds["redirect_uris"] == "array"
    assert kinds["require_pkce"] == "boolean"
    assert kinds["client_name"] in {"string", None}


def schema_of(operation: dict[str, Any]) -> dict[str, Any]:
    return dict(operation["requestBody"]["content"][FORM]["schema"])


def test_registration_is_told_where_it_is_on(client: FlaskClient) -> None:
    """OpenAPI 3.1 §4.8.8: what the operator has off is not described."""
    assert not [path for path, *_rest in operations(client) if "register" in path]


def test_every_address_of_programs_is_told_and_every_told_one_is_there(
    app: Flask, client: FlaskClient, opened: World
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
    own = ("/.well-known/oauth-protected-resource/oauth2/userinfo", "GET")

    assert there - elsewhere == told - {own} - OF_PEOPLE
    for path, method in OF_PEOPLE:
        assert app.url_map.bind("localhost").test(path, method)


@pytest.mark.long
def test_no_request_breaks_what_the_document_promises(client: FlaskClient, opened: World) -> None:
    """OpenAPI 3.1 §4.8.16: whatever is sent, the status is one that is told, and never a 500."""
    for path, method, operation in operations(client):
        if "/register" not in path:
            _fuzz(opened, path, method, operation)


@pytest.mark.long
def test_no_registration_breaks_what_the_document_promises(
    client: FlaskClient, opened: World
) -> None:
    """RFC 7591 §3.2.2: whatever is registered, read, replaced or ended, the error says why."""
    registered = [each for each in operations(client) if "/register" in each[0]]
    assert [method for _path, method, _operation in registered] == ["post", "get", "put", "delete"]
    fields = list(registered[0][2]["requestBody"]["content"][JSON]["schema"]["properties"])
    assert len(fields) > 50
    initial = registration_tokens.create(
        "a test", school_ids=[opened.school.id], uses=1000, lifetime=timedelta(days=1),
        scope="openid child",
    ).text  # fmt: skip
    update_all(RegistrationToken, uses_left=10**6)
    http = client.application.test_client(use_cookies=False)
    for path, method, operation in registered:
        _fuzz_registration(http, initial, fields, path, method, operation)


def _fuzz_registration(
    http: FlaskClient,
    initial: str,
    fields: list[str],
    path: str,
    method: str,
    operation: dict[str, Any],
) -> None:
    """Documents that are nearly right, and anything else; each of a client of its own, for what is
    right changes or ends it.
    """
    documents = st.one_of(
        VALUES,
        st.dictionaries(st.sampled_from([*fields, "client_id", "é"]), VALUES, max_size=4),
        st.builds(lambda name, value: {**RIGHT, name: value}, st.sampled_from(fields), VALUES),
    )

    @settings(max_examples=2 * MOST, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=documents, whose=st.sampled_from(["right", "wrong", "none"]), odd=st.booleans())
    def check(body: Any, whose: str, odd: bool) -> None:
        token, address = initial, path
        if "{" in path:
            made = http.post("/oauth2/register", json=RIGHT, headers=_bearer(initial)).json or {}
            token = made["registration_access_token"]
            address = path.format(client_id=made["client_id"] if whose != "none" else "app_\x00é")
            if isinstance(body, dict):
                body = {"client_id": made["client_id"], **body}
        options: dict[str, Any] = {"data": json.dumps(body), "content_type": JSON}
        if odd:
            options = {"data": repr(body).encode("utf-8", "replace"), "content_type": JSON}
        headers = {} if whose == "none" else _bearer(token if whose == "right" else "wrong")
        response = http.open(address, method=method.upper(), headers=headers, **options)
        assert str(response.status_code) in operation["responses"], (path, body, response.text)
        assert response.status_code == 204 or response.is_json, response.text

    check()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


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
        is_as_described(operation, response, (path, values))

    check()


def is_as_described(operation: dict[str, Any], response: TestResponse, sent: object) -> None:
    """Status and kind of content are those that the document tells, and no fault of ours."""
    told = operation["responses"].get(str(response.status_code))
    assert told is not None, (sent, response.status, response.text)
    assert response.status_code < 500, (sent, response.text)
    if "content" in told:
        assert response.mimetype in told["content"], (sent, response.mimetype, response.text)
