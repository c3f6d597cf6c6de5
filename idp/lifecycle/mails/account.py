"""The mails about an account's life: another address, a new device, a wish to be erased.

Each says what happened, when, and how to undo it (security rule M2). None tells one address
about the other: the old one may be shared with somebody from whom the new one is kept (C3).
"""

from dataclasses import replace
from datetime import datetime, timedelta

from idp import clock, settings
from idp.credentials import email_changes
from idp.credentials.models import EmailChange
from idp.lifecycle.mails import readers
from idp.lifecycle.mails.tokens import about_account, holders, locale_of, to_holder, tokens_for
from idp.mail import messages
from idp.mail.delivery import Composer
from idp.mail.messages import Message, clean
from idp.mail.models import OutboxMessage
from idp.people import accounts, schools, staff
from idp.people.models import Account
from idp.people.names import email_key

CONFIRM_PATH = "/account/email/confirm"
UNDO_PATH = "/account/email/undo"


def email_confirm(message: OutboxMessage) -> list[Message]:
    """To the new address: the link that makes it the account's."""
    match _change_and_account(message):
        case change, account if email_changes.is_waiting(change):
            secret = email_changes.mint_link(change, "confirm", message.id)
            link = messages.own_link(CONFIRM_PATH, secret)
            return [about_account(message, account, recipient=change.new_email, link=link)]
    return []


def to_old_address(message: OutboxMessage) -> list[Message]:
    """Somebody asked for another address, or mail goes elsewhere now; and how to stop or undo it.

    To the address before, and to the one that may take the change back, where that is another:
    it had the account before a run of corrections. Also of an account that was closed meanwhile:
    else a correction and a closing together would leave nobody told.
    """
    match _change_and_account(message, closed_too=True):
        case change, account if change.old_email:
            by_school = message.about.get("by") == "school"
            if not by_school and not email_changes.is_open(change):
                return []  # taken back or undone meanwhile: another mail says so
            back_to = change.taken_back_by if email_changes.is_undoable(change) else None
            recipients = dict.fromkeys([change.old_email, *([back_to] if back_to else [])])
            return [
                about_account(
                    message,
                    account,
                    recipient=each,
                    by_school=by_school,
                    link=_undo_link(change, message.id) if each == back_to else "",
                    days=_days_left(change),
                )
                for each in recipients
            ]
    return []


def email_changed(message: OutboxMessage) -> list[Message]:
    """To the new address: mail comes here from now on."""
    match _change_and_account(message):
        case change, account if email_key(change.new_email) == account.email_key:
            by_school = message.about.get("by") == "school"
            undoable = email_changes.is_undoable(change)
            return [about_account(message, account, by_school=by_school, undoable=undoable)]
    return []


def email_undone(message: OutboxMessage) -> list[Message]:
    """To the address that the account has again; with a token where nothing else lets them in."""
    theirs = holders(message)
    if theirs and message.about.get("token", True):
        return tokens_for(message, theirs)
    match _change_and_account(message, closed_too=True):
        case change, account:
            recipient = change.taken_back_by
            return [about_account(message, account, recipient=recipient, accesses=[])]
    return []


def email_undone_new(message: OutboxMessage) -> list[Message]:
    """To the address that the account has no longer, or never had."""
    match _change_and_account(message, closed_too=True):
        case change, account:
            return [about_account(message, account, recipient=change.new_email)]
    return []


def email_way_back_ended(message: OutboxMessage) -> list[Message]:
    """To the address that could take a change back: it can no longer, and who ended that."""
    match _change_and_account(message, closed_too=True):
        case change, account if change.taken_back_by:
            by_holder = message.about.get("by") == "holder"
            recipient = change.taken_back_by
            return [about_account(message, account, recipient=recipient, by_holder=by_holder)]
    return []


def about_device(message: OutboxMessage) -> list[Message]:
    """A sign-in from a browser that the account does not know, or a key that two of them have."""
    device = clean(str(message.about.get("device") or ""))
    return to_holder(message, device=device, link=messages.sign_in_link())


def accounts_merged(message: OutboxMessage) -> list[Message]:
    """To the holder of the account that is kept: another one of theirs is used no longer."""
    closed = accounts.find_account(str(message.about.get("closed_id") or ""))
    if closed is None:
        return []
    return to_holder(message, closed=clean(closed.username), link=messages.sign_in_link())


def account_corrected(message: OutboxMessage) -> list[Message]:
    """To a guardian whose name or user name the school wrote otherwise."""
    link = messages.sign_in_link()
    return [
        about_account(message, account, full_name=clean(account.full_name), link=link)
        for account in holders(message)
    ]


def account_ends(message: OutboxMessage) -> list[Message]:
    """To a guardian without a child at any school: on which day the account is gone."""
    on = datetime.fromisoformat(str(message.about["on"]))
    return to_holder(message, on=on, link=messages.sign_in_link())


def about_role(message: OutboxMessage) -> list[Message]:
    """To somebody who works at a school's desk from now on, or has one role less."""
    school = schools.find_school(str(message.about.get("school_id") or ""))
    return to_holder(
        message,
        role=message.about.get("role", ""),
        school=clean(school.name) if school else "",
        link=messages.sign_in_link(),
    )


def erasure_asked(message: OutboxMessage) -> list[Message]:
    """A guardian asks to be erased: to one school's contact, in the school's language; to the
    operators where no school is there to answer.
    """
    account = accounts.find_account(message.account_id or "")
    if account is not None and not message.about.get("school_id"):
        return [
            _asked_of_platform(message, account, operator)
            for operator in staff.operators()
            if operator.email and operator.id != account.id
        ]
    school = schools.find_school(str(message.about.get("school_id") or ""))
    if school is None or account is None or not school.contact_email:
        return []
    return [
        messages.render(
            "erasure_asked",
            school.locale,
            school.contact_email,
            face=replace(readers.face_of([school]), reply_to=""),
            reader=None,
            name=clean(school.contact_name or school.name),
            guardian=clean(account.full_name),
            username=clean(account.username),
            when=message.created_at,
            place=clean(school.name),
            contacts=[],
        )
    ]


def _asked_of_platform(message: OutboxMessage, account: Account, operator: Account) -> Message:
    return messages.render(
        "erasure_asked",
        locale_of([operator], None, []),
        operator.email or "",
        face=readers.face_of([]),
        reader=None,
        name=clean(operator.full_name),
        guardian=clean(account.full_name),
        username=clean(account.username),
        when=message.created_at,
        place=clean(settings.current().platform_name),
        contacts=[],
        by_operator=True,
    )


COMPOSERS: dict[str, Composer] = {
    "email_confirm": email_confirm,
    **dict.fromkeys(("email_change_asked", "email_changed_old"), to_old_address),
    "email_changed": email_changed,
    "email_undone": email_undone,
    "email_undone_new": email_undone_new,
    "email_way_back_ended": email_way_back_ended,
    **dict.fromkeys(("new_device", "device_key_copied"), about_device),
    "erasure_asked": erasure_asked,
    "accounts_merged": accounts_merged,
    "account_corrected": account_corrected,
    "account_ends": account_ends,
    **dict.fromkeys(("role_given", "role_taken"), about_role),
}


def _undo_link(change: EmailChange, outbox_id: str) -> str:
    return messages.own_link(UNDO_PATH, email_changes.mint_link(change, "undo", outbox_id))


def _days_left(change: EmailChange) -> int:
    """Whole days that the undoing still works, rounded up."""
    return max(1, -(-(change.expires_at - clock.now()) // timedelta(days=1)))


def _change_and_account(
    message: OutboxMessage, *, closed_too: bool = False
) -> tuple[EmailChange, Account] | None:
    """What a message is about; nothing where the account may not sign in any more, unless
    ``closed_too``.
    """
    account = accounts.lock_account(message.account_id or "")
    change = email_changes.get_change(str(message.about.get("change_id") or ""))
    if change is None or account is None:
        return None
    if account.status not in {"invited", "active"} and not closed_too:
        return None
    return change, account
