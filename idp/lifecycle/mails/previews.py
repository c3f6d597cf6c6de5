"""Mails as a parent would get them, shown or sent to staff: nobody's name, a token of nobody."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select

from idp import clock, settings
from idp.credentials.one_time_tokens import GROUP, LENGTH
from idp.database import db, transaction
from idp.errors import Conflict, Invalid
from idp.lifecycle.mails import readers
from idp.lifecycle.mails import tokens as token_mails
from idp.lifecycle.mails.readers import Reader
from idp.lifecycle.mails.tokens import Access
from idp.mail import messages, outbox
from idp.mail.delivery import Composer
from idp.mail.messages import Message, clean
from idp.mail.models import OutboxMessage
from idp.people import accounts, schools
from idp.people.models import TEXT_KINDS, School
from idp.people.school_texts import Words, words_of

KIND: Final = "specimen"
EACH_HOUR: Final = 10
"""Previews that one member of staff may have sent in an hour."""
PARENT: Final = "Claire Dubois"
USERNAME: Final = "claire.dubois"
MAILBOX: Final = "claire.dubois@family.example"
TOKEN: Final = "-".join(["TEST" * (GROUP // 4)] * (LENGTH // GROUP))
"""In the form of a token, for the page to look right; nothing like it was ever stored."""


def render_preview(school: School, kind: str, locale: str, words: Words | None = None) -> Message:
    """The mail of this kind to the fictional parent; ``words``: in place of the stored ones."""
    return _written(school, kind, locale, words or words_of(school.id, kind, locale), MAILBOX)


def enqueue(account_id: str, school_id: str, kind: str, locale: str) -> OutboxMessage:
    """Queue a preview to the stored address of this account. Raises ``Conflict``.

    Raises ``Invalid`` where the account has no address.
    """
    with transaction():
        # Held, so that two requests at once do not both count nine
        account = accounts.lock_account(account_id)
        if account is None or not account.email:
            raise Invalid("email", "missing")
        if _in_the_hour(account_id) >= EACH_HOUR:
            raise Conflict("too_many_tests")
        about = {"school_id": school_id, "kind": kind, "locale": locale}
        return outbox.enqueue(KIND, account_id=account_id, about=about)


def last_of(account_id: str, school_id: str) -> OutboxMessage | None:
    """The newest preview that this account asked for at this school, with its fate."""
    query = (
        select(OutboxMessage)
        .where(OutboxMessage.account_id == account_id, OutboxMessage.kind == KIND)
        .order_by(OutboxMessage.created_at.desc())
        .limit(EACH_HOUR)
    )
    rows = db.session.scalars(query)
    return next((row for row in rows if row.about.get("school_id") == school_id), None)


def compose_preview(message: OutboxMessage) -> list[Message]:
    """The composer: to the address of whoever asked, as it is stored when it is sent (P16)."""
    school = schools.find_school(message.about.get("school_id", ""))
    kind = message.about.get("kind", TEXT_KINDS[0])
    if school is None or kind not in TEXT_KINDS:
        return []
    return [
        _for_staff(school, kind, message.about.get("locale") or account.locale, account.email)
        for account in token_mails.holders(message)
    ]


COMPOSERS: dict[str, Composer] = {KIND: compose_preview}


def _for_staff(school: School, kind: str, locale: str | None, email: str | None) -> Message:
    spoken = locale if locale in settings.LOCALES else school.locale
    words = words_of(school.id, kind, spoken)
    return _written(school, kind, spoken, words, email or "", is_preview=True)


def _written(
    school: School, kind: str, locale: str, words: Words, recipient: str, **context: Any
) -> Message:
    return messages.render(
        kind,
        locale,
        recipient,
        face=readers.face_of([school]),
        reader=Reader((school,), (), parent=True),
        name=PARENT,
        place=clean(school.name),
        contacts=[readers.contact(school)],
        accesses=[Access(USERNAME, TOKEN, messages.welcome_link(TOKEN), _lifetime(kind))],
        words=words,
        **context,
    )


def _lifetime(kind: str) -> timedelta:
    values = settings.current()
    if kind == "invitation":
        return values.first_sign_in_lifetime
    return values.password_reset_lifetime


def _in_the_hour(account_id: str) -> int:
    count: int | None = db.session.scalar(
        select(func.count())
        .select_from(OutboxMessage)
        .where(
            OutboxMessage.account_id == account_id,
            OutboxMessage.kind == KIND,
            OutboxMessage.created_at > clock.now() - timedelta(hours=1),
        )
    )
    return count or 0
