"""What programs call goes a short way: the same answers as by Flask's whole one."""

import json
import re
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp import create_app
from idp.clients import algorithms, registration
from idp.oidc import key_files
from idp.oidc.keys import Keyring
from idp.settings import Settings
from idp.web import errors, short_way
from idp.web.short_way import WAYS, Way
from tests import factories
from tests.apart import ApartClient
from tests.conftest import settings_for_tests
from tests.parallel import Queries

pytestmark = pytest.mark.quick_on("sqlite")

OWN = {"X-Request-Id", "Date"}
TOKEN = "/oauth2/token"
REQUESTS = [
    ("GET", "/health/live", {}),
    ("POST", "/health/live", {}),
    ("GET", "/health/ready", {}),
    *[
        (method, path, {})
        for path in ("/.well-known/openid-configuration", "/oauth2/jwks", "/openapi.json")
        for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE")
    ],
    ("GET", "/.well-known/oauth-authorization-server", {"headers": {"Origin": "https://a.test"}}),
    ("GET", "/.well-known/oauth-protected-resource", {}),
    *[
        (method, path, {})
        for path in ("/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/par")
        for method in ("GET", "HEAD", "OPTIONS", "POST")
    ],
    ("POST", TOKEN, {"data": {"grant_type": "authorization_code", "code": "x"}}),
    ("POST", TOKEN, {"data": {"grant_type": "refresh_token"}, "headers": {"DPoP": "x"}}),
    ("POST", TOKEN, {"data": "{}", "content_type": "application/json"}),
    ("POST", TOKEN, {"data": {"a": "b" * 70_000}}),
    ("POST", TOKEN, {"data": {"client_id": "x"}, "headers": {"Authorization": "Basic !"}}),
    ("POST", TOKEN, {"data": {"a": "1"}, "headers": {"Sec-Fetch-Site": "cross-site"}}),
    ("POST", "/oauth2/device_authorization", {"data": {"client_id": "nobody"}}),
    ("GET", "/oauth2/userinfo", {}),
    ("OPTIONS", "/oauth2/userinfo", {"headers": {"Origin": "https://a.test"}}),
    ("GET", "/oauth2/userinfo", {"headers": {"Authorization": "Bearer nothing"}}),
    ("GET", "/oauth2/userinfo", {"query_string": {"access_token": "x"}}),
    ("POST", "/oauth2/userinfo", {"data": {"access_token": "x"}}),
]


@pytest.fixture
def whole(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The same provider, of which everything goes Flask's way."""
    monkeypatch.setattr(short_way, "WAYS", {})
    app = create_app(settings)
    app.test_client_class = ApartClient
    assert app.test_client().get("/health/live").status_code == 200  # its table is made by now
    monkeypatch.undo()
    return app.test_client()


def seen(answer: TestResponse) -> tuple[int, list[tuple[str, str]], str]:
    headers = sorted(each for each in answer.headers if each[0] not in OWN)
    body = re.sub(r"correlation id \w+", "correlation id", answer.text)
    return answer.status_code, [each for each in headers if each[0] != "DPoP-Nonce"], body


def test_both_ways_answer_alike(client: FlaskClient, whole: FlaskClient) -> None:
    client.set_cookie("idp_browser", "no.cookie.of.ours")

    for method, path, how in REQUESTS:
        short, other = (
            each.open(path, method=method, **how)  # type: ignore[arg-type]
            for each in (client, whole)
        )
        assert seen(short) == seen(other), (method, path, how)
        assert "Set-Cookie" not in short.headers


def test_the_table_names_every_address_that_programs_call(app: Flask) -> None:
    programs = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(("oauth2.", "health."))
    }

    assert set(WAYS) == programs


def test_what_goes_the_short_way_is_told_its_errors_as_programs_are(app: Flask) -> None:
    short = [
        rule
        for rule in app.url_map.iter_rules()
        if WAYS.get(rule.endpoint, Way.WHOLE) is not Way.WHOLE
    ]

    assert all(rule.rule.startswith(errors.MACHINE_PATHS) for rule in short)
    assert all(
        rule.methods <= {"GET", "HEAD", "OPTIONS"}
        for rule in short
        if WAYS[rule.endpoint] is Way.READY
    )


def test_a_fault_of_ours_is_a_500_as_ever(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    app.testing = False
    monkeypatch.setitem(app.view_functions, "oauth2.token", lambda: 1 / 0)

    answer = app.test_client().post(TOKEN)

    assert (answer.status_code, answer.json["error"]) == (500, "server_error")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


# Documents that are kept

DISCOVERY = "/.well-known/openid-configuration"


def test_a_document_that_has_not_changed_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get(DISCOVERY)
    etag = first.headers["ETag"]

    again = [client.get(DISCOVERY, headers={"If-None-Match": each}) for each in (etag, '"x"', "*")]
    again.append(client.get(DISCOVERY, headers={"If-None-Match": f'"x", {etag}'}))

    assert [each.status_code for each in again] == [304, 200, 304, 304]
    assert again[0].data == b""
    assert {each.headers["ETag"] for each in again} == {etag}
    assert again[0].headers["Cache-Control"] == first.headers["Cache-Control"]
    assert again[0].headers["Access-Control-Allow-Origin"] == "*"


def test_a_kept_document_has_an_id_of_its_own_request(client: FlaskClient) -> None:
    one, two = client.get(DISCOVERY), client.get(DISCOVERY)

    assert one.data == two.data
    assert one.headers["X-Request-Id"] != two.headers["X-Request-Id"]


def test_a_retired_key_leaves_the_key_set_at_once(database_url: str, tmp_path: Path) -> None:
    Keyring(tmp_path).ensure()
    client = create_app(settings_for_tests(database_url, tmp_path)).test_client()
    before = {each["kid"] for each in client.get("/oauth2/jwks").json["keys"]}
    (current,) = [
        each.kid
        for each in Keyring(tmp_path).entries()
        if (each.alg, each.state) == ("RS256", "current")
    ]

    Keyring(tmp_path).retire(current)  # as the command line does

    after = {each["kid"] for each in client.get("/oauth2/jwks").json["keys"]}
    assert current in before
    assert current not in after


def test_discovery_tells_of_keys_for_encryption_once_they_are_there(
    database_url: str, tmp_path: Path
) -> None:
    keys = Keyring(tmp_path)
    keys.ensure()
    key_files.write_index(tmp_path, [each for each in keys.entries() if not each.encrypts])
    client = create_app(settings_for_tests(database_url, tmp_path)).test_client()
    encryption = "request_object_encryption_alg_values_supported"
    assert encryption not in client.get(DISCOVERY).json

    keys.ensure()  # as the command line does after an upgrade

    assert client.get(DISCOVERY).json[encryption]


def test_a_registration_shows_its_kind_of_key_at_once(client: FlaskClient) -> None:
    before = _algorithms(client)

    factories.client_app(factories.school(), id_token_signed_response_alg="ES256")

    assert _algorithms(client) - before == {"ES256"}


@pytest.mark.changed_elsewhere("web/ready_documents.py", "web/protocol/metadata.py")
@pytest.mark.parametrize("how", ["registered", "changed", "enabled"])
def test_what_another_worker_registers_is_shown_before_it_is_told(
    client: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Its application keeps what it reads now for an hour: its first token's key is in it."""
    school = factories.school()
    portal = factories.client_app(school).client
    signed = {**portal.metadata_, "id_token_signed_response_alg": "ES256"}
    if how == "enabled":
        registration.change(portal.id, signed)
        registration.disable(portal.id)
    monkeypatch.setattr(algorithms, "sleep", sleep)  # the wait is what is tried here
    sleep(algorithms.SHOWN_WITHIN)
    before = _algorithms(client)  # kept by this worker from now on

    with create_app(settings).app_context():
        if how == "registered":
            factories.client_app(school, id_token_signed_response_alg="ES256")
        elif how == "changed":
            registration.change(portal.id, signed)
        else:
            registration.enable(portal.id)

    assert _algorithms(client) - before == {"ES256"}


def test_who_registers_no_other_algorithm_waits_for_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(algorithms, "sleep", waits.append)
    portal = factories.client_app(factories.school()).client
    signed = {**portal.metadata_, "id_token_signed_response_alg": "ES256"}
    assert not waits

    registration.change(portal.id, signed)
    assert waits == [algorithms.SHOWN_WITHIN]
    registration.change(portal.id, {**signed, "client_name": "Portail B"})
    assert len(waits) == 1


def test_a_key_set_is_read_once_a_second(client: FlaskClient) -> None:
    client.get("/oauth2/jwks")
    with Queries() as seen:
        client.get("/oauth2/jwks")
    assert seen == []


def test_a_document_that_was_made_while_the_keys_changed_is_not_kept(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Keyring(tmp_path).ensure()
    index = tmp_path / "keyring.json"
    whole = index.read_text()
    index.write_text(json.dumps(json.loads(whole) | {"later_keys": []}))
    app = create_app(settings_for_tests(database_url, tmp_path))
    view = app.view_functions["oauth2.configuration"]

    def overtaken() -> Any:
        made = view()
        index.write_text(whole)
        return made

    monkeypatch.setitem(app.view_functions, "oauth2.configuration", overtaken)
    name = "id_token_signing_alg_values_supported"
    first, next_one = (app.test_client().get(DISCOVERY).json[name] for _ in range(2))

    assert "PS256" not in first
    assert "PS256" in next_one


def _algorithms(client: FlaskClient) -> set[str]:
    return {each["alg"] for each in client.get("/oauth2/jwks").json["keys"]}
