"""What the token endpoint says when it refuses, to the letter: developers and programs read it."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.relying_party import CALLBACK, RelyingParty, World, world
from tests.times import later

pytestmark = pytest.mark.long_on("postgresql")

TOKEN: Final = "/oauth2/token"
OFFLINE: Final = "openid profile offline_access"
GRANTS: Final = ["authorization_code", "refresh_token"]


def _code(there: World, **changes: Any) -> str:
    return there.answer(**changes)["code"]


def _refresh_token(there: World) -> str:
    return str(there.redeem(scope=OFFLINE)["refresh_token"])


def _form(there: World, **form: str) -> TestResponse:
    return there.portal.post(there.http, TOKEN, form)


def _sent(there: World, **request: Any) -> TestResponse:
    server = there.http.application.test_client(use_cookies=False)
    return server.post(TOKEN, **request)


def _basic(there: World) -> tuple[str, str]:
    return there.portal.client_id, there.portal.registered.secret


def _redeemed_twice(there: World) -> TestResponse:
    code = _code(there)
    assert there.portal.redeem(there.http, code).status_code == 200
    return there.portal.redeem(there.http, code)


def _too_late(there: World) -> TestResponse:
    code = _code(there)
    with later(seconds=61):
        return there.portal.redeem(there.http, code)


def _refreshed_twice(there: World) -> TestResponse:
    first = _refresh_token(there)
    assert there.portal.refresh(there.http, first).status_code == 200
    with later(seconds=60):
        return there.portal.refresh(there.http, first)


def _revoked(there: World) -> TestResponse:
    token = _refresh_token(there)
    there.portal.post(there.http, "/oauth2/revoke", {"token": token})
    return there.portal.refresh(there.http, token)


def _of_another(there: World) -> TestResponse:
    thief: RelyingParty = there.other_portal(grant_types=GRANTS, scope=OFFLINE)
    return thief.redeem(there.http, _code(there))


def _refresh_of_another(there: World) -> TestResponse:
    thief: RelyingParty = there.other_portal(grant_types=GRANTS, scope=OFFLINE)
    return thief.refresh(there.http, _refresh_token(there))


def _not_registered_for_refresh(there: World) -> TestResponse:
    return there.other_portal(grant_types=["authorization_code"]).refresh(there.http, "r")


def _with_verifier(there: World, verifier: str | None) -> TestResponse:
    code = _code(there, **there.portal.pkce())
    return there.portal.redeem(there.http, code, code_verifier=verifier)


Ask = Callable[[World], TestResponse]
CASES: Final[dict[str, Ask]] = {
    "no form": lambda there: _sent(there, json={}, auth=_basic(there)),
    "repeated": lambda there: _sent(there, data={"code": ["a", "b"]}, auth=_basic(there)),
    "control character": lambda there: _form(there, code="\x01"),
    "long": lambda there: _form(there, code="a" * 8001),
    "in the query": lambda there: _sent(
        there, query_string={"a": "b"}, data={"code": "a"}, auth=_basic(there)
    ),
    "two ways": lambda there: _form(there, client_secret="s"),
    "unreadable header": lambda there: _sent(
        there, data={"code": "a"}, headers={"Authorization": "Basic §"}
    ),
    "two clients": lambda there: _form(there, client_id="other"),
    "no grant type": lambda there: _form(there, code="a"),
    "unknown grant type": lambda there: _form(there, grant_type="pass\\word«"),
    "no client": lambda there: _sent(there, data={"grant_type": "authorization_code"}),
    "unknown client": lambda there: _sent(
        there, data={"grant_type": "authorization_code"}, auth=("nobody", "s")
    ),
    "wrong secret": lambda there: _sent(
        there, data={"grant_type": "refresh_token"}, auth=(there.portal.client_id, "s")
    ),
    "wrong secret, right code": lambda there: _sent(
        there,
        data={"grant_type": "authorization_code", "code": _code(there), "redirect_uri": CALLBACK},
        auth=(there.portal.client_id, "s"),
    ),
    "wrong method": lambda there: _sent(
        there, data={"grant_type": "refresh_token", "client_id": there.portal.client_id}
    ),
    "no code": lambda there: _form(there, grant_type="authorization_code"),
    "unknown code": lambda there: there.portal.redeem(there.http, "c"),
    "another's code": _of_another,
    "code too late": _too_late,
    "code used before": _redeemed_twice,
    "wrong redirect URI": lambda there: there.portal.redeem(
        there.http, _code(there), redirect_uri=CALLBACK + "/"
    ),
    "no redirect URI": lambda there: there.portal.redeem(
        there.http, _code(there), redirect_uri=None
    ),
    "verifier without challenge": lambda there: there.portal.redeem(
        there.http, _code(there), code_verifier="v" * 43
    ),
    "no verifier": lambda there: _with_verifier(there, None),
    "malformed verifier": lambda there: _with_verifier(there, "v"),
    "wrong verifier": lambda there: _with_verifier(there, "v" * 43),
    "not registered for refresh": _not_registered_for_refresh,
    "no refresh token": lambda there: _form(there, grant_type="refresh_token"),
    "unknown refresh token": lambda there: there.portal.refresh(there.http, "r"),
    "another's refresh token": _refresh_of_another,
    "refresh token used before": _refreshed_twice,
    "refresh token revoked": _revoked,
    "wider scope": lambda there: there.portal.refresh(
        there.http, _refresh_token(there), scope="openid email"
    ),
}

SAID: Final[dict[str, tuple[int, str, str | None]]] = {
    "no form": (400, "invalid_request", "The body must be application/x-www-form-urlencoded"),
    "repeated": (400, "invalid_request", "A parameter is repeated"),
    "control character": (400, "invalid_request", "A parameter holds a control character"),
    "long": (400, "invalid_request", "A parameter is too long"),
    "in the query": (400, "invalid_request", "Parameters belong into the body"),
    "two ways": (400, "invalid_request", "More than one way of client authentication"),
    "unreadable header": (401, "invalid_client", "The Authorization header is malformed"),
    "two clients": (
        401,
        "invalid_client",
        "The client_id is not the client that authenticates itself",
    ),
    "no grant type": (400, "invalid_request", "The grant_type is missing"),
    "unknown grant type": (400, "unsupported_grant_type", None),
    "no client": (401, "invalid_client", "The request names no client"),
    "unknown client": (401, "invalid_client", "The client did not authenticate itself"),
    "wrong secret": (401, "invalid_client", "The client did not authenticate itself"),
    "wrong secret, right code": (401, "invalid_client", "The client did not authenticate itself"),
    "wrong method": (
        401,
        "invalid_client",
        "The client did not authenticate itself",
    ),
    "no code": (400, "invalid_request", "Missing 'code' in request."),
    "unknown code": (400, "invalid_grant", "Invalid 'code' in request."),
    "another's code": (400, "invalid_grant", "Invalid 'code' in request."),
    "code too late": (400, "invalid_grant", "Invalid 'code' in request."),
    "code used before": (400, "invalid_grant", "The code was used before"),
    "wrong redirect URI": (400, "invalid_grant", "Invalid 'redirect_uri' in request."),
    "no redirect URI": (400, "invalid_grant", "Invalid 'redirect_uri' in request."),
    "verifier without challenge": (400, "invalid_grant", "The request had no code_challenge"),
    "no verifier": (400, "invalid_grant", "The code_verifier is missing"),
    "malformed verifier": (400, "invalid_request", "The code_verifier is malformed"),
    "wrong verifier": (400, "invalid_grant", "The code_verifier does not match"),
    "not registered for refresh": (
        400,
        "unauthorized_client",
        "The client is not authorized to use 'grant_type=refresh_token'",
    ),
    "no refresh token": (400, "invalid_request", "Missing 'refresh_token' in request."),
    "unknown refresh token": (400, "invalid_grant", None),
    "another's refresh token": (400, "invalid_grant", None),
    "refresh token used before": (400, "invalid_grant", "The refresh token was used before"),
    "refresh token revoked": (400, "invalid_grant", None),
    "wider scope": (400, "invalid_scope", "The requested scope is invalid, unknown, or malformed."),
}
"""Status, error and description; without a description where Authlib has none."""


@pytest.mark.parametrize("case", CASES)
def test_each_refusal_is_said_to_the_letter(client: FlaskClient, case: str) -> None:
    there = world(client, grant_types=GRANTS, scope=OFFLINE)
    status, error, description = SAID[case]

    response = CASES[case](there)

    body = {"error": error} | ({"error_description": description} if description else {})
    challenge = f'Basic realm="applications", error="{error}", error_description="{description}"'
    assert (response.status_code, response.text) == (status, json.dumps(body))
    assert response.headers.get("WWW-Authenticate") == (challenge if status == 401 else None)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content_type == "application/json"
