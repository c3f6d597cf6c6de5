"""Staff: who has which role, at which school.

What hangs on a role – sessions without a second factor end – is joined in ``idp.lifecycle``.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.exc import IntegrityError

from idp.audit import events
from idp.database import db, delete_all, transaction, update_all
from idp.errors import Invalid
from idp.people.models import STAFF_ROLES, Account, School, StaffRole
from idp.people.schools import find_school


def is_staff(account_id: str) -> bool:
    """Whether the account has any role: such an account needs a second factor (rule A3)."""
    query = select(StaffRole.id).where(StaffRole.account_id == account_id).limit(1)
    return db.session.scalar(query) is not None


def has_role() -> ColumnElement[bool]:
    """Whoever has any role stays, children or not; a condition on ``Account``."""
    return exists().where(StaffRole.account_id == Account.id)


def has_operator_left() -> bool:
    """Whether an operator who can sign in is left; others who ask wait for this transaction."""
    held = select(StaffRole.account_id).where(StaffRole.role == "operator")
    ids = list(db.session.scalars(held.order_by(StaffRole.id).with_for_update()))
    # A question of its own: it sees what those did for whom this one has waited
    active = select(Account.id).where(Account.id.in_(ids), Account.status == "active").limit(1)
    return db.session.scalar(active) is not None


def operators() -> list[Account]:
    """The operators who can sign in, the oldest first."""
    held = select(StaffRole.account_id).where(StaffRole.role == "operator")
    query = select(Account).where(Account.id.in_(held), Account.status == "active")
    return list(db.session.scalars(query.order_by(Account.created_at, Account.id)))


def roles_of(account_id: str) -> list[StaffRole]:
    """The account's roles, the oldest first."""
    query = select(StaffRole).where(StaffRole.account_id == account_id)
    return list(db.session.scalars(query.order_by(StaffRole.granted_at, StaffRole.id)))


def work_of(account_id: str) -> list[tuple[StaffRole, School | None]]:
    """The account's roles, the oldest first, each with its school; one query."""
    query = select(StaffRole, School).outerjoin(School, School.id == StaffRole.school_id)
    query = query.where(StaffRole.account_id == account_id)
    rows = db.session.execute(query.order_by(StaffRole.granted_at, StaffRole.id))
    return [(role, school) for role, school in rows]


def any_of(account_ids: Sequence[str]) -> set[str]:
    """Those of these accounts that have a role; one query."""
    query = select(StaffRole.account_id).where(StaffRole.account_id.in_(account_ids))
    return set(db.session.scalars(query))


def everybody() -> list[tuple[StaffRole, Account]]:
    """Every role with its holder, by user name."""
    query = select(StaffRole, Account).join(Account, Account.id == StaffRole.account_id)
    rows = db.session.execute(query.order_by(Account.username_key, StaffRole.role))
    return [(role, account) for role, account in rows]


def grant(
    account_id: str, role: str, school_id: str | None = None, *, may_print: bool = False
) -> StaffRole | None:
    """Give a role; None where the account has it already. Raises ``Invalid``.

    A manager's role is for one school, an operator's for all; a helper's may be either.
    ``may_print``: letters with tokens, too; see ``let_print`` for a role that exists.
    """
    _check(role, school_id)
    made = StaffRole(account_id=account_id, role=role, school_id=school_id, may_print=may_print)
    with transaction() as writes:
        try:
            with writes.begin_nested():
                writes.add(made)
        except IntegrityError:  # the unique index decides, not a look beforehand
            return None
        events.record(
            "role_granted",
            account_id=account_id,
            school_id=school_id,
            role=role,
            may_print=may_print,
        )
    return made


def let_print(account_id: str, role: str, school_id: str | None, *, allowed: bool) -> bool:
    """Allow or forbid the letters to whoever has this role; false where nothing changes."""
    with transaction():
        changed = update_all(
            StaffRole,
            *_this_role(account_id, role, school_id),
            StaffRole.may_print != allowed,
            may_print=allowed,
        )
        if changed:
            events.record(
                "role_changed",
                account_id=account_id,
                school_id=school_id,
                role=role,
                changes={"may_print": [not allowed, allowed]},
            )
    return bool(changed)


def revoke(account_id: str, role: str, school_id: str | None = None) -> bool:
    """Take a role away; false where the account does not have it."""
    with transaction():
        removed = delete_all(StaffRole, *_this_role(account_id, role, school_id))
        if removed:
            events.record("role_revoked", account_id=account_id, role=role, school_id=school_id)
    return bool(removed)


def _this_role(
    account_id: str, role: str, school_id: str | None
) -> tuple[ColumnElement[bool], ...]:
    return (
        StaffRole.account_id == account_id,
        StaffRole.role == role,
        StaffRole.school_id == school_id if school_id else StaffRole.school_id.is_(None),
    )


def _check(role: str, school_id: str | None) -> None:
    if role not in STAFF_ROLES:
        raise Invalid("role", "none_of", allowed=STAFF_ROLES)
    if role == "manager" and school_id is None:
        raise Invalid("school", "needed_by_managers")
    if role == "operator" and school_id is not None:
        raise Invalid("school", "not_for_operators")
    if school_id is not None and find_school(school_id) is None:
        raise Invalid("school", "unknown")
