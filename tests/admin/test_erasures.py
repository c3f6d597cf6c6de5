"""Requests to be erased: each school answers for itself, and learns of no other."""

import pytest

from idp.database import db
from idp.people.models import Account, ErasureRequest
from idp.privacy import erasure
from tests import factories
from tests.admin.places import Desk
from tests.relying_party import forms_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def asked(desk: Desk, *, elsewhere: bool) -> Account:
    claire, _ = factories.family(desk.here, "Lina", username="claire")
    if elsewhere:
        factories.guardianship(claire, factories.child(desk.elsewhere, "Noé"))
    erasure.request_erasure(claire.id)
    return claire


def request_of(account: Account) -> ErasureRequest:
    db.session.rollback()
    db.session.expire_all()
    found = erasure.latest(account.id)
    assert found is not None
    return found


@pytest.mark.parametrize("elsewhere", [False, True])
def test_c3_a_managers_answer_looks_the_same_with_and_without_another_school(
    desk: Desk, elsewhere: bool
) -> None:
    claire = asked(desk, elsewhere=elsewhere)
    browser = desk.browser("manager")
    assert "Claire Dubois" in browser.open("/admin/erasures").text

    browser.press("erasure-done-1")

    assert browser.shows("no-erasures")
    assert browser.shows("erasures-answered")
    assert (request_of(claire).closed_at is None) is elsewhere


def test_the_last_school_closes_the_request_and_one_refusal_counts(desk: Desk) -> None:
    claire = asked(desk, elsewhere=True)
    for who, button in (("manager", "erasure-declined-1"), ("stranger", "erasure-done-1")):
        browser = desk.browser(who)
        browser.open("/admin/erasures")
        browser.press(button)
    assert request_of(claire).outcome == "declined"


def test_a2_another_school_neither_sees_nor_answers_it(desk: Desk) -> None:
    claire = asked(desk, elsewhere=False)
    browser = desk.browser("stranger")
    assert "Dubois" not in browser.open("/admin/erasures").text
    form = browser.open("/account/profile")
    token = next(f.hidden["csrf_token"] for f in forms_of(form.text) if "csrf_token" in f.hidden)
    path = f"/admin/people/{claire.id}/erasure"
    answer = browser.client.post(path, data={"csrf_token": token, "outcome": "done"})
    assert answer.status_code == 404
    assert request_of(claire).closed_at is None


def test_an_operator_answers_for_all(desk: Desk) -> None:
    claire = asked(desk, elsewhere=True)
    browser = desk.browser("operator")
    browser.open("/admin/erasures")
    browser.press("erasure-done-1")
    assert request_of(claire).outcome == "done"
    assert desk.browser("manager").open("/admin/erasures").text.count("erasure-done-1") == 0


def test_what_was_taken_back_waits_no_more(desk: Desk) -> None:
    claire = asked(desk, elsewhere=False)
    browser = desk.browser("manager")
    browser.open("/admin/erasures")
    erasure.take_back(claire.id)
    browser.press("erasure-done-1")
    assert request_of(claire).outcome == "taken_back"
    assert browser.shows("no-erasures")
