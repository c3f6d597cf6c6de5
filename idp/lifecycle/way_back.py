"""The way back that a change of address leaves to the address before it: seen, and ended early.

An ex-partner may read the mailbox that a parent has left; a thief may want the way back gone. So
whoever ends it proves more than whoever made the change: a password that no mailed token has set
since, and, where the change was made on the account's own page, a day in which the address could
object (docs/decisions/who-takes-an-address-back.md). An operator decides for everybody else.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from idp import clock
from idp.audit import events
from idp.credentials import email_changes, passkeys, passwords
from idp.credentials.models import EmailChange
from idp.database import retried, transaction
from idp.federation import links
from idp.mail import outbox
from idp.people import accounts
from idp.sessions import service as sessions

OBJECTS_WITHIN: Final = timedelta(days=1)
"""For so long the holder can't end the way back of a change that was made on their own page."""


@dataclass(frozen=True)
class Right:
    """A change in use that may be taken back, and from when its holder may end that."""

    change: EmailChange
    endable_from: datetime | None
    """None: not by what is known of them now; the school or the platform helps."""

    @property
    def endable(self) -> bool:
        return self.endable_from is not None and self.endable_from <= clock.now()


def rights(account_id: str) -> list[Right]:
    """What may still be taken back from the account's holder, the oldest first."""
    return [
        Right(change, _endable_from(account_id, change))
        for change in email_changes.open_rights(account_id)
    ]


@retried
def end(account_id: str, change_id: str, session_id: str) -> bool:
    """End a way back on the word of the holder, who has just proved to be there; false where
    there is none, or where it is not theirs to end now.
    """
    with transaction():
        accounts.lock_account(account_id)
        if not sessions.is_live(session_id, account_id):
            return False
        matching = (each for each in rights(account_id) if each.change.id == change_id)
        right = next(matching, None)
        return right is not None and right.endable and _end(right.change, "holder")


@retried
def end_for(account_id: str, change_id: str) -> bool:
    """End a way back on an operator's word; false where there is none."""
    with transaction():
        accounts.lock_account(account_id)
        matching = (each for each in email_changes.open_rights(account_id) if each.id == change_id)
        change = next(matching, None)
        return change is not None and _end(change, "operator")


def _end(change: EmailChange, by: str) -> bool:
    if not email_changes.end_right(change):
        return False
    events.record("email_way_back_ended", account_id=change.account_id, change_id=change.id, by=by)
    about = {"change_id": change.id, "by": by}
    outbox.enqueue("email_way_back_ended", account_id=change.account_id, about=about)
    return True


def _endable_from(account_id: str, change: EmailChange) -> datetime | None:
    if not _is_rooted(account_id, change.asked_at):
        return None
    if change.by_school or change.confirmed_at is None:
        return change.asked_at
    return change.confirmed_at + OBJECTS_WITHIN


def _is_rooted(account_id: str, since: datetime) -> bool:
    """Whether what its holder signs in with goes back to before the change.

    A password that a mailed token has set since may be of whoever reads the new address.
    """
    root = passwords.rooted_at(account_id)
    if root is not None:
        return root <= since
    older_link = any(each.linked_at <= since for each in links.of_account(account_id))
    return older_link or any(each.created_at <= since for each in passkeys.passkeys_of(account_id))
