"""R4: of two who take roles at once, on both databases."""

from flask import Flask

from idp.desk import roles
from idp.desk import staff as desk_staff
from idp.people import staff
from tests import factories, parallel
from tests.admin.places import Desk
from tests.admin.test_staff import role_of


def test_r4_of_two_operators_who_remove_each_other_one_stays(app: Flask, desk: Desk) -> None:
    first, second = factories.account("first"), factories.account("second")
    for each in (first, second):
        staff.grant(each.id, "operator")
    turns = [(first.id, role_of(second).id), (second.id, role_of(first).id)]

    def act() -> None:
        actor, role_id = turns.pop()
        who = desk_staff.of(actor)
        if who is not None:  # else the other one was faster
            roles.take(who, role_id)

    _, errors = parallel.at_once(app, 2, act)

    assert all(isinstance(each, roles.LastOperator | roles.NotFound) for each in errors), errors
    assert len(staff.everybody()) == 1
