"""The walks ask the database for what they need: a table of how often, at most."""

from collections.abc import Iterator
from typing import Final

from idp.credentials import one_time_tokens
from tests import factories
from tests.federation.worlds import Walker
from tests.journey.walk import NEW
from tests.parallel import Queries
from tests.relying_party import answer, form_of

MOST: Final = {
    "sign in: to its page": 6,
    "sign in: the password": 21,
    "sign in: on to the application": 7,
    "authorize": 2,
    "token": 2,
    "callback of another provider": 14,
    "claim: a first password": 29,
    "claim: a forgotten password": 29,
    "claim: on to the application": 7,
}
"""On PostgreSQL. The password that claims an account signs its holder in with the same answer: what
comes after it goes on to the application.
"""
MORE_ON_SQLITE: Final = {
    "sign in: the password": 3,
    "sign in: on to the application": 2,
    "authorize": 2,
    "token": 1,
    "claim: a first password": 1,
    "claim: a forgotten password": 1,
    "claim: on to the application": 2,
}
"""Which makes no several changes by one statement."""

Taken = Iterator[tuple[str, list[str]]]


def test_the_walks_take_few_statements(here: Walker, database_url: str) -> None:
    more = MORE_ON_SQLITE if database_url.startswith("sqlite") else {}
    walks = (
        *_sign_in(here),
        *_claim(here, "invited"),
        *_claim(here, "active"),
        *_callback(here),
        *_flow(here),
    )
    too_many = {
        walk: [each[:120].replace("\n", " ") for each in asked]
        for walk, asked in walks
        if len(asked) > MOST[walk] + more.get(walk, 0)
    }
    assert not too_many, {walk: len(asked) for walk, asked in too_many.items()}
    assert {walk for walk, _asked in walks} == MOST.keys()


def _sign_in(here: Walker) -> Taken:
    """From a browser that nobody knows, until the application has its code."""
    factories.family(here.school, "Lina", username="lea")
    browser = here.another_browser()
    with Queries() as asked:
        page = browser.open(here.portal.authorize_path(scope="openid child"))
    yield "sign in: to its page", asked
    _action, hidden = form_of(page.text, "login-form")
    fields = {**hidden, "username": "lea", "password": factories.PASSWORD}
    with Queries() as asked:
        on = browser.client.post(page.request.path, data=fields)
    yield "sign in: the password", asked
    with Queries() as asked:
        there = browser.client.get(on.location)
    yield "sign in: on to the application", asked
    assert "code" in answer(there)


def _claim(here: Walker, status: str) -> Taken:
    purpose = "first_sign_in" if status == "invited" else "password_reset"
    parent, _children = factories.family(here.school, "Lina", username=status, status=status)
    token, browser = one_time_tokens.mint(parent.id, purpose), here.another_browser()
    at = browser.open(here.portal.authorize_path(scope="openid child")).request.path
    browser.open(at.replace("/login", "/token"))
    page = browser.submit("token-form", token=token)
    _action, hidden = form_of(page.text, "password-form")
    fields = {**hidden, "new_password": NEW, "repeat_password": NEW}
    with Queries() as asked:
        on = browser.client.post(page.request.path, data=fields)
    word = "first" if status == "invited" else "forgotten"
    yield f"claim: a {word} password", asked
    with Queries() as asked:
        there = browser.client.get(on.location)
    yield "claim: on to the application", asked
    assert "code" in answer(there)


def _callback(here: Walker) -> Taken:
    here.linked()
    here.at_sign_in(scope="openid child")
    address = here.provider.answer(here.leave())
    with Queries() as asked:
        on = here.browser.client.get(address)
    yield "callback of another provider", asked
    assert "code" in answer(here.browser.open(on.location))


def _flow(here: Walker) -> Taken:
    path = here.portal.authorize_path(scope="openid child")
    with Queries() as asked:
        there = here.browser.client.get(path)
    yield "authorize", asked
    with Queries() as asked:
        redeemed = here.portal.redeem(here.browser.client, answer(there)["code"])
    yield "token", asked
    assert redeemed.status_code == 200
