"""Who is staff, as the desk gives and takes it: nobody raises themselves, nor gives what they
don't have (security rule A3).

An operator gives any role; a manager names helpers of the own schools. Whoever is outside the scope
is not found, so that no answer tells who has an account elsewhere: for somebody new there is
``hire``, which makes an account of its own.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, case, exists, or_, select

from idp.credentials.models import Passkey, TotpSecret
from idp.database import db, retried
from idp.desk.access import scope
from idp.desk.access.acts import Act, act_on
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.errors import Conflict, Invalid, NotFound
from idp.lifecycle import factor_changes
from idp.lifecycle.mails import requests as mail_requests
from idp.mail import outbox
from idp.people import accounts
from idp.people import staff as roles
from idp.people.models import STAFF_ROLES, Account, School, StaffRole
from idp.people.names import email_key, username_key
from idp.people.schools import find_school
from idp.roster import usernames

PAGE: Final = 50


@dataclass(frozen=True)
class Holder:
    """A role with who has it."""

    role: StaffRole
    account: Account
    school: School | None
    has_second_factor: bool
    may_change: bool
    """Whether the reader may take the role away, or let its holder print."""
    may_let_print: bool


_BY_NAME = case((Account.family_name == "", Account.given_name), else_=Account.family_name)


def listed(staff: Staff, page: int = 1) -> tuple[list[Holder], bool]:
    """Who has which role at the schools of the scope, by name; and whether there are more."""
    query = _holders(staff).order_by(
        School.name.is_not(None), School.name, _BY_NAME, Account.given_name, StaffRole.id
    )
    rows = list(db.session.execute(query.limit(PAGE + 1).offset((page - 1) * PAGE)))
    shown = rows[:PAGE]
    return [_holder(staff, row) for row in shown], len(rows) > PAGE


def get_role(staff: Staff, role_id: str) -> Holder:
    """One role within the scope; raises ``NotFound``."""
    row = db.session.execute(_holders(staff).where(StaffRole.id == role_id)).one_or_none()
    if row is None:
        raise NotFound("role", role_id)
    return _holder(staff, row)


def schools(staff: Staff) -> list[School]:
    """The schools for which this person may give roles."""
    return scope.schools_by_name(staff.school_scope(Right.GIVE_ROLES), 500)


def may_give(staff: Staff) -> tuple[str, ...]:
    """The roles that this person may give."""
    return STAFF_ROLES if staff.is_operator else ("helper",)


def may_let_print(staff: Staff, school_id: str | None) -> bool:
    """Whether this person may let others print letters there: operators, and who may print."""
    prints = staff.school_scope(Right.PRINT_LETTERS)
    return staff.is_operator or (school_id is not None and prints.covers(school_id))


@retried
def give(
    staff: Staff, who: str, role: str, school_id: str | None, *, may_print: bool = False
) -> StaffRole | None:
    """Give a role to whoever has this user name, or (alone) this address; None: they have it.

    Raises ``NotFound``, ``Conflict`` and ``Invalid``.
    """
    _must_be_theirs(staff, role, school_id, may_print=may_print)
    with act_on(staff, Right.GIVE_ROLES, lambda scope: _named(scope, who)) as on:
        return _grant(on, on.it, role, school_id, may_print=may_print)


@retried
def hire(
    staff: Staff,
    *,
    given_name: str,
    family_name: str,
    email: str,
    role: str,
    school_id: str | None,
    may_print: bool = False,
) -> Account:
    """Make an account for somebody new, with a role and an invitation, all or nothing.

    Its user name is made from the name. Raises ``NotFound``, ``Conflict``, ``Invalid``.
    """
    _must_be_theirs(staff, role, school_id, may_print=may_print)
    if not email.strip():
        raise Invalid("email", "missing")
    wanted = usernames.base(usernames.PATTERN, given_name, family_name)
    with act_on(staff, Right.GIVE_ROLES, lambda _school_scope: usernames.free([wanted])[0]) as on:
        account = accounts.create_account(
            username=on.it,
            given_name=given_name,
            family_name=family_name,
            email=email,
            locale=_language_of(school_id),
        )
        # The invitation names the role: a second mail beside it would only puzzle them
        _grant(on, account, role, school_id, may_print=may_print, tell=False)
        mail_requests.invite(account.id)
    return account


@retried
def take_role(staff: Staff, role_id: str) -> Holder:
    """Take a role away; its holder's sessions end, and a mail says so.

    Raises ``NotFound``, ``Conflict``.
    """
    with act_on(staff, Right.GIVE_ROLES, lambda _school_scope: _changeable(staff, role_id)) as on:
        role = on.it.role
        # First the account, as everywhere; then the operators' rows, so that of two who take
        # the last two roles away one is refused
        if not factor_changes.revoke_role(role.account_id, role.role, role.school_id):
            raise NotFound("role", role_id)  # somebody else was faster
        if role.role == "operator" and staff.account_id and not roles.has_operator_left():
            raise Conflict("last_operator")
        _notify_holder("role_taken", role)
    return on.it


@retried
def let_print(staff: Staff, role_id: str, *, allowed: bool) -> Holder:
    """Allow or forbid the letters. Raises ``NotFound``, ``Conflict``."""
    with act_on(staff, Right.GIVE_ROLES, lambda _school_scope: _changeable(staff, role_id)) as on:
        role = on.it.role
        if not may_let_print(staff, role.school_id):
            raise Conflict("role_not_theirs")
        roles.let_print(role.account_id, role.role, role.school_id, allowed=allowed)
    return on.it


def _language_of(school_id: str | None) -> str | None:
    """A newcomer is written to in the school's language."""
    school = find_school(school_id) if school_id else None
    return school.locale if school else None


def _grant(
    on: Act,
    account: Account,
    role: str,
    school_id: str | None,
    *,
    may_print: bool,
    tell: bool = True,
) -> StaffRole | None:
    if account.id == on.staff.account_id:
        raise Conflict("yourself")
    granted = factor_changes.grant_role(account.id, role, school_id, may_print=may_print)
    if granted is not None and tell:
        _notify_holder("role_given", granted)
    return granted


def _must_be_theirs(staff: Staff, role: str, school_id: str | None, *, may_print: bool) -> None:
    school_scope = staff.school_scope(Right.GIVE_ROLES)
    if school_id is not None and not school_scope.covers(school_id):
        raise NotFound("school", school_id)
    if role not in may_give(staff) or (school_id is None and not school_scope.everywhere):
        raise Conflict("role_not_theirs")
    if may_print and not may_let_print(staff, school_id):
        raise Conflict("role_not_theirs")


def _holder(staff: Staff, row: Any) -> Holder:
    role, account, school, secured = row
    may_change = role.role in may_give(staff) and role.account_id != staff.account_id
    return Holder(role, account, school, secured, may_change, may_let_print(staff, role.school_id))


def _changeable(staff: Staff, role_id: str) -> Holder:
    holder = get_role(staff, role_id)
    if holder.account.id == staff.account_id:
        raise Conflict("yourself")
    if not holder.may_change:
        raise Conflict("role_not_theirs")
    return holder


def _named(school_scope: SchoolScope, who: str) -> Account:
    """Whom the words mean: a user name, or an address that one account alone has, in the scope."""
    who = who.strip()
    address = email_key(who) if "@" in who else ""
    same = Account.email_key == address if address else Account.username_key == username_key(who)
    query = select(Account).where(same, Account.status != "disabled", scope.people(school_scope))
    accounts_named = list(db.session.scalars(query.limit(2)))
    if len(accounts_named) != 1:
        raise NotFound("account")
    return accounts_named[0]


def _holders(staff: Staff) -> Select[*tuple[Any, ...]]:
    secured = or_(
        exists().where(Passkey.account_id == Account.id),
        exists().where(TotpSecret.account_id == Account.id),
    )
    return (
        select(StaffRole, Account, School, secured)
        .join(Account, Account.id == StaffRole.account_id)
        .outerjoin(School, School.id == StaffRole.school_id)
        .where(scope.at(staff.school_scope(Right.GIVE_ROLES), StaffRole.school_id))
        .execution_options(populate_existing=True)
    )


def _notify_holder(what: str, role: StaffRole) -> None:
    about = {"role": role.role, "school_id": role.school_id}
    outbox.enqueue(what, account_id=role.account_id, about=about)
