"""A device that stays signed in, on a guardian's page at the desk: one sign-in, and its returns."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from idp import clock
from idp.database import db, transaction
from idp.desk.access.rights import AT_TERMINAL, Right
from idp.desk.people import activity
from idp.desk.people import page as people
from idp.lifecycle import sign_in
from idp.lifecycle.sign_in import Proof
from idp.people.models import Account, Guardianship
from idp.web.dates import day
from tests.admin.places import Desk
from tests.admin.test_person_acts import claire_of
from tests.factories import PASSWORD
from tests.parallel import Queries
from tests.relying_party import Browser, RelyingParty, answer
from tests.times import later
from tests.wording import words

pytestmark = pytest.mark.quick_on("sqlite")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def comes_back(app: Flask, desk: Desk, portal: RelyingParty, days: int) -> Browser:
    """Her phone: it signs in and stays signed in, and comes to the portal each day."""
    phone = Browser(app.test_client())
    phone.open(portal.authorize_path())
    phone.submit("login-form", username="claire", password=PASSWORD, stay="yes")
    for each in range(1, days + 1):
        with later(days=each):
            answer(phone.open(portal.authorize_path()))
    return phone


def sign_ins_of(account: Account) -> list[activity.SignIn]:
    db.session.rollback()
    scope = AT_TERMINAL.school_scope(Right.LOOK_UP)
    return activity.sign_ins(people.person(AT_TERMINAL, account.id), scope)


def rows_of(page: str) -> list[str]:
    table = page.partition('id="person-sign-ins"')[2].partition("</table>")[0]
    return [words(row) for row in table.partition("<tbody>")[2].split("</tr>")[:-1]]


@on_sqlite
def test_returns_are_told_with_their_sign_in_and_agree_with_the_last_one(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    portal = RelyingParty.of(desk.here, client_name="Portail")
    phone = comes_back(desk.app, desk, portal, 5)

    with later(days=5, minutes=5):
        page = desk.browser("manager").open(f"/admin/people/{claire.id}").text
        own = words(phone.open("/account/history").text)
        with desk.app.test_request_context(headers={"Accept-Language": "fr"}):
            first, last = (day(clock.now() - timedelta(days=ago)) for ago in (5, 0))

    (row,) = rows_of(page)
    assert row.startswith(first)
    assert f"Resté connecté, dernier retour le {last}" in row
    assert "Portail" in row
    assert f"Dernière connexion le {last}" in words(page)
    assert own.count("Connexion avec le mot de passe") == 1


@on_sqlite
def test_one_phone_does_not_fill_the_table(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    portal = RelyingParty.of(desk.here)
    comes_back(desk.app, desk, portal, activity.MOST + 2)
    with later(days=1):
        Browser(desk.app.test_client()).sign_in_at_home("claire")

    with later(days=30):
        returned, other = sign_ins_of(claire)

    assert returned.came_back_at is not None
    assert other.came_back_at is None
    assert returned.at is not None
    assert other.at is not None
    assert returned.at < other.at < returned.came_back_at


def test_two_sign_ins_without_staying_are_two_and_two_queries_tell_them(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    for _ in range(2):
        sign_in.begin(Proof(claire.id, 0, ("pwd",)))
    db.session.rollback()
    guardian = people.person(AT_TERMINAL, claire.id)

    with Queries() as sent:
        told = activity.sign_ins(guardian, AT_TERMINAL.school_scope(Right.LOOK_UP))

    assert [(each.came_back_at, each.amr) for each in told] == [(None, ("pwd",))] * 2
    assert len(sent) == 2


@on_sqlite
def test_c3_a_sign_in_from_before_the_first_pupil_here_has_no_time(desk: Desk) -> None:
    claire, _lina = claire_of(desk)
    portal = RelyingParty.of(desk.here)
    comes_back(desk.app, desk, portal, 5)
    with transaction():
        link = db.session.scalars(select(Guardianship)).one()
        link.created_at = clock.now() + timedelta(days=4)

    with later(days=5, minutes=5):
        page = desk.browser("manager").open(f"/admin/people/{claire.id}").text
        with desk.app.test_request_context(headers={"Accept-Language": "fr"}):
            last = day(clock.now())

    (row,) = rows_of(page)
    assert row.startswith(last)
    assert "De retour sur un appareil qui reste connecté" in row
    assert "mot de passe" not in row
