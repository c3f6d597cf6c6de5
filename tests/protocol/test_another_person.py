"""« Another person »: an application may ask who it is, and somebody else may sign in."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.relying_party import Browser, World, answer, claims_of, forms_of, leads_to, world

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CHILD = "openid child"


def with_paul(there: World, *children: str) -> None:
    paul = factories.account("paul")
    for name in children:
        factories.guardianship(paul, factories.child(there.school, name))


def told(there: World) -> dict[str, Any]:
    assert there.browser.page is not None
    tokens = there.tokens_of(answer(there.browser.page))
    return claims_of(there.http, tokens["id_token"])


def who_is_signed_in(there: World) -> str:
    """The subject that the application is told of without a page."""
    return str(there.claims(prompt="none")["sub"])


def form_token(browser: Browser) -> dict[str, str]:
    assert browser.page is not None
    return {"csrf_token": forms_of(browser.page.text)[0].hidden["csrf_token"]}


@pytest.mark.parametrize(
    ("children", "scope", "page"),
    [
        (("Lina", "Noé"), CHILD, "child-list"),
        (("Lina",), CHILD, "child-list"),
        ((), CHILD, "no-child"),
        (("Lina",), "openid", "choose-account"),
        ((), "openid", "choose-account"),
    ],
)
def test_somebody_else_signs_in_for_this_request_and_the_former_session_ends(
    client: FlaskClient, children: tuple[str, ...], scope: str, page: str
) -> None:
    there = world(client, *children)
    with_paul(there, "Zoé")
    claire = who_is_signed_in(there)

    there.ask(scope=scope, prompt="select_account", login_hint="claire")
    assert there.browser.shows(page)
    asked = there.browser.press("another-person")
    assert there.browser.shows("login-form")
    assert 'value="claire"' not in asked.text, "the hint was about somebody else"
    assert who_is_signed_in_elsewhere(there) == claire, "nobody is signed out by a press"
    there.browser.page = asked
    done = there.browser.sign_in("paul")

    assert done.headers.get("Clear-Site-Data", '"cache"') == '"cache"'
    claims = told(there)
    assert claims["sub"] not in {"", claire}
    assert claims.get("child", {}).get("given_name") == ("Zoé" if scope == CHILD else None)
    assert who_is_signed_in(there) == claims["sub"]


def who_is_signed_in_elsewhere(there: World) -> str:
    """In another tab of the same browser."""
    tab = World(there.school, there.guardian, there.children, there.portal, Browser(there.http))
    return who_is_signed_in(tab)


def test_the_former_guardians_tokens_end_with_their_session(client: FlaskClient) -> None:
    there = world(client, "Lina")
    with_paul(there, "Zoé")
    token = there.redeem(scope=CHILD)["access_token"]

    there.ask(scope=CHILD, prompt="select_account")
    there.browser.press("another-person")
    assert there.portal.introspect(client, token)["active"]
    there.browser.sign_in("paul")

    assert not there.portal.introspect(client, token)["active"]


def test_whoever_pressed_by_mistake_goes_back_as_before(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")

    there.ask(scope=CHILD, prompt="select_account")
    there.browser.press("another-person")
    there.browser.press("same-person")

    assert there.browser.shows("child-list")
    there.browser.press("child-submit-1")
    assert told(there)["child"]["given_name"] == "Lina"


def test_cancelling_in_between_leaves_everything_as_it_was(client: FlaskClient) -> None:
    there = world(client, "Lina")
    claire = who_is_signed_in(there)

    there.ask(scope=CHILD, prompt="select_account")
    there.browser.press("another-person")
    cancelled = answer(there.browser.press("login-cancel"))

    assert cancelled["error"] == "access_denied"
    assert who_is_signed_in(there) == claire


def test_the_children_of_the_former_are_not_offered_to_the_other(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    with_paul(there, "Zoé", "Max")

    page = there.ask(scope=CHILD, prompt="select_account")
    there.browser.press("another-person")
    there.browser.sign_in("paul")

    assert there.browser.shows("child-list")
    assert "Lina" in page.text
    assert "Lina" not in there.browser.page.text  # type: ignore[union-attr]


def test_until_somebody_else_has_signed_in_no_page_of_the_request_goes_on(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina", "Noé")
    page = there.ask(scope=CHILD, prompt="select_account")
    there.browser.press("another-person")

    for path in (page.request.path, page.request.path.removesuffix("/child")):
        there.browser.open(path)
        assert there.browser.shows("login-form"), path


def test_the_same_person_may_sign_in_again(client: FlaskClient) -> None:
    there = world(client, "Lina")
    claire = who_is_signed_in(there)

    there.ask(scope=CHILD, prompt="select_account")
    there.browser.press("another-person")
    there.browser.sign_in("claire")

    assert told(there)["sub"] == claire


def test_an_only_child_is_shown_and_named_as_the_only_one(client: FlaskClient) -> None:
    there = world(client, "Lina", child_fields=["given_name", "selection", "switchable"])

    there.ask(scope=CHILD, prompt="select_account")
    assert there.browser.shows("child-card-1")
    there.browser.press("child-submit-1")

    child = told(there)["child"]
    assert (child["selection"], child["switchable"]) == ("only", False)


def test_c10_an_only_child_that_was_pressed_is_no_choice_once_there_is_a_second(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina")
    there.ask(scope=CHILD, prompt="select_account")
    there.browser.press("child-submit-1")
    factories.guardianship(there.guardian, factories.child(there.school, "Noé"))

    assert there.answer(scope=CHILD, prompt="none")["error"] == "account_selection_required"


def test_whoever_goes_on_is_asked_once(client: FlaskClient) -> None:
    there = world(client, first_party=False)

    there.ask(prompt="select_account")
    there.browser.press("account-continue")
    assert there.browser.shows("consent-allow")
    there.browser.press("consent-allow")

    assert "code" in answer(there.browser.page)  # type: ignore[arg-type]


def test_who_has_just_signed_in_is_not_asked_who_it_is(client: FlaskClient) -> None:
    there = world(client, "Lina", signed_in=False)

    for scope in ("openid", CHILD):
        there.ask(scope=scope, prompt="select_account login")
        assert "code" in answer(there.browser.sign_in("claire")), scope


@pytest.mark.parametrize("scope", ["openid", CHILD])
def test_a_request_that_says_who_has_to_sign_in_offers_nobody_else(
    client: FlaskClient, scope: str
) -> None:
    there = world(client)
    hint = there.redeem()["id_token"]

    page = there.ask(scope=scope, prompt="select_account", id_token_hint=hint)

    assert there.browser.shows("choose-account" if scope == "openid" else "no-child")
    assert not there.browser.shows("another-person")
    interaction = page.request.path.rpartition("/")[0]
    sent = there.http.post(f"{interaction}/another-person", data=form_token(there.browser))
    there.browser.open(sent.headers["Location"])
    assert not there.browser.shows("login-form")


def test_another_browser_and_another_site_can_not_press_it(app: Flask, client: FlaskClient) -> None:
    there = world(client, "Lina")
    page = there.ask(scope=CHILD, prompt="select_account")
    path = page.request.path.replace("/child", "/another-person")

    assert there.http.post(path).status_code == 400, "without the page's token (rule S3)"
    stranger = Browser(app.test_client())
    stranger.open("/")
    sent = stranger.client.post(path, data=form_token(stranger))

    assert not leads_to(sent)
    there.browser.open(page.request.path)
    assert there.browser.shows("child-list")
