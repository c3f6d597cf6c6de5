"""A person's page, a pupil's page, and every act on them, refused and done."""

from collections.abc import Iterator
from datetime import timedelta

from werkzeug.test import TestResponse

from idp import clock
from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import db, transaction
from idp.lifecycle.mails import requests as mail_requests
from idp.mail import answers, outbox
from idp.privacy import erasure
from tests import factories
from tests.admin.places import Desk


def walk(desk: Desk) -> Iterator[TestResponse]:
    claire, (lina, noe) = factories.family(
        desk.here, "Lina", "Noé", username="claire", status="invited", email="claire@x.example"
    )
    twin = factories.account("claire2", status="active")
    factories.guardianship(twin, lina, "mother")
    _mails(claire.id)
    browser = desk.browser("manager")
    person = f"/admin/people/{claire.id}"
    yield browser.open(person)
    yield browser.press("send-token")
    yield browser.press("send-token")
    yield browser.open(f"/admin/people/{twin.id}")
    yield browser.open(f"{person}/edit")
    yield browser.submit("email-form", email="not an address")
    yield browser.submit("email-form", email="claire@new.example")
    browser.open(f"{person}/edit")
    yield browser.submit("name-form", given_name="", family_name="")
    yield browser.submit("name-form", given_name="Klara", family_name="Dubois")
    browser.open(f"{person}/edit")
    yield browser.submit("username-form", username="claire2")
    yield browser.submit("username-form", username="klara")
    browser.open(f"{person}/edit")
    yield browser.submit("person-language-form", locale=desk.language)
    yield browser.open(f"{person}/link?pupil=nobody")
    yield browser.open(f"{person}/link?pupil=no")
    yield browser.open(f"{person}/merge")
    yield browser.open(f"{person}/merge?username=nobody")
    yield browser.open(f"{person}/merge?username=klara")
    yield browser.open(f"{person}/merge?username=claire2")
    yield from _pupils(desk, lina.id, noe.id, claire.id)
    yield browser.open(f"{person}/leave")
    erasure.request_erasure(claire.id)
    yield browser.open("/admin/erasures")
    yield browser.press("erasure-declined-1")
    yield browser.open(f"{person}/close")
    yield browser.submit("close-form", reason="")
    yield browser.submit("close-form", reason="court", text="")
    yield from _operator(desk, twin.id)


def _pupils(desk: Desk, lina: str, noe: str, claire: str) -> Iterator[TestResponse]:
    browser = desk.browser("manager")
    yield browser.open(f"/admin/schools/{desk.here.id}/pupils/new")
    yield browser.submit("pupil-form", given_name="", family_name="")
    yield browser.submit("pupil-form", given_name="Zoé", family_name="Maes", class_name="1A")
    yield browser.open(f"/admin/pupils/{lina}/edit")
    yield browser.submit("pupil-form", given_name="", family_name="", class_name="x" * 50)
    yield browser.submit("pupil-form", given_name="Lina", family_name="Dubois", class_name="4C")
    yield browser.open(f"/admin/pupils/{lina}/new-guardian")
    yield browser.submit("known-form", username="nobody", relationship="mother")
    yield browser.submit("guardian-form", given_name="Claire", family_name="Dubois")
    yield browser.submit("guardian-form", given_name="", family_name="", email="no", locale="xx")
    yield browser.open(f"/admin/pupils/{noe}/guardians/{claire}")
    yield browser.submit("end-form", reason="", text="x" * 300)
    yield browser.submit("end-form", reason="mistake", text="")
    yield browser.open(f"/admin/pupils/{noe}/guardians/{claire}")
    yield browser.open(f"/admin/pupils/{noe}/leave")
    yield browser.press("left-submit")
    yield browser.open(f"/admin/pupils/{noe}/guardians/{claire}")
    browser.open(f"/admin/pupils/{noe}")
    yield browser.press("return-submit")


def _operator(desk: Desk, account_id: str) -> Iterator[TestResponse]:
    browser = desk.browser("operator")
    browser.open(f"/admin/people/{account_id}/close")
    yield browser.press("disable-submit")
    yield browser.press("enable")
    factories.account("operated", status="active")
    helper = desk.browser("helper")
    yield helper.open(f"/admin/people/{account_id}")


def _mails(account_id: str) -> None:
    """Mails of each fate, and a token that was opened and expired."""
    for status, answer in (
        ("refused", "550 5.1.1 no such user"),
        ("dropped", "too many for one address in an hour"),
        ("sent", None),
    ):
        message = mail_requests.invite(account_id)
        with transaction():
            message.status, message.answer = status, answer
            message.meaning = answers.meaning(answer) if answer else None
            message.created_at = clock.now() - timedelta(minutes=5)
    outbox.enqueue("password_changed", account_id=account_id)
    with transaction():
        one_time_tokens.mint(account_id, "first_sign_in", outbox_id=message.id)
    with transaction():
        token = db.session.query(OneTimeToken).filter_by(account_id=account_id).one()
        token.opened_at, token.expires_at = clock.now(), clock.now() - timedelta(hours=1)
