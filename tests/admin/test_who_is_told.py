"""Whom an act of the desk concerns is told by mail, or it is written here why not.

The acts are the desk's own addresses that take a form: a new one without a row fails.
"""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from idp.credentials import email_changes
from idp.database import db, transaction
from idp.lifecycle import email_change, endings
from idp.lifecycle.mails import requests as mail_requests
from idp.mail import delivery
from idp.mail.models import OutboxMessage
from idp.people import accounts, staff
from idp.people.models import Account, Child
from idp.privacy import erasure
from tests import factories
from tests.admin.places import Desk
from tests.admin.test_factor_resets import person
from tests.admin.test_people_pages import class_page
from tests.admin.test_person_acts import post
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Act = Callable[[Desk], Account]
"""Does it, and returns whom it concerns."""


def claire_of(desk: Desk, **values: str) -> tuple[Account, Child]:
    having = {"username": "claire", "email": "claire@x.example", **values}
    claire, (lina,) = factories.family(desk.here, "Lina", **having)
    return claire, lina


def invited_of(desk: Desk) -> Account:
    return claire_of(desk, status="invited")[0]


def person_act(act: str, who: str = "manager", **fields: str) -> Act:
    def done(desk: Desk) -> Account:
        claire, _lina = claire_of(desk)
        assert post(desk.browser(who), f"/admin/people/{claire.id}/{act}", **fields) == 303
        return claire

    return done


def _school_act(path: Callable[[Desk], str]) -> Act:
    def done(desk: Desk) -> Account:
        claire = invited_of(desk)
        assert post(desk.browser("manager"), path(desk), sending="x", confirmed="yes") == 303
        return claire

    return done


def _linked(path: str, **fields: str) -> Act:
    def done(desk: Desk) -> Account:
        claire, lina = claire_of(desk)
        tom = factories.child(desk.here, "Tom")
        if "{lina}" in path:
            endings.end_guardianship(claire.id, lina.id, "", "correction")
            factories.guardianship(claire, factories.child(desk.here, "Noé"))
        ids = {"claire": claire.id, "lina": lina.id, "tom": tom.id}
        sent = {name: value.format(**ids) for name, value in fields.items()}
        address = path.format(**ids)
        assert post(desk.browser("manager"), address, relationship="parent", **sent) == 303
        return claire

    return done


def _new_guardian(desk: Desk) -> Account:
    child = factories.child(desk.here, "Tom")
    names = {"given_name": "Agnès", "family_name": "Maes", "email": "agnes@x.example"}
    path = f"/admin/pupils/{child.id}/new-guardian"
    post(desk.browser("manager"), path, relationship="parent", invite="1", **names)
    return _by_address("agnes@x.example")


def _merged(*, closed: bool) -> Act:
    def done(desk: Desk) -> Account:
        claire, _lina = claire_of(desk)
        other, _tom = factories.family(desk.here, "Tom", username="claire2", email="c@y.example")
        path = f"/admin/people/{claire.id}/merge"
        assert post(desk.browser("manager"), path, other_id=other.id, keep_id=claire.id) == 303
        return other if closed else claire

    return done


def _way_back_ended(desk: Desk) -> Account:
    claire, _lina = claire_of(desk, proved=True)  # type: ignore[arg-type]
    email_change.by_staff(claire.id, "new@x.example")
    (change,) = email_changes.open_rights(claire.id)
    path = f"/admin/people/{claire.id}/way-back"
    assert post(desk.browser("operator"), path, change=change.id) == 303
    return claire


def _sent_again(desk: Desk) -> Account:
    claire = invited_of(desk)
    failed = mail_requests.invite(claire.id)
    with transaction():
        failed.status = "refused"
    with later(hours=2):
        assert post(desk.browser("manager"), f"/admin/mails/{failed.id}/again") == 303
    return claire


def _answered(desk: Desk) -> Account:
    claire, _lina = claire_of(desk)
    erasure.request_erasure(claire.id)
    path = f"/admin/people/{claire.id}/erasure"
    assert post(desk.browser("manager"), path, outcome="declined") == 303
    return claire


def _enabled(desk: Desk) -> Account:
    claire, _lina = claire_of(desk)
    endings.disable_account(claire.id)
    assert post(desk.browser("operator"), f"/admin/people/{claire.id}/enable") == 303
    return claire


def _reset(last: str) -> Act:
    def done(desk: Desk) -> Account:
        claire = _reachable(person(desk, "parent", "claire"))
        path = f"/admin/second-step/{claire.id}"
        assert post(desk.browser("manager"), f"{path}/ask") == 303
        if last != "ask":
            assert post(desk.browser("operator"), f"{path}/{last}") == 303
        return claire

    return done


def _role_given(desk: Desk) -> Account:
    claire, _lina = claire_of(desk)
    fields = {"who": "claire", "role": "helper", "school": desk.here.id}
    assert post(desk.browser("manager"), "/admin/staff/new/known", **fields) == 303
    return claire


def _hired(desk: Desk) -> Account:
    fields = {"given_name": "Agnès", "family_name": "Maes", "email": "agnes@x.example"}
    path = "/admin/staff/new/person"
    post(desk.browser("manager"), path, role="helper", school=desk.here.id, **fields)
    return _by_address("agnes@x.example")


def _role_taken(desk: Desk) -> Account:
    helper = _reachable(desk.staff("helper"))
    (role,) = staff.roles_of(helper.id)
    assert post(desk.browser("manager"), f"/admin/staff/{role.id}/take") == 303
    return helper


def _tried(desk: Desk) -> Account:
    manager = _reachable(desk.staff("manager"))
    path = f"/admin/schools/{desk.here.id}/mails/invitation/fr/test"
    assert post(desk.browser("manager"), path) == 303
    return manager


def _reachable(account: Account) -> Account:
    with transaction():
        accounts.change_email(account, f"{account.username}@x.example", proved=True)
    return account


def _by_address(email: str) -> Account:
    db.session.rollback()
    return db.session.scalars(select(Account).where(Account.email == email)).one()


TOLD: dict[str, list[tuple[Act, str]]] = {
    "send_class_tokens": [(_school_act(lambda desk: class_page(desk) + "/tokens"), "invitation")],
    "invite_school": [
        (_school_act(lambda desk: f"/admin/schools/{desk.here.id}/invitations"), "invitation")
    ],
    "send_token": [(person_act("token"), "school_token")],
    "send_again": [(_sent_again, "invitation")],
    "correct_name": [
        (person_act("name", given_name="Claire", family_name="Autre"), "account_corrected")
    ],
    "correct_username": [(person_act("username", username="claire.autre"), "account_corrected")],
    "correct_email": [(person_act("email", email="new@x.example"), "email_changed")],
    "end_way_back": [(_way_back_ended, "email_way_back_ended")],
    "enable_account": [(_enabled, "account_enabled")],
    "link_pupil": [(_linked("/admin/people/{claire}/link", child_id="{tom}"), "guardianship_made")],
    "link_again": [(_linked("/admin/pupils/{lina}/guardians/{claire}/link"), "guardianship_made")],
    "add_known_guardian": [
        (_linked("/admin/pupils/{tom}/known-guardian", username="claire"), "guardianship_made")
    ],
    "add_new_guardian": [(_new_guardian, "invitation")],
    "merge": [
        (_merged(closed=False), "accounts_merged"),
        (_merged(closed=True), "account_merged_away"),
    ],
    "answer_erasure": [(_answered, "erasure_closed")],
    "ask_factor_reset": [(_reset("ask"), "factors_reset_asked")],
    "confirm_factor_reset": [(_reset("confirm"), "factors_reset")],
    "decline_factor_reset": [(_reset("decline"), "factors_reset_declined")],
    "role_give": [(_role_given, "role_given")],
    "role_hire": [(_hired, "invitation")],
    "role_take": [(_role_taken, "role_taken")],
    "send_test": [(_tried, "specimen")],
}

_ENDS = (
    "often a court's decision: the school tells it itself, as the page says; it is in the history"
)
TO = {"email_way_back_ended": "claire@x.example"}
"""The address before: its reader is who could take the change back."""
_LEAVES = "the end of school is no news to the family; each end is in the guardian's history"
_IMPORT = "one file for hundreds: who is new is invited by an act of its own, ends are as above"
_SCHOOL = "about the school and its pages; the logbook says who"
_CLIENT = "about an application; what parents allowed it they see and end on their page"
_REGISTRATION = "a token is nobody's account, and is handed over by who made it; in the logbook"
SILENT: dict[str, str] = {
    "end_guardianship": _ENDS,
    "withdraw_question": "it opens nothing; whoever comes by its mail reads that it is over",
    "close_access": _ENDS,
    "disable_account": _ENDS,
    "pupil_left": _LEAVES,
    "family_left": _LEAVES,
    "pupil_returned": "links nobody: guardians are linked again by hand, and told then",
    "change_pupil": "a pupil has no mailbox; guardians see name and class in the applications",
    "add_pupil": "nobody is linked to the pupil yet",
    "rename_guardianship": "a word about the link, which opens and closes nothing; in the history",
    "set_language": "seen in the next page and mail, which have the switch beside it",
    "print_letter": "the letter is the message, handed over by the school",
    "print_class_letters": "the letters are the message, handed over by the school",
    "role_print": "a right at the desk, which shows it to its holder; the logbook says who gave it",
    "import_upload": "nothing changes before it is carried out",
    "import_columns": "nothing changes before it is carried out",
    "import_layout": "nothing changes before it is carried out",
    "import_check": "nothing changes before it is carried out",
    "import_answers": "nothing changes before it is carried out",
    "import_apply": _IMPORT,
    "import_undo": _IMPORT,
    "import_discard": "nothing was changed",
    "new_school": _SCHOOL,
    "change_identity": _SCHOOL,
    "change_contact": _SCHOOL,
    "change_languages": _SCHOOL,
    "change_providers": _SCHOOL,
    "change_staying": _SCHOOL,
    "change_leavers": _SCHOOL,
    "set_logo": _SCHOOL,
    "remove_logo": _SCHOOL,
    "school_text": _SCHOOL,
    "new_client": _CLIENT,
    "edit_client": _CLIENT,
    "try_client": "changes nothing",
    "certify_client": "changes nothing",
    "client_secret": _CLIENT,
    "end_client_secret": _CLIENT,
    "disable_client": _CLIENT,
    "enable_client": _CLIENT,
    "new_registration_token": _REGISTRATION,
    "end_registration_token": _REGISTRATION,
}


def test_every_act_of_the_desk_has_its_row(app: Flask) -> None:
    acts = {
        rule.endpoint.partition(".")[2]
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("admin.") and "POST" in (rule.methods or ())
    }
    assert acts == TOLD.keys() | SILENT.keys()
    assert not TOLD.keys() & SILENT.keys()


@pytest.mark.parametrize(
    ("act", "kind"), [pytest.param(*row, id=name) for name, rows in TOLD.items() for row in rows]
)
def test_whom_it_concerns_is_told(desk: Desk, act: Act, kind: str) -> None:
    account = act(desk)

    db.session.rollback()
    mine = select(OutboxMessage).where(OutboxMessage.account_id == account.id)
    queued = {each.kind: each for each in db.session.scalars(mine)}
    assert kind in queued
    told = [each.recipient for each in delivery.composers[kind](queued[kind])]
    assert told == [TO.get(kind, db.session.get_one(Account, account.id).email)]
