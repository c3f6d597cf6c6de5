"""What no honest application sends: never a server error, never a half answer."""

from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from idp.clients import registration
from tests import factories
from tests.relying_party import CALLBACK, RelyingParty, leads_to, world

pytestmark = pytest.mark.quick_on("sqlite")


def test_no_hostile_bytes_are_a_server_error(client: FlaskClient) -> None:
    there = world(client)
    names = [*there.portal.request(), "prompt", "max_age", "claims", "nonce", "id_token_hint"]
    names += ["child_hint", "ui_locales", "login_hint", "acr_values", "display", "request"]
    values = [
        "%00",
        "%FF%FE",
        "%ED%A0%80",
        "%C3",
        "%",
        "%0D%0AX: y",
        "%F0%9F%99%82",
        "%22%3E%3Cx%3E",
    ]

    for name in names:
        others = {k: v for k, v in there.portal.request().items() if k != name}
        for value in values:
            path = f"/oauth2/authorize?{urlencode(others)}&{name}={value}"
            response = there.http.get(path)
            assert response.status_code < 500, path
            location = response.headers.get("Location", CALLBACK)
            assert location.startswith((CALLBACK, "/interaction/")), path
            assert location.isascii()
            assert '"><x>' not in response.text


def test_hostile_paths_and_forms_are_no_server_error(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    path = there.ask(scope="openid child").request.path
    csrf = there.browser._form("child-form").hidden

    for wrong in ("%00", "i_%00", "%FF", "x" * 3000, "..%2F..", "é"):
        for step in ("", "/child", "/login", "/consent", "/no-child"):
            assert there.http.get(f"/interaction/{wrong}{step}").status_code < 500, wrong
    for value in ("\0", "é", "x" * 60_000, ""):
        assert there.http.post(path, data={**csrf, "child": value}).status_code == 403
    raw = b"child=%FF%FE&child=b&csrf_token=" + csrf["csrf_token"].encode()
    kind = "application/x-www-form-urlencoded"
    assert there.http.post(path, data=raw, content_type=kind).status_code < 500


def test_a_large_or_odd_authorization_request_is_bounded(client: FlaskClient) -> None:
    there = world(client)
    many = {f"p{number}": "x" for number in range(1000)}

    assert "code" in there.answer(**many)
    too_large = {**there.portal.request(), "x": "x" * 70_000}
    assert there.http.post("/oauth2/authorize", data=too_large).status_code == 413
    as_json = there.http.post("/oauth2/authorize", json=there.portal.request())
    assert as_json.status_code == 415  # RFC 6749 §3.1: form bodies alone
    assert 'id="oauth-error"' in as_json.text


def test_registration_of_a_disabled_client_is_found_by_nobody(client: FlaskClient) -> None:
    school = factories.school()
    portal = RelyingParty.of(school)
    registration.disable(portal.client_id)

    page = client.get(portal.authorize_path())

    assert page.status_code == 400
    assert "invalid_client" in page.text
    assert not leads_to(page)
