"""R4: of two who take roles at once, on both databases."""

from flask import Flask

from idp.credentials import totp
from idp.database import db
from idp.desk import staff as roles
from idp.desk.access import rights as desk_staff
from idp.desk.people import account_actions, factor_resets
from idp.errors import Conflict, NotFound
from idp.people import accounts, staff
from tests import factories, parallel
from tests.admin.places import Desk
from tests.admin.test_staff import role_of
from tests.second_factors import audited, switch_on, told


def test_r4_of_two_operators_who_remove_each_other_one_stays(app: Flask, desk: Desk) -> None:
    first, second = factories.account("first"), factories.account("second")
    for each in (first, second):
        staff.grant(each.id, "operator")
    turns = [(first.id, role_of(second).id), (second.id, role_of(first).id)]

    def act() -> None:
        actor, role_id = turns.pop()
        who = desk_staff.staff_of(actor)
        if who is not None:  # else the other one was faster
            roles.take_role(who, role_id)

    _, errors = parallel.at_once(app, 2, act)

    assert all(isinstance(each, Conflict | NotFound) for each in errors), errors
    assert len(staff.everybody()) == 1


def test_r4_of_two_operators_who_disable_each_other_one_stays(app: Flask, desk: Desk) -> None:
    first, second = factories.account("first"), factories.account("second")
    for each in (first, second):
        staff.grant(each.id, "operator")
    staff.grant(factories.account("new", status="invited").id, "operator")
    turns = [(desk_staff.staff_of(first.id), second), (desk_staff.staff_of(second.id), first)]

    def act() -> bool:
        who, other = turns.pop()
        assert who is not None
        return account_actions.disable_account(who, other.id)

    done, errors = parallel.at_once(app, 2, act)

    assert done == [True]
    assert [getattr(each, "code", each) for each in errors] == ["last_operator"]
    db.session.expire_all()
    statuses = [accounts.get_account(each.id).status for each in (first, second)]
    assert sorted(statuses) == ["active", "disabled"]


def test_r4_of_two_who_confirm_or_decline_a_reset_at_once_one_decides(
    app: Flask, desk: Desk
) -> None:
    claire, _ = factories.family(desk.here, "Lina", username="claire")
    switch_on(claire.id)
    who = {}
    for name in ("asker", "second", "third"):
        account = factories.account(name)
        staff.grant(account.id, "manager", desk.here.id)
        switch_on(account.id)
        factories.long_in_office()
        who[name] = desk_staff.staff_of(account.id)
    assert who["asker"] is not None
    factor_resets.request_reset(who["asker"], claire.id)
    acts = [(factor_resets.confirm, "second"), (factor_resets.confirm, "third")]
    acts += [(factor_resets.decline, "second"), (factor_resets.decline, "asker")]

    def act() -> bool:
        decide, name = acts.pop()
        staff_member = who[name]
        assert staff_member is not None
        return decide(staff_member, claire.id)

    answers, errors = parallel.at_once(app, 4, act)

    assert errors == []
    assert sorted(answers) == [False, False, False, True]
    outcomes = [*audited("factors_reset"), *audited("factors_reset_declined")]
    assert len(outcomes) == 1
    assert len([*told("factors_reset"), *told("factors_reset_declined")]) == 1
    assert totp.is_on(claire.id) == (outcomes[0].event == "factors_reset_declined")


def test_r4_of_two_who_ask_for_a_reset_at_once_one_has_asked(app: Flask, desk: Desk) -> None:
    claire, _ = factories.family(desk.here, "Lina", username="claire")
    switch_on(claire.id)
    askers = []
    for name in ("first", "second"):
        account = factories.account(name)
        staff.grant(account.id, "manager", desk.here.id)
        switch_on(account.id)
        factories.long_in_office()
        askers.append(desk_staff.staff_of(account.id))

    def act() -> bool:
        asker = askers.pop()
        assert asker is not None
        return factor_resets.request_reset(asker, claire.id)

    answers, errors = parallel.at_once(app, 2, act)

    assert errors == []
    assert sorted(answers) == [False, True]
    assert len(told("factors_reset_asked")) == 1
