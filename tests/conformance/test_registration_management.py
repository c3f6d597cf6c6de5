"""Applications that manage their registration: RFC 7592."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.clients import registration, registration_tokens, settled
from idp.clients.metadata import _CHECKS, DEVICE_CODE
from idp.clients.models import Client
from idp.database import db
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.applications import service as applications
from tests import factories
from tests.conformance.test_dynamic_registration import LEAST, PATH, register, token
from tests.outgoing.conftest import change
from tests.relying_party import error_of

pytestmark = pytest.mark.quick_on("sqlite")
SITE = "https://homework.example"
TWO = "urn:school-idp:acr:two-factor"


class Managed:
    """A client that registered itself, and calls the address of its registration."""

    def __init__(self, client: FlaskClient, **metadata: Any) -> None:
        change(client.application, dynamic_registration="token")
        self.school = factories.school()
        self.http = client.application.test_client(use_cookies=False)
        made = register(client, token(self.school), {**LEAST, **metadata})
        assert made.status_code == 201, made.text
        self.made = dict(made.json or {})
        self.token = self.made["registration_access_token"]
        self.path = f"{PATH}/{self.made['client_id']}"

    def call(self, method: str, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {more.pop('token', self.token)}"}
        return self.http.open(self.path, method=method, headers=headers, **more)

    def put(self, **changes: Any) -> TestResponse:
        """Replace the registration; the token of the answer is used from then on."""
        document = {**LEAST, "client_id": self.made["client_id"], **changes}
        response = self.call("PUT", json={k: v for k, v in document.items() if v is not None})
        if response.status_code == 200:
            self.token = response.json["registration_access_token"]
        return response


@pytest.fixture
def there(client: FlaskClient) -> Managed:
    return Managed(client)


def test_a_client_reads_its_registration(there: Managed) -> None:
    """RFC 7592 §2.1: 200 with the present metadata, not to be cached."""
    response = there.call("GET")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json == {k: v for k, v in there.made.items() if k != "client_secret"}


def test_a_client_replaces_its_registration(there: Managed) -> None:
    """RFC 7592 §2.2: what is left out is deleted, and the token may be another one."""
    first = there.token
    response = there.put(client_name="Devoirs", client_uri="https://homework.example/")
    assert response.json["client_name"] == "Devoirs"
    assert there.token != first
    assert "client_uri" not in there.put(client_name="Devoirs").json
    assert registration.get_client(there.made["client_id"]).name == "Devoirs"


def test_a_token_that_was_replaced_works_no_more(there: Managed) -> None:
    """RFC 7592 §2.2: if a new registration access token is given, the former one is discarded."""
    first = there.token
    assert there.put().status_code == 200
    for method in ("GET", "DELETE"):
        assert error_of(there.call(method, token=first)) == (401, "invalid_token")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "app_other"},
        {"client_secret": "wrong"},
        {"client_secret": 7},
        {"registration_access_token": "x"},
        {"registration_client_uri": "x"},
        {"client_secret_expires_at": 0},
        {"client_id_issued_at": 0},
    ],
    ids=str,
)
def test_a_replacement_names_the_client_and_nothing_of_the_servers(
    there: Managed, changes: dict[str, Any]
) -> None:
    """RFC 7592 §2.2: MUST include client_id; MUST NOT include what the server decides."""
    assert error_of(there.put(**changes)) == (400, "invalid_request")


def test_the_right_secret_may_stand_in_a_replacement(there: Managed) -> None:
    """RFC 7592 §2.2: client_secret MUST match the currently issued one."""
    assert there.put(client_secret=there.made["client_secret"]).status_code == 200


def test_a_replacement_stays_within_the_bounds(there: Managed) -> None:
    """RFC 7592 §2.2: the server may ignore or replace what it does not grant."""
    got = there.put(first_party=True, require_pkce=False, scope="openid email child").json
    assert (got["first_party"], got["require_pkce"], got["scope"]) == (False, True, "openid child")


def narrowed(there: Managed, **changes: Any) -> dict[str, Any]:
    """The registration once an operator has changed it; a field set to None is left out."""
    client_id = there.made["client_id"]
    document = {**registration.get_client(client_id).metadata_, **changes}
    kept = {name: value for name, value in document.items() if value is not None}
    return dict(applications.change(AT_TERMINAL, client_id, kept).client.metadata_)


NARROWED: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({}, {"scope": "openid"}, {"scope": "openid profile child"}),
    ({}, {"child_fields": ["sub"]}, {"child_fields": ["sub", "family_name", "class"]}),
    (
        {},
        {"grant_types": ["authorization_code"]},
        {"grant_types": ["authorization_code", DEVICE_CODE]},
    ),
    ({}, {"grant_types": ["authorization_code"]}, {}),
    ({}, {"profile": "legacy", "require_pkce": True}, {"profile": "default"}),
    ({}, {"subject_type": "pairwise", "email_claim": "unique"}, {"email_claim": "real"}),
    ({}, {"require_pushed_authorization_requests": True}, {}),
    ({}, {"dpop_bound_access_tokens": True}, {"dpop_bound_access_tokens": False}),
    ({}, {"token_endpoint_auth_method": "client_secret_post"}, {}),
    ({}, {"default_acr_values": ["phr"]}, {"default_acr_values": ["phr", TWO]}),
    ({}, {"default_acr_values": ["phr"]}, {}),
    ({"id_token_claims": ["name"]}, {"id_token_claims": []}, {"id_token_claims": ["name"]}),
    ({"policy_uri": f"{SITE}/p"}, {"policy_uri": None}, {"policy_uri": f"{SITE}/q"}),
    ({"request_uris": [f"{SITE}/r"]}, {"request_uris": []}, {"request_uris": [f"{SITE}/r"]}),
    ({}, {"client_name": "Devoirs (privé)"}, {"client_name": "École du Moulin"}),
]


@pytest.mark.parametrize(("first", "operators", "own"), NARROWED, ids=str)
def test_what_an_operator_narrowed_stays_the_ceiling(
    client: FlaskClient, first: dict[str, Any], operators: dict[str, Any], own: dict[str, Any]
) -> None:
    """RFC 7592 §2.2: the server may replace what the client asks for; nothing gets wider."""
    there = Managed(client, **first)
    said = narrowed(there, **operators)

    response = there.put(**own)

    assert response.status_code in {200, 400}, response.text
    got = registration.get_client(there.made["client_id"]).metadata_
    assert {name: got.get(name) for name in operators} == {
        name: said.get(name) for name in operators
    }


def test_within_what_is_settled_a_client_may_want_less(there: Managed) -> None:
    """RFC 7592 §2.2: a shorter list is the client's own affair, and so is what nobody settled."""
    narrowed(there, redirect_uris=[*LEAST["redirect_uris"], f"{SITE}/two"], scope="openid child")

    got = there.put(redirect_uris=[f"{SITE}/two"], scope="openid", client_name="Devoirs").json

    assert (got["redirect_uris"], got["scope"]) == ([f"{SITE}/two"], "openid")
    assert got["client_name"] == "Devoirs"


def test_an_address_that_an_operator_did_not_leave_is_refused(there: Managed) -> None:
    """RFC 7591 §3.2.2: invalid_redirect_uri, where nothing of what is asked may be registered."""
    narrowed(there, redirect_uris=[f"{SITE}/two"])

    assert error_of(there.put()) == (400, "invalid_redirect_uri")


def test_every_field_can_be_settled() -> None:
    """RFC 7592 §2.2: whatever field it is, an operator's word stands."""
    for name in _CHECKS:
        assert settled.kept_to({name: "theirs"}, {name: None}) == {}
        assert settled.kept_to({}, {name: ["a"]}) == {name: ["a"]}
        assert settled.kept_to({name: ["a", "b"]}, {name: ["a"]}) == {name: ["a"]}
        assert settled.kept_to({name: True}, {name: False}) == {name: False}


def test_what_can_not_be_registered_changes_nothing(there: Managed) -> None:
    """RFC 7592 §2.2: errors are those of RFC 7591 §3.2.2; the token stays."""
    refused = there.put(redirect_uris=["http://homework.example/"])
    assert error_of(refused) == (400, "invalid_redirect_uri")
    assert there.call("GET").json["redirect_uris"] == LEAST["redirect_uris"]


def test_another_method_brings_and_ends_the_secret(there: Managed) -> None:
    """RFC 7592 §2.2: the server may issue a new secret with the new registration."""
    public = there.put(token_endpoint_auth_method="none").json
    assert "client_secret" not in public
    assert "client_secret_expires_at" not in public
    again = there.put(token_endpoint_auth_method="client_secret_post").json
    assert len(again["client_secret"]) >= 43
    assert again["client_secret_expires_at"] == 0


def test_a_client_takes_itself_out(there: Managed) -> None:
    """RFC 7592 §2.3: 204; the client and all that it was given work no more."""
    assert there.call("DELETE").status_code == 204
    assert registration.find(there.made["client_id"]) is None
    for method in ("GET", "DELETE"):
        assert error_of(there.call(method)) == (401, "invalid_token")
    assert error_of(there.put()) == (401, "invalid_token")


def test_a_token_opens_its_own_registration_only(client: FlaskClient, there: Managed) -> None:
    """RFC 7592 §1.3 and §2: a token of another client is refused with 401."""
    other = Managed(client)
    assert error_of(there.call("GET", token=other.token)) == (401, "invalid_token")
    for wrong in ("", "x", "\u00e9", there.made["client_secret"]):
        assert error_of(there.call("GET", token=wrong)) == (401, "invalid_token")
    initial = registration_tokens.create(
        "x", school_ids=[there.school.id], uses=1, lifetime=timedelta(days=1), scope="openid"
    )
    assert error_of(there.call("GET", token=initial.text)) == (401, "invalid_token")


def test_a_client_that_was_not_registered_so_has_no_such_address(
    client: FlaskClient, there: Managed
) -> None:
    """RFC 7592 §2.1: a client that does not exist there is 401, as any wrong token."""
    by_operator = factories.client_app(there.school).client.id
    there.path = f"{PATH}/{by_operator}"
    assert error_of(there.call("GET")) == (401, "invalid_token")
    there.path = f"{PATH}/app_nobody"
    assert error_of(there.call("GET")) == (401, "invalid_token")


def test_what_the_operator_took_out_or_made_its_own_is_not_managed(there: Managed) -> None:
    """RFC 7592 §2.1: without permission to read its record, 403."""
    made_own = {**registration.get_client(there.made["client_id"]).metadata_, "first_party": True}
    registration.change(there.made["client_id"], made_own)
    assert error_of(there.call("GET")) == (403, "access_denied")
    registration.disable(there.made["client_id"])
    assert error_of(there.call("DELETE")) == (403, "access_denied")


def test_the_token_is_stored_as_a_hash(there: Managed) -> None:
    """RFC 7592 §5: the registration access token is kept as safely as a secret."""
    row = db.session.get_one(Client, there.made["client_id"])
    assert row.registration_token_hash
    assert there.token not in repr(row.__dict__)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_of_two_replacements_at_once_one_wins(app: Flask, there: Managed) -> None:
    """RFC 7592 §2.2: the token of the first answer is the only one; nothing is half of each."""
    db.session.remove()
    statuses: list[int] = []

    def attempt(number: int) -> None:
        document = {**LEAST, "client_id": there.made["client_id"], "client_name": f"N{number}"}
        headers = {"Authorization": f"Bearer {there.token}"}
        http = app.test_client(use_cookies=False)
        statuses.append(http.put(there.path, json=document, headers=headers).status_code)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 401}
