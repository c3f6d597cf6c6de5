"""Races on real requests: many threads, one application, one outcome (rules O4, O6, C6, R4)."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.database import db
from idp.lifecycle import endings
from idp.oidc.models import AccessToken, Grant, RefreshToken
from idp.sessions.models import ChildChoice
from tests.parallel import at_once
from tests.protocol.assertions import Assertion, jwks, key_for
from tests.protocol.proofs import Prover
from tests.relying_party import Browser, World, answer, claims_of, form_of, leads_to, world

pytestmark = pytest.mark.slow


def raced(app: Flask, times: int, call: Callable[[], Any]) -> list[Any]:
    """What each thread got; nothing may be raised."""
    results, errors = at_once(app, times, call)
    assert not errors, errors[:3]
    assert len(results) == times
    return results


def in_turn(steps: list[Callable[[], Any]]) -> Callable[[], Any]:
    """A call that does something else in each thread."""
    waiting = iter(steps)

    def call() -> Any:
        return next(waiting)()

    return call


def rows_of(model: Any) -> list[Any]:
    db.session.commit()
    return list(db.session.execute(db.select(model)).scalars())


def test_o4_fifty_threads_one_code_one_success_and_the_reuse_revokes_it(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client)
    code = there.answer(scope="openid offline_access")["code"]

    responses = raced(app, 50, lambda: there.portal.redeem(client, code))

    seen = Counter((r.status_code, (r.json or {}).get("error")) for r in responses)
    assert seen == {(200, None): 1, (400, "invalid_grant"): 49}
    winner = next(r.json for r in responses if r.status_code == 200)
    assert winner is not None
    assert there.portal.userinfo(client, winner["access_token"]).status_code == 401
    assert there.portal.refresh(client, winner["refresh_token"]).status_code == 400
    assert len(rows_of(AccessToken)) == len(rows_of(RefreshToken)) == 1


def test_o6_a_refresh_token_raced_gives_every_thread_the_same_successor(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client)
    token = there.redeem(scope="openid offline_access")["refresh_token"]

    responses = raced(app, 20, lambda: there.portal.refresh(client, token))

    assert {r.status_code for r in responses} == {200}
    successors = {(r.json or {})["refresh_token"] for r in responses}
    assert len(successors) == 1
    assert there.portal.refresh(client, successors.pop()).status_code == 200
    assert len(rows_of(RefreshToken)) == 3


def test_o6_an_old_refresh_token_raced_with_its_successor_is_a_lost_answer_or_the_end(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client)
    old = there.redeem(scope="openid offline_access")["refresh_token"]
    new = (there.portal.refresh(client, old).json or {})["refresh_token"]
    turns = iter([old, new] * 5)

    responses = raced(app, 10, lambda: there.portal.refresh(client, next(turns)))

    refused = any(r.status_code == 400 for r in responses)
    assert {r.status_code for r in responses} <= {200, 400}
    assert [grant.ended_at is not None for grant in rows_of(Grant)] == [refused]


def test_o11_an_assertion_raced_is_accepted_once(app: Flask, client: FlaskClient) -> None:
    key = key_for("ES256")
    there = world(client, token_endpoint_auth_method="private_key_jwt", jwks=jwks(key))
    assertion = Assertion(there.portal.client_id, key, "ES256")
    text, codes = assertion.text(), [there.answer()["code"] for _ in range(10)]
    turns = iter(codes)

    responses = raced(app, 10, lambda: assertion.post(client, next(turns), text))

    assert Counter(r.status_code == 200 for r in responses) == {True: 1, False: 9}
    assert {r.status_code for r in responses} <= {200, 400, 401}


def test_o28_a_proof_raced_is_accepted_once(app: Flask, client: FlaskClient) -> None:
    there, key = world(client), Prover()
    proof, codes = key.proof(), [there.answer()["code"] for _ in range(10)]
    turns = iter(codes)

    responses = raced(app, 10, lambda: key.redeem(there.portal, client, next(turns), proof))

    seen = Counter((r.status_code, (r.json or {}).get("error")) for r in responses)
    assert seen == {(200, None): 1, (400, "invalid_dpop_proof"): 9}


def test_r4_a_double_click_on_the_child_gives_one_grant(app: Flask, client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child")
    send = form_sender(there, "child-form", child=card_value(there, "child-submit-1"))
    raced(app, 5, send)
    interaction = there.browser.page.request.path.removesuffix("/child")  # type: ignore[union-attr]

    responses = raced(app, 8, lambda: copy_of(there).get(interaction))

    answered = [r for r in responses if "code=" in leads_to(r)]
    assert len(answered) == 1
    assert {r.status_code for r in responses} <= {200, 302, 303}
    assert len(rows_of(Grant)) == 1


def test_r4_two_tabs_answered_at_once_are_both_answered(app: Flask, client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé", first_party=False)
    children, consents = [], []
    for number in range(6):
        there.ask(scope="openid child", state=str(number))
        chosen = card_value(there, f"child-submit-{number % 2 + 1}")
        children.append(form_sender(there, "child-form", child=chosen))
    choices = raced(app, 6, in_turn(children))
    for response in choices:
        there.browser.open(response.headers["Location"])
        consents.append(form_sender(there, "consent-form", decision="allow"))

    allowed = raced(app, 6, in_turn(consents))

    assert {r.status_code for r in choices + allowed} == {303}
    assert len(rows_of(ChildChoice)) == 1


def test_r4_a_double_click_on_the_consent_gives_one_answer(app: Flask, client: FlaskClient) -> None:
    there = world(client, first_party=False)
    there.ask()
    send = form_sender(there, "consent-form", decision="allow")
    interaction = there.browser.page.request.path.removesuffix("/consent")  # type: ignore[union-attr]

    raced(app, 5, send)
    responses = raced(app, 5, lambda: copy_of(there).get(interaction))

    answered = [r for r in responses if "code=" in leads_to(r)]
    assert len(answered) == 1
    assert len(rows_of(Grant)) == 1


def test_c6_a_choice_raced_with_the_end_of_its_guardianship_names_no_child(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client, "Lina", "Noé", "Zoé")
    guardian, lina = there.guardian.id, there.children[0].id
    there.ask(scope="openid child")
    send = form_sender(there, "child-form", child=card_value(there, "child-submit-1"))
    steps: list[Callable[[], Any]] = [send] * 4
    steps.insert(1, lambda: endings.end_guardianship(guardian, lina, "moved"))

    raced(app, 5, in_turn(steps))

    assert lina not in {choice.child_id for choice in rows_of(ChildChoice)}
    response = there.browser.open(there.portal.authorize_path(scope="openid child"))
    assert "Lina" not in response.text


def test_c6_codes_raced_with_the_end_of_a_guardianship_name_no_child_after_it(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client, "Lina")
    guardian, lina = there.guardian.id, there.children[0].id
    codes = [there.answer(scope="openid child offline_access")["code"] for _ in range(9)]
    steps: list[Callable[[], Any]] = [partial(there.portal.redeem, client, code) for code in codes]
    steps.insert(4, lambda: endings.end_guardianship(guardian, lina, "moved"))

    responses = [r for r in raced(app, 10, in_turn(steps)) if r is not True]

    assert {r.status_code for r in responses} <= {200, 400}
    for tokens in [r.json for r in responses if r.status_code == 200]:
        assert "Lina" not in there.portal.userinfo(client, tokens["access_token"]).text
        assert "Lina" not in there.portal.refresh(client, tokens["refresh_token"]).text
    assert all(grant.ended_at for grant in rows_of(Grant))


def test_c6_refreshes_raced_with_the_end_of_a_guardianship(app: Flask, client: FlaskClient) -> None:
    there = world(client, "Lina")
    guardian, lina = there.guardian.id, there.children[0].id
    refresh_tokens = [
        there.redeem(scope="openid child offline_access")["refresh_token"] for _ in range(9)
    ]
    steps: list[Callable[[], Any]] = [
        partial(there.portal.refresh, client, token) for token in refresh_tokens
    ]
    steps.insert(4, lambda: endings.end_guardianship(guardian, lina, "moved"))

    responses = [r for r in raced(app, 10, in_turn(steps)) if r is not True]

    for tokens in [r.json for r in responses if r.status_code == 200]:
        assert claims_of(client, tokens["id_token"])["child"]["given_name"] == "Lina"
        assert "Lina" not in there.portal.userinfo(client, tokens["access_token"]).text
        assert there.portal.refresh(client, tokens["refresh_token"]).status_code == 400


def test_a_withdrawn_consent_raced_with_a_redemption_leaves_no_live_token(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client)
    guardian, portal = there.guardian.id, there.portal.client_id
    codes = [there.answer()["code"] for _ in range(5)]
    steps: list[Callable[[], Any]] = [partial(there.portal.redeem, client, code) for code in codes]
    steps.insert(2, lambda: endings.withdraw_consent(guardian, portal))

    results = raced(app, 6, in_turn(steps))

    for response in [each for each in results if each not in (True, False)]:
        assert response.status_code in {200, 400}
        if response.status_code == 200:
            token = (response.json or {})["access_token"]
            assert there.portal.userinfo(client, token).status_code == 401


def copy_of(there: World) -> FlaskClient:
    """A client of its own with this browser's cookies: a thread must not share one."""
    other = there.http.application.test_client()
    for cookie in there.http._cookies.values():  # type: ignore[union-attr]
        other.set_cookie(cookie.key, cookie.value, path="/", domain=cookie.domain)
    return other


def card_value(there: World, button_id: str) -> str:
    _, pressed = there.browser._button(button_id)
    return pressed["child"]


def form_sender(there: World, form_id: str, **fields: str) -> Callable[[], Any]:
    """Sends the form of the open page, each time from a client of its own."""
    assert there.browser.page is not None
    action, hidden = form_of(there.browser.page.text, form_id)
    return lambda: copy_of(there).post(action, data={**hidden, **fields})


def test_signing_in_twice_at_once_leaves_the_browser_with_one_answer(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client, signed_in=False)
    there.ask()
    send = form_sender(there, "login-form", username="claire", password=_password())

    responses = raced(app, 4, send)

    assert {r.status_code for r in responses} <= {200, 303}
    assert "code" in answer(Browser(client, there.browser.page).sign_in("claire"))


def _password() -> str:
    from tests.factories import PASSWORD

    return PASSWORD
