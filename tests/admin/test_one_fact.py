"""A fact is told alike wherever it stands: pages of the desk, lists, the command line."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from idp import clock, purge
from idp.database import db, transaction
from idp.desk.access.rights import AT_TERMINAL, Right
from idp.desk.overview import onboarding as overview
from idp.desk.people import account_actions, guardianships, invitations
from idp.desk.people.account_actions import Reason
from idp.desk.people.onboarding import OnboardingStep, onboarding_of
from idp.lifecycle import sign_in
from idp.lifecycle.mails import requests as mail_requests
from idp.lifecycle.sign_in import Proof
from idp.mail import answers, outbox
from idp.mail.kinds import KINDS
from idp.mail.models import OutboxMessage
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


class TestWhetherSomebodyWasInvited:
    """Whatever else was mailed: « not invited yet » on her page, in the overview, at the button."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("fate", ["queued", "sent", "refused"])
    def test_is_the_same_on_the_persons_page_in_the_overview_and_at_the_button(
        self, desk: Desk, kind: str, fate: str
    ) -> None:
        claire, _ = factories.family(
            desk.here, "Lina", status="invited", email="claire@dubois.example"
        )
        with transaction():
            message = outbox.enqueue(kind, account_id=claire.id)
        if fate == "sent":
            outbox.sent(message)
        elif fate == "refused":
            outbox.refused(message, "550 5.1.1 no such user here")

        step = onboarding_of([claire.id], AT_TERMINAL.school_scope(Right.SEE_OVERVIEW))[claire.id]
        counts = overview.by_class(AT_TERMINAL, desk.here.id).total.counts
        waits = invitations.not_invited(AT_TERMINAL, [desk.here.id]).get(desk.here.id, 0)

        invited = step.step is not OnboardingStep.NOT_INVITED
        assert invited is KINDS[kind].has_token
        assert counts[1] == int(invited)
        assert counts[2] == int(invited and fate == "sent")
        # Whose mail was refused is written to once more
        assert waits == int(not invited or fate == "refused")

    def test_a_correction_of_her_name_counts_nobody_as_invited(self, desk: Desk) -> None:
        claire, _ = factories.family(
            desk.here, "Lina", status="invited", email="claire@dubois.example"
        )
        account_actions.correct_name(AT_TERMINAL, claire.id, "Clair", "Dubois")
        (message,) = db.session.scalars(select(OutboxMessage))
        outbox.sent(message)
        browser = desk.browser("manager")

        assert "Pas encore invité" in words(browser.open(f"/admin/people/{claire.id}").text)
        page = words(browser.open("/admin/").text)
        assert "Invité 0" in page
        assert "Il y a 1 responsable. 0 a reçu" in page


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
