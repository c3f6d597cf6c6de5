"""Applications that register themselves: RFC 7591 and OpenID Connect Registration 1.0."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.audit.models import AuditEvent
from idp.clients import registration, registration_tokens, sectors
from idp.clients.models import Client
from idp.database import db
from idp.outgoing.documents import Documents
from idp.people.models import School
from tests import factories
from tests.outgoing import servers
from tests.outgoing.conftest import change
from tests.outgoing.servers import Server, reply
from tests.relying_party import Browser, RelyingParty, answer, error_of
from tests.times import later

pytestmark = [
    pytest.mark.quick_on("sqlite"),
    pytest.mark.filterwarnings("ignore:Key size should be"),
]
PATH = "/oauth2/register"
CALLBACK = "https://homework.example/callback"
LEAST = {"client_name": "Homework", "redirect_uris": [CALLBACK]}


@pytest.fixture
def school(app: Flask) -> School:
    change(app, dynamic_registration="token")
    return factories.school()


def token(*schools: School, **bounds: Any) -> str:
    """An initial access token in clear."""
    values = {"uses": 5, "lifetime": timedelta(days=1), "scope": "openid profile child", **bounds}
    return registration_tokens.create(
        "a test", school_ids=[each.id for each in schools], **values
    ).text


def register(
    client: FlaskClient, text: str | None, document: Any = LEAST, **headers: str
) -> TestResponse:
    """The answer to a registration request of an application's developer."""
    if text is not None:
        headers = {"Authorization": f"Bearer {text}", **headers}
    http = client.application.test_client(use_cookies=False)
    return http.post(PATH, json=document, headers=headers)


def test_a_client_that_registered_signs_in_a_guardian(client: FlaskClient, school: School) -> None:
    """RFC 7591 §3.2.1: the answer holds all that a client needs, and works at once."""
    factories.family(school, "Lina", username="claire")
    response = register(client, token(school))
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    made = response.json
    assert made["client_secret_expires_at"] == 0
    assert made["client_id_issued_at"] > 1_700_000_000
    assert made["token_endpoint_auth_method"] == "client_secret_basic"
    assert made["registration_client_uri"].endswith(f"{PATH}/{made['client_id']}")

    there = RelyingParty(
        registration.Registered(registration.get_client(made["client_id"]), made["client_secret"]),
        redirect_uri=CALLBACK,
    )
    browser = Browser(client)
    browser.open(there.authorize_path(scope="openid child", **there.pkce()))
    browser.sign_in("claire")
    fields = answer(browser.press("consent-allow"))
    tokens = there.redeem(client, fields["code"], code_verifier=there.verifier)

    assert tokens.json["id_token"]


def test_what_registers_itself_is_a_third_party(client: FlaskClient, school: School) -> None:
    """RFC 7591 §5: a server MAY refuse or replace what a client claims of itself."""
    made = register(client, token(school), {**LEAST, "first_party": True, "require_pkce": False})
    assert (made.json["first_party"], made.json["require_pkce"]) == (False, True)
    weaker = {"allow_popups": True, "omit_iss": True}
    made = register(client, token(school), {**LEAST, **weaker})
    assert {name: made.json[name] for name in weaker} == dict.fromkeys(weaker, False)


def test_the_scopes_stay_within_the_token(client: FlaskClient, school: School) -> None:
    """RFC 7591 §2: the server may replace the scope; the answer says which is registered."""
    text = token(school, scope="openid child")
    asked = {**LEAST, "scope": "openid email child offline_access"}
    assert register(client, text, asked).json["scope"] == "openid child"
    assert register(client, text).json["scope"] == "openid child"


def test_it_serves_the_schools_of_the_token(client: FlaskClient, school: School) -> None:
    """RFC 7591 §3: an initial access token bounds what may be registered with it."""
    factories.school("École du Moulin")
    made = register(client, token(school), {**LEAST, "schools": ["s_other"]}).json
    assert [each.id for each in registration.schools_of(made["client_id"])] == [school.id]


def test_a_token_may_leave_pkce_to_the_client(client: FlaskClient, school: School) -> None:
    """RFC 7636 §4.4.1: a server may serve clients that know no PKCE."""
    assert register(client, token(school, pkce_optional=True)).json["require_pkce"] is False


@pytest.mark.parametrize("presented", [None, "", "wrong", "ended", "expired", "used up"])
def test_registration_needs_a_token_that_works(
    client: FlaskClient, school: School, presented: str | None
) -> None:
    """RFC 7591 §3: a protected registration endpoint; RFC 6750 §3.1: 401 with a challenge."""
    text = presented
    if presented in {"ended", "expired", "used up"}:
        text = token(school, uses=1, lifetime=timedelta(minutes=5))
    if presented == "ended":
        registration_tokens.end(registration_tokens.list_tokens()[0].id)
    if presented == "used up":
        assert register(client, text).status_code == 201
    with later(minutes=6 if presented == "expired" else 0):
        response = register(client, text)
    assert error_of(response) == (401, "invalid_token")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_of_ten_at_once_with_one_use_left_one_registers(
    app: Flask, client: FlaskClient, school: School
) -> None:
    """RFC 7591 §3: a token of one use registers one client, however many try at once."""
    text = token(school, uses=1)
    db.session.remove()
    statuses: list[int] = []

    def attempt() -> None:
        statuses.append(register(client, text).status_code)

    threads = [threading.Thread(target=attempt) for _ in range(10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(statuses) == [201] + [401] * 9


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no redirect URI": ({"redirect_uris": []}, "invalid_redirect_uri"),
    "plain http": ({"redirect_uris": ["http://homework.example/"]}, "invalid_redirect_uri"),
    "a fragment": ({"redirect_uris": ["https://homework.example/#x"]}, "invalid_redirect_uri"),
    "a script": ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    "no list": ({"redirect_uris": "https://homework.example/"}, "invalid_redirect_uri"),
    "an implicit flow": ({"response_types": ["token"]}, "invalid_client_metadata"),
    "the password grant": ({"grant_types": ["password"]}, "invalid_client_metadata"),
    "another method": (
        {"token_endpoint_auth_method": "client_secret_jwt"},
        "invalid_client_metadata",
    ),
    "no openid": ({"scope": "email"}, "invalid_client_metadata"),
    "a private key": ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "invalid_client_metadata"),
    "keys twice": (
        {"jwks": {"keys": []}, "jwks_uri": "https://homework.example/k"},
        "invalid_client_metadata",
    ),
    "an inner address": ({"jwks_uri": "https://10.0.0.1/keys"}, "invalid_client_metadata"),
    "a name of control characters": ({"client_name": "a\u0007b"}, "invalid_client_metadata"),
    "an endless name": ({"client_name": "a" * 500}, "invalid_client_metadata"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_registered_is_refused_by_its_code(
    app: Flask, client: FlaskClient, school: School, name: str
) -> None:
    """RFC 7591 §3.2.2: invalid_redirect_uri and invalid_client_metadata, with a description."""
    changes, code = REFUSED[name]
    text = token(school, uses=1)
    response = register(client, text, {**LEAST, **changes})
    assert error_of(response) == (400, code)
    assert next(iter(changes)) in response.json["error_description"]
    assert register(client, text).status_code == 201, "nothing was spent"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"[" * 20_000, b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(
    client: FlaskClient, school: School, body: bytes
) -> None:
    """RFC 7591 §3.1: the request is a JSON object of type application/json."""
    headers = {"Authorization": f"Bearer {token(school)}"}
    response = client.post(PATH, data=body, content_type="application/json", headers=headers)
    assert error_of(response) == (400, "invalid_client_metadata")
    form = client.post(PATH, data=LEAST, headers=headers)
    assert error_of(form) == (400, "invalid_client_metadata")


def test_unknown_members_are_ignored(client: FlaskClient, school: School) -> None:
    """RFC 7591 §2: the authorization server MUST ignore any client metadata that it knows not."""
    made = register(client, token(school), {**LEAST, "colour": "red", "client_name#fr": "Devoirs"})
    assert made.status_code == 201
    assert "colour" not in made.json


def test_a_client_without_a_name_is_called_by_its_host(client: FlaskClient, school: School) -> None:
    """RFC 7591 §2: client_name is optional."""
    made = register(client, token(school), {"redirect_uris": [CALLBACK]})
    assert made.json["client_name"] == "homework.example"


@pytest.mark.parametrize("policy", ["off", "token"])
def test_discovery_tells_of_registration_only_where_it_is_on(app: Flask, policy: str) -> None:
    """OpenID Connect Discovery 1.0 §3: registration_endpoint."""
    change(app, dynamic_registration=policy)
    told = app.test_client().get("/.well-known/openid-configuration").json
    answered = app.test_client().post(PATH, json=LEAST)
    endpoint = f"{told['issuer']}{PATH}"
    assert told.get("registration_endpoint") == (None if policy == "off" else endpoint)
    assert answered.status_code == (404 if policy == "off" else 401)


class TestOpenRegistration:
    """Where the operator lets everybody register."""

    @pytest.fixture
    def opened(self, app: Flask, school: School) -> School:
        change(app, dynamic_registration="open", dynamic_registration_schools=(school.id,))
        return school

    def test_it_serves_the_schools_of_the_setting(
        self, client: FlaskClient, opened: School
    ) -> None:
        """RFC 7591 §3: open registration, without a token."""
        factories.school("École du Moulin")
        made = register(client, None, {**LEAST, "subject_type": "public"}).json
        assert [each.id for each in registration.schools_of(made["client_id"])] == [opened.id]
        assert (made["first_party"], made["require_pkce"]) == (False, True)
        assert made["subject_type"] == "pairwise"

    def test_a_wrong_token_is_no_open_door(self, client: FlaskClient, opened: School) -> None:
        """RFC 6750 §3.1: a token that was presented has to be right."""
        assert error_of(register(client, "wrong")) == (401, "invalid_token")

    def test_a_stranger_registers_so_many_in_an_hour(
        self, client: FlaskClient, opened: School
    ) -> None:
        """RFC 7591 §5: an open endpoint is limited in its rate."""
        for _ in range(10):
            assert register(client, None).status_code == 201
        refused = register(client, None)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) > 0
        with later(hours=2):
            assert register(client, None).status_code == 201


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server of a sector, which lists redirect URIs."""
    fresh = Documents("sector_identifier_uri", sectors._of_answer)
    monkeypatch.setattr(sectors, "_sector_documents", fresh)
    with servers.running() as server:
        yield server


def lists(server: Server, *uris: Any) -> None:
    server.answer = reply(json.dumps(list(uris)).encode())


class TestSectors:
    """``sector_identifier_uri``: several applications that know people by the same subjects."""

    def test_clients_of_one_sector_see_the_same_people(
        self, client: FlaskClient, school: School, listing: Server
    ) -> None:
        """OpenID Connect Core §8.1: the host of the sector_identifier_uri is the sector."""
        other = "https://other.example/callback"
        lists(listing, CALLBACK, other)
        text = token(school)
        sector = {"sector_identifier_uri": listing.address()}
        ids = [
            register(client, text, {**LEAST, **sector, "redirect_uris": [uri]}).json["client_id"]
            for uri in (CALLBACK, other)
        ]
        alone = register(client, text).json["client_id"]
        found = [db.session.get_one(Client, each).sector for each in (*ids, alone)]
        assert found[0] == found[1] == "sector:127.0.0.1"
        assert found[2] == f"client:{alone}"  # whose the address is, nobody has proved

    @pytest.mark.parametrize(
        "body", [b"[]", b'["https://homework.example/other"]', b"{}", b"[7]", b"<html>"]
    )
    def test_a_redirect_uri_that_the_sector_does_not_list_is_refused(
        self, client: FlaskClient, school: School, listing: Server, body: bytes
    ) -> None:
        """OpenID Connect Registration 1.0 §5: every redirect_uri MUST be in the array."""
        listing.answer = reply(body)
        response = register(
            client, token(school), {**LEAST, "sector_identifier_uri": listing.address()}
        )
        assert error_of(response) == (400, "invalid_client_metadata")
        assert "sector_identifier_uri" in response.json["error_description"]

    def test_a_sector_is_neither_changed_nor_left(
        self, client: FlaskClient, school: School, listing: Server
    ) -> None:
        """OpenID Connect Core §8.1: subjects stay what they are; new redirect URIs are listed."""
        lists(listing, CALLBACK)
        there = {**LEAST, "sector_identifier_uri": listing.address()}
        made = register(client, token(school), there).json
        own, key = {"client_id": made["client_id"]}, made["registration_access_token"]
        path = f"{PATH}/{made['client_id']}"

        def put(document: dict[str, Any]) -> TestResponse:
            return client.put(
                path, json={**own, **document}, headers={"Authorization": f"Bearer {key}"}
            )

        assert put(LEAST).status_code == 400
        moved = {**there, "redirect_uris": ["https://evil.example/callback"]}
        assert put(moved).status_code == 400
        lists(listing, CALLBACK, "https://evil.example/callback")
        with later(seconds=61):
            assert put(moved).status_code == 200


def test_the_audit_log_says_by_which_token(client: FlaskClient, school: School) -> None:
    """RFC 7591 §5: who registered what can be told afterwards."""
    register(client, token(school))
    event = db.session.query(AuditEvent).filter_by(event="client_created").one()
    assert event.actor == registration_tokens.list_tokens()[0].id
