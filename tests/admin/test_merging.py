"""Two accounts of one person: pupils move, secrets never, and no school learns of another."""

import pytest
from sqlalchemy import select

from idp.audit.models import AuditEvent
from idp.credentials import passwords
from idp.database import db
from idp.mail.models import OutboxMessage
from idp.people import accounts, guardianships
from idp.people.models import Account
from idp.roster.models import RosterIdentity
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import Browser
from tests.wording import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def pair(desk: Desk) -> tuple[Account, Account]:
    """Claire twice: with Lina and Mia, and with Mia and Tom, who is at the other school."""
    keep, (_lina, mia) = factories.family(
        desk.here, "Lina", "Mia", username="claire", email="claire@x.example"
    )
    close, _ = factories.family(desk.here, "Ana", username="claire2")
    factories.guardianship(close, mia)
    return keep, close


def live(account: Account) -> set[str]:
    db.session.rollback()
    return {child.given_name for child, _ in guardianships.live_children(account.id)}


def merge(browser: Browser, keep: Account, close: Account) -> str:
    browser.open(f"/admin/people/{close.id}/merge?username={keep.username}")
    return browser.submit("merge-form", keep_id=keep.id).text


def test_nothing_happens_before_both_were_seen(desk: Desk) -> None:
    keep, close = pair(desk)
    page = desk.browser("manager").open(f"/admin/people/{keep.id}/merge?username=claire2")
    for each in ("claire2", "Lina", "Ana", "Mia"):
        assert each in page.text
    assert (live(keep), live(close)) == ({"Lina", "Mia"}, {"Ana", "Mia"})


def test_pupils_move_and_the_other_account_closes(desk: Desk) -> None:
    keep, close = pair(desk)
    before = passwords.set_at(keep.id)

    merge(desk.browser("manager"), keep, close)

    assert (live(keep), live(close)) == ({"Lina", "Mia", "Ana"}, set())
    db.session.expire_all()
    assert accounts.get_account(close.id).status == "disabled"
    assert passwords.set_at(keep.id) == before
    (event,) = db.session.scalars(select(AuditEvent).where(AuditEvent.event == "accounts_merged"))
    assert (event.school_id, event.account_id, event.detail) == (
        desk.here.id,
        keep.id,
        {"closed": close.id},
    )
    told = db.session.scalars(
        select(OutboxMessage).where(OutboxMessage.kind == "accounts_merged")
    ).one()
    assert told.account_id == keep.id


def test_c3_what_the_other_account_has_elsewhere_stays_and_is_not_told(desk: Desk) -> None:
    keep, close = pair(desk)
    factories.guardianship(close, factories.child(desk.elsewhere, "Tom"))
    page = merge(desk.browser("manager"), keep, close)
    assert "Tom" not in words(page)
    assert (live(keep), live(close)) == ({"Lina", "Mia", "Ana"}, {"Tom"})
    db.session.expire_all()
    assert accounts.get_account(close.id).status == "active"


def test_an_operator_moves_everything(desk: Desk) -> None:
    keep, close = pair(desk)
    factories.guardianship(close, factories.child(desk.elsewhere, "Tom"))
    merge(desk.browser("operator"), keep, close)
    assert (live(keep), live(close)) == ({"Lina", "Mia", "Ana", "Tom"}, set())


def test_one_account_can_not_be_merged_with_itself(desk: Desk) -> None:
    keep, _close = pair(desk)
    browser = desk.browser("manager")
    page = browser.open(f"/admin/people/{keep.id}/merge?username=claire")
    assert (page.status_code, browser.shows("merge-form")) == (400, False)


def test_a2_another_schools_account_is_nobody(desk: Desk) -> None:
    keep, _close = pair(desk)
    factories.family(desk.elsewhere, "Noé", username="paul")
    browser = desk.browser("manager")
    known = browser.open(f"/admin/people/{keep.id}/merge?username=paul")
    unknown = browser.open(f"/admin/people/{keep.id}/merge?username=nobd")
    assert known.text.replace("paul", "nobd").count("<") == unknown.text.count("<")
    assert (known.status_code, browser.shows("merge-form")) == (400, False)


def test_the_next_import_means_the_kept_account(desk: Desk) -> None:
    keep, close = pair(desk)
    for school, number in ((desk.here, "g-1"), (desk.elsewhere, "g-2")):
        db.session.add(
            RosterIdentity(
                school_id=school.id,
                kind="guardian",
                sourced_id=number,
                account_id=close.id,
                run_id="j_1",
            )
        )
    db.session.commit()
    merge(desk.browser("manager"), keep, close)
    db.session.rollback()
    found = db.session.execute(select(RosterIdentity.sourced_id, RosterIdentity.account_id))
    assert set(map(tuple, found)) == {("g-1", keep.id), ("g-2", close.id)}
