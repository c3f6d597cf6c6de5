"""The mails about what a school's desk did, to whom it concerns, also of a closed account.

In the name of the school that acted. They tell no pupil's name: a mailbox may be shared.
"""

from typing import Any

from idp import settings
from idp.database import db
from idp.lifecycle import link_requests
from idp.lifecycle.mails import readers
from idp.lifecycle.mails import tokens as token_mails
from idp.mail import messages
from idp.mail.delivery import Composer
from idp.mail.messages import Message, clean
from idp.mail.models import OutboxMessage
from idp.people import accounts
from idp.people.link_models import LinkRequest
from idp.people.schools import find_school

LINK_PATH = "/account/guardianship"


def guardianship_made(message: OutboxMessage) -> list[Message]:
    """A pupil was linked to the reader's account."""
    return _from_school(message, link=messages.sign_in_link())


def guardianship_asked(message: OutboxMessage) -> list[Message]:
    """A school asks a former guardian whether pupils are to be linked; with the link to answer."""
    request = db.session.get(LinkRequest, str(message.about.get("request_id") or ""))
    requests = link_requests.asked_with(link_requests.secret_of(request)) if request else []
    if not request or not requests:
        return []
    return _from_school(
        message,
        requests[0].child.school_id,
        link=messages.own_link(LINK_PATH, link_requests.secret_of(request)),
        days=link_requests.ANSWERED_WITHIN.days,
        several=len(requests) > 1,
    )


def account_merged_away(message: OutboxMessage) -> list[Message]:
    """To the holder of the account that a merge closed: which one stays, if it was theirs."""
    kept = accounts.find_account(str(message.about.get("kept_id") or ""))
    return _from_school(message, kept=clean(kept.username) if kept else "")


def account_enabled(message: OutboxMessage) -> list[Message]:
    """An account that was closed may be used again."""
    return token_mails.to_holder(message, link=messages.sign_in_link())


def erasure_closed(message: OutboxMessage) -> list[Message]:
    """What became of a request to be erased, also to who can't sign in any more.

    In the school's name where it was the only one; none of several is named (security rule C3).
    """
    by_operator = bool(message.about.get("by_operator"))
    return _from_school(message, outcome=message.about.get("outcome", ""), by_operator=by_operator)


def _from_school(
    message: OutboxMessage, school_id: str | None = None, **context: Any
) -> list[Message]:
    account = accounts.lock_account(message.account_id or "")
    if account is None or not account.email:
        return []
    school = find_school(school_id or str(message.about.get("school_id") or ""))
    schools = [school] if school else []
    return [
        messages.render(
            message.kind,
            token_mails.locale_of([account], None, schools),
            account.email,
            face=readers.face_of(schools),
            reader=None,
            name=clean(account.full_name),
            username=clean(account.username),
            when=message.created_at,
            place=clean(school.name if school else settings.current().platform_name),
            contacts=[readers.contact(each) for each in schools],
            **context,
        )
    ]


COMPOSERS: dict[str, Composer] = {
    "guardianship_made": guardianship_made,
    "guardianship_asked": guardianship_asked,
    "account_merged_away": account_merged_away,
    "account_enabled": account_enabled,
    "erasure_closed": erasure_closed,
}
