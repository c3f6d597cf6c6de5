"""What staff do about a guardian: as manager, helper, operator, and of the wrong school."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from idp import clock
from idp.audit.models import AuditEvent
from idp.credentials import email_changes, one_time_tokens, passwords
from idp.credentials.models import EmailChange
from idp.database import db, transaction
from idp.lifecycle import email_change, endings
from idp.lifecycle.mails import COMPOSERS
from idp.mail import outbox
from idp.mail.models import OutboxMessage
from idp.people import accounts, guardianships, staff
from idp.people.models import Account, Child, Guardianship
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser, forms_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ACTS = ("email", "language", "close", "link", "merge", "erasure")


def claire_of(desk: Desk, **changes: object) -> tuple[Account, Child]:
    values = {"username": "claire", "email": "claire@x.example", "proved": True, **changes}
    claire, (lina,) = factories.family(desk.here, "Lina", **values)
    return claire, lina


def post(browser: Browser, path: str, **fields: str) -> int:
    """A form made by hand: the token of a real page, whatever address and fields."""
    page = browser.open("/account/profile")
    token = next(f.hidden["csrf_token"] for f in forms_of(page.text) if "csrf_token" in f.hidden)
    return browser.client.post(path, data={"csrf_token": token, **fields}).status_code


def mails(account: Account) -> list[str]:
    db.session.rollback()
    query = select(OutboxMessage.kind).where(OutboxMessage.account_id == account.id)
    return list(db.session.scalars(query.order_by(OutboxMessage.created_at, OutboxMessage.id)))


def fresh(account: Account) -> Account:
    db.session.rollback()
    db.session.expire_all()
    return accounts.get_account(account.id)


def audit_log(event: str) -> list[AuditEvent]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditEvent).where(AuditEvent.event == event)))


def live(account: Account) -> set[str]:
    db.session.rollback()
    return {child.given_name for child, _ in guardianships.live_children(account.id)}


@pytest.mark.parametrize("who", ["helper", "manager", "operator"])
def test_a_token_is_sent_once_and_the_school_may_read_it(desk: Desk, who: str) -> None:
    claire, _lina = claire_of(desk, status="invited")
    browser = desk.browser(who)
    browser.open(f"/admin/people/{claire.id}")

    browser.press("send-token")
    browser.press("send-token")

    assert mails(claire) == ["invitation"]
    (event,) = audit_log("token_sent")
    assert (event.school_id, event.account_id) == (desk.here.id, claire.id)


def test_an_active_guardian_gets_a_token_for_a_new_password(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    browser = desk.browser("helper")
    browser.open(f"/admin/people/{claire.id}")
    browser.press("send-token")
    assert mails(claire) == ["school_token"]


def test_a5_no_page_of_the_desk_shows_a_mailed_token(desk: Desk) -> None:
    claire, _lina = claire_of(desk, status="invited")
    browser = desk.browser("manager")
    browser.open(f"/admin/people/{claire.id}")
    page = browser.press("send-token").text
    with transaction():
        message = db.session.scalars(select(OutboxMessage)).one()
        (letter,) = COMPOSERS["invitation"](message)
    outbox.sent(message)
    page += browser.open(f"/admin/people/{claire.id}").text
    secret = {word for word in letter.text.split() if one_time_tokens.normalise(word)}
    assert secret
    assert not any(one_time_tokens.normalise(word) for word in re.findall(r"[\w-]{28,}", page))


def test_without_an_address_the_page_says_so(desk: Desk) -> None:
    claire, _lina = claire_of(desk, status="invited", email=None)
    browser = desk.browser("helper")
    browser.open(f"/admin/people/{claire.id}")
    assert browser.shows("no-address")
    assert post(browser, f"/admin/people/{claire.id}/token") == 303
    assert mails(claire) == []


def test_an_address_is_corrected_with_before_and_after(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    browser = desk.browser("manager")
    browser.open(f"/admin/people/{claire.id}/edit")
    browser.submit("email-form", email="new@x.example")
    assert fresh(claire).email == "new@x.example"
    (event,) = audit_log("person_email_corrected")
    assert event.detail["changes"] == {"email": ["c…e@x.example", "n…w@x.example"]}
    assert mails(claire) == ["email_changed", "email_changed_old"]


def test_a_wrong_address_stands_at_its_field(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    browser = desk.browser("manager")
    browser.open(f"/admin/people/{claire.id}/edit")
    page = browser.submit("email-form", email="claire at home")
    assert (page.status_code, "email-problem" in page.text) == (400, True)
    assert 'value="claire at home"' in page.text
    assert fresh(claire).email == "claire@x.example"


def test_a1_a_helper_changes_nobody(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    browser = desk.browser("helper")
    assert {post(browser, f"/admin/people/{claire.id}/{act}") for act in ACTS} == {403}


def test_a2_a_manager_of_the_wrong_school_acts_on_nobody(desk: Desk) -> None:
    claire, lina = claire_of(desk)
    fields = {
        "email": "mine@x.example",
        "reason": "other",
        "locale": "de",
        "outcome": "done",
        "child_id": lina.id,
        "other_id": "a_x",
        "keep_id": claire.id,
    }
    browser = desk.browser("stranger")
    for act in (*ACTS, "token"):
        assert post(browser, f"/admin/people/{claire.id}/{act}", **fields) == 404, act
    found = fresh(claire)
    assert (found.email, found.locale, found.status) == ("claire@x.example", None, "active")
    assert live(claire) == {"Lina"}
    assert mails(claire) == []


def test_a2_foreign_ids_in_a_form_change_nothing(desk: Desk) -> None:
    claire, lina = claire_of(desk)
    paul, (noe,) = factories.family(desk.elsewhere, "Noé", username="paul")
    browser = desk.browser("manager")

    linked = {"child_id": noe.id, "relationship": "mother"}
    assert post(browser, f"/admin/people/{claire.id}/link", **linked) == 404
    known = {"username": "paul", "relationship": "father"}
    assert post(browser, f"/admin/pupils/{lina.id}/known-guardian", **known) == 400
    for act in ("end", "relationship", "link"):
        path = f"/admin/pupils/{lina.id}/guardians/{paul.id}/{act}"
        assert post(browser, path, reason="other", relationship="aunt") == 404
    merged = {"other_id": paul.id, "keep_id": claire.id}
    assert post(browser, f"/admin/people/{claire.id}/merge", **merged) == 404

    assert (live(claire), live(paul)) == ({"Lina"}, {"Noé"})


def test_a_guardianship_ends_with_a_reason(desk: Desk) -> None:
    claire, lina = claire_of(desk)
    browser = desk.browser("manager")
    browser.open(f"/admin/pupils/{lina.id}/guardians/{claire.id}")
    assert browser.submit("end-form", reason="", text="oh").status_code == 400
    browser.submit("end-form", reason="court", text="décision du 3 mars")
    assert live(claire) == set()
    row = db.session.scalars(select(Guardianship)).one()
    assert (row.ended_code, row.ended_reason) == ("court", "décision du 3 mars")
    (event,) = audit_log("guardianship_ended")
    assert (event.school_id, event.detail["changes"]) == (desk.here.id, {"ended": [None, "court"]})


def test_a_relationship_is_named_otherwise_and_an_ended_one_made_again(desk: Desk) -> None:
    claire, lina = claire_of(desk)
    browser = desk.browser("manager")
    browser.open(f"/admin/pupils/{lina.id}/guardians/{claire.id}")
    browser.submit("relationship-form", relationship="aunt")
    endings.end_guardianship(claire.id, lina.id, "", "mistake")
    browser.open(f"/admin/pupils/{lina.id}/guardians/{claire.id}")
    browser.submit("again-form", relationship="mother")
    assert live(claire) == {"Lina"}
    (event,) = audit_log("guardianship_changed")
    assert event.detail["changes"] == {"relationship": ["parent", "aunt"]}


def close(browser: Browser, account: Account) -> str:
    browser.open(f"/admin/people/{account.id}/close")
    return browser.submit("close-form", reason="other", text="").text


def test_c3_closing_says_the_same_whether_the_account_lives_on_or_not(desk: Desk) -> None:
    here_only, _ = claire_of(desk)
    lives_on, _ = factories.family(desk.here, "Mia", username="paul")
    factories.guardianship(lives_on, factories.child(desk.elsewhere, "Noé"))
    browser = desk.browser("manager")

    pages = [close(browser, each) for each in (here_only, lives_on)]

    assert fresh(here_only).status == "disabled"
    assert fresh(lives_on).status == "active"
    assert live(lives_on) == {"Noé"}
    assert pages[0].count("tag") == pages[1].count("tag")
    assert all("désactivé" not in page for page in pages)


@pytest.mark.parametrize("claimed", [True, False])
def test_c3_a_closed_account_opens_again_with_its_next_guardianship(
    desk: Desk, claimed: bool
) -> None:
    claire, lina = claire_of(desk, status="active" if claimed else "invited")
    browser = desk.browser("manager")
    close(browser, claire)
    assert fresh(claire).status == "disabled"
    browser.open(f"/admin/pupils/{lina.id}/guardians/{claire.id}")
    browser.submit("again-form", relationship="mother")
    assert fresh(claire).status == ("active" if claimed else "invited")


def test_what_the_platform_disabled_no_school_opens(desk: Desk) -> None:
    claire, lina = claire_of(desk)
    close(desk.browser("manager"), claire)
    operator = desk.browser("operator")
    operator.open(f"/admin/people/{claire.id}")
    assert post(operator, f"/admin/people/{claire.id}/disable") == 303
    manager = desk.browser("manager")
    manager.open(f"/admin/pupils/{lina.id}/guardians/{claire.id}")
    manager.submit("again-form", relationship="mother")
    assert fresh(claire).status == "disabled"
    assert post(operator, f"/admin/people/{claire.id}/enable") == 303
    assert fresh(claire).status == "active"


def test_a1_only_an_operator_disables_as_a_whole(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    browser = desk.browser("manager")
    for act in ("disable", "enable"):
        assert post(browser, f"/admin/people/{claire.id}/{act}") == 403


def test_whoever_reaches_further_is_acted_on_by_an_operator_only(desk: Desk) -> None:
    olga, _lina = claire_of(desk, username="olga")
    other, _ = factories.family(desk.here, "Mia", username="other")
    staff.grant(olga.id, "operator")
    fields = {
        "email": "mine@x.example",
        "reason": "other",
        "locale": "de",
        "other_id": other.id,
        "keep_id": other.id,
    }
    browser = desk.browser("manager")
    for act in ("token", "email", "language", "close", "merge"):
        assert post(browser, f"/admin/people/{olga.id}/{act}", **fields) == 303, act
    found = fresh(olga)
    # A language opens nothing
    assert (found.email, found.locale, found.status) == ("claire@x.example", "de", "active")
    assert (mails(olga), live(olga)) == ([], {"Lina"})


def test_a1_who_holds_a_right_that_the_manager_lacks_keeps_their_address(desk: Desk) -> None:
    anna, _lina = claire_of(desk, username="anna")
    staff.grant(anna.id, "helper", desk.here.id, may_print=True)
    browser = desk.browser("manager")
    assert post(browser, f"/admin/people/{anna.id}/email", email="mine@x.example") == 303
    assert fresh(anna).email == "claire@x.example"
    desk.staff("manager", may_print=True)
    assert post(browser, f"/admin/people/{anna.id}/email", email="anna@x.example") == 303
    assert fresh(anna).email == "anna@x.example"


def test_a2_the_old_address_takes_a_staff_correction_of_a_claimed_account_back(
    desk: Desk,
) -> None:
    claire, _lina = claire_of(desk)
    browser = desk.browser("manager")
    post(browser, f"/admin/people/{claire.id}/email", email="thief@x.example")
    change = db.session.scalars(
        select(EmailChange).where(EmailChange.account_id == claire.id)
    ).one()
    letter = COMPOSERS["email_changed_old"](
        db.session.scalars(
            select(OutboxMessage).where(OutboxMessage.kind == "email_changed_old")
        ).one()
    )[0]
    assert letter.recipient == "claire@x.example"
    secret = letter.text.partition("/account/email/undo#")[2].split()[0]
    passwords.set_password(claire.id, "the thief's own password")  # by a token mailed there

    assert isinstance(email_change.undo(secret), email_change.Open)

    db.session.expire_all()
    assert fresh(claire).email == "claire@x.example"
    assert not passwords.has_password(claire.id)
    assert email_changes.get_change(change.id).undone_at is not None  # type: ignore[union-attr]


def test_a3_addresses_merges_and_closings_want_a_fresh_proof(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    claire, _lina = claire_of(desk)
    browser = desk.browser("manager")
    later = clock.now() + timedelta(minutes=11)
    monkeypatch.setattr(clock, "now", lambda: later)
    for page in ("edit", "close", "merge"):
        answer = browser.client.get(f"/admin/people/{claire.id}/{page}")
        assert "/account/confirm" in answer.headers["Location"], page


def test_a_manager_of_the_same_school_may_be_acted_on(desk: Desk) -> None:
    anna, _lina = claire_of(desk, username="anna")
    staff.grant(anna.id, "helper", desk.here.id)
    browser = desk.browser("manager")
    browser.open(f"/admin/people/{anna.id}")
    browser.press("send-token")
    assert mails(anna) == ["school_token"]


def test_a_new_guardian_is_made_linked_and_invited_at_once(desk: Desk) -> None:
    factories.account("marie.maes")
    _claire, lina = claire_of(desk)
    browser = desk.browser("manager")
    browser.open(f"/admin/pupils/{lina.id}/new-guardian")
    browser.submit(
        "guardian-form",
        given_name="Marie",
        family_name="Maes",
        email="marie@x.example",
        locale="nl",
        relationship="mother",
        invite="1",
    )
    marie = accounts.find_by_username("marie.maes2")
    assert marie is not None
    assert (marie.status, marie.locale, live(marie)) == ("invited", "nl", {"Lina"})
    assert mails(marie) == ["invitation"]


def test_what_is_refused_leaves_no_account_behind(desk: Desk) -> None:
    _claire, lina = claire_of(desk)
    browser = desk.browser("manager")
    before = db.session.query(Account).count()
    browser.open(f"/admin/pupils/{lina.id}/new-guardian")
    page = browser.submit(
        "guardian-form", given_name="Marie", family_name="Maes", relationship="robot"
    )
    assert page.status_code == 400
    assert db.session.query(Account).count() == before


def test_c3_only_whom_the_school_knows_is_suggested(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    factories.family(desk.elsewhere, "Noé", username="else", given_name="Ana", family_name="Lo")
    mia = factories.child(desk.here, "Mia")
    browser = desk.browser("manager")
    fields = {"relationship": "mother", "locale": "fr"}

    browser.open(f"/admin/pupils/{mia.id}/new-guardian")
    browser.submit("guardian-form", given_name="CLAIRE", family_name="dubois", **fields)
    assert browser.shows("alike")
    browser.press("alike-1")
    assert live(claire) == {"Lina", "Mia"}

    browser.open(f"/admin/pupils/{mia.id}/new-guardian")
    browser.submit("guardian-form", given_name="Ana", family_name="Lo", **fields)
    assert not browser.shows("alike")
    db.session.rollback()
    assert accounts.find_by_username("ana.lo") is not None


def test_a_pupil_is_added_corrected_leaves_and_comes_back(desk: Desk) -> None:
    browser = desk.browser("manager")
    browser.open(f"/admin/schools/{desk.here.id}/pupils/new")
    browser.submit("pupil-form", given_name="Zoé", family_name="Maes", class_name="1A")
    zoe = db.session.scalars(select(Child).where(Child.given_name == "Zoé")).one()
    claire = factories.account("claire")
    factories.guardianship(claire, zoe)

    browser.open(f"/admin/pupils/{zoe.id}/edit")
    browser.submit("pupil-form", given_name="Zoé", family_name="Maes", class_name="1B")
    (event,) = audit_log("child_changed")
    assert event.detail["changes"] == {"class": ["1A", "1B"]}

    assert browser.open(f"/admin/pupils/{zoe.id}/leave").text.count("Claire Dubois") == 1
    browser.press("left-submit")
    assert live(claire) == set()
    assert browser.shows("pupil-left")
    browser.press("return-submit")
    assert not browser.shows("pupil-left")
    assert [each.school_id for each in audit_log("child_left")] == [desk.here.id]


def test_a2_no_pupil_is_added_to_another_school(desk: Desk) -> None:
    browser = desk.browser("stranger")
    path = f"/admin/schools/{desk.here.id}/pupils/new"
    assert post(browser, path, given_name="Zoé", family_name="Maes") == 404
