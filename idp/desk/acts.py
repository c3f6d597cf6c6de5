"""What staff do about a guardian's account: a token, an address, a language, access closed.

Each finds its account within the reach of its own right, in the transaction that acts: only
those who are guardian there *now*, so that no answer depends on what is elsewhere (security
rules A2 and C3). Raises ``NotFound``, ``Conflict``, ``Invalid``.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from idp.credentials import email_changes
from idp.credentials.email_models import EmailChange
from idp.database import retried, transaction
from idp.desk import journal
from idp.desk import reach as within
from idp.desk.people import (
    guardian,
    live_guardian,
    refuse_wider_roles,
    schools_concerned,
)
from idp.desk.staff import Right, Staff
from idp.errors import Conflict, Invalid
from idp.lifecycle import email_change, endings, requests, way_back
from idp.people import accounts, guardianships, search_index
from idp.people.models import END_REASONS, Child, Guardianship
from idp.people.names import clean_text

REASON_LENGTH: Final = 200


@dataclass(frozen=True)
class Reason:
    """Why something ended: one of ``END_REASONS``, and what somebody wrote about it."""

    code: str
    text: str = ""

    def checked(self) -> "Reason":
        """The same, as it is stored; raises ``Invalid``."""
        if self.code not in END_REASONS:
            raise Invalid("reason", "none_of", allowed=END_REASONS)
        return Reason(self.code, clean_text("text", self.text, longest=REASON_LENGTH))


@retried
def send_token(staff: Staff, account_id: str) -> bool:
    """Have a token mailed: an invitation, or one for a new password where there is one already.

    False where one is on its way, so that a double click sends one mail. Nobody at the desk sees
    the token (security rule A5).
    """
    reach = staff.reach(Right.SEND_TOKENS)
    with transaction():
        account = live_guardian(reach, account_id, hold=True)
        message = requests.send_token(account_id)
        if message is None:
            return False
        for school_id in schools_concerned(reach, account_id):
            journal.record(
                "token_sent", school_id=school_id, account_id=account.id, kind=message.kind
            )
    return True


@retried
def correct_email(staff: Staff, account_id: str, email: str) -> bool:
    """Another address on the school's word; false where it is the same."""
    reach = staff.reach(Right.CHANGE_PEOPLE)
    with transaction():
        account = live_guardian(reach, account_id, hold=True)
        refuse_wider_roles(staff, account_id)
        before = account.email
        if not email_change.by_staff(account_id, email):
            return False
        for school_id in schools_concerned(reach, account_id):
            journal.record(
                "person_email_corrected",
                school_id=school_id,
                account_id=account_id,
                before={"email": before},
                after={"email": email.strip()},
            )
    return True


def ways_back(staff: Staff, account_id: str) -> list[EmailChange]:
    """The changes of address that an address before may still take back."""
    live_guardian(staff.reach(Right.LOOK_UP), account_id)
    return email_changes.open_rights(account_id)


def end_way_back(staff: Staff, account_id: str, change_id: str) -> bool:
    """End a way back; an operator's act, as a manager may have made the change. False where
    there is none.
    """
    _operators(staff, account_id)
    return way_back.end_for(account_id, change_id)


def set_language(staff: Staff, account_id: str, locale: str) -> None:
    """The language of a guardian's pages and mails."""
    reach = staff.reach(Right.CHANGE_PEOPLE)
    with transaction():
        account = live_guardian(reach, account_id, hold=True)
        before = account.locale
        accounts.set_locale(account_id, locale)
        if before != locale:
            for school_id in schools_concerned(reach, account_id):
                journal.record(
                    "person_language_set",
                    school_id=school_id,
                    account_id=account_id,
                    before={"language": before},
                    after={"language": locale},
                )


@retried
def close_access(staff: Staff, account_id: str, reason: Reason) -> None:
    """End every guardianship within the reach, and the account where none is left anywhere.

    Whether one is left is told to nobody: neither the answer nor the school's journal differs.
    """
    why = reason.checked()
    with transaction():
        live_guardian(staff.reach(Right.CHANGE_PEOPLE), account_id, hold=True)
        refuse_wider_roles(staff, account_id)
        end_within(staff, account_id, why)


def end_within(staff: Staff, account_id: str, why: Reason) -> None:
    """The ends of ``close_access``, in the caller's transaction, which holds the account."""
    reach = staff.reach(Right.CHANGE_PEOPLE)
    schools = schools_concerned(reach, account_id)
    with transaction() as writes:
        ids = writes.scalars(
            select(Guardianship.id)
            .join(Child, Child.id == Guardianship.child_id)
            .where(
                Guardianship.account_id == account_id,
                guardianships.not_ended(),
                within.children(reach),
            )
        ).all()
        endings.end_guardianships(ids, why.text, why.code)
        search_index.refresh_accounts([account_id])
        endings.close_accounts([account_id])
        for school_id in schools:
            journal.record(
                "access_closed",
                school_id=school_id,
                account_id=account_id,
                after={"reason": why.code},
            )


def disable_account(staff: Staff, account_id: str) -> bool:
    """Disable an account as a whole, for every school; an operator's act. False where it was."""
    _operators(staff, account_id)
    return endings.disable_account(account_id)


def enable_account(staff: Staff, account_id: str) -> bool:
    """Let a disabled account in again; an operator's act. False where it was not disabled."""
    _operators(staff, account_id)
    return endings.enable_account(account_id)


def _operators(staff: Staff, account_id: str) -> None:
    reach = staff.reach(Right.DISABLE_ACCOUNTS)
    guardian(reach, account_id)
    if not reach.everywhere:
        raise Conflict("operator_only")
