"""A yes and an end at the same instant: whichever comes first, no guardianship lives on after the
end; on both databases, because their locks differ.
"""

from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select

from idp.database import db, transaction
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import account_actions, guardianships, pupils
from idp.desk.people.account_actions import Reason
from idp.errors import NotFound
from idp.lifecycle import endings, link_requests
from idp.people.guardianships import live_children
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child, Guardianship
from tests import factories
from tests.admin.places import Desk
from tests.admin.test_former_guardians import former
from tests.admin.test_person_races import manager
from tests.parallel import at_once

Act = Callable[[Account, Child], object]
Calls = list[Callable[[], object]]
COURT = Reason("court")


def acts(desk: Desk) -> dict[str, Act]:
    staff = manager(desk)
    return {
        "close": lambda claire, _tom: account_actions.close_access(staff, claire.id, COURT),
        "end": lambda claire, tom: guardianships.end(staff, claire.id, tom.id, COURT),
        "at the terminal": lambda claire, tom: guardianships.end(
            AT_TERMINAL, claire.id, tom.id, COURT
        ),
        "the pupil leaves": lambda _claire, tom: pupils.leave(staff, tom.id),
    }


def question(claire: Account, tom: Child) -> str:
    """Ask, and return the secret of the mail."""
    with transaction():
        assert link_requests.request_link(claire.id, tom, "parent")
    request = db.session.scalars(select(LinkRequest).where(LinkRequest.child_id == tom.id)).one()
    return link_requests.secret_of(request)


def raised_by(app: Flask, calls: Calls) -> list[Exception]:
    """Make both at once; what they raised."""

    def one() -> object:
        return calls.pop()()

    return at_once(app, len(calls), one)[1]


def left_of(claire: Account) -> int:
    """Guardianships that nobody has ended."""
    db.session.rollback()
    theirs = Guardianship.account_id == claire.id, Guardianship.ended_at.is_(None)
    return db.session.scalar(select(func.count()).select_from(Guardianship).where(*theirs)) or 0


@pytest.mark.parametrize("way", ["close", "end", "at the terminal", "the pupil leaves"])
def test_n4_a_yes_and_an_end_at_once_leave_no_guardianship(
    app: Flask, desk: Desk, way: str
) -> None:
    claire, _tom = former(desk)
    act = acts(desk)[way]
    for number in range(6):
        tom = factories.child(desk.here, f"Tom{number}")
        secret = question(claire, tom)
        both: Calls = [partial(act, claire, tom), partial(link_requests.answer, secret, yes=True)]

        errors = raised_by(app, both if number % 2 else both[::-1])

        assert [each for each in errors if not isinstance(each, NotFound)] == []
        assert left_of(claire) == 0, f"of round {number}"
        assert isinstance(link_requests.find_open(secret), link_requests.Gone)


@pytest.mark.parametrize("yes_first", [True, False])
@pytest.mark.parametrize("way", ["close", "end", "at the terminal", "the pupil leaves"])
def test_n4_in_either_order_the_end_is_the_end(desk: Desk, way: str, *, yes_first: bool) -> None:
    claire, tom = former(desk)
    act = acts(desk)[way]
    secret = question(claire, tom)
    both: Calls = [partial(link_requests.answer, secret, yes=True), partial(act, claire, tom)]

    for call in both if yes_first else both[::-1]:
        call()

    assert left_of(claire) == 0


def test_many_clicks_on_yes_at_once_are_one_answer_and_one_link(app: Flask, desk: Desk) -> None:
    claire, tom = former(desk)
    secret = question(claire, tom)

    results, errors = at_once(app, 8, lambda: link_requests.answer(secret, yes=True))

    assert errors == []
    answered = [each for each in results if isinstance(each, link_requests.Open)]
    assert len(answered) == 1
    assert [child.id for child, _guardianship in live_children(claire.id)] == [tom.id]


def test_n4_an_operators_disabling_and_a_yes_at_once_let_nobody_in(app: Flask, desk: Desk) -> None:
    claire, _tom = former(desk)
    for number in range(4):
        tom = factories.child(desk.here, f"Tom{number}")
        secret = question(claire, tom)
        both: Calls = [
            partial(endings.disable_account, claire.id),
            partial(link_requests.answer, secret, yes=True),
        ]

        assert raised_by(app, both if number % 2 else both[::-1]) == []

        db.session.rollback()
        db.session.expire_all()
        assert db.session.get_one(Account, claire.id).status == "disabled"
        assert isinstance(link_requests.find_open(secret), link_requests.Gone)
        account_actions.enable_account(AT_TERMINAL, claire.id)
        assert isinstance(link_requests.find_open(secret), link_requests.Gone)
