"""A3: who gives and takes roles, and to whom."""

import pytest
from sqlalchemy import select

from idp.database import db
from idp.desk import staff as roles
from idp.desk.access import rights as desk_staff
from idp.desk.access.rights import AT_TERMINAL, Staff
from idp.errors import Conflict, Invalid, NotFound
from idp.mail.models import OutboxMessage
from idp.people import accounts, staff
from idp.people.models import Account, StaffRole
from idp.sessions import service as sessions
from tests import factories
from tests.admin.places import Desk
from tests.second_factors import audited, told
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def member(desk: Desk, who: str, *, may_print: bool = False) -> Staff:
    """Somebody of the staff, without a browser."""
    found = desk_staff.staff_of(desk.staff(who, may_print=may_print).id)
    assert found is not None
    return found


def role_of(account: Account) -> StaffRole:
    db.session.rollback()
    db.session.expire_all()
    (role,) = staff.roles_of(account.id)
    return role


def test_a_manager_names_a_guardian_of_the_school_as_helper(desk: Desk) -> None:
    claire, _ = factories.family(desk.here, "Lina", username="claire", email="c@dubois.example")
    sessions.begin(claire.id, amr=("pwd",), acr="x")
    manager = desk.browser("manager")
    manager.open("/admin/staff/new")

    manager.submit("give-form", who="C@dubois.example", role="helper", school=desk.here.id)

    assert (role_of(claire).role, role_of(claire).school_id) == ("helper", desk.here.id)
    assert sessions.live(claire.id) == []
    assert len(told("role_given")) == 1
    (event,) = [each for each in audited("role_granted") if each.account_id == claire.id]
    assert (event.actor, event.school_id) == (desk.staff("manager").id, desk.here.id)


def test_a_manager_gives_no_other_role_and_at_no_other_school(desk: Desk) -> None:
    manager = member(desk, "manager")
    factories.family(desk.here, "Lina", username="claire")

    for role, school_id, error in (
        ("manager", desk.here.id, Conflict),
        ("operator", None, Conflict),
        ("helper", None, Conflict),
        ("helper", desk.elsewhere.id, NotFound),
    ):
        with pytest.raises(error):
            roles.give(manager, "claire", role, school_id)
        with pytest.raises(error):
            roles.hire(
                manager,
                given_name="A",
                family_name="B",
                email="a@b.example",
                role=role,
                school_id=school_id,
            )
    assert accounts.find_by_username("a.b") is None


def test_c3_whoever_is_elsewhere_is_answered_like_whoever_does_not_exist(desk: Desk) -> None:
    factories.family(desk.elsewhere, "Zoé", username="elsewhere", email="z@else.example")
    manager = desk.browser("manager")
    pages = []
    for who in ("elsewhere", "z@else.example", "no-such-one", "no@such.example"):
        manager.open("/admin/staff/new")
        page = manager.submit("give-form", who=who, role="helper", school=desk.here.id)
        assert page.status_code == 400
        pages.append(page.text.partition('id="main"')[2].replace(who, "…"))

    assert len({page.partition("hire-form")[0].partition("csrf_token")[0] for page in pages}) == 1


def test_somebody_new_gets_account_role_and_invitation_at_once(desk: Desk) -> None:
    manager = desk.browser("manager")
    manager.open("/admin/staff/new")

    person = {"given_name": "Inès", "family_name": "Maes", "email": "i@maes.example"}
    page = manager.submit("hire-form", **person, role="helper", school=desk.here.id)

    assert "ines.maes" in page.text
    ines = accounts.find_by_username("ines.maes")
    assert ines is not None
    assert (ines.status, role_of(ines).role) == ("invited", "helper")
    kinds = set(db.session.scalars(select(OutboxMessage.kind)))
    assert kinds == {"invitation"}, "which names the role: see services/test_readers.py"


def test_no_account_is_left_where_the_address_is_none(desk: Desk) -> None:
    operator = member(desk, "operator")

    with pytest.raises(Invalid):
        roles.hire(
            operator,
            given_name="Inès",
            family_name="Maes",
            email="nobody",
            role="helper",
            school_id=desk.here.id,
        )

    assert accounts.find_by_username("ines.maes") is None


def test_nobody_changes_the_own_roles(desk: Desk) -> None:
    operator = member(desk, "operator")
    own = role_of(desk.staff("operator"))

    with pytest.raises(Conflict, match="yourself"):
        roles.give(operator, "operator", "manager", desk.here.id, may_print=True)
    with pytest.raises(Conflict, match="yourself"):
        roles.let_print(operator, own.id, allowed=True)
    with pytest.raises(Conflict, match="yourself"):
        roles.take_role(operator, own.id)


def test_a5_only_who_prints_lets_others_print_and_operators(desk: Desk) -> None:
    helper = role_of(desk.staff("helper"))
    with pytest.raises(Conflict, match="role_not_theirs"):
        roles.let_print(member(desk, "manager"), helper.id, allowed=True)
    roles.let_print(member(desk, "operator"), helper.id, allowed=True)

    assert role_of(desk.staff("helper")).may_print
    with pytest.raises(Conflict, match="role_not_theirs"):
        roles.give(member(desk, "manager"), "helper", "helper", desk.here.id, may_print=True)
    staff.let_print(desk.staff("manager").id, "manager", desk.here.id, allowed=True)
    roles.let_print(member(desk, "manager"), helper.id, allowed=False)
    assert not role_of(desk.staff("helper")).may_print


def test_taking_a_role_ends_sessions_and_is_told(desk: Desk) -> None:
    helper = desk.browser("helper")
    account = desk.staff("helper")
    manager = desk.browser("manager")
    manager.open(f"/admin/staff/{role_of(account).id}")

    manager.press("take-submit")

    db.session.rollback()
    assert staff.roles_of(account.id) == []
    assert helper.client.get("/admin/people").status_code == 303  # signed out
    assert len(told("role_taken")) == 1


def test_a2_roles_of_other_schools_and_of_the_platform_are_not_found(desk: Desk) -> None:
    stranger = role_of(desk.staff("stranger"))
    operator = role_of(desk.staff("operator"))
    manager = desk.browser("manager")

    page = manager.open("/admin/staff")

    assert stranger.id not in page.text
    assert operator.id not in page.text
    for role in (stranger, operator):
        assert manager.client.get(f"/admin/staff/{role.id}").status_code == 404
    with pytest.raises(NotFound):
        roles.take_role(member(desk, "manager"), stranger.id)


def test_a_manager_takes_no_role_but_a_helpers(desk: Desk) -> None:
    other = factories.account("other")
    staff.grant(other.id, "manager", desk.here.id)

    with pytest.raises(Conflict, match="role_not_theirs"):
        roles.take_role(member(desk, "manager"), role_of(other).id)


def test_a3_roles_are_given_after_a_fresh_proof(desk: Desk) -> None:
    manager = desk.browser("manager")
    manager.open("/admin/staff/new")

    with later(minutes=15):
        answer = manager.submit("give-form", who="helper", role="helper", school=desk.here.id)

    assert answer.request.path == "/account/confirm"


def test_whoever_has_the_server_may_take_the_last_operator_away(desk: Desk) -> None:
    operator = desk.staff("operator")

    roles.take_role(AT_TERMINAL, role_of(operator).id)

    assert staff.roles_of(operator.id) == []
