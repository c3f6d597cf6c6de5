"""What became of mails, of each kind and with each fate."""

from collections.abc import Iterator

from werkzeug.test import TestResponse

from idp.database import transaction
from idp.mail import answers, outbox
from idp.mail.models import OutboxMessage
from idp.people.models import Account
from tests import factories
from tests.admin.places import Desk

ANSWERS = (
    ("refused", "550 5.1.1 no such user"),
    ("refused", "550 5.1.2 host unknown"),
    ("refused", "552 5.2.2 quota"),
    ("refused", "550 5.2.1 disabled"),
    ("refused", "554 5.7.1 spam"),
    ("refused", "599 hm"),
    ("refused", "not an address that SMTP can carry"),
    ("refused", "given up after 90 attempts: 450 4.2.0 busy"),
    ("queued", "451 4.7.1 greylisted"),
    ("queued", "450 4.2.0 busy"),
    ("queued", "SMTPConnectError"),
    ("queued", "can't be written: KeyError"),
    ("dropped", "too many for one address in an hour"),
    ("dropped", "nobody to write to"),
    ("sent", None),
    ("queued", None),
)


def walk(desk: Desk) -> Iterator[TestResponse]:
    parent, _ = factories.family(
        desk.here, "Lina", username="claire", email="c@x.example", status="invited"
    )
    manager = desk.browser("manager")
    yield manager.open("/admin/mails")
    for fate, answer in ANSWERS:
        mail(parent, fate=fate, answer=answer)
    yield manager.open("/admin/mails")
    refused = mail(parent, fate="refused", answer="550 5.1.1 no such user")
    yield manager.open("/admin/mails?fate=refused")
    yield manager.press(f"again-{refused.id}")
    yield desk.browser("operator").open("/admin/mails?fate=dropped")


def mail(
    parent: Account | None, kind: str = "invitation", *, fate: str, answer: str | None, **about: str
) -> OutboxMessage:
    """A mail to this parent that had this fate."""
    with transaction():
        made = outbox.enqueue(kind, account_id=parent and parent.id, about=about)
        made.status, made.answer, made.attempts = fate, answer, 2 if answer else 1
        made.meaning = answers.meaning(answer) if answer else None
        made.finished_at = made.created_at if fate != "queued" else None
    return made
