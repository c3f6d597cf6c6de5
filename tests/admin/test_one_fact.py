"""A fact is told alike wherever it stands: pages of the desk, lists, the command line."""

from datetime import timedelta

import pytest
import time_machine

from idp import clock, purge
from idp.database import db
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import account_actions, guardianships
from idp.desk.people.account_actions import Reason
from idp.lifecycle import sign_in
from idp.lifecycle.mails import requests as mail_requests
from idp.lifecycle.sign_in import Proof
from idp.mail import answers, outbox
from idp.people import staff as roles
from idp.web.admin.mail_words import REASONS
from idp.web.dates import day
from tests import factories
from tests.admin.places import Desk
from tests.wording import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ANSWERS = (
    "550 5.1.1 no such user here",
    "550 5.4.1 Recipient address rejected: Access denied",
    "552 5.2.2 over quota",
    "550 5.2.1 disabled",
    "554 5.7.1 looks like spam",
    "599 5.9.9 what",
    "given up after 90 attempts: 450 4.2.0 busy",
)


class TestTheLastSignIn:
    def test_is_the_same_on_the_persons_page_and_among_the_staff_after_a_purge(
        self, desk: Desk
    ) -> None:
        claire, _ = factories.family(desk.here, "Lina", username="claire")
        role = roles.grant(claire.id, "helper", desk.here.id)
        assert role is not None
        now = clock.now()
        for days in (2, 100):
            with time_machine.travel(now + timedelta(days=days)):
                sign_in.begin(Proof(claire.id, 0, ("pwd",)))
        with time_machine.travel(now + timedelta(days=104)):
            purge.run()
            browser = desk.browser("manager")
            pages = {
                address: words(browser.open(address).text)
                for address in (
                    f"/admin/people/{claire.id}",
                    "/admin/staff",
                    f"/admin/staff/{role.id}",
                )
            }
            with desk.app.test_request_context(headers={"Accept-Language": "fr"}):
                wanted, other = (day(now + timedelta(days=days)) for days in (100, 2))

        for address, page in pages.items():
            assert wanted in page, address
            assert other not in page, address


class TestAMailServersAnswer:
    @pytest.mark.parametrize("answer", ANSWERS)
    def test_is_explained_alike_on_the_persons_page_among_the_mails_and_in_the_overview(
        self, desk: Desk, answer: str
    ) -> None:
        claire, _ = factories.family(
            desk.here, "Lina", status="invited", email="claire@dubois.example"
        )
        outbox.refused(mail_requests.invite(claire.id), answer)
        browser = desk.browser("manager")

        with desk.app.test_request_context(headers={"Accept-Language": "fr"}):
            why = {meaning: words(str(reason.why)) for meaning, reason in REASONS.items()}
        for address in (f"/admin/people/{claire.id}", "/admin/mails", "/admin/"):
            page = words(browser.open(address).text)
            told = {meaning for meaning, words in why.items() if words in page}
            assert told == {answers.meaning(answer)}, address


class TestAnAccountThatWasClaimed:
    """A password, but no session yet: closed with the last pupil, and opened again by hand.

    By a file: ``roster/test_undo.py``.
    """

    def test_is_its_holders_again(self, desk: Desk) -> None:
        claire, (lina,) = factories.family(desk.here, "Lina")
        account_actions.close_access(AT_TERMINAL, claire.id, Reason("moved"))
        db.session.expire_all()
        assert claire.status == "disabled"

        guardianships.link(AT_TERMINAL, claire.id, lina.id, "mother")

        db.session.expire_all()
        assert claire.status == "active"
