"""A whole first sign-in, from the mail to the portal's dashboard, through four processes."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import (
    ARGUMENTS,
    WHOLE,
    NewPage,
    World,
    chromium_path,
    place_of,
    press,
    sign_in,
)

NEW_PASSWORD = "Girafe-Violon-Bouton-9"


def invite(world: World, case: str) -> dict[str, str]:
    """Have the invitation of an invited account mailed, as the school's manager does."""
    account = world.account(case)
    world.run("user", "invite", account["username"])
    return account


def choose_password(page: Page) -> None:
    page.fill("#new-password", NEW_PASSWORD)
    page.fill("#repeat-password", NEW_PASSWORD)
    press(page, "#password-submit")


def test_an_invited_parent_types_the_mailed_token_and_sees_their_child(
    world: World, page: Page
) -> None:
    account = invite(world, "invited")
    mail = world.next_mail_to(account["email"], 0)
    assert account["username"] in mail["text"]

    portal = world.portal_of(account)
    page.goto(f"{portal}/login")
    press(page, "#token-link")
    page.fill("#token", f"  {world.token_in(mail).lower().replace('-', ' ')} ")
    press(page, "#token-submit")
    choose_password(page)

    page.wait_for_url(f"{portal}/**")
    assert page.inner_text("#child-name") == account["children"][0]["name"]
    changed = world.next_mail_to(account["email"], 1)
    assert world.provider in changed["text"]


@pytest.mark.long  # a demo of its own: thirteen processes for one walk
def test_the_same_walk_with_the_provider_on_postgresql_by_the_mails_link(
    world_on_postgresql: World, new_page: NewPage
) -> None:
    world, page = world_on_postgresql, new_page()
    account = invite(world, "invited")
    link = world.link_in(world.next_mail_to(account["email"], 0))

    page.goto(link)
    assert "token=" not in page.url
    assert page.input_value("#token")
    press(page, "#token-submit")
    choose_password(page)

    portal = world.portal_of(account)
    # Nothing waits in this browser: the start page of the school's application is offered
    assert place_of(page).startswith(world.provider)
    press(page, "#start-application")
    page.wait_for_url(f"{portal}/**")
    assert page.inner_text("#child-name") == account["children"][0]["name"]


def test_a_forgotten_password_is_renewed_and_the_waiting_application_goes_on(
    world: World, page: Page
) -> None:
    account = world.account("both-schools")
    before = len(world.mails_to(account["email"]))

    page.goto(f"{world.portal}/login")
    press(page, "#forgotten-link")
    page.fill("#email", account["email"].upper())
    press(page, "#forgotten-submit")
    page.wait_for_selector("#forgotten-done")
    page.goto(world.link_in(world.next_mail_to(account["email"], before)))
    press(page, "#token-submit")
    choose_password(page)

    page.wait_for_url(f"{world.portal}/**")
    assert page.inner_text("#child-name") == "Emma Vanderstraeten"


def test_two_tabs_with_two_children_give_each_application_its_own(
    world: World, new_page: NewPage
) -> None:
    account = world.account("several-children")
    first = new_page()
    second = first.context.new_page()
    first.goto(f"{world.portal}/login")
    sign_in(first, account)
    first.wait_for_selector("#child-list")
    second.goto(f"{world.portal}/login")
    second.wait_for_selector("#child-list")

    press(first, "#child-submit-1")
    first.wait_for_url(f"{world.portal}/**")
    first_name = first.inner_text("#child-name")
    press(second, "#child-submit-2")
    second.wait_for_url(f"{world.portal}/**")

    assert {first_name, second.inner_text("#child-name")} == {"Inès Benali", "Yanis Benali"}


def test_change_of_child_and_sign_out_from_the_portal(world: World, page: Page) -> None:
    page.goto(f"{world.portal}/login")
    sign_in(page, world.account("four-children"))
    press(page, "#child-submit-1")
    page.wait_for_url(f"{world.portal}/**")
    before = page.inner_text("#child-name")

    press(page, "#switch-child")
    press(page, "#child-submit-2")
    page.wait_for_url(f"{world.portal}/**")
    assert page.inner_text("#child-name") != before

    press(page, "#portal-sign-out")
    page.wait_for_url(f"{world.portal}/**")
    page.goto(f"{world.provider}/")
    page.wait_for_selector("#login-form")


def test_a_second_portal_needs_no_second_sign_in(world: World, page: Page) -> None:
    page.goto(f"{world.portal}/login")
    sign_in(page, world.account("one-child"))
    page.wait_for_url(f"{world.portal}/**")

    page.goto(f"{world.other_portal}/login")

    # No child at that school: the page says so, and « retour » goes back with access_denied
    page.wait_for_selector("#no-child")
    press(page, "#no-child-back")
    page.wait_for_url(f"{world.other_portal}/**")


def test_a_double_click_on_connexion_signs_in_once(world: World, page: Page) -> None:
    account = world.account("one-child")
    page.goto(f"{world.portal}/login")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])

    page.dblclick("#login-submit")

    page.wait_for_url(f"{world.portal}/**")
    page.wait_for_selector("#child-name")


def test_the_back_button_after_sign_in_asks_for_no_second_password(
    world: World, page: Page
) -> None:
    page.goto(f"{world.portal}/login")
    sign_in(page, world.account("one-child"))
    page.wait_for_selector("#child-name")

    page.go_back()

    assert page.query_selector("#password") is None or page.url.startswith(world.portal)


def test_without_cookies_the_page_says_so(world: World, chromium: Browser, tmp_path: Path) -> None:
    """A browser whose settings block them; where they were only lost, the sign-in begins anew."""
    (tmp_path / "Default").mkdir()
    blocked = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (tmp_path / "Default" / "Preferences").write_text(json.dumps(blocked))
    with chromium.browser_type.launch_persistent_context(
        tmp_path, executable_path=chromium_path(WHOLE), args=ARGUMENTS, locale="fr-BE"
    ) as context:
        page = context.new_page()
        page.goto(f"{world.portal}/login")
        assert context.cookies() == []
        assert "cookies" in page.inner_text("main").lower()
        assert page.query_selector("#password") is None


def test_where_cookies_were_lost_the_page_leads_on(world: World, new_page: NewPage) -> None:
    page = new_page()
    page.goto(f"{world.portal}/login")
    page.fill("#username", "somebody")
    page.fill("#password", "whatever it is")
    page.context.clear_cookies()
    press(page, "#login-submit")
    assert "cookies" not in page.inner_text("main").lower()
    press(page, "#start-application")
    page.wait_for_selector("#login-form")


def test_it_all_works_without_javascript(world: World, new_page: NewPage) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(f"{world.portal}/login")
    sign_in(page, world.account("several-children"))
    press(page, "#child-submit-1")

    page.wait_for_url(f"{world.portal}/**")
    assert page.inner_text("#child-name")
