"""The search page and the pages of classes, as each of the staff sees them."""

from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import event, select

from idp.audit.models import AuditEvent
from idp.database import db, transaction
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import classes
from idp.lifecycle import endings
from idp.mail.models import OutboxMessage
from idp.people import children, guardianships
from idp.people.models import Account
from idp.web.admin.blueprint import class_address, key_of, name_of
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser
from tests.still import time_stands_still
from tests.wording import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def invited(desk: Desk, name: str, child_name: str, class_name: str = "3B") -> Account:
    """An invited guardian with an address, and a pupil of the desk's school."""
    account = factories.account(
        name, given_name=name.capitalize(), status="invited", email=f"{name}@families.example"
    )
    child = factories.child(desk.here, child_name, class_name=class_name)
    factories.guardianship(account, child)
    return account


def class_page(desk: Desk, name: str = "3B", school_id: str | None = None) -> str:
    return f"/admin/schools/{school_id or desk.here.id}/classes/{key_of(name)}"


def queued() -> list[str | None]:
    db.session.rollback()
    query = select(OutboxMessage.account_id).where(OutboxMessage.kind == "invitation")
    return list(db.session.scalars(query))


@pytest.mark.parametrize("who", ["manager", "helper", "operator"])
def test_staff_find_a_guardian_and_a_pupil(desk: Desk, who: str) -> None:
    claire = invited(desk, "claire", "Lina")
    browser = desk.browser(who)

    page = browser.open("/admin/people?q=dubios").text

    assert f'href="/admin/people/{claire.id}"' in page
    assert 'href="/admin/pupils/p_' in page
    assert 'value="dubios"' in page, "what was typed stays in the box"
    assert ("Collège des Tilleuls</td>" in page) == (who == "operator"), "the school, if several"


def test_a2_a_manager_of_another_school_finds_nobody(desk: Desk) -> None:
    invited(desk, "claire", "Lina")
    browser = desk.browser("stranger")
    browser.open("/admin/people?q=dubois")
    assert browser.shows("nobody-found")
    for address in (class_page(desk), f"/admin/people?school={desk.here.id}"):
        assert browser.client.get(address).status_code == 404


def test_nobody_found_says_what_to_try_and_escapes_what_was_typed(desk: Desk) -> None:
    browser = desk.browser("manager")
    page = browser.open("/admin/people?q=<script>alert(1)</script>%00%0a").text
    assert browser.shows("nobody-found")
    assert "<script>alert" not in page
    assert "\0" not in page


@pytest.mark.parametrize(
    "query", ["?q=a&page=x", "?page=-1", "?page=" + "9" * 5000, "?q=" + "x" * 9000, "?q=%ff%22"]
)
def test_a7_odd_parameters_get_a_page(desk: Desk, query: str) -> None:
    assert desk.browser("manager").client.get(f"/admin/people{query}").status_code == 200


def test_without_a_word_a_manager_sees_the_classes_and_their_numbers(desk: Desk) -> None:
    invited(desk, "claire", "Lina")
    factories.family(desk.here, "Noah", "Adam", username="paul")
    children.create_child(desk.here.id, "Solo", "Kid", "10A")
    children.create_child(desk.elsewhere.id, "Far", "Away", "9Z")

    found = classes.classes_of([desk.here])[0].classes
    page = desk.browser("manager").open("/admin/people").text

    assert [tuple(vars(each).values()) for each in found] == [
        ("3B", 3, 2, 1, 1),
        ("10A", 1, 0, 0, 0),
    ]
    assert class_page(desk) in page
    assert ">9Z<" not in page


def test_an_operator_of_many_schools_chooses_one(desk: Desk) -> None:
    invited(desk, "claire", "Lina")
    for number in range(3):
        factories.school(f"École {number}")
    browser = desk.browser("operator")
    assert "3B" not in words(browser.open("/admin/people").text)
    assert class_page(desk) in browser.open(f"/admin/people?school={desk.here.id}").text


def test_a_class_shows_its_pupils_with_their_guardians(desk: Desk) -> None:
    invited(desk, "claire", "Lina")
    invited(desk, "zoe", "Emma", "4C")
    gone = factories.child(desk.here, "Gone")
    with transaction():
        gone.left_at = gone.created_at

    page = desk.browser("helper").open(class_page(desk)).text

    assert "Lina Dubois" in page
    assert "Claire Dubois" in page
    assert "Emma Dubois" not in page
    assert "Gone Dubois" not in page


@pytest.mark.parametrize("name", ["3B", "", "../3/B?x=1#%2f", "Höhere 3 «A»", "x" * 40])
def test_a_class_of_any_name_has_a_page(desk: Desk, name: str) -> None:
    children.create_child(desk.here.id, "Lina", "Dubois", name)
    with desk.app.test_request_context():
        address = class_address(desk.here.id, name)
    assert "Lina Dubois" in desk.browser("manager").open(address).text
    assert name_of(key_of(name)) == name


@pytest.mark.parametrize("key", ["x", "c", "cM0I", "cM0J", "c!", "c" * 300, "cgIA", "cM0I="])
def test_a_class_that_is_not_there_is_not_found(desk: Desk, key: str) -> None:
    address = f"/admin/schools/{desk.here.id}/classes/{key}"
    assert desk.browser("manager").client.get(address).status_code == 404


@pytest.mark.parametrize("who", ["manager", "helper", "operator"])
def test_a_token_goes_to_whoever_of_the_class_is_invited_and_once(desk: Desk, who: str) -> None:
    claire, zoe = invited(desk, "claire", "Lina"), invited(desk, "zoe", "Emma", "4C")
    factories.guardianship(claire, factories.child(desk.here, "Noah"))  # two pupils, one mail
    factories.family(desk.here, "Adam", username="active", email="a@families.example")
    ended = invited(desk, "ended", "Mia")
    endings.end_guardianship(ended.id, guardianships.live_children(ended.id)[0][0].id, "moved")
    browser = desk.browser(who)

    for _ in range(2):
        browser.open(class_page(desk))
        page = browser.submit("class-tokens-form").text
        assert "1 " in page

    assert queued() == [claire.id]
    events = db.session.scalars(
        select(AuditEvent).where(AuditEvent.event == "class_tokens_sent")
    ).all()
    assert [(each.school_id, each.detail["changes"]) for each in events] == [
        (desk.here.id, {"class": [None, "3B"]}),
        (desk.here.id, {"class": [None, "3B"]}),
    ]  # both clicks, and not to how many: c3
    assert zoe.id not in queued()


def test_a2_a_stranger_sends_nothing_to_another_schools_class(desk: Desk) -> None:
    invited(desk, "claire", "Lina")
    children.create_child(desk.elsewhere.id, "Far", "Away", "3B")
    browser = desk.browser("stranger")
    browser.open(class_page(desk, school_id=desk.elsewhere.id))
    token = form_token(browser)
    answer = browser.client.post(f"{class_page(desk)}/tokens", data={"csrf_token": token})
    assert (answer.status_code, queued()) == (404, [])


def test_a3_mass_mail_wants_a_fresh_proof_and_comes_back_to_the_class(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    invited(desk, "claire", "Lina")
    browser = desk.browser("manager")
    browser.open(class_page(desk))
    token = form_token(browser)
    guard = import_module("idp.web.admin.blueprint")
    monkeypatch.setattr(guard, "is_recent", lambda _session: False)

    answer = browser.client.post(f"{class_page(desk)}/tokens", data={"csrf_token": token})

    assert answer.status_code == 303
    assert answer.location.startswith("/account/confirm?next=")
    assert key_of("3B") in answer.location
    assert "tokens" not in answer.location
    assert queued() == []


def test_c3_the_number_of_mails_tells_nothing_of_another_school(desk: Desk) -> None:
    claire = invited(desk, "claire", "Lina")
    factories.guardianship(claire, factories.child(desk.elsewhere, "Zoé"))
    assert classes.send_tokens(AT_TERMINAL, desk.elsewhere.id, "3B") == 1
    assert classes.send_tokens(AT_TERMINAL, desk.here.id, "3B") == 1
    assert queued() == [claire.id]


def form_token(browser: Browser) -> str:
    from tests.relying_party import forms_of

    assert browser.page is not None
    forms = [form for form in forms_of(browser.page.text) if "csrf_token" in form.hidden]
    return forms[0].hidden["csrf_token"]


def test_the_pages_take_as_many_statements_for_many_as_for_one(desk: Desk) -> None:
    browser = desk.browser("operator")
    invited(desk, "first", "Lina")
    addresses = ("/admin/people?q=dubois", class_page(desk), f"/admin/people?school={desk.here.id}")
    with time_stands_still():
        before = [statements_of(browser, address) for address in addresses]

    for number in range(12):
        invited(desk, f"more{number}", f"Kid{number}")

    with time_stands_still():
        assert [statements_of(browser, address) for address in addresses] == before
    assert max(before) <= 20


def statements_of(browser: Browser, address: str) -> int:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert browser.client.get(address).status_code == 200
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return len(seen)
