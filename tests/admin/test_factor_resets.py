"""A3: a lost second step is reset by two people of the desk, who may do it by one table."""

from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import select

from idp import clock
from idp.credentials import totp
from idp.credentials.factor_models import FactorReset
from idp.database import db
from idp.desk import factor_resets
from idp.desk import staff as desk_staff
from idp.desk.factor_resets import NothingToReset, NotYours, TooMany
from idp.desk.people import NotFound
from idp.desk.staff import Staff
from idp.people import staff
from idp.people.models import Account
from idp.sessions import service as sessions
from tests import factories
from tests.admin.places import Desk
from tests.second_factors import audited, switch_on, told
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ROLES = ("helper", "manager", "stranger", "operator")
HOLDERS = ("parent", "helper", "manager", "stranger", "operator", "everywhere", "both")
ASKS = {
    "manager": {"parent", "helper", "manager"},
    "stranger": {"stranger"},
    "operator": {"parent", "helper", "manager", "stranger", "operator", "everywhere", "both"},
}
"""Who may ask, about whom. ``everywhere``: a helper of every school; ``both``: of two schools."""
CONFIRMS = {
    ("manager", "manager"): {"parent", "helper"},
    ("manager", "operator"): {"parent", "helper", "manager"},
    ("stranger", "operator"): {"stranger"},
    ("operator", "operator"): ASKS["operator"],
}
"""Who asked and who confirms, about whom; nothing else."""


def person(desk: Desk, kind: str, name: str) -> Account:
    """Another one of this kind, with a second step."""
    if kind == "parent":
        account, _ = factories.family(desk.here, "Lina", username=name)
    else:
        account = factories.account(name)
        role = {"stranger": "manager", "everywhere": "helper", "both": "helper"}.get(kind, kind)
        school = {"operator": None, "everywhere": None, "stranger": desk.elsewhere.id}
        staff.grant(account.id, role, school.get(kind, desk.here.id))
        if kind == "both":
            staff.grant(account.id, role, desk.elsewhere.id)
    switch_on(account.id)
    return account


def at_desk(account: Account) -> Staff:
    found = desk_staff.of(account.id)
    assert found is not None
    return found


def outcome(act: object, who: Staff, account: Account) -> str:
    try:
        return "done" if act(who, account.id) else "gone"  # type: ignore[operator]
    except NotFound:
        return "absent"
    except NotYours:
        return "refused"
    finally:
        db.session.rollback()


@pytest.mark.parametrize("asker", ROLES)
def test_a3_who_may_ask_is_one_table(desk: Desk, asker: str) -> None:
    who = at_desk(person(desk, asker, "asker"))
    for number, holder in enumerate(HOLDERS):
        lost = person(desk, holder, f"lost{number}")
        may = holder in ASKS.get(asker, set())
        found = outcome(factor_resets.ask, who, lost)
        assert (found == "done") == may, f"{asker} about {holder}: {found}"
        assert totp.is_on(lost.id)


@pytest.mark.parametrize(("asker", "confirmer"), list(product(ROLES, ROLES)))
def test_a3_who_may_confirm_is_one_table(desk: Desk, asker: str, confirmer: str) -> None:
    first, second = person(desk, asker, "asker"), person(desk, confirmer, "confirmer")
    for number, holder in enumerate(HOLDERS):
        lost = person(desk, holder, f"lost{number}")
        if holder not in ASKS.get(asker, set()):
            continue
        assert factor_resets.ask(at_desk(first), lost.id)
        may = holder in CONFIRMS.get((asker, confirmer), set())
        found = outcome(factor_resets.confirm, at_desk(second), lost)
        assert (found == "done") == may, f"{confirmer} for {asker} about {holder}: {found}"
        assert totp.is_on(lost.id) != may


def test_a3_nobody_asks_for_themselves_nor_confirms_for_themselves_or_alone(desk: Desk) -> None:
    operator, other = person(desk, "operator", "first"), person(desk, "operator", "second")
    with pytest.raises(NotYours):
        factor_resets.ask(at_desk(operator), operator.id)
    factor_resets.ask(at_desk(other), operator.id)
    for alone in (operator, other):
        with pytest.raises(NotYours):
            factor_resets.confirm(at_desk(alone), operator.id)
    assert totp.is_on(operator.id)


def test_two_people_reset_a_helpers_second_step_at_the_desk(desk: Desk) -> None:
    helper, second = desk.staff("helper"), person(desk, "manager", "second")
    sessions.begin(helper.id, amr=("pwd", "otp", "mfa"), acr="x")
    (role,) = staff.roles_of(helper.id)
    manager = desk.browser("manager")
    manager.open(f"/admin/staff/{role.id}")
    manager.open(f"/admin/second-step/{helper.id}")
    manager.press("factor-reset-ask")
    assert manager.shows("factor-reset-waits")
    assert not manager.shows("factor-reset-confirm")
    assert len(told("factors_reset_asked")) == 1
    operator = desk.browser("operator")
    operator.open("/admin/staff")
    assert operator.shows("factor-resets")
    operator.open(f"/admin/second-step/{helper.id}")

    operator.press("factor-reset-confirm")

    db.session.rollback()
    assert not totp.is_on(helper.id)
    assert sessions.live(helper.id) == []
    assert [len(told(each)) for each in ("factors_reset_asked", "factors_reset")] == [1, 1]
    (asked,), (done,) = audited("factors_reset_asked"), audited("factors_reset")
    manager_id, operator_id = desk.staff("manager").id, desk.staff("operator").id
    assert (asked.actor, done.actor) == (manager_id, operator_id)
    assert (done.detail or {})["asked_by"] == manager_id
    assert {asked.school_id, done.school_id} == {desk.here.id}
    assert not operator.open("/admin/staff").text.count("factor-resets")
    assert second.id not in (asked.actor, done.actor)


def test_a_parents_second_step_is_reset_too(desk: Desk) -> None:
    claire = person(desk, "parent", "claire")
    manager = desk.browser("manager")
    manager.open(f"/admin/people/{claire.id}")
    assert manager.shows("person-second-step")
    manager.open(f"/admin/second-step/{claire.id}")
    manager.press("factor-reset-ask")
    assert factor_resets.confirm(at_desk(person(desk, "manager", "second")), claire.id)
    db.session.rollback()
    assert not totp.is_on(claire.id)


def test_a_request_lasts_a_day_and_can_be_made_again(desk: Desk) -> None:
    claire = person(desk, "parent", "claire")
    first, second = person(desk, "manager", "first"), person(desk, "manager", "second")
    assert factor_resets.ask(at_desk(first), claire.id)
    assert not factor_resets.ask(at_desk(second), claire.id), "one at a time"
    with later(hours=24, minutes=1):
        assert not factor_resets.confirm(at_desk(second), claire.id)
        assert totp.is_on(claire.id)
        assert factor_resets.ask(at_desk(second), claire.id)
    db.session.rollback()
    outcomes = db.session.scalars(select(FactorReset.outcome).order_by(FactorReset.asked_at))
    assert list(outcomes) == ["void", None]


def test_a3_a_request_dies_with_the_role_of_who_asked(desk: Desk) -> None:
    claire, first = person(desk, "parent", "claire"), person(desk, "manager", "first")
    factor_resets.ask(at_desk(first), claire.id)
    staff.revoke(first.id, "manager", desk.here.id)
    assert not factor_resets.confirm(at_desk(person(desk, "operator", "second")), claire.id)
    assert totp.is_on(claire.id)


def test_a3_a_request_dies_with_a_role_that_its_holder_gets(desk: Desk) -> None:
    claire, first = person(desk, "parent", "claire"), person(desk, "manager", "first")
    factor_resets.ask(at_desk(first), claire.id)
    staff.grant(claire.id, "operator", None)
    assert not factor_resets.confirm(at_desk(person(desk, "operator", "second")), claire.id)
    assert totp.is_on(claire.id)


def test_who_asked_and_who_may_confirm_may_decline(desk: Desk) -> None:
    claire = person(desk, "parent", "claire")
    first, second = person(desk, "manager", "first"), person(desk, "manager", "second")
    for decliner in (first, second):
        factor_resets.ask(at_desk(first), claire.id)
        assert factor_resets.decline(at_desk(decliner), claire.id)
    assert totp.is_on(claire.id)
    assert len(told("factors_reset_declined")) == 2


def test_e3_one_member_of_staff_asks_for_ten_a_day(desk: Desk) -> None:
    first = person(desk, "operator", "first")
    for number in range(10):
        factor_resets.ask(at_desk(first), person(desk, "parent", f"parent{number}").id)
    last = person(desk, "parent", "last")
    with pytest.raises(TooMany):
        factor_resets.ask(at_desk(first), last.id)
    with later(days=1, minutes=1):
        assert factor_resets.ask(at_desk(first), last.id)


def test_nothing_is_asked_for_where_nothing_is_set_up(desk: Desk) -> None:
    claire, _ = factories.family(desk.here, "Lina", username="claire")
    with pytest.raises(NothingToReset):
        factor_resets.ask(at_desk(person(desk, "manager", "first")), claire.id)


def test_a3_asking_and_confirming_want_a_fresh_proof(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    claire, browser = person(desk, "parent", "claire"), desk.browser("manager")
    page = browser.open(f"/admin/second-step/{claire.id}")
    assert page.status_code == 200
    moved = clock.now() + timedelta(minutes=11)
    monkeypatch.setattr(clock, "now", lambda: moved)
    browser.press("factor-reset-ask")
    assert not browser.shows("factor-reset-waits")
    db.session.rollback()
    assert not audited("factors_reset_asked")


def test_a2_elsewhere_is_as_if_nobody_were_there(desk: Desk) -> None:
    claire, stranger = person(desk, "parent", "claire"), desk.browser("stranger")
    answers = {
        stranger.open(f"/admin/second-step/{each}").status_code for each in (claire.id, "a_none")
    }
    assert answers == {404}
