"""DPoP (RFC 9449 §11.1): a proof works once, wherever and with whatever else it comes."""

from collections import Counter
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.clients.models import UsedAssertion
from idp.database import db
from idp.oidc.models import PushedRequest
from tests.parallel import Queries, at_once
from tests.protocol.proofs import Prover, post
from tests.relying_party import World, answer, error_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("postgresql")
REFUSED = (400, "invalid_dpop_proof")


def push(there: World, proof: str) -> Any:
    return there.http.application.test_client(use_cookies=False).post(
        "/oauth2/par",
        data=there.portal.request(),
        auth=(there.portal.client_id, there.portal.registered.secret),
        headers={"DPoP": proof},
    )


def bound_token(there: World, key: Prover) -> str:
    response = key.redeem(there.portal, there.http, there.answer()["code"])
    return str((response.json or {})["access_token"])


def test_the_same_token_request_again_is_refused_and_ends_nothing(client: FlaskClient) -> None:
    """RFC 9449 §11.1: a proof that was seen is refused before the code is judged to be reused."""
    there, key = world(client), Prover()
    code, proof = there.answer()["code"], key.proof()

    first = key.redeem(there.portal, client, code, proof)
    second = key.redeem(there.portal, client, code, proof)

    assert error_of(second) == REFUSED
    assert key.userinfo(client, (first.json or {})["access_token"]).status_code == 200
    fresh = key.redeem(there.portal, client, code)
    assert error_of(fresh) == (400, "invalid_grant")  # which is a reuse
    assert key.userinfo(client, (first.json or {})["access_token"]).status_code == 401


def test_of_the_same_token_request_at_the_same_moment_one_works(
    app: Flask, client: FlaskClient
) -> None:
    """RFC 9449 §11.1: of many at once one is answered; the others end nothing."""
    there, key = world(client), Prover()
    code, proof = there.answer()["code"], key.proof()

    answers, errors = at_once(app, 8, lambda: key.redeem(there.portal, client, code, proof))

    assert not errors, errors[:2]
    assert Counter(each.status_code for each in answers) == {200: 1, 400: 7}
    assert {error_of(each) for each in answers if each.status_code == 400} == {REFUSED}
    (given,) = (each.json or {} for each in answers if each.status_code == 200)
    assert key.userinfo(client, given["access_token"]).status_code == 200


@pytest.mark.parametrize("wrong", [{"code_verifier": "v" * 43}, {"code": "no"}])
def test_a_request_that_is_refused_has_used_its_proof(
    client: FlaskClient, wrong: dict[str, str]
) -> None:
    """RFC 9449 §11.1: the proof of a refused request can't be sent with another one; an unknown
    code is refused before anybody looks at a proof.
    """
    there, key = world(client), Prover()
    code, proof = there.answer()["code"], key.proof()

    assert post(there.portal, client, proof, **{"code": code, **wrong}).status_code == 400
    again = key.redeem(there.portal, client, code, proof)

    assert again.status_code == (200 if "code" in wrong else 400), again.text
    assert key.redeem(there.portal, client, code).status_code == (400 if "code" in wrong else 200)


def test_a_pushed_request_and_its_proof_are_kept_together(client: FlaskClient) -> None:
    """RFC 9449 §10.1, §11.1: the proof of a push works once; the second one keeps nothing."""
    there, key = world(client), Prover()
    first, second = (key.proof(path="/oauth2/par") for _ in range(2))

    assert push(there, first).status_code == 201
    with Queries() as seen:
        assert push(there, second).status_code == 201
    assert error_of(push(there, first)) == error_of(push(there, second)) == REFUSED

    kept = [db.session.query(each).count() for each in (PushedRequest, UsedAssertion)]
    assert kept == [2, 2]
    if db.engine.dialect.name == "postgresql":
        assert len(seen) == 2, seen  # the application, and both rows


def test_a_proof_at_userinfo_costs_no_statement_of_its_own(client: FlaskClient) -> None:
    """RFC 9449 §7.1: PostgreSQL finds the token and spends the proof in one look."""
    there, key = world(client), Prover()
    token = bound_token(there, key)

    with Queries() as seen:
        assert key.userinfo(client, token).status_code == 200

    assert len(seen) == (1 if db.engine.dialect.name == "postgresql" else 2), seen


def test_a_flow_with_both_takes_two_statements_more(
    client: FlaskClient,
) -> None:
    """RFC 9126 §2, RFC 9449 §4: on PostgreSQL the strong flow takes two statements more."""
    there, key = world(client), Prover()
    server = client.application.test_client(use_cookies=False)

    def plain() -> None:
        token = there.redeem()["access_token"]
        assert there.portal.userinfo(server, token).status_code == 200

    def bound() -> None:
        name = (push(there, key.proof(path="/oauth2/par")).json or {})["request_uri"]
        query = urlencode({"client_id": there.portal.client_id, "request_uri": name})
        fields = answer(there.browser.open(f"/oauth2/authorize?{query}"))
        given = key.redeem(there.portal, client, fields["code"]).json or {}
        assert key.userinfo(client, given["access_token"]).status_code == 200

    plain()
    with Queries() as of_plain:
        plain()
    with Queries() as of_bound:
        bound()

    more = 2 if db.engine.dialect.name == "postgresql" else 5
    assert len(of_bound) == len(of_plain) + more, of_bound


def test_of_the_same_question_at_the_same_moment_one_is_answered(
    app: Flask, client: FlaskClient
) -> None:
    """RFC 9449 §11.1: of many at UserInfo at once, with one proof, one is answered."""
    there, key = world(client), Prover()
    token = bound_token(there, key)
    proof = key.proof("GET", "/oauth2/userinfo", token=token)

    answers, errors = at_once(app, 8, lambda: key.userinfo(client, token, proof))

    assert not errors, errors[:2]
    assert Counter(each.status_code for each in answers) == {200: 1, 401: 7}


def test_a_proof_about_what_is_worth_nothing_leaves_no_row(client: FlaskClient) -> None:
    """RFC 9449 §11.1: what is remembered is bounded: an ended token, another key fill nothing."""
    there, key = world(client), Prover()
    token = bound_token(there, key)
    before = db.session.query(UsedAssertion).count()

    assert Prover().userinfo(client, token).status_code == 401
    assert key.userinfo(client, "no-token-of-ours").status_code == 401
    with later(days=2):
        assert key.userinfo(client, token).status_code == 401
    there.portal.post(client, "/oauth2/revoke", {"token": token})
    assert key.userinfo(client, token).status_code == 401

    assert db.session.query(UsedAssertion).count() == before
