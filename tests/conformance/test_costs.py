"""What the stronger ways of the protocol cost beside the plain one: one indexed insert each.

Counted by proof, assertion and pushed request, not by flow: an application whose tokens are bound
pays the insert at the code, at each renewal and at each question of UserInfo.
"""

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect

from idp.database import db
from tests.conformance.test_introspection_jwt import MEDIA_TYPE, asked
from tests.conformance.test_par import path, pushed
from tests.parallel import Queries
from tests.protocol.assertions import TYPE, Assertion, jwks, key_for
from tests.protocol.proofs import Prover, post
from tests.relying_party import World, answer, world
from tests.request_objects import Signer

pytestmark = pytest.mark.quick_on("sqlite")

Flow = Callable[[World], None]
KEY = key_for("ES256")
SECRET: dict[str, Any] = {"jwks": jwks(KEY)}
BY_KEY: dict[str, Any] = {**SECRET, "token_endpoint_auth_method": "private_key_jwt"}
KEPT = {"used_assertions", "pushed_requests"}
"""Where an insert of these ways may go: each has one primary key or unique index to find it by."""


def plain(there: World) -> None:
    there.redeem()


def dpop(there: World) -> None:
    code = there.answer()["code"]
    assert post(there.portal, there.http, Prover().proof(), code=code).status_code == 200


def signed_request(there: World) -> None:
    portal = Signer(there, KEY)
    there.tokens_of(answer(portal.ask(portal.text())))


def pushed_request(there: World) -> None:
    there.tokens_of(answer(there.browser.open(path(there, pushed(there)))))


def private_key_jwt(there: World) -> None:
    assertion = Assertion(there.portal.client_id, KEY, "ES256")
    code = there.answer()["code"]
    assert assertion.post(there.http, code, assertion.text()).status_code == 200


def all_of_them(there: World) -> None:
    """As under FAPI 2.0 Message Signing: a signed request, pushed; an assertion, a proof."""
    assertion = Assertion(there.portal.client_id, KEY, "ES256")
    key, signer = Prover(), Signer(there, KEY)
    server = there.http.application.test_client(use_cookies=False)

    def proved() -> dict[str, str]:
        return {"client_assertion_type": TYPE, "client_assertion": assertion.text()}

    told = server.post("/oauth2/par", data={**proved(), "request": signer.text()}).json or {}
    fields = answer(there.browser.open(path(there, told["request_uri"])))
    form = {
        "grant_type": "authorization_code",
        "code": fields["code"],
        "redirect_uri": there.portal.redirect_uri,
        **proved(),
    }
    redeemed = server.post("/oauth2/token", data=form, headers={"DPoP": key.proof()})
    assert redeemed.status_code == 200, redeemed.text


def introspected(there: World, accept: str = "application/json") -> None:
    assert asked(there, there.redeem()["access_token"], accept).content_type == accept


def statements(there: World, flow: Flow) -> list[str]:
    """What a flow sends to the database, once everything that is read once has been read."""
    flow(there)
    with Queries() as seen:
        flow(there)
    return seen


def inserts(of: list[str]) -> Counter[str]:
    """Into which tables, and how often."""
    return Counter(table for text in of for table in re.findall(r'\bINSERT INTO "?(\w+)', text))


@pytest.mark.parametrize(
    ("flow", "registered", "kept", "asked"),
    [
        pytest.param(dpop, SECRET, 1, 1, id="DPoP, RFC 9449"),
        pytest.param(signed_request, SECRET, 0, 0, id="JAR, RFC 9101"),
        pytest.param(pushed_request, SECRET, 1, 4, id="PAR, RFC 9126"),
        pytest.param(private_key_jwt, BY_KEY, 1, 1, id="private_key_jwt, RFC 7523"),
        pytest.param(all_of_them, BY_KEY, 4, 7, id="all of them, two assertions"),
    ],
)
def test_a_stronger_way_costs_one_indexed_insert(
    client: FlaskClient, flow: Flow, registered: dict[str, Any], kept: int, asked: int
) -> None:
    """RFC 9449 §11.1, RFC 9126 §2.2, RFC 7523 §3, RFC 9101 §6.3: what has to be kept so that it
    works once is one row each, and nothing else is written.
    """
    there = world(client, **SECRET)
    before = statements(there, plain)
    there.portal = there.other_portal(**registered)
    after = statements(there, flow)

    more = inserts(after) - inserts(before)
    assert more.total() <= kept, more
    assert set(more) <= KEPT
    assert inserts(before) <= inserts(after)
    # A push is a request of its own, whose client is read, and whose name is read and spent
    assert len(after) - len(before) <= asked, after


@pytest.mark.parametrize(
    ("plainly", "signed", "asked"),
    [
        # Whose registration says how it is signed, and who may have been disabled since
        pytest.param(World.ask, partial(World.ask, response_mode="jwt"), 1, id="JARM"),
        pytest.param(introspected, partial(introspected, accept=MEDIA_TYPE), 0, id="RFC 9701"),
    ],
)
def test_a_signed_answer_writes_nothing(
    client: FlaskClient, plainly: Flow, signed: Flow, asked: int
) -> None:
    """JARM §2.1, RFC 9701 §5: the answer is the same, and is signed by a key that is at hand."""
    there = world(client)
    before, after = statements(there, plainly), statements(there, signed)

    assert inserts(after) == inserts(before)
    assert len(after) - len(before) <= asked, after


def test_each_proof_costs_its_insert(client: FlaskClient) -> None:
    """RFC 9449 §11.1: each proof is kept, whatever it is sent to; not each flow."""
    there, key = world(client), Prover()
    code = there.answer()["code"]
    token = (post(there.portal, client, key.proof(), code=code).json or {})["access_token"]

    with Queries() as seen:
        for _ in range(2):
            assert key.userinfo(client, token).status_code == 200

    assert inserts(seen) == {"used_assertions": 2}


def test_what_is_kept_is_found_by_an_index(app: Flask) -> None:
    """RFC 7523 §3: a jti is compared with those of before; by an index, however many there are."""
    with app.app_context():
        tables = inspect(db.engine)
        unique = {
            name: [
                *(each["column_names"] for each in tables.get_indexes(name) if each["unique"]),
                tables.get_pk_constraint(name)["constrained_columns"],
            ]
            for name in KEPT
        }

    assert ["jti_hash"] in unique["used_assertions"]
    assert ["uri_hash"] in unique["pushed_requests"]
