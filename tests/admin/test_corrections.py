"""What a secretary is asked for on the phone: a name, a user name, a family that leaves."""

from threading import Thread

import pytest
from sqlalchemy import select

from idp.audit.models import AuditEvent
from idp.database import db
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import account_actions, invitations
from idp.errors import Conflict, Invalid
from idp.mail.models import OutboxMessage
from idp.people import accounts, guardianships
from idp.people import staff as roles
from idp.people.models import Account, Child
from tests import factories
from tests.admin.places import Desk
from tests.admin.test_staff import member
from tests.cli.conftest import Run, run
from tests.relying_party import Browser

pytestmark = pytest.mark.quick_on("sqlite")

_ = run


def mails(kind: str) -> list[str | None]:
    query = select(OutboxMessage.account_id).where(OutboxMessage.kind == kind)
    return sorted(db.session.scalars(query), key=str)


def audit_log(event: str) -> list[AuditEvent]:
    return list(db.session.scalars(select(AuditEvent).where(AuditEvent.event == event)))


def now(account: Account) -> Account:
    db.session.rollback()
    db.session.expire_all()
    found = accounts.find_account(account.id)
    assert found is not None
    return found


class TestNames:
    def test_a_manager_corrects_a_name_and_its_holder_is_told(self, desk: Desk) -> None:
        claire, _ = factories.family(desk.here, "Lina", email="claire@dubois.example")
        browser = desk.browser("manager")
        browser.open(f"/admin/people/{claire.id}/edit")

        browser.submit("name-form", given_name="Klara", family_name="Dubois-Maes")

        assert now(claire).full_name == "Klara Dubois-Maes"
        assert "Klara Dubois-Maes" in browser.open("/admin/people?q=klara+maes").text
        assert mails("account_corrected") == [claire.id]
        (event,) = audit_log("account_changed")
        assert (event.school_id, "Klara" in str(event.detail)) == (desk.here.id, False)

    def test_what_is_no_name_is_refused(self, desk: Desk) -> None:
        claire, _ = factories.family(desk.here, "Lina")
        with pytest.raises(Invalid):
            account_actions.correct_name(AT_TERMINAL, claire.id, "Kla\nra", "Dubois")
        again = account_actions.correct_name(AT_TERMINAL, claire.id, "Claire", "Dubois")
        assert not again.changed
        assert mails("account_corrected") == []

    def test_a2_nobody_corrects_whoever_has_a_wider_role(self, desk: Desk) -> None:
        claire, _ = factories.family(desk.here, "Lina")
        roles.grant(claire.id, "operator")
        for correct in (
            lambda: account_actions.correct_name(member(desk, "manager"), claire.id, "A", "B"),
            lambda: account_actions.correct_username(member(desk, "manager"), claire.id, "abc"),
        ):
            with pytest.raises(Conflict, match="operator_only"):
                correct()


class TestUserNames:
    def test_the_holder_signs_in_with_the_new_one_and_the_same_password(self, desk: Desk) -> None:
        claire, _ = factories.family(desk.here, "Lina", username="clare", email="c@dubois.example")
        browser = desk.browser("manager")
        browser.open(f"/admin/people/{claire.id}/edit")

        browser.submit("username-form", username="claire.dubois")

        hers = Browser(desk.app.test_client())
        hers.sign_in_at_home("claire.dubois")
        assert mails("account_corrected") == [claire.id]
        (event,) = audit_log("username_changed")
        assert event.detail["changes"] == {"user_name": ["clare", "claire.dubois"]}

    def test_one_that_somebody_has_is_refused_and_nothing_changes(self, desk: Desk) -> None:
        claire, _ = factories.family(desk.here, "Lina", username="claire")
        factories.account("Paul")
        browser = desk.browser("manager")
        browser.open(f"/admin/people/{claire.id}/edit")

        page = browser.submit("username-form", username="PAUL")

        assert "username-problem" in page.text
        assert now(claire).username == "claire"

    def test_two_who_want_one_name_at_once_get_it_once(self, desk: Desk) -> None:
        both = [factories.family(desk.here, name)[0] for name in ("Lina", "Noé")]
        outcomes: list[str] = []

        def wish(account_id: str) -> None:
            with desk.app.app_context():
                try:
                    account_actions.correct_username(AT_TERMINAL, account_id, "wanted")
                    outcomes.append("has it")
                except Invalid:
                    outcomes.append("refused")

        db.session.commit()
        threads = [Thread(target=wish, args=(each.id,)) for each in both]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert sorted(outcomes) == ["has it", "refused"]


def test_the_command_line_corrects_both(desk: Desk, run: Run) -> None:
    factories.family(desk.here, "Lina", username="clare")
    run("user", "edit", "clare", "--given-name", "Klara", "--username", "klara.dubois")
    found = accounts.find_by_username("klara.dubois")
    assert found is not None
    assert now(found).full_name == "Klara Dubois"


class TestAFamilyLeaves:
    def test_the_ticked_pupils_leave_at_once_for_all_their_guardians(self, desk: Desk) -> None:
        claire, (lina, noe, mia) = factories.family(desk.here, "Lina", "Noé", "Mia")
        paul = factories.account()
        factories.guardianship(paul, lina, "father")
        elsewhere = factories.child(desk.elsewhere, "Tom")
        factories.guardianship(claire, elsewhere)
        browser = desk.browser("manager")
        browser.open(f"/admin/people/{claire.id}/leave")

        browser.submit("family-form", child=[lina.id, noe.id])

        db.session.expire_all()
        left = {
            each.given_name: each.left_at is not None for each in db.session.scalars(select(Child))
        }
        assert left == {"Lina": True, "Noé": True, "Mia": False, "Tom": False}
        assert {each.id for each, _ in guardianships.live_children(claire.id)} == {
            mia.id,
            elsewhere.id,
        }
        assert guardianships.live_children(paul.id) == []

    def test_a2_a_pupil_of_somebody_else_does_not_leave(self, desk: Desk) -> None:
        claire, _ = factories.family(desk.here, "Lina")
        _other, (noe,) = factories.family(desk.here, "Noé")
        browser = desk.browser("manager")
        browser.open(f"/admin/people/{claire.id}/leave")

        browser.submit("family-form", child=[noe.id])

        db.session.refresh(noe)
        assert noe.left_at is None


class TestForgottenInvitations:
    def test_one_button_invites_who_was_never_sent_a_token(self, desk: Desk) -> None:
        forgotten = [
            factories.family(desk.here, name, status="invited", email=f"{n}@x.example")[0]
            for n, name in enumerate(("Lina", "Noé"))
        ]
        invited, _ = factories.family(desk.here, "Mia", status="invited", email="m@x.example")
        factories.family(desk.here, "Tom", status="invited")  # no address
        factories.family(desk.here, "Zoé", email="z@x.example")  # active
        factories.family(desk.elsewhere, "Ada", status="invited", email="a@x.example")
        invitations.spread.enqueue_spread("invitation", [(invited.id, "m@x.example")], per_hour=60)
        browser = desk.browser("manager")
        page = browser.open("/admin/people")
        assert "les 2 responsables" in page.text

        browser.submit("invite-school-1")

        assert mails("invitation") == sorted(each.id for each in (*forgotten, invited))
        assert not browser.shows("invite-school-1")
        assert invitations.invite_school(AT_TERMINAL, desk.here.id) == 0
        assert len(audit_log("school_invited")) == 1
