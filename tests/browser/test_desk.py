"""The school's desk in a real browser: each act, as whoever may do it and as whoever may not."""

import io
import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page
from pypdf import PdfReader

from idp import clock
from tests.browser.conftest import (
    NewPage,
    World,
    check_accessibility,
    check_width,
    in_its_look,
    place_of,
    press,
    sign_in,
)
from tests.browser.reflow import cut_choices, scrolled
from tests.examples.running import ROOT, wait_until

pytestmark = pytest.mark.browser

OPERATOR = "ingrid.operatrice"
MANAGER = "benedicte.lacroix"
HELPER = "samir.accueil"
STRANGER = "thierry.odile"
"""The manager of the other school."""

AtDesk = Callable[..., Page]


@pytest.fixture(scope="module")
def cookies(world: World, chromium: Browser) -> Callable[[str], Any]:
    """What a browser holds in which somebody of the staff has signed in, once for this file."""
    known: dict[str, Any] = {}

    def of(username: str) -> Any:
        if username not in known:
            clerk = next(c for c in world.demo.document["staff"] if c["username"] == username)
            context = chromium.new_context(locale="fr-BE")
            page = context.new_page()
            page.goto(f"{world.provider}/")
            sign_in(page, clerk)
            page.wait_for_selector("#second-factor-form")
            page.fill("#code", pyotp.TOTP(clerk["totp_secret"]).at(clock.timestamp()))
            press(page, "#second-factor-submit")
            page.wait_for_selector("#open-desk")
            known[username] = context.storage_state()
            context.close()
        return known[username]

    return of


@pytest.fixture
def at_desk(world: World, new_page: NewPage, cookies: Callable[[str], Any]) -> AtDesk:
    """Opens the desk as somebody of the staff."""

    def opened(username: str, path: str = "", **options: Any) -> Page:
        page = new_page(storage_state=cookies(username), **options)
        page.goto(f"{world.provider}/admin/{path}")
        return page

    return opened


def school_id(world: World, word: str = "Tilleuls") -> str:
    schools = json.loads(world.run("school", "list", "--json"))
    return next(str(each["id"]) for each in schools if word in each["name"])


def new_guardian(world: World, given_name: str = "Nour", **options: str) -> dict[str, str]:
    """An invited guardian of a pupil of the first school, with an address of their own."""
    word = "".join(secrets.choice("bdfglmnprtv") + secrets.choice("aeiou") for _ in range(5))
    username = f"{given_name.lower()}.{word}"
    email = f"{username}@familles.example"
    names = ("--given-name", given_name, "--family-name", word.capitalize())
    world.run("user", "create", username, *names, "--email", email)
    child = ("--given-name", "Lina", "--family-name", word.capitalize(), "--class", "3B")
    made = world.run(
        "child", "create", "--school", school_id(world), *child, "--guardian", username, "--json"
    )
    account = json.loads(world.run("user", "show", username, "--json"))
    return {
        "username": username,
        "email": email,
        "family": word.capitalize(),
        "id": account["id"],
        "child": json.loads(made)["id"],
    }


def find(page: Page, text: str) -> None:
    page.fill("#desk-q", text)
    press(page, "#desk-search-submit")


def refused(page: Page, code: str) -> bool:
    """Whether the page is the error of this code."""
    return code in (page.text_content("#error-page") or "")


def test_a_manager_finds_somebody_misspelt_and_sends_a_token(world: World, at_desk: AtDesk) -> None:
    guardian = new_guardian(world)
    page = at_desk(MANAGER)
    name = guardian["family"]
    find(page, f"nour {name[:4]}{name[5]}{name[4]}{name[6:]}")  # two letters change places
    press(page, f"a[href$='/admin/people/{guardian['id']}']")
    press(page, "#send-token")
    mail = world.next_mail_to(guardian["email"], 0)
    token = world.token_in(mail)
    page.reload()
    assert token not in page.content()
    assert token[:4] not in page.inner_text("#main")


def test_a_helper_looks_up_and_sends_and_nothing_else(world: World, at_desk: AtDesk) -> None:
    guardian = new_guardian(world)
    page = at_desk(HELPER)
    find(page, guardian["username"])
    press(page, f"a[href$='/admin/people/{guardian['id']}']")
    assert page.query_selector("#send-token")
    for act in ("#person-edit", "#person-link", "#person-merge", "#person-close", "#letter-open"):
        assert not page.query_selector(act), act
    press(page, "#send-token")
    assert world.next_mail_to(guardian["email"], 0)
    for path in (f"people/{guardian['id']}/edit", "imports", "journal", "staff", "applications"):
        page.goto(f"{world.provider}/admin/{path}")
        assert page.query_selector("#error-page"), path


def test_the_manager_of_another_school_finds_nobody(world: World, at_desk: AtDesk) -> None:
    guardian = new_guardian(world)
    page = at_desk(STRANGER)
    find(page, guardian["username"])
    assert page.query_selector("#nobody-found")
    school = school_id(world)
    for path in (
        f"people/{guardian['id']}",
        f"people/{guardian['id']}/edit",
        f"people/{guardian['id']}/letter",
        f"pupils/{guardian['child']}",
        f"schools/{school}",
        f"letters/{school}",
    ):
        page.goto(f"{world.provider}/admin/{path}")
        assert page.query_selector("#error-page"), path


def test_an_address_is_corrected_and_both_are_told(world: World, at_desk: AtDesk) -> None:
    guardian = new_guardian(world)
    page = at_desk(MANAGER, f"people/{guardian['id']}/edit")
    page.fill("#email", "no address")
    press(page, "#email-submit")
    assert page.query_selector("#email-problem")
    new = guardian["email"].replace("@", "@new.")
    page.fill("#email", new)
    press(page, "#email-submit")
    assert new in page.inner_text("#main")
    assert world.next_mail_to(new, 0)
    assert world.next_mail_to(guardian["email"], 0)


def test_a_guardianship_ends_with_a_reason_and_at_once(
    world: World, at_desk: AtDesk, new_page: NewPage
) -> None:
    guardian = new_guardian(world)
    world.run("child", "create", "--school", school_id(world), "--given-name", "Zoé",
              "--family-name", guardian["family"], "--class", "1A",
              "--guardian", guardian["username"])  # fmt: skip
    parent, page = new_page(), at_desk(MANAGER)
    token = world.token_in({"text": world.run("token", "issue", guardian["username"])})
    parent.goto(f"{world.provider}/welcome?token={token}")
    press(parent, "#token-submit")
    parent.fill("#new-password", "Girafe-Violon-Bouton-9")
    parent.fill("#repeat-password", "Girafe-Violon-Bouton-9")
    press(parent, "#password-submit")
    parent.goto(f"{world.provider}/")
    assert "Lina" in parent.inner_text("#account-children")
    address = f"pupils/{guardian['child']}/guardians/{guardian['id']}"
    page.goto(f"{world.provider}/admin/{address}")
    page.check("#end-form input[value=court]")
    press(page, "#end-submit")
    parent.reload()
    assert "Lina" not in parent.inner_text("#account-children")
    assert "Zoé" in parent.inner_text("#account-children")


def test_two_accounts_of_one_person_become_one(world: World, at_desk: AtDesk) -> None:
    kept, closed = new_guardian(world, "Yara"), new_guardian(world, "Yara")
    page = at_desk(MANAGER, f"people/{kept['id']}/merge")
    page.fill("#merge-find-form input[name=username]", closed["username"])
    press(page, "#merge-find")
    page.check("#keep-1")
    press(page, "#merge-submit")
    page.goto(f"{world.provider}/admin/people/{kept['id']}")
    assert closed["family"] in page.inner_text("#main")
    page.goto(f"{world.provider}/admin/people/{closed['id']}")
    assert not page.query_selector("#send-token")


def test_access_is_closed(world: World, at_desk: AtDesk) -> None:
    guardian = new_guardian(world)
    page = at_desk(MANAGER, f"people/{guardian['id']}/close")
    page.check("#close-form input[value=moved]")
    press(page, "#close-submit")
    page.goto(f"{world.provider}/admin/people/{guardian['id']}")
    assert not page.query_selector("#person-edit")
    shown = json.loads(world.run("user", "show", guardian["username"], "--json"))
    assert shown["status"] == "disabled"


def test_a_letter_is_printed_and_its_token_opens_the_first_sign_in(
    world: World, at_desk: AtDesk, new_page: NewPage
) -> None:
    guardian = new_guardian(world)
    page = at_desk(MANAGER, f"people/{guardian['id']}")
    press(page, "#letter-open")
    with page.expect_download() as download:
        page.click("#letter-form button[type=submit]")
    pdf = PdfReader(io.BytesIO(Path(download.value.path()).read_bytes()))
    text = "\n".join(sheet.extract_text() for sheet in pdf.pages)
    found = re.search(r"\b(?:[0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}\b", text)
    assert found, text
    parent = new_page()
    parent.goto(f"{world.provider}/welcome?token={found[0]}")
    press(parent, "#token-submit")
    assert parent.query_selector("#password-form")


def test_an_operator_registers_an_application_and_sees_its_secret_once(
    world: World, at_desk: AtDesk
) -> None:
    page = at_desk(OPERATOR, "applications/new")
    press(page, "#client-save")
    assert page.query_selector("#error-summary")
    page.fill("#client_name", f"Cantine {secrets.token_hex(3)}")
    page.check(f"input[name=schools][value='{school_id(world)}']")
    page.fill("#redirect_uris", "https://cantine.example/callback")
    press(page, "#client-save")
    secret = page.inner_text("#client-secret")
    assert len(secret) >= 40
    press(page, "#client-done")
    assert secret not in page.content()
    press(page, "#client-test")
    assert "redirect_uri" in page.inner_text("#main")
    assert page.query_selector("#test-id-token")


def test_a_manager_sees_applications_and_registers_none(world: World, at_desk: AtDesk) -> None:
    page = at_desk(MANAGER, "applications")
    assert page.query_selector("#client-list")
    assert not page.query_selector("#client-new")
    page.goto(f"{world.provider}/admin/applications/new")
    assert page.query_selector("#error-page")


def test_a_list_is_imported_looked_at_first_and_undone(world: World, at_desk: AtDesk) -> None:
    page = at_desk(MANAGER, "imports/new")
    page.set_input_files("#file", str(ROOT / "examples" / "rosters" / "eleves.csv"))
    press(page, "#import-submit")
    page.wait_for_selector("#columns-submit, #apply-submit", timeout=60_000)
    if page.query_selector("#columns-submit"):
        press(page, "#columns-submit")
    page.wait_for_selector("#apply-submit", timeout=60_000)
    assert "3" in page.inner_text("#main")
    press(page, "#apply-submit")
    page.wait_for_selector("#undo-submit", timeout=60_000)
    page.check("#undo")
    press(page, "#undo-submit")
    assert wait_until(lambda: page.reload() and not page.query_selector("#undo-submit"))


def test_a_school_changes_its_face_and_parents_see_it(
    world: World, at_desk: AtDesk, new_page: NewPage
) -> None:
    page = at_desk(STRANGER, f"schools/{school_id(world, 'Moulin')}")
    page.fill("#contact-form input[name=contact_phone]", "+32 81 00 11 22")
    press(page, "#contact-form button[type=submit]")
    parent = new_page()
    parent.goto(f"{world.other_portal}/login")
    assert "+32 81 00 11 22" in parent.inner_text("footer")


def test_the_journal_tells_the_school_who_did_what(world: World, at_desk: AtDesk) -> None:
    guardian = new_guardian(world)
    press(at_desk(HELPER, f"people/{guardian['id']}"), "#send-token")
    page = at_desk(MANAGER, "journal")
    assert "Samir Benali" in page.inner_text("#main")
    other = at_desk(STRANGER, "journal")
    assert "Samir Benali" not in other.inner_text("#main")


def every_page(world: World) -> list[str]:
    guardian = new_guardian(world)
    school, person = school_id(world), f"people/{guardian['id']}"
    client = world.demo.document["portals"][0]["client_id"]
    pupil = f"pupils/{guardian['child']}"
    return [
        *("", f"?school={school}", "people", "people?q=dubois", "people?q=zzzz", person),
        *(f"{person}/edit", f"{person}/close", f"{person}/merge", f"{person}/link"),
        *(f"{person}/letter", pupil, f"{pupil}/edit", f"{pupil}/new-guardian"),
        *(f"{pupil}/guardians/{guardian['id']}", f"schools/{school}/pupils/new"),
        *("letters", f"letters/{school}", "mails", "imports", "imports/new", "erasures"),
        *("applications", "applications/new", f"applications/{client}"),
        *(f"applications/{client}/settings", f"applications/{client}/test"),
        f"applications/{client}/certify",
        *("schools", "schools/new", f"schools/{school}", f"schools/{school}/mails"),
        *("staff", "staff/new", "journal"),
    ]


@pytest.mark.long
@in_its_look
def test_every_page_is_accessible(world: World, at_desk: AtDesk, quick: bool) -> None:
    page = at_desk(OPERATOR)
    for path in every_page(world):
        page.goto(f"{world.provider}/admin/{path}")
        assert not page.query_selector("#error-page"), path
        check_accessibility(page, path, quick)


@pytest.mark.long
@pytest.mark.parametrize("language", ["de-DE", "fr-BE"])
def test_no_page_is_too_wide_at_320_px(world: World, at_desk: AtDesk, language: str) -> None:
    page = at_desk(OPERATOR, viewport={"width": 320, "height": 640})
    press(page, f"#language-{language[:2]}")
    for path in every_page(world):
        page.goto(f"{world.provider}/admin/{path}")
        check_width(page, f"{path} {language}")


def import_pages(world: World, page: Page) -> Iterator[str]:
    """The pages of an import that is not applied; yields once each is open."""
    page.goto(f"{world.provider}/admin/imports/new")
    page.select_option("#school", school_id(world, "Moulin"))
    page.set_input_files("#file", str(ROOT / "examples" / "rosters" / "eleves.csv"))
    press(page, "#import-submit")
    page.wait_for_selector("#columns-submit", timeout=60_000)
    yield "columns"
    page.uncheck("#keep")
    press(page, "#columns-submit")
    page.wait_for_selector("#apply-submit", timeout=60_000)
    yield "check"
    press(page, "a[id^=people-]")
    yield "people"


@pytest.mark.long
@pytest.mark.parametrize(
    "language", ["fr", "de", pytest.param("nl", marks=pytest.mark.long)]
)  # English words are shorter
def test_tables_fit_a_desktop_and_choices_a_phone(
    world: World, at_desk: AtDesk, new_page: NewPage, language: str
) -> None:
    parent = new_page()  # so that the application has been used
    parent.goto(f"{world.portal}/login")
    sign_in(parent, world.account("one-child"))
    page = at_desk(OPERATOR, viewport={"width": 1280, "height": 800})
    school, client = school_id(world), world.demo.document["portals"][0]["client_id"]
    paths = (
        *("", f"?school={school}", "people?q=dubois", f"letters/{school}", "mails", "journal"),
        *("staff", f"applications/{client}", "applications/new", f"schools/{school}/mails"),
    )
    found: list[str] = []

    def look() -> None:
        found.extend(scrolled(page) + cut_choices(page))
        page.set_viewport_size({"width": 360, "height": 740})
        found.extend(cut_choices(page))
        page.set_viewport_size({"width": 1280, "height": 800})

    press(page, f"#language-{language}")
    for path in paths:
        page.goto(f"{world.provider}/admin/{path}", wait_until="domcontentloaded")
        look()
    for _ in import_pages(world, page):
        look()
    assert not found, "\n".join(sorted(set(found)))


def test_the_desk_works_by_keyboard_and_without_javascript(world: World, at_desk: AtDesk) -> None:
    guardian = new_guardian(world)
    page = at_desk(MANAGER, java_script_enabled=False)
    page.focus("#desk-q")
    page.keyboard.type(guardian["username"])
    page.keyboard.press("Enter")
    press(page, f"a[href$='/admin/people/{guardian['id']}']")
    assert place_of(page) == f"{world.provider}/admin/people/{guardian['id']}"
