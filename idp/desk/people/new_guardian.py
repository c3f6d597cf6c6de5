"""A guardian for a pupil, by hand: somebody whom the school knows, or a new account.

Whom the school knows is decided within the scope: that a person with this address exists
elsewhere is told by nothing here, neither by a suggestion nor by a refusal (security rule C3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, func, select, union

from idp.database import db, retried
from idp.desk.access import scope
from idp.desk.access.acts import act_on_pupil
from idp.desk.access.rights import Right, Staff
from idp.desk.people.guardianships import Linked, connect, refuse_gone
from idp.errors import Invalid
from idp.lifecycle.mails import requests as mail_requests
from idp.people import accounts, linking
from idp.people.models import Account, Child
from idp.people.names import email_key, username_key
from idp.people.normalise import words
from idp.people.search_index import DirectoryEntry
from idp.roster import usernames
from idp.roster.models import RosterSource

MOST_SUGGESTED: Final = 5
_TRIES: Final = 5


@dataclass(frozen=True)
class Newcomer:
    """What is known of a guardian to be."""

    given_name: str
    family_name: str
    email: str = ""
    locale: str = ""
    relationship: str = "parent"
    invite: bool = False


def suggestions(staff: Staff, newcomer: Newcomer) -> list[Account]:
    """Guardians within the scope who may be the same person: same address, or same name."""
    key = email_key(newcomer.email) if newcomer.email else ""
    given_name, family_name = newcomer.given_name.strip(), newcomer.family_name.strip()
    if not given_name:  # whoever has one name only has it as the given name
        given_name, family_name = family_name, ""
    school_scope = staff.school_scope(Right.CHANGE_PEOPLE)
    # Begun with the directory: no index knows lower()
    near = select(DirectoryEntry.account_id).where(
        DirectoryEntry.kind == "guardian",
        scope.at(school_scope, DirectoryEntry.school_id),
        *(DirectoryEntry.text.like(f"% {word} %") for word in words(f"{family_name} {given_name}")),
    )
    same_name = select(Account.id).where(
        Account.id.in_(near),
        func.lower(Account.given_name) == given_name.lower(),
        func.lower(Account.family_name) == family_name.lower(),
    )
    alike = [same_name, select(Account.id).where(Account.email_key == key)] if key else [same_name]
    query = select(Account).where(
        Account.id.in_(union(*alike)),
        scope.live_guardians(school_scope),
        Account.status != "disabled",
    )
    return list(
        db.session.scalars(query.order_by(Account.username_key, Account.id).limit(MOST_SUGGESTED))
    )


def named_like(account: Account) -> Newcomer:
    """The same person, as somebody who might be added: for ``suggestions``."""
    return Newcomer(account.given_name, account.family_name, account.email or "")


def known(staff: Staff, username: str) -> Account:
    """Whoever of this user name is guardian within the scope now; raises ``Invalid``."""
    account = _by_username(username, scope.live_guardians(staff.school_scope(Right.CHANGE_PEOPLE)))
    if account is None:
        raise Invalid("username", "nobodys_here")
    return account


@retried
def add_known(staff: Staff, child_id: str, username: str, relationship: str) -> Linked:
    """Link a guardian whom the school knows, by user name, or ask them first where they were one
    long ago; raises ``NotFound``, ``Invalid``.

    ``Invalid("username", …)``: nobody of this name is or was guardian within the scope.
    """
    right = Right.CHANGE_PEOPLE
    account = _by_username(username, scope.guardians(staff.school_scope(right)))
    known = account.id if account is not None else None
    with act_on_pupil(staff, right, child_id, guardian_id=known) as on:
        if known is None:
            refuse_gone(on.child)
            raise Invalid("username", "nobodys_here")
        linked = connect(on, known, relationship)
        if linked is Linked.BEFORE:
            raise Invalid("username", "already_guardian")
    return linked


def add_new(staff: Staff, child_id: str, newcomer: Newcomer) -> Account:
    """Make an account, link it, and invite it where asked for: all or nothing.

    The user name follows the school's pattern. Whoever takes it at the same moment has it, and
    the next free one is tried. Raises ``NotFound``, ``Invalid``.
    """
    for _try in range(_TRIES):
        try:
            return _add_new(staff, child_id, newcomer)
        except Invalid as refused:
            if (refused.field, refused.code) != ("username", "taken"):
                raise
    raise Invalid("username", "taken")


@retried
def _add_new(staff: Staff, child_id: str, newcomer: Newcomer) -> Account:
    with act_on_pupil(staff, Right.CHANGE_PEOPLE, child_id) as on:
        refuse_gone(on.child)
        account = accounts.create_account(
            username=_username(on.child, newcomer),
            given_name=newcomer.given_name,
            family_name=newcomer.family_name,
            email=newcomer.email or None,
            locale=newcomer.locale or None,
            school_id=on.child.school_id,
        )
        linking.link_guardian(account.id, child_id, newcomer.relationship)
        if newcomer.invite and account.email:
            mail_requests.send_token(account.id)
    return account


def _username(child: Child, newcomer: Newcomer) -> str:
    source = db.session.get(RosterSource, child.school_id)
    pattern = source.username_pattern if source else usernames.PATTERN
    wanted: Sequence[str] = [usernames.base(pattern, newcomer.given_name, newcomer.family_name)]
    return usernames.free(wanted)[0]


def _by_username(username: str, condition: ColumnElement[bool]) -> Account | None:
    query = select(Account).where(Account.username_key == username_key(username), condition)
    return db.session.scalars(query).one_or_none()
