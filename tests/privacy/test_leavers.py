"""R16: who left is ended and erased when their school says so, not before, and is told before."""

import contextlib
import re
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, text

from idp import clock, purge
from idp.database import db, transaction
from idp.lifecycle import endings, restored
from idp.lifecycle.mails import COMPOSERS
from idp.mail import outbox
from idp.mail.models import OutboxMessage
from idp.people import children, schools, staff
from idp.people.models import Account, Child, ErasureRequest, Guardianship, School
from idp.privacy import erasure
from idp.purge import ending, leavers, steady
from idp.purge.leavers import NOTICE
from idp.roster.models import RosterRun, RosterRunSchool
from tests import factories
from tests.entrance import enter
from tests.times import shown_day

pytestmark = pytest.mark.quick_on("sqlite")

DAY = timedelta(days=1)
PERIOD = 180 * DAY


@pytest.fixture(autouse=True)
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test jumps by months; what a purge does then is in ``test_clock_of_purges.py``."""
    monkeypatch.setattr(steady, "find_doubt", lambda: None)


@pytest.fixture
def school(app: Flask) -> School:
    """A school, in an installation whose purge has run for long."""
    purge.run(pause=0)
    with transaction() as writes:
        writes.execute(
            text("UPDATE installation_marks SET at = :at WHERE name = 'people purged'"),
            {"at": clock.now() - 400 * DAY},
        )
    return factories.school()


@pytest.fixture
def family(school: School) -> tuple[Account, list[Child]]:
    return factories.family(school, "Lina", username="claire", email="claire@x.example")


def leave(child: Child) -> None:
    children.mark_left(child)
    theirs = select(Guardianship.id).where(Guardianship.child_id == child.id)
    endings.end_guardianships(theirs, "", "left")


def purged_at(time: datetime) -> dict[str, int]:
    with time_machine.travel(time, tick=False):
        done = purge.run(pause=0)
    db.session.expire_all()
    return {name: done[name] for name in ("accounts", "children")}


def purged_daily(since: datetime, until: timedelta, step: timedelta = 5 * DAY) -> dict[str, float]:
    """On which day after ``since`` somebody of each table was erased."""
    days: dict[str, float] = {}
    day = timedelta(0)
    while day <= until:
        for name, count in purged_at(since + day).items():
            if count:
                days[name] = day / DAY
        day += step
    return days


def letters(kind: str = "account_ends") -> list[OutboxMessage]:
    return list(db.session.scalars(select(OutboxMessage).where(OutboxMessage.kind == kind)))


def sent(_since: datetime) -> None:
    for message in letters():
        if message.status == "queued":
            message.status = "sent"
    with transaction():
        db.session.flush()


def exists(model: Any, key: str) -> bool:
    db.session.expire_all()
    return db.session.get(model, key) is not None


def test_r16_a_child_is_kept_as_long_as_its_school_says(
    school: School, family: tuple[Account, list[Child]]
) -> None:
    _account, (child,) = family
    leave(child)
    now = clock.now()
    assert purged_at(now + PERIOD - DAY)["children"] == 0
    schools.change_school(school.id, None, {"keep_leavers_days": "200"})
    assert purged_at(now + PERIOD + DAY)["children"] == 0
    assert purged_at(now + 201 * DAY)["children"] == 1
    assert not exists(Child, child.id)


def test_a_child_at_school_is_never_erased(family: tuple[Account, list[Child]]) -> None:
    account, (child,) = family
    assert purged_at(clock.now() + 4000 * DAY) == {"accounts": 0, "children": 0}
    assert exists(Child, child.id)
    assert exists(Account, account.id)


def test_r16_a_parent_without_a_child_is_told_then_ended_then_erased(
    family: tuple[Account, list[Child]],
) -> None:
    account, (child,) = family
    leave(child)
    left = clock.now()
    purged_at(left + PERIOD - NOTICE - DAY)
    assert letters() == []
    purged_at(left + PERIOD - NOTICE + DAY)
    (letter,) = letters()
    assert letter.account_id == account.id
    purged_at(left + PERIOD - NOTICE + 2 * DAY)
    assert len(letters()) == 1, "once"
    sent(left)
    assert purged_at(left + PERIOD)["accounts"] == 0
    assert db.session.get_one(Account, account.id).status == "active"
    purged_at(left + PERIOD + 1.1 * DAY)
    assert db.session.get_one(Account, account.id).status == "disabled"
    assert purged_at(left + PERIOD + 2 * DAY)["accounts"] == 0
    assert purged_at(left + PERIOD + 4 * DAY)["accounts"] == 1
    assert not exists(Account, account.id)


def test_who_never_claimed_their_account_leaves_without_a_word(school: School) -> None:
    account, (child,) = factories.family(school, "Tom", status="invited", email="n@x.example")
    leave(child)
    left = clock.now()
    purged_at(left + PERIOD - DAY)
    assert db.session.get_one(Account, account.id).status == "invited"
    purged_at(left + PERIOD + DAY)
    assert db.session.get_one(Account, account.id).status == "disabled"
    assert purged_at(left + PERIOD + 4 * DAY)["accounts"] == 1
    assert letters() == []
    assert not exists(Account, account.id)


def test_a_sister_in_september_keeps_the_family(
    school: School, family: tuple[Account, list[Child]]
) -> None:
    account, (child,) = family
    leave(child)
    june = clock.now()
    with time_machine.travel(june + 155 * DAY, tick=False):
        purge.run(pause=0)
        assert len(letters()) == 1
        factories.guardianship(account, factories.child(school, "Mia"))
    sent(june)
    assert "accounts" not in purged_daily(june + 156 * DAY, 60 * DAY)
    assert exists(Account, account.id)
    assert not exists(Child, child.id)


def test_who_comes_back_and_leaves_again_is_told_again(
    school: School, family: tuple[Account, list[Child]]
) -> None:
    account, (child,) = family
    leave(child)
    june = clock.now()
    purged_at(june + 155 * DAY)
    sent(june)
    with time_machine.travel(june + 160 * DAY, tick=False):
        sister = factories.child(school, "Mia")
        factories.guardianship(account, sister)
    with time_machine.travel(june + 400 * DAY, tick=False):
        leave(sister)
    before = {letter.id for letter in letters()}
    purged_at(june + 560 * DAY)
    assert len({letter.id for letter in letters()} - before) == 1
    sent(june)
    assert purged_at(june + 585 * DAY)["accounts"] == 0
    assert exists(Account, account.id)


def test_a_child_at_another_school_keeps_the_parent(
    school: School, family: tuple[Account, list[Child]]
) -> None:
    account, (child,) = family
    other = factories.school("Lycée")
    factories.guardianship(account, factories.child(other, "Mia"))
    leave(child)
    assert purged_daily(clock.now(), 400 * DAY, 20 * DAY).keys() == {"children"}
    assert exists(Account, account.id)


def test_the_longest_period_of_a_parents_schools_counts(
    school: School, family: tuple[Account, list[Child]]
) -> None:
    account, (child,) = family
    other = factories.school("Lycée")
    schools.change_school(other.id, None, {"keep_leavers_days": "365"})
    mia = factories.child(other, "Mia")
    factories.guardianship(account, mia)
    for each in (child, mia):
        leave(each)
    now = clock.now()
    for day in (190, 340, 364):
        assert purged_at(now + day * DAY)["accounts"] == 0
        sent(now)
    assert db.session.get_one(Account, account.id).status == "active"
    purged_at(now + 371 * DAY)
    assert purged_at(now + 374 * DAY)["accounts"] == 1


def test_staff_stay(school: School, family: tuple[Account, list[Child]]) -> None:
    account, (child,) = family
    with transaction():
        staff.grant(account.id, "manager", school.id)
    leave(child)
    assert "accounts" not in purged_daily(clock.now(), 400 * DAY, 40 * DAY)


def test_an_account_that_never_had_a_child_leaves_after_the_operators_period(
    school: School,
) -> None:
    account = factories.account("nobody", status="invited", password=None)
    assert "accounts" not in purged_daily(clock.now(), 170 * DAY, 40 * DAY)
    assert purged_daily(clock.now() + 181 * DAY, 6 * DAY, 1.5 * DAY) == {"accounts": 3.0}
    assert not exists(Account, account.id)


def test_an_agreed_erasure_is_done_once_the_school_has_let_go(
    family: tuple[Account, list[Child]],
) -> None:
    account, (child,) = family
    erasure.request_erasure(account.id)
    erasure.close(account.id, "done")
    now = clock.now()
    assert purged_at(now + 20 * DAY)["accounts"] == 0
    endings.end_guardianship(account.id, child.id, "as asked")
    assert db.session.get_one(Account, account.id).status == "active"
    purged_at(now + 21 * DAY)
    assert db.session.get_one(Account, account.id).status == "disabled"
    for message in db.session.scalars(select(OutboxMessage)):
        message.status = "sent"
    with transaction():
        db.session.flush()
    assert purged_at(now + 24 * DAY)["accounts"] == 1
    assert db.session.scalars(select(ErasureRequest)).all() == []


def test_after_an_upgrade_nobody_is_ended_for_thirty_days(app: Flask) -> None:
    school = factories.school()
    account, (child,) = factories.family(school, "Lina", status="invited")
    long_ago = clock.now()
    leave(child)
    upgraded = long_ago + 900 * DAY
    assert purged_at(upgraded) == {"accounts": 0, "children": 0}
    assert purged_at(upgraded + 29 * DAY) == {"accounts": 0, "children": 0}
    assert exists(Account, account.id)
    assert purged_at(upgraded + 31 * DAY)["children"] == 1


def test_the_report_names_whom_a_purge_would_end_and_changes_nothing(
    school: School, family: tuple[Account, list[Child]]
) -> None:
    account, (child,) = family
    leave(child)
    before = len(db.session.scalars(select(OutboxMessage)).all())
    with time_machine.travel(clock.now() + PERIOD + DAY, tick=False):
        due = list(purge.list_due())
    assert {(each.rule, each.does, each.id, each.school_id) for each in due} == {
        ("child_left", "erase", child.id, school.id),
        ("end_announced", "announce", account.id, school.id),
    }
    assert exists(Child, child.id)
    assert len(db.session.scalars(select(OutboxMessage)).all()) == before


def test_who_is_in_a_waiting_import_waits_for_it(
    school: School, family: tuple[Account, list[Child]]
) -> None:
    _account, (child,) = family
    leave(child)
    later = clock.now() + PERIOD + DAY
    with transaction() as writes:
        run = RosterRun(format="csv", fingerprint="f", status="checked", created_at=later)
        writes.add(run)
        writes.flush()
        writes.add(RosterRunSchool(run_id=run.id, school_id=school.id))
    with time_machine.travel(later, tick=False):
        held = {(due.rule, due.id) for due in purge.list_due() if due.does == "hold"}
    assert held == {("import_waits", child.id)}
    assert purged_at(later)["children"] == 0
    assert purged_at(later + 3 * DAY)["children"] == 1


def test_it_goes_in_parts_however_many_left(school: School, monkeypatch: Any) -> None:
    with transaction():
        many = [factories.child(school, f"Pupil {n}") for n in range(25)]
    for each in many[:20]:
        children.mark_left(each)
    parts: Counter[int] = Counter()
    erase = ending.erasing.erase_held

    def counted(accounts: Any, ids: Any, why: str) -> int:
        parts[len(ids)] += 1
        return erase(accounts, ids, why)

    monkeypatch.setattr(ending.erasing, "erase_held", counted)
    monkeypatch.setattr(ending, "LOOKED_AT", 7)
    with time_machine.travel(clock.now() + PERIOD + DAY, tick=False):
        done = purge.run(batch=3, pause=0)
    assert done["children"] == 20
    assert max(parts) == 3


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("commits", [True, False])
def test_r16_a_child_that_comes_back_at_the_same_instant_is_not_erased(
    school: School, family: tuple[Account, list[Child]], app: Flask, commits: bool
) -> None:
    """Somebody holds the child's row, uncommitted, while the purge comes by."""
    account, (child,) = family
    leave(child)
    held, may_end = threading.Event(), threading.Event()

    def come_back() -> None:
        with app.app_context(), transaction() as writes:
            children.mark_returned(writes.get_one(Child, child.id))
            factories.guardianship(
                writes.get_one(Account, account.id), writes.get_one(Child, child.id)
            )
            writes.flush()
            held.set()
            may_end.wait(10)
            if not commits:
                raise KeyboardInterrupt

    def returning() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            come_back()

    thread = threading.Thread(target=returning)
    thread.start()
    assert held.wait(10)
    later = clock.now() + PERIOD + DAY
    assert purged_at(later)["children"] == 0
    may_end.set()
    thread.join()
    assert purged_at(later)["children"] == (0 if commits else 1)
    assert exists(Child, child.id) == commits


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_r16_a_guardianship_that_is_committed_as_the_purge_looks_keeps_the_account(
    school: School, family: tuple[Account, list[Child]], app: Flask, monkeypatch: Any
) -> None:
    """Between the look and the hold: the account's own row has not changed, and yet it stays."""
    account, (child,) = family
    leave(child)
    later = clock.now() + 2 * PERIOD
    endings.disable_account(account.id)
    sister = factories.child(school, "Mia")
    begin = ending._do

    def after_a_link(rule: Any, ids: list[str]) -> int:
        if rule.does == "erase" and rule.model is Account:

            def link() -> None:
                with app.app_context():
                    factories.guardianship(
                        db.session.get_one(Account, account.id),
                        db.session.get_one(Child, sister.id),
                    )

            thread = threading.Thread(target=link)
            thread.start()
            thread.join()
        return begin(rule, ids)

    monkeypatch.setattr(ending, "_do", after_a_link)
    for message in db.session.scalars(select(OutboxMessage)):
        message.status = "sent"
    with transaction():
        db.session.flush()
    assert purged_at(later)["accounts"] == 0
    assert exists(Account, account.id)


@pytest.mark.parametrize(
    ("locale", "words"),
    [("fr", "prend fin le"), ("nl", "eindigt op"), ("de", "endet am"), ("en", "ends on")],
)
def test_the_mail_says_the_day_on_which_all_is_gone(
    family: tuple[Account, list[Child]], locale: str, words: str
) -> None:
    account, (child,) = family
    with transaction():
        account.locale = locale
    leave(child)
    told = datetime(2027, 10, 3, 12, tzinfo=UTC)
    purged_at(told)
    (queued,) = letters()
    (letter,) = COMPOSERS["account_ends"](queued)
    assert words in letter.subject
    assert re.search(r"\b0?2\b.*2027", letter.subject), letter.subject
    assert re.search(r"\b0?2\b[^\n]*2027", letter.text)
    assert "claire" in letter.text


@pytest.mark.parametrize("why", ["restored", "given up"])
def test_r16_who_was_told_by_a_mail_that_never_left_is_told_anew(
    family: tuple[Account, list[Child]], why: str
) -> None:
    account, (child,) = family
    leave(child)
    left = clock.now()
    with time_machine.travel(left + PERIOD - NOTICE + DAY, tick=False):
        purge.run(pause=0)
        if why == "restored":
            restored.end_what_came_back()
    if why == "given up":
        with time_machine.travel(left + PERIOD - NOTICE + 5 * DAY, tick=False):
            outbox.put_back(letters()[0], "connection refused")
    purged_at(left + PERIOD - NOTICE + 20 * DAY)
    assert len(letters()) == 2
    sent(left)
    purged_at(left + PERIOD + 5 * DAY)
    assert db.session.get_one(Account, account.id).status == "active", "thirty days from then"
    purged_at(left + PERIOD + 21 * DAY)
    assert db.session.get_one(Account, account.id).status == "disabled"


def test_r16_a_child_linked_after_an_erasure_was_agreed_to_keeps_the_account(
    family: tuple[Account, list[Child]],
) -> None:
    """Another school, which was never asked; then the account is disabled for a suspected theft."""
    account, (child,) = family
    erasure.request_erasure(account.id)
    erasure.close(account.id, "done")
    now = clock.now()
    endings.end_guardianship(account.id, child.id, "as asked")
    with time_machine.travel(now + 2 * DAY, tick=False):
        factories.guardianship(account, factories.child(factories.school("Lycée"), "Mia"))
    with time_machine.travel(now + 100 * DAY, tick=False):
        endings.disable_account(account.id)
    for message in db.session.scalars(select(OutboxMessage)):
        message.status = "sent"
    with transaction():
        db.session.flush()
    assert purged_at(now + 110 * DAY)["accounts"] == 0
    assert exists(Account, account.id)


def test_a_period_that_a_school_sets_meanwhile_erases_nobody_sooner(
    school: School, family: tuple[Account, list[Child]]
) -> None:
    _account, (child,) = family
    leave(child)
    now = clock.now() + 500 * DAY
    is_due, is_untold = (leavers.RULES[n].is_due(now) for n in (-1, 1))
    schools.change_school(school.id, None, {"keep_leavers_days": "700"})
    assert db.session.scalars(select(Child.id).where(is_due)).all() == []
    assert db.session.scalars(select(Account.id).where(is_untold)).all() == []


def test_whoever_was_told_reads_on_their_page_when_their_account_ends(
    app: Flask, family: tuple[Account, list[Child]]
) -> None:
    account, (child,) = family

    def page(at: datetime) -> str:
        with time_machine.travel(at, tick=False):
            browser = app.test_client()
            enter(browser, account)
            shown = browser.get("/", headers={"Accept-Language": "en"})
        assert shown.status_code == 200
        return shown.text

    leave(child)
    told = clock.now() + PERIOD - NOTICE + DAY
    assert "Your account ends on" not in page(told)
    purged_at(told)
    shown = page(told + DAY)
    assert f"Your account ends on {shown_day(app, told + NOTICE)}" in shown
    assert 'id="account-ends-data"' in shown
    assert "Ask the school before that day." in shown

    factories.guardianship(account, factories.child(child.school, "Noé"))
    assert "Your account ends on" not in page(told + 2 * DAY)


def test_the_report_names_whom_a_purge_holds_back_and_why(
    school: School, family: tuple[Account, list[Child]]
) -> None:
    account, (child,) = family
    leave(child)
    endings.close_accounts([account.id])
    outbox.enqueue("invitation", account_id=account.id)
    late = clock.now() + PERIOD + 40 * DAY
    with time_machine.travel(late, tick=False):
        held = {(due.rule, due.id) for due in purge.list_due() if due.does == "hold"}
        assert held == {("mail_waits", account.id)}
    with transaction() as writes:
        writes.execute(text("UPDATE outbox SET status = 'sent'"))
    with time_machine.travel(late, tick=False):
        assert [due for due in purge.list_due() if due.does == "hold"] == []
