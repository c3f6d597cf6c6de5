"""How far a guardian has come, relative to who asks."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from idp import clock
from idp.audit import events
from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import db, transaction
from idp.desk.access.rights import SchoolScope
from idp.desk.people.onboarding import Onboarding, OnboardingStep, onboarding_of
from idp.lifecycle import endings
from idp.lifecycle.mails import requests as mail_requests
from idp.mail import outbox
from idp.people import accounts
from idp.people.models import Child, Guardianship
from tests import factories
from tests.admin.places import Desk

pytestmark = pytest.mark.quick_on("sqlite")

EVERYWHERE = SchoolScope(everywhere=True)


def at(desk: Desk) -> SchoolScope:
    return SchoolScope(school_ids=frozenset({desk.here.id}))


def onboarding_at(account_id: str, school_scope: SchoolScope) -> Onboarding:
    return onboarding_of([account_id], school_scope)[account_id]


def invited(desk: Desk, **changes: object) -> str:
    values = {"status": "invited", "email": "claire@dubois.example", **changes}
    parent, _ = factories.family(desk.here, "Lina", **values)
    return parent.id


def test_without_an_address_nothing_can_be_sent(desk: Desk) -> None:
    assert onboarding_at(invited(desk, email=None), at(desk)).step is OnboardingStep.NO_ADDRESS


def test_a_mail_is_told_from_the_queue_to_its_refusal(desk: Desk) -> None:
    parent = invited(desk)
    assert onboarding_at(parent, at(desk)).step is OnboardingStep.NOT_INVITED

    message = mail_requests.invite(parent)
    assert onboarding_at(parent, at(desk)).step is OnboardingStep.QUEUED

    outbox.refused(message, "550 5.1.1 no such user")
    found = onboarding_at(parent, at(desk))
    assert (found.step, found.meaning) == (OnboardingStep.REFUSED, "unknown_address")


def test_a_token_is_told_from_its_mail_to_its_end(desk: Desk) -> None:
    parent = invited(desk)
    message = mail_requests.invite(parent)
    with transaction():
        one_time_tokens.mint(parent, "first_sign_in", outbox_id=message.id)
    outbox.sent(message)
    assert onboarding_at(parent, at(desk)).step is OnboardingStep.SENT

    token = db.session.query(OneTimeToken).one()
    one_time_tokens.note_opened(token.id)
    assert onboarding_at(parent, at(desk)).step is OnboardingStep.OPENED

    with transaction():
        token.expires_at = clock.now() - timedelta(days=1)
    found = onboarding_at(parent, at(desk))
    assert found.step is OnboardingStep.EXPIRED
    assert found.mailed_at is not None


def test_a_printed_letter_is_told(desk: Desk) -> None:
    parent = invited(desk)
    mail_requests.issue_letter_token(parent)
    events.record("letter_printed", account_id=parent, school_id=desk.here.id)
    assert onboarding_at(parent, at(desk)).step is OnboardingStep.PRINTED


def test_c3_a_letter_of_another_school_is_not_told(desk: Desk) -> None:
    parent = invited(desk)
    mail_requests.issue_letter_token(parent)
    events.record("letter_printed", account_id=parent, school_id=desk.elsewhere.id)
    told = onboarding_at(parent, at(desk))
    assert (told.step, told.printed_at, told.expires_at) == (OnboardingStep.NOT_INVITED, None, None)


def test_c3_whose_access_ended_looks_the_same_alive_elsewhere_or_not(desk: Desk) -> None:
    alive, gone = invited(desk, username="alive"), invited(desk, username="gone")
    factories.guardianship(accounts.get_account(alive), factories.child(desk.elsewhere, "Noé"))
    when = clock.now()
    for parent in (alive, gone):
        (mine,) = _here(desk, parent)
        endings.end_guardianship(parent, mine.child_id, "moved")
        with transaction():
            mine.ended_at = when
    endings.disable_account(gone)

    assert onboarding_at(alive, at(desk)) == onboarding_at(gone, at(desk))
    assert onboarding_at(gone, at(desk)).step is OnboardingStep.ENDED
    assert onboarding_at(gone, EVERYWHERE).step is OnboardingStep.DISABLED


def test_c3_what_was_before_the_first_pupil_here_has_no_date(desk: Desk) -> None:
    parent = factories.account(status="invited", email="claire@dubois.example")
    message = mail_requests.invite(parent.id)
    outbox.sent(message)
    with transaction():
        message.created_at = clock.now() - timedelta(days=300)
    factories.guardianship(parent, factories.child(desk.here))

    assert onboarding_at(parent.id, at(desk)).mailed_at is None
    assert onboarding_at(parent.id, EVERYWHERE).mailed_at is not None


def test_who_is_no_guardian_here_is_not_in_the_answer(desk: Desk) -> None:
    parent, _ = factories.family(desk.elsewhere, "Noé")
    assert onboarding_of([parent.id, "a_nobody"], at(desk)) == {}


def test_the_queries_are_as_few_for_many_as_for_one(desk: Desk) -> None:
    parents = [invited(desk, username=f"parent.{n}") for n in range(20)]
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        if statement != "BEGIN":
            asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        found = onboarding_of(parents, at(desk))
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(found) == 20
    assert len(asked) == 5


def _here(desk: Desk, account_id: str) -> list[Guardianship]:
    query = db.select(Guardianship).join(Child, Child.id == Guardianship.child_id)
    return list(
        db.session.scalars(
            query.where(Guardianship.account_id == account_id, Child.school_id == desk.here.id)
        )
    )
