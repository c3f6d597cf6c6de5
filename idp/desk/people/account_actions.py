"""What staff do about a guardian's account: a token, a correction, a language, access closed.

Whom a correction concerns is told by mail, for what a school corrects is theirs at every other
school too. Each raises ``NotFound``, ``Conflict`` and ``Invalid``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from idp.credentials import email_changes
from idp.credentials.models import EmailChange
from idp.database import retried
from idp.desk.access import scope
from idp.desk.access.acts import OnAccount, act
from idp.desk.access.rights import Right, Staff
from idp.desk.people import meanwhile
from idp.desk.people.page import live_guardian
from idp.errors import Conflict, Invalid
from idp.lifecycle import email_change, endings, way_back
from idp.lifecycle.mails import requests as mail_requests
from idp.mail import outbox
from idp.people import accounts
from idp.people import staff as roles
from idp.people.models import END_REASONS, Child, Guardianship, School
from idp.people.names import clean_text

REASON_LENGTH: Final = 200
Shown = Mapping[str, str] | None
"""What the page of whoever acts showed, by field; None: what they say counts in any case."""


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


@dataclass(frozen=True)
class Corrected:
    """Whether anything was different, and whether the holder has an address and so is told."""

    changed: bool
    notified: bool = False


@retried
def send_token(staff: Staff, account_id: str) -> bool:
    """Have a token mailed: an invitation, or one for a new password where there is one already.

    False where one is on its way, so that a double click sends one mail. Nobody at the desk sees
    the token (security rule A5).
    """
    with act(staff, Right.SEND_TOKENS, account_id, wider_roles=True, peers=False) as on:
        message = mail_requests.send_token(account_id)
        if message is None:
            on.keep()  # a mail that an import had put off leaves now
            return False
        on.record("token_sent", kind=message.kind)
    return True


@retried
def correct_name(
    staff: Staff, account_id: str, given_name: str, family_name: str, shown: Shown = None
) -> Corrected:
    """Another name on the school's word; ``shown``: see ``meanwhile.kept``.

    Of names the audit log tells only that they changed (security rule L1).
    """
    typed = {"given_name": given_name, "family_name": family_name}
    with act(staff, Right.CHANGE_PEOPLE, account_id, peers=False) as on:
        stored = {name: getattr(on.account, name) for name in typed}
        if not accounts.change_name(on.account, **meanwhile.kept(typed, shown, stored)):
            return Corrected(changed=False)
        on.record("account_changed")
        outbox.enqueue("account_corrected", account_id=account_id)
    return Corrected(changed=True, notified=bool(on.account.email))


@retried
def correct_username(
    staff: Staff, account_id: str, username: str, shown: Shown = None
) -> Corrected:
    """Another user name on the school's word; ``shown``: see ``meanwhile.kept``.

    Password, passkeys, links and sessions stay: they belong to the account, not to its name.
    """
    with act(staff, Right.CHANGE_PEOPLE, account_id, peers=False) as on:
        before = on.account.username
        meanwhile.kept({"username": username}, shown, {"username": before})
        if not accounts.change_username(on.account, username):
            return Corrected(changed=False)
        after = on.account.username
        on.record("username_changed", before={"user_name": before}, after={"user_name": after})
        outbox.enqueue("account_corrected", account_id=account_id)
    return Corrected(changed=True, notified=bool(on.account.email))


@retried
def correct_email(staff: Staff, account_id: str, email: str, shown: Shown = None) -> bool:
    """Another address on the school's word; false where it is the same. ``shown``: see
    ``meanwhile.kept``.
    """
    with act(staff, Right.CHANGE_PEOPLE, account_id, peers=False) as on:
        before = on.account.email
        meanwhile.kept({"email": email}, shown, {"email": before})
        if not email_change.by_staff(account_id, email):
            return False
        on.record(
            "person_email_corrected", before={"email": before}, after={"email": email.strip()}
        )
    return True


def ways_back(staff: Staff, account_id: str) -> list[EmailChange]:
    """The changes of address that an address before may still take back."""
    live_guardian(staff.school_scope(Right.LOOK_UP), account_id)
    return email_changes.open_rights(account_id)


@retried
def end_way_back(staff: Staff, account_id: str, change_id: str) -> bool:
    """End a way back; an operator's act, as a manager may have made the change. False where
    there is none.
    """
    with act(staff, Right.DISABLE_ACCOUNTS, account_id, peers=False):
        return way_back.end_for(account_id, change_id)


@retried
def set_language(staff: Staff, account_id: str, locale: str, shown: Shown = None) -> None:
    """The language of a guardian's pages and mails; ``shown``: see ``meanwhile.kept``."""
    with act(staff, Right.CHANGE_PEOPLE, account_id, wider_roles=True) as on:
        before = on.account.locale
        meanwhile.kept({"locale": locale}, shown, {"locale": before})
        accounts.set_locale(account_id, locale)
        if before != locale:
            on.record(
                "person_language_set", before={"language": before}, after={"language": locale}
            )


@retried
def close_access(staff: Staff, account_id: str, reason: Reason) -> bool:
    """End every guardianship within the scope, with the questions that wait there, and the account
    where no guardianship is left anywhere; also where a question is all there is. True where the
    account stays in any case, as its holder works at a desk.

    Whether one is left is told to nobody: neither the answer nor the school's audit log differs.
    """
    why = reason.checked()
    with act(staff, Right.CHANGE_PEOPLE, account_id, questioned=True) as on:
        on.refuse_yourself()
        end_within(on, why)
        return on.holder.has_role


def end_within(on: OnAccount, why: Reason) -> None:
    """The ends of ``close_access``."""
    # Those that ended before are among them, so that it yields the same once these have ended
    theirs = (
        select(Guardianship.id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(Guardianship.account_id == on.account.id, scope.children(on.school_scope))
    )
    schools = select(School.id).where(scope.schools(on.school_scope))
    endings.close_access(on.account.id, theirs, schools, why.text, why.code)
    on.record("access_closed", after={"reason": why.code})


@retried
def disable_account(staff: Staff, account_id: str, *, last_operator: bool = False) -> bool:
    """Disable an account as a whole, for every school; an operator's act. False where it was.

    Raises ``Conflict``: one's own, or that of the last operator who can sign in (unless
    ``last_operator``, at a terminal). Of two operators who disable each other at once one stays.
    """
    with act(staff, Right.DISABLE_ACCOUNTS, account_id) as on:
        on.refuse_yourself()
        done = endings.disable_account(account_id)
        # First the account, as everywhere; then the operators' rows
        is_counted = done and on.holder.is_operator and not last_operator
        if is_counted and not roles.has_operator_left():
            raise Conflict("last_operator")
    return done


@retried
def enable_account(staff: Staff, account_id: str) -> bool:
    """Let a disabled account in again; an operator's act. False where it was not disabled."""
    with act(staff, Right.DISABLE_ACCOUNTS, account_id):
        return endings.enable_account(account_id)
