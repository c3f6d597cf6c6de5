"""A parent's account in a real browser: every page about it, each path to its end."""

import json
import re
import secrets
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import (
    NewPage,
    World,
    check_accessibility,
    check_width,
    in_each_language,
    in_its_look,
    place_of,
    press,
    sign_in,
)

PASSWORD = "Girafe-Violon-Bouton-9"
PAGES = ("profile", "email", "applications", "sessions", "history", "data")


def new_parent(world: World, password: str = PASSWORD) -> dict[str, str]:
    """A parent of a child at the first school, with an address of their own, which nobody has
    proved; with ``password``, or invited where it is empty."""
    username = f"parent-{secrets.token_hex(4)}"
    account = {
        "username": username,
        "password": password,
        "email": f"{username}@familles.example",
    }
    create = ("user", "create", username, "--given-name", "Nour", "--family-name", "Haddad")
    address = ("--email", account["email"], *(("--password-stdin",) if password else ()))
    world.run(*create, *address, stdin=password or None)
    schools = json.loads(world.run("school", "list", "--json"))
    school = next(each["id"] for each in schools if "Tilleuls" in each["name"])
    child = ("--given-name", "Lina", "--family-name", "Haddad", "--class", "3B")
    world.run("child", "create", "--school", school, *child, "--guardian", username)
    return account


def invited_parent(world: World, page: Page) -> dict[str, str]:
    """The same, who followed the invitation: the address is proved, and they are signed in."""
    account = new_parent(world, "")
    world.run("user", "invite", account["username"])
    page.goto(world.link_in(world.next_mail_to(account["email"], 0)))
    press(page, "#token-submit")
    page.fill("#new-password", PASSWORD)
    page.fill("#repeat-password", PASSWORD)
    press(page, "#password-submit")
    page.goto(f"{world.provider}/")
    page.wait_for_selector("#sign-out")
    return {**account, "password": PASSWORD}


def at_home(world: World, page: Page, account: dict[str, str]) -> None:
    page.goto(f"{world.provider}/")
    sign_in(page, account)
    page.wait_for_selector("#sign-out")


def link_in(mail: dict[str, Any]) -> str:
    found = re.search(r"https?://\S+/account/email/\w+#\S+", mail["text"])
    assert found, mail["text"]
    return found[0]


def follow(page: Page, link: str) -> None:
    """Open a mail's link, up to the page whose button decides."""
    page.goto(link)
    page.wait_for_url(lambda address: address.rpartition("/")[0] == link.partition("#")[0])


def ask_for_address(world: World, page: Page, account: dict[str, str]) -> tuple[str, str]:
    """Ask for another address: that address, and the link of the mail to it."""
    address = account["email"].replace("@", "@new.")
    page.goto(f"{world.provider}/account/email")
    page.fill("#new-email", address)
    press(page, "#email-submit")
    page.wait_for_selector("#waiting-email")
    return address, link_in(world.next_mail_to(address, 0))


@pytest.mark.long
@in_its_look
def test_every_page_is_accessible(world: World, page: Page, quick: bool) -> None:
    check = partial(check_accessibility, page, quick=quick)
    account = invited_parent(world, page)
    page.goto(f"{world.portal}/login")
    page.wait_for_selector("#child-name")
    page.goto(f"{world.provider}/")
    check("home")
    for name in PAGES:
        page.goto(f"{world.provider}/account/{name}")
        check(name)
    address, confirm = ask_for_address(world, page, account)
    check("e-mail, waiting")
    follow(page, confirm)
    check("confirm")
    press(page, "#confirm-email-submit")
    check("confirmed")
    follow(page, confirm)
    check("link gone")
    assert page.query_selector("#email-gone")
    undo = link_in(world.mail_saying(account["email"], "/account/email/undo"))
    follow(page, undo)
    check("undo")
    press(page, "#undo-email-submit")
    check("undone")
    assert world.mails_to(address)


@pytest.mark.long
@in_each_language
def test_no_page_is_too_wide_at_320_px(world: World, new_page: NewPage, language: str) -> None:
    page = new_page(viewport={"width": 320, "height": 640}, locale=language)
    at_home(world, page, new_parent(world))
    for name in PAGES:
        page.goto(f"{world.provider}/account/{name}")
        assert page.get_attribute("html", "lang") == language[:2]
        check_width(page, f"{name} {language}")


def test_the_menu_leads_to_each_page_and_back(world: World, page: Page) -> None:
    at_home(world, page, new_parent(world))
    for link in ("profile", "email", "change-password", "sessions", "applications", "history"):
        press(page, f"#{link}-link")
        press(page, "#back-link")
        assert place_of(page) == f"{world.provider}/"
    press(page, "#data-link")
    assert place_of(page) == f"{world.provider}/account/data"


@pytest.mark.long
def test_n8_a_mailed_secret_is_in_no_address_and_no_history(world: World, page: Page) -> None:
    account = invited_parent(world, page)
    address, confirm = ask_for_address(world, page, account)
    secret, asked = confirm.partition("#")[2], []
    page.on("request", lambda request: asked.append(str((request.url, request.headers))))

    follow(page, confirm)

    assert address in page.inner_text("#main")
    assert asked
    assert not any(secret in each for each in asked)
    for _step in range(3):
        assert secret not in page.url + page.content()
        page.go_back()
    page.goto(f"{world.provider}/account/email")
    assert page.inner_text("#present-email") == account["email"]


@pytest.mark.long
def test_n8_without_scripts_the_link_is_pasted(world: World, new_page: NewPage) -> None:
    page = new_page()
    account = invited_parent(world, page)
    _address, confirm = ask_for_address(world, page, account)
    phone = new_page(java_script_enabled=False, viewport={"width": 360, "height": 740})
    phone.goto(confirm)
    phone.fill("#link", confirm)
    phone.click("#mailed-link-submit")
    phone.click("#confirm-email-submit")
    phone.wait_for_selector("#email-confirmed")


@pytest.mark.long
def test_the_page_for_a_links_secret_is_accessible(world: World, page: Page) -> None:
    page.goto(f"{world.provider}/account/email/undo")
    check_accessibility(page, "link of a mail")
    press(page, "#mailed-link-submit")
    check_accessibility(page, "link of a mail, missing")


def test_the_address_is_changed_and_undone(world: World, new_page: NewPage) -> None:
    page, phone = new_page(), new_page()
    account = invited_parent(world, page)
    address, confirm = ask_for_address(world, page, account)

    follow(phone, confirm)
    assert address in phone.inner_text("#main")
    press(phone, "#confirm-email-submit")
    phone.wait_for_selector("#email-confirmed")
    page.goto(f"{world.provider}/account/email")
    assert page.inner_text("#present-email") == address

    undo = link_in(world.mail_saying(account["email"], "/account/email/undo"))
    follow(phone, undo)
    press(phone, "#undo-email-submit")
    phone.wait_for_selector("#email-undone")
    page.goto(f"{world.provider}/account/email")
    page.wait_for_selector("#login-form")
    # the password is older than the change: it is the parent's own, and stays
    at_home(world, phone, account)
    phone.goto(f"{world.provider}/account/email")
    assert phone.inner_text("#present-email") == account["email"]


@pytest.mark.long
def test_the_language_is_chosen_without_javascript(world: World, new_page: NewPage) -> None:
    page = new_page(java_script_enabled=False)
    at_home(world, page, new_parent(world))
    page.goto(f"{world.provider}/account/profile")
    page.click("label.option:has(#profile-language-de)")
    press(page, "#profile-language-submit")
    assert page.get_attribute("html", "lang") == "de"
    assert page.is_checked("#profile-language-de")


@pytest.mark.long
def test_an_application_is_withdrawn_and_out(world: World, page: Page) -> None:
    at_home(world, page, new_parent(world))
    page.goto(f"{world.portal}/login")
    page.wait_for_selector("#child-name")
    page.goto(f"{world.provider}/account/applications")
    assert "Lina" in page.inner_text("#account-applications")
    press(page, "#withdraw-1")
    page.wait_for_selector("#main .notice-good")
    assert page.query_selector("#account-applications") is None


@pytest.mark.long
def test_a_lost_phone_is_signed_out(world: World, new_page: NewPage) -> None:
    account, page, phone = new_parent(world), new_page(), new_page()
    for each in (phone, page):
        at_home(world, each, account)
    world.mail_saying(account["email"], "Mot de passe oublié")  # of the second place
    page.goto(f"{world.provider}/account/sessions")
    press(page, "#end-session-2")
    page.wait_for_selector("#main .notice-good")
    phone.goto(f"{world.provider}/")
    phone.wait_for_selector("#login-form")


@pytest.mark.long
def test_the_data_come_as_a_file(world: World, page: Page, tmp_path: Path) -> None:
    account = new_parent(world)
    at_home(world, page, account)
    page.goto(f"{world.provider}/account/data")
    with page.expect_download() as download:
        page.click("#data-download")
    download.value.save_as(tmp_path / "data.json")
    document = json.loads((tmp_path / "data.json").read_text(encoding="utf-8"))
    assert document["account"]["username"] == account["username"]
    assert document["children"][0]["given_name"] == "Lina"


def test_a_request_to_be_erased_reaches_the_school_and_its_answer_the_parent(
    world: World, page: Page
) -> None:
    account = new_parent(world)
    at_home(world, page, account)
    page.goto(f"{world.provider}/account/data")
    press(page, "#erasure-ask")
    page.wait_for_selector("#erasure-open")
    school = next(
        each for each in json.loads(world.run("school", "list", "--json")) if "Till" in each["name"]
    )
    mails = world.mails_to(school["contact_email"]) or [
        world.next_mail_to(school["contact_email"], 0)
    ]
    assert any(account["username"] in mail["text"] for mail in mails)
    assert account["username"] in world.run("user", "erasure", "list")
    world.run("user", "erasure", "done", account["username"], "--declined")
    page.reload()
    page.wait_for_selector("#erasure-closed")


@pytest.mark.long
def test_the_history_tells_what_happened_here(world: World, page: Page) -> None:
    at_home(world, page, new_parent(world))
    page.goto(f"{world.provider}/account/history")
    words = page.inner_text("#account-history")
    assert "Connexion avec le mot de passe" in words
    assert "127.0.0.1" not in words
