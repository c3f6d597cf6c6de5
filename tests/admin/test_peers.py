"""A3: nobody is handed the account of an equal, so that nobody is both of the two for a reset."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, update

from idp import clock
from idp.audit.models import AuditEvent
from idp.credentials import email_changes, totp
from idp.credentials.models import TotpSecret
from idp.database import db, transaction
from idp.desk.access import rights as desk_staff
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import account_actions, factor_resets
from idp.errors import Conflict
from idp.mail.models import OutboxMessage
from idp.people import staff
from idp.people.models import Account
from tests import factories
from tests.admin.places import Desk
from tests.admin.test_person_acts import fresh, mails, post
from tests.second_factors import switch_on
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HOLDERS = ("parent", "helper", "manager", "operator")
Fields = dict[str, str]


def colleague(desk: Desk, role: str, name: str, status: str = "active") -> Account:
    """Somebody with this role, who is a parent of the school and has a second step."""
    account, _ = factories.family(
        desk.here, "Lina", username=name, email=f"{name}@x.example", proved=True, status=status
    )
    if role != "parent":
        staff.grant(account.id, role, None if role == "operator" else desk.here.id)
    if status == "active":
        switch_on(account.id)
    return account


def _way_back(account: Account, _other: Account) -> Fields:
    account_actions.correct_email(AT_TERMINAL, account.id, f"new-{account.email}")
    (change,) = email_changes.open_rights(account.id)
    return {"change": change.id}


def _again(account: Account, _other: Account) -> Fields:
    with transaction() as writes:
        message = OutboxMessage(
            kind="invitation", account_id=account.id, status="refused", due_at=clock.now()
        )
        writes.add(message)
    return {"mail": message.id}


ACTS: dict[str, tuple[str, Callable[[Account, Account], Fields], str]] = {
    "token": ("people/{id}/token", lambda one, two: {}, "PH PH PHM"),
    "mail again": ("mails/{mail}/again", _again, "PH PH PHM"),
    "name": ("people/{id}/name", lambda one, two: {"given_name": "Zoé"}, "- PH PHM"),
    "user name": (
        "people/{id}/username",
        lambda one, two: {"username": f"z{one.username}"},
        "- PH PHM",
    ),
    "address": (
        "people/{id}/email",
        lambda one, two: {"email": f"z-{one.email}", "sure": "yes"},
        "- PH PHM",
    ),
    "merge away": (
        "people/{id}/merge",
        lambda one, two: {"other_id": two.id, "keep_id": two.id},
        "- PH PHM",
    ),
    "merge into": (
        "people/{id}/merge",
        lambda one, two: {"other_id": two.id, "keep_id": one.id},
        "- PH PHM",
    ),
    "end a way back": ("people/{id}/way-back", _way_back, "- - PHM"),
    "request a reset": ("second-step/{id}/ask", lambda one, two: {}, "- PHM PHM"),
    # What hands nothing over
    "close access": ("people/{id}/close", lambda one, two: {"reason": "other"}, "- PHM PHMO"),
    "disable": ("people/{id}/disable", lambda one, two: {}, "- - PHMO"),
    "language": ("people/{id}/language", lambda one, two: {"locale": "de"}, "- PHMO PHMO"),
}
"""Each act on an account: address, fields, and on whom a helper, a manager and an operator may do
it, by the first letter of the holder's role."""
OWN = ("helper", "manager", "operator")


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("act", ACTS)
def test_a3_what_may_hand_an_account_over_wants_a_strictly_wider_right(
    desk: Desk, act: str, own: str
) -> None:
    path, fields_of, may = ACTS[act]
    browser, actor = desk.browser(own), desk.staff(own)
    done = ""
    for role in HOLDERS:
        status = "invited" if act == "mail again" else "active"
        holder = colleague(desk, role, f"a-{role}", status)
        other, _ = factories.family(desk.here, "Mia", username=f"mia-{role}")
        fields = fields_of(holder, other)
        before = acts_of(actor)
        post(browser, "/admin/" + path.format(id=holder.id, mail=fields.get("mail")), **fields)
        done += role[0].upper() if acts_of(actor) > before else ""
    assert done == may.split()[OWN.index(own)].strip("-")


def acts_of(actor: Account) -> int:
    db.session.rollback()
    mine = select(func.count()).select_from(AuditEvent).where(AuditEvent.actor == actor.id)
    return db.session.scalar(mine) or 0


BUTTONS = {
    "send-token": "token",
    "person-edit": "address",
    "person-merge": "merge away",
    "person-close": "close access",
}


@pytest.mark.parametrize("own", OWN)
def test_no_button_is_shown_that_would_be_refused(desk: Desk, own: str) -> None:
    browser = desk.browser(own)
    for role in HOLDERS:
        holder = colleague(desk, role, f"a-{role}")
        _way_back(holder, holder)
        browser.open(f"/admin/people/{holder.id}")
        for button, act in {**BUTTONS, "end-way-back-1": "end a way back"}.items():
            may = role[0].upper() in ACTS[act][2].split()[OWN.index(own)]
            assert browser.shows(button) == may, (role, button)
        new = colleague(desk, role, f"new-{role}", "invited")
        again = f"again-{_again(new, new)['mail']}"
        browser.open("/admin/mails?fate=refused")
        assert browser.shows(again) == (
            role[0].upper() in ACTS["mail again"][2].split()[OWN.index(own)]
        )


@pytest.mark.parametrize("role", ["manager", "operator"])
def test_whose_equal_may_not_is_helped_at_a_terminal(desk: Desk, role: str) -> None:
    holder = colleague(desk, role, "other", "invited")
    assert account_actions.correct_email(AT_TERMINAL, holder.id, "right@x.example")
    assert account_actions.send_token(AT_TERMINAL, holder.id)
    assert (fresh(holder).email, mails(holder)[-1]) == ("right@x.example", "invitation")


def test_a3_a_manager_does_not_become_the_second_person(desk: Desk) -> None:
    """By the address and the invitation of a colleague who has not signed in yet."""
    claire = colleague(desk, "parent", "claire")
    other = colleague(desk, "manager", "other", "invited")
    manager = desk.browser("manager")
    factories.long_in_office()
    assert post(manager, f"/admin/second-step/{claire.id}/ask") == 303

    post(manager, f"/admin/people/{other.id}/email", email="mine@x.example", sure="yes")
    post(manager, f"/admin/people/{other.id}/token")

    assert (fresh(other).email, mails(other)) == ("other@x.example", [])


@pytest.mark.parametrize("act", ["request", "confirm"])
def test_a3_a_second_step_of_yesterday_neither_requests_nor_confirms(desk: Desk, act: str) -> None:
    """Whoever got into a colleague's account by a password has set it up just now."""
    claire = colleague(desk, "parent", "claire")
    first, second = (colleague(desk, "manager", name) for name in ("first", "second"))
    factories.long_in_office()
    if act == "confirm":
        assert factor_resets.request_reset(at_desk(first), claire.id)
    with transaction() as writes:
        new = update(TotpSecret).where(TotpSecret.account_id == second.id)
        writes.execute(new.values(created_at=clock.now()))
    decide = {"request": factor_resets.request_reset, "confirm": factor_resets.confirm}[act]

    with pytest.raises(Conflict, match="second_step_too_new"):
        decide(at_desk(second), claire.id)
    assert factor_resets.state(at_desk(second), claire.id).too_new == "second_step_too_new"
    assert totp.is_on(claire.id)

    with later(hours=72, minutes=1):
        if act == "confirm":  # a request lasts a day
            assert factor_resets.request_reset(at_desk(first), claire.id)
        assert decide(at_desk(second), claire.id)


def test_who_is_too_new_reads_why(desk: Desk) -> None:
    claire, browser = colleague(desk, "parent", "claire"), desk.browser("manager")
    with transaction() as writes:
        writes.execute(update(TotpSecret).values(created_at=clock.now()))
    page = browser.open(f"/admin/second-step/{claire.id}")
    assert browser.shows("factor-reset-too-new")
    assert not browser.shows("factor-reset-ask")
    assert re.search(r"deuxième étape[^<]*72", page.text)


def at_desk(account: Account) -> desk_staff.Staff:
    found = desk_staff.staff_of(account.id)
    assert found is not None
    return found
