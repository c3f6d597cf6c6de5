"""Security rules N7 and O23: what contradicts itself is refused; nothing depends on ``Host``."""

import re
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.clients import registration
from idp.errors import Invalid
from tests import factories
from tests.protocol.assertions import TYPE, Assertion, jwks, key_for
from tests.relying_party import RelyingParty, World, error_of, world

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
pytestmark = on_sqlite

EVIL = "http://evil.example"
ENDPOINTS = ("/oauth2/token", "/oauth2/revoke", "/oauth2/introspect")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_o23_no_answer_is_made_from_the_host_header(app: Flask, method: str) -> None:
    client = app.test_client()
    slashed = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.endswith("/")}
    paths = [rule.rstrip("/") for rule in slashed if rule != "/" and "<" not in rule]
    assert "/admin" in paths
    for path in paths:
        answer = client.open(path, method=method, base_url=EVIL, query_string="a=b")
        assert "evil" not in str(answer.headers)
        if method != "POST":
            assert (answer.status_code, answer.headers["Location"]) == (303, f"{path}/?a=b")
        else:
            assert answer.status_code in {400, 404, 405}
    for path in ("//", "//admin", "//evil.example/%2e%2e", "/admin//", "/account//email"):
        answer = client.open(method=method, base_url=EVIL, environ_overrides={"PATH_INFO": path})
        assert "evil.example" not in str(answer.headers), path
        assert re.fullmatch(r"/[^/].*", answer.headers.get("Location", "/x")), path
        assert answer.status_code != 308
        assert method != "POST" or answer.status_code in {400, 404, 405}


def two_of(client: FlaskClient) -> tuple[World, RelyingParty]:
    there = world(client)
    return there, there.other_portal(redirect_uris=["https://other.example/cb"])


@pytest.mark.parametrize("path", ENDPOINTS)
def test_n7_a_client_id_beside_an_authentication_is_that_clients(
    client: FlaskClient, path: str
) -> None:
    there, other = two_of(client)
    key = key_for("ES256")
    signer = RelyingParty.of(
        there.school,
        token_endpoint_auth_method="private_key_jwt",
        jwks=jwks(key),
        redirect_uris=["https://signer.example/cb"],
    )
    server = there.http.application.test_client(use_cookies=False)
    for named in (other.client_id, "app_nobody"):
        basic = server.post(
            path,
            data=asked(there.portal, client_id=named),
            auth=(there.portal.client_id, there.portal.registered.secret),
        )
        assert error_of(basic) == (401, "invalid_client")
        assertion = {
            "client_assertion_type": TYPE,
            "client_assertion": Assertion(signer.client_id, key, alg="ES256").text(),
        }
        signed = server.post(path, data={**asked(signer, client_id=named), **assertion})
        assert error_of(signed)[1] == "invalid_client"

    same = server.post(
        path,
        data=asked(there.portal, client_id=there.portal.client_id),
        auth=(there.portal.client_id, there.portal.registered.secret),
    )
    assert error_of(same)[1] != "invalid_client"


def asked(portal: RelyingParty, **more: str) -> dict[str, str]:
    fields = {"token": "t", "grant_type": "authorization_code", "code": "c"}
    return {**fields, "redirect_uri": portal.redirect_uri, **more}


def test_n7_a_code_is_redeemed_by_a_form_alone(client: FlaskClient) -> None:
    there = world(client)
    code = there.answer()["code"]
    secret = (there.portal.client_id, there.portal.registered.secret)
    fields = asked(there.portal, code=code)
    server = there.http.application.test_client(use_cookies=False)

    for path in ENDPOINTS:
        for body in bodies(fields):
            assert error_of(server.post(path, auth=secret, **body)) == (400, "invalid_request")

    assert there.portal.redeem(client, code).status_code == 200


def test_n7_the_other_endpoints_take_forms_alone_too(client: FlaskClient) -> None:
    there = world(client)
    token = there.redeem()["access_token"]
    server = there.http.application.test_client(use_cookies=False)

    for body in bodies({"access_token": token}):
        assert server.post("/oauth2/userinfo", **body).status_code in {400, 401}
    for path in ("/oauth2/authorize", "/oauth2/logout"):
        for body in bodies(there.portal.request()):
            refused = client.post(path, **body)
            assert refused.status_code == 415
            assert "Location" not in refused.headers
    posted = server.post("/oauth2/userinfo", data={"access_token": token})
    assert posted.status_code == 200


def bodies(fields: dict[str, str]) -> list[dict[str, Any]]:
    """The same fields in forms that RFC 6749 does not name."""
    return [
        {"data": {**fields, "file": (BytesIO(b""), "x")}, "content_type": "multipart/form-data"},
        {"json": fields},
        {"data": "&".join(f"{k}={v}" for k, v in fields.items()), "content_type": "text/plain"},
    ]


FIELDS = ("post_logout_redirect_uris", "client_uri", "initiate_login_uri", "origins")
REFUSED = (
    "http://127.0.0.1:5000",
    "https://127.0.0.1",
    "https://localhost",
    "https://app.localhost",
    "https://[::1]",
    "https://10.0.0.1",
    "https://192.168.1.4:8443",
    "https://169.254.169.254",
    "https://[fd00::1]",
    "https://0.0.0.0",
    "https://portal.local",
    "https://2130706433",
    "https://0x7f.1",
    "https://user@portal.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://portal.example/#x",
)


@pytest.mark.parametrize("field", FIELDS)
def test_o24_one_check_for_every_address_of_a_registration(app: Flask, field: str) -> None:
    for uri in REFUSED:
        with pytest.raises(Invalid) as refused:
            register(field, uri, "https://portal.example/callback")
        assert refused.value.field == field, uri


@pytest.mark.parametrize("field", FIELDS)
def test_o24_a_local_application_has_its_pages_where_it_is(app: Flask, field: str) -> None:
    register(field, "http://localhost:5000", "http://127.0.0.1:5000/callback")
    register(field, "https://10.0.0.1", "https://10.0.0.1/callback")
    with pytest.raises(Invalid):
        register(field, "https://10.0.0.2", "https://10.0.0.1/callback")


def register(field: str, uri: str, redirect_uri: str) -> None:
    lists = re.search("uris$|origins", field)
    values = {
        "client_name": "Portail",
        "redirect_uris": [redirect_uri],
        field: [uri] if lists else uri,
    }
    registration.register(values, school_ids=[factories.school().id])
