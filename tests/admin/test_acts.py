"""Acts of staff: right, scope, lock and audit log in one place, and nothing is written outside."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from textwrap import dedent

import pytest
from sqlalchemy import func, select

from idp.audit.models import AuditEvent
from idp.database import db, transaction
from idp.desk.access import rights as desk_staff
from idp.desk.access.acts import (
    Act,
    act,
    act_at_school,
    act_for_platform,
    act_on_guardianship,
    act_on_pupil,
    act_on_two,
)
from idp.desk.access.rights import AT_TERMINAL, Right, Staff
from idp.desk.people import account_actions
from idp.errors import Conflict, NotFound
from idp.people import staff as roles
from idp.people.accounts import find_account
from idp.people.models import Account
from tests import factories
from tests.admin.places import Desk
from tests.admin.writers import outside_acts, sources

NAMED = {
    "idp.desk.imports.service.begin": "a file that can't be kept: what it began ends as refused",
    "idp.desk.overview.counting.refresh": "sums that a timer counts; nobody acts, on nobody",
    "idp.desk.people.reset_requests.close": "inside acts, and for the holder's own answer",
    "idp.desk.people.reset_requests.decline": "inside acts, and for the holder's own answer",
    "idp.desk.people.reset_requests.not_me": "the holder's own answer, on their account's page",
    "idp.web.admin.imports.import_upload": "see idp.desk.imports.service.begin",
}
"""Who writes outside an act, and why."""

FORGETFUL = "idp.desk.forgetful"
CARELESS = f"{FORGETFUL}.careless"
"""A module and its public function that a test makes up."""


def test_nobody_at_the_desk_writes_outside_an_act_but_these() -> None:
    assert outside_acts(sources()).keys() == NAMED.keys()


@pytest.mark.parametrize(
    "body",
    [
        "endings.disable_account(account_id)",
        "with transaction():\n        pass",
        "_help(account_id)",
        "db.session.execute(update(Account).values(locale='de'))",
        "with act(staff, Right.CHANGE_PEOPLE, account_id):\n        pass\n    _help(account_id)",
    ],
)
def test_whoever_forgets_the_act_is_found(body: str) -> None:
    assert CARELESS in written_by_the_forgetful(body)


@pytest.mark.parametrize(
    "body",
    [
        "endings.is_there(account_id)",
        "with act(staff, Right.CHANGE_PEOPLE, account_id):\n        _help(account_id)",
        "acts.disable_account(staff, account_id)",
    ],
)
def test_whoever_acts_within_one_or_only_reads_is_not(body: str) -> None:
    assert CARELESS not in written_by_the_forgetful(body)


def written_by_the_forgetful(body: str) -> dict[str, set[str]]:
    return outside_acts(sources() | forgetful(body), homes=FORGETFUL)


def forgetful(body: str) -> dict[str, str]:
    head = """
        from sqlalchemy import update
        from idp.database import db, transaction
        from idp.desk import acts
        from idp.desk.access.acts import act
        from idp.lifecycle import endings

        def _help(account_id):
            endings.enable_account(account_id)
    """
    text = f"{dedent(head)}\ndef careless(staff, account_id):\n    {body}\n"
    return {FORGETFUL: text}


@pytest.fixture
def claire(desk: Desk) -> Account:
    return factories.family(desk.here, "Lina", username="claire")[0]


def member(desk: Desk, who: str) -> Staff:
    found = desk_staff.staff_of(desk.staff(who).id)
    assert found is not None
    return found


def test_an_act_of_which_nothing_is_recorded_has_not_happened(desk: Desk, claire: Account) -> None:
    with act(member(desk, "manager"), Right.CHANGE_PEOPLE, claire.id) as on:
        on.account.locale = "de"
        db.session.flush()
    assert locale_of(claire.id) is None
    with act(member(desk, "manager"), Right.CHANGE_PEOPLE, claire.id) as on:
        on.account.locale = "de"
        on.record("person_language_set", after={"language": "de"})
    assert locale_of(claire.id) == "de"


def test_an_act_stands_once_in_the_audit_log_of_every_school_concerned(desk: Desk) -> None:
    claire, _children = factories.family(desk.here, "Lina", "Max", username="claire")
    factories.guardianship(claire, factories.child(desk.elsewhere, "Noé"))
    account_actions.set_language(AT_TERMINAL, claire.id, "de")
    account_actions.set_language(member(desk, "manager"), claire.id, "nl")
    rows = select(AuditEvent.school_id).where(AuditEvent.event == "person_language_set")
    schools = db.session.scalars(rows.order_by(AuditEvent.id)).all()
    assert set(schools[:2]) == {desk.here.id, desk.elsewhere.id}
    assert schools[2:] == [desk.here.id]


def test_an_act_is_a_transaction_of_its_own(desk: Desk, claire: Account) -> None:
    with (
        transaction(),
        pytest.raises(RuntimeError),
        act(AT_TERMINAL, Right.CHANGE_PEOPLE, claire.id),
    ):
        pass


Opened = Callable[[Staff, Account, str, str], AbstractContextManager[Act]]


@pytest.mark.parametrize(
    "opened",
    [
        lambda staff, claire, lina, school: act(staff, Right.CHANGE_PEOPLE, claire.id),
        lambda staff, claire, lina, school: act_on_two(
            staff, Right.CHANGE_PEOPLE, claire.id, claire.id
        ),
        lambda staff, claire, lina, school: act_on_pupil(staff, Right.CHANGE_PEOPLE, lina),
        lambda staff, claire, lina, school: act_on_guardianship(
            staff, Right.CHANGE_PEOPLE, claire.id, lina
        ),
        lambda staff, claire, lina, school: act_at_school(staff, Right.CHANGE_PEOPLE, school),
        lambda staff, claire, lina, school: act_for_platform(staff, Right.MAKE_SCHOOL),
    ],
)
def test_a2_what_lies_outside_the_scope_or_the_right_is_not_found(
    desk: Desk, opened: Opened
) -> None:
    claire, (lina,) = factories.family(desk.here, "Lina", username="claire")
    for who in ("stranger", "helper"):
        staff = member(desk, who)
        before = count_events()
        with pytest.raises(NotFound), opened(staff, claire, lina.id, desk.here.id):
            pass
        assert count_events() == before


def test_an_account_with_a_wider_role_is_refused(desk: Desk, claire: Account) -> None:
    roles.grant(claire.id, "operator")
    manager = member(desk, "manager")
    with (
        pytest.raises(Conflict, match="operator_only"),
        act(manager, Right.CHANGE_PEOPLE, claire.id),
    ):
        pass
    with act(manager, Right.CHANGE_PEOPLE, claire.id, wider_roles=True) as on:
        assert on.account.id == claire.id


def locale_of(account_id: str) -> str | None:
    db.session.rollback()
    found = find_account(account_id)
    assert found is not None
    return found.locale


def count_events() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(AuditEvent)) or 0
