"""Signing in with the demo's Google, Facebook and Cabanga: real second providers, in Chromium."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, World, check_accessibility, place_of, press, sign_in


def at_login(world: World, page: Page, portal: str | None = None) -> None:
    page.goto(f"{portal or world.portal}/login")
    page.wait_for_selector("#provider-form")


def is_at(page: Page, address: str) -> None:
    """Wait until the browser is at this address, and the page is there."""
    page.wait_for_url(f"{address}/**")
    page.wait_for_load_state()


@pytest.mark.parametrize(
    ("provider", "case", "child"),
    [
        ("google", "one-child", "Lina Lambert"),
        ("cabanga", "both-schools", "Emma Vanderstraeten"),
    ],
)
def test_a_linked_parent_comes_to_the_portal_by_one_button(
    world: World, page: Page, provider: str, case: str, child: str
) -> None:
    at_login(world, page)
    press(page, f"#provider-{provider}")
    press(page, "#person-1")

    is_at(page, world.portal)
    assert page.inner_text("#child-name") == child
    page.goto(f"{world.provider}/")
    assert world.account(case)["username"] in page.inner_text("main")


def test_facebook_and_the_choice_of_the_child(world: World, page: Page) -> None:
    at_login(world, page)
    press(page, "#provider-facebook")
    press(page, "#person-1")
    press(page, "#child-submit-2")
    is_at(page, world.portal)
    assert page.inner_text("#child-name") == "Gaspard Dubois"


@pytest.mark.long
def test_without_javascript_too(world: World, new_page: NewPage) -> None:
    page = new_page(java_script_enabled=False)
    at_login(world, page)
    press(page, "#provider-google")
    press(page, "#person-1")
    is_at(page, world.portal)
    assert page.inner_text("#child-name") == "Lina Lambert"


@pytest.mark.long
def test_cancelling_there_comes_back_with_a_sentence(world: World, page: Page) -> None:
    at_login(world, page)
    press(page, "#provider-google")
    press(page, "#cancel")
    expect(page.locator(".notice-bad")).to_contain_text("Google")
    check_accessibility(page, "cancelled")
    sign_in(page, world.account("one-child"))
    is_at(page, world.portal)


@pytest.mark.long
def test_back_from_the_provider_leads_to_the_sign_in_page(world: World, page: Page) -> None:
    at_login(world, page)
    press(page, "#provider-google")
    page.wait_for_selector("#person-1")
    page.go_back()
    page.wait_for_selector("#login-form")


def test_an_unlinked_identity_is_linked_by_one_sign_in(world: World, page: Page) -> None:
    account = world.account("ended-guardianship")
    before = len(world.mails_to(account["email"]))
    at_login(world, page)
    press(page, "#provider-cabanga")
    press(page, "#person-2")
    page.wait_for_selector("#connect")
    check_accessibility(page, "connect")
    sign_in(page, account)
    page.wait_for_selector("#join")
    check_accessibility(page, "join")
    press(page, "#join-yes")
    is_at(page, world.portal)

    mail = world.next_mail_to(account["email"], before)
    assert "Cabanga" in mail["subject"]
    page.context.clear_cookies()
    at_login(world, page)
    press(page, "#provider-cabanga")
    press(page, "#person-2")
    is_at(page, world.portal)
    assert page.inner_text("#child-name") == "Jeanne Moreau"


def test_an_invited_parent_chooses_google_in_place_of_a_password(world: World, page: Page) -> None:
    # Not the account that the demo shows as invited: other files follow its first sign-in.
    portal, email = world.other_portal, "wang.wei@familles.example"
    world.run("user", "invite", "wang.wei")
    at_login(world, page, portal)
    page.goto(world.link_in(world.next_mail_to(email, 0)))
    press(page, "#token-submit")
    check_accessibility(page, "figure 3 with providers")
    press(page, "#provider-google")
    press(page, "#person-3")
    is_at(page, portal)
    assert page.inner_text("#child-name") == "小明 王"

    page.goto(f"{world.provider}/account/connections")
    expect(page.locator("#no-password")).to_be_visible()
    assert page.query_selector("#unlink-1") is None, "the last way in stays"
    check_accessibility(page, "connections without a password")


def test_a_signed_in_parent_links_and_unlinks(world: World, page: Page) -> None:
    account = world.account("shared-email")
    page.goto(f"{world.provider}/")
    sign_in(page, account)
    press(page, "#connections-link")
    check_accessibility(page, "connections")
    press(page, "#link-facebook")
    press(page, "#person-2")
    expect(page.locator(".notice-good")).to_contain_text("Facebook")
    press(page, "#unlink-2")
    expect(page.locator(".notice-good")).to_contain_text("Facebook")
    assert page.query_selector("#link-facebook") is not None


@pytest.mark.long
def test_prompt_login_asks_again_at_the_provider(world: World, page: Page) -> None:
    at_login(world, page)
    press(page, "#provider-google")
    press(page, "#person-1")
    is_at(page, world.portal)
    client = world.demo.document["curl_client"]
    page.goto(
        f"{world.provider}/oauth2/authorize?response_type=code&scope=openid&prompt=login"
        f"&client_id={client['client_id']}&redirect_uri={client['redirect_uri']}"
    )
    press(page, "#provider-google")
    page.wait_for_selector("#again")
    with page.expect_request(re.compile(r"127\.0\.0\.1:9/callback\?code=")):
        page.click("#person-1")


@pytest.mark.long
def test_two_tabs_with_two_providers_each_come_to_their_end(
    world: World, new_page: NewPage
) -> None:
    first = new_page()
    second = first.context.new_page()
    at_login(world, first)
    at_login(world, second, world.other_portal)
    press(first, "#provider-google")
    first.wait_for_selector("#person-1")
    press(second, "#provider-cabanga")
    press(second, "#person-1")
    is_at(second, world.other_portal)
    assert second.inner_text("#child-name") == "Noah Vanderstraeten"
    press(first, "#person-1")
    is_at(first, world.portal)
    assert first.inner_text("#child-name") == "Lina Lambert"


@pytest.mark.long
def test_facebook_wants_somebody_forgotten(world: World, page: Page) -> None:
    account = world.account("four-children")
    before = len(world.mails_to(account["email"]))
    facebook = next(each for each in world.demo.document["providers"] if each["key"] == "facebook")
    page.goto(f"{facebook['url']}/")
    press(page, "#remove-1")
    press(page, "#outcome a")
    page.wait_for_selector("#deletion-status")
    assert place_of(page).startswith(f"{world.provider}/federation/deletion/")
    check_accessibility(page, "deletion status")
    assert "Facebook" in world.next_mail_to(account["email"], before)["subject"]
    at_login(world, page)
    press(page, "#provider-facebook")
    press(page, "#person-1")
    page.wait_for_selector("#connect")


@pytest.mark.long
def test_a_foreign_answer_meets_a_page_in_words(world: World, page: Page) -> None:
    page.goto(f"{world.provider}/federation/google/callback?state=forged&code=c")
    page.wait_for_selector("#error-page")
    check_accessibility(page, "foreign sign-in")


@pytest.mark.long
def test_at_320_px_a_long_foreign_address_stays_in_its_notice(
    world: World, new_page: NewPage
) -> None:
    page = new_page(viewport={"width": 320, "height": 640}, locale="de-DE")
    at_login(world, page)
    press(page, "#provider-google")
    press(page, "#person-2")
    page.wait_for_selector("#connect")
    check_accessibility(page, "connect at 320 px")
    sign_in(page, {**world.account("one-child"), "password": "wrong at first"})
    page.wait_for_selector("#waiting-link")
    check_accessibility(page, "an identity that waits at 320 px")
