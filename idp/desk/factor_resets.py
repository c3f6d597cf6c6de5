"""A second step that somebody has lost is reset by two people: one asks, another confirms.

Whoever resets a second step opens an account to whoever has its password. So it wants two of the
desk, who both have made sure who asks; its holder is told at once, and again when it is done.
Nobody asks or confirms for themselves, nor confirms what they asked for; a request lasts a day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import aliased

from idp import clock
from idp.audit import events
from idp.credentials import passkeys, totp
from idp.credentials.factor_models import FactorReset
from idp.database import db, retried, transaction
from idp.desk import people as finding
from idp.desk import reach as within
from idp.desk import staff as desk
from idp.desk.people import NotFound
from idp.desk.staff import Reach, Right, Staff
from idp.lifecycle import factor_changes
from idp.people import service as people
from idp.people import staff as roles
from idp.people.models import Account, StaffRole

LASTS: Final = timedelta(hours=24)
EACH_DAY: Final = 10
"""What one member of staff may ask for in a day: a school has few lost phones."""

RANKS: Final = ("parent", "helper", "manager", "operator")
ASKS: Final[Mapping[str, frozenset[str]]] = {
    "parent": frozenset({"manager", "operator"}),
    "helper": frozenset({"manager", "operator"}),
    "manager": frozenset({"manager", "operator"}),
    "operator": frozenset({"operator"}),
}
"""Whose second step, by the highest role, which roles ask to have reset. A manager: of the own
schools, and only of whoever has no role beyond them."""
CONFIRMS: Final[Mapping[str, frozenset[str]]] = {
    "parent": frozenset({"manager", "operator"}),
    "helper": frozenset({"manager", "operator"}),
    "manager": frozenset({"operator"}),
    "operator": frozenset({"operator"}),
}
"""Which roles confirm it: another person, of at least the role of who asked."""


class NotYours(Exception):
    """The table does not let this person do this for that account."""


class NothingToReset(Exception):
    """The account has no second step."""


class TooMany(Exception):
    """This member of staff has asked for many today."""


@dataclass(frozen=True)
class Waiting:
    """A request that a second person may confirm."""

    reset: FactorReset
    account: Account
    asked_by: Account


@dataclass(frozen=True)
class State:
    """An account's second step, and what the reader may do about it."""

    account: Account
    is_set_up: bool
    waiting: Waiting | None
    may_ask: bool
    may_confirm: bool
    may_decline: bool


def state(staff: Staff, account_id: str) -> State:
    """What the page of an account within the reach shows; raises ``NotFound``."""
    account = _within_reach(staff, account_id)
    waits = next(iter(_waiting(FactorReset.account_id == account_id)), None)
    held = roles.roles_of(account_id)
    may_confirm = waits is not None and _may_confirm(staff, waits.reset, held)
    own = waits is not None and waits.reset.asked_by == staff.account_id
    return State(
        account,
        _is_set_up(account_id),
        waits,
        may_ask=waits is None and _may(ASKS, staff, account_id, held),
        may_confirm=may_confirm,
        may_decline=may_confirm or own,
    )


def waiting(staff: Staff) -> list[Waiting]:
    """The requests within the reach, the oldest first."""
    return _waiting(_reachable(staff.reach(Right.RESET_FACTORS)))


@retried
def ask(staff: Staff, account_id: str) -> bool:
    """Ask, and tell the holder; false where somebody has asked already.

    Raises ``NotFound``, ``NotYours``, ``NothingToReset`` or ``TooMany``.
    """
    now = clock.now()
    with transaction() as writes:
        # Both, in one order: who asks twice at once is counted once after the other
        for each in sorted({account_id, staff.account_id}):
            people.hold_account(each)
        _within_reach(staff, account_id)
        if not _may(ASKS, staff, account_id, roles.roles_of(account_id)):
            raise NotYours
        if not _is_set_up(account_id):
            raise NothingToReset
        _close(FactorReset.account_id == account_id, FactorReset.expires_at <= now, outcome="void")
        if _waiting(FactorReset.account_id == account_id):
            return False
        if _asked_today(staff) >= EACH_DAY:
            raise TooMany
        writes.add(
            FactorReset(
                account_id=account_id,
                asked_by=staff.account_id,
                asked_at=now,
                expires_at=now + LASTS,
            )
        )
        writes.flush()
        _record("factors_reset_asked", staff, account_id)
        factor_changes.tell(account_id, "factors_reset_asked")
    return True


@retried
def confirm(staff: Staff, account_id: str) -> bool:
    """Reset it, on the word of a second person; false where nothing waits any more.

    Raises ``NotFound`` or ``NotYours``.
    """
    with transaction():
        waits = _held(staff, account_id)
        if waits is None:
            return False
        held = roles.roles_of(account_id)
        asker = desk.of(waits.reset.asked_by)
        if asker is None or not _may(ASKS, asker, account_id, held):
            _close(FactorReset.id == waits.reset.id, outcome="void")
            return False  # who asked has lost the role since, or the holder has got one
        if not _may_confirm(staff, waits.reset, held):
            raise NotYours
        _close(FactorReset.id == waits.reset.id, outcome="done", closed_by=staff.account_id)
        schools = _schools(staff, account_id)
        factor_changes.reset(account_id, asked_by=waits.reset.asked_by, school_ids=schools)
    return True


@retried
def decline(staff: Staff, account_id: str) -> bool:
    """End a request, one's own too; false where nothing waits. As ``confirm``."""
    with transaction():
        waits = _held(staff, account_id)
        if waits is None:
            return False
        own = waits.reset.asked_by == staff.account_id
        if not own and not _may_confirm(staff, waits.reset, roles.roles_of(account_id)):
            raise NotYours
        _close(FactorReset.id == waits.reset.id, outcome="declined", closed_by=staff.account_id)
        _record("factors_reset_declined", staff, account_id, asked_by=waits.reset.asked_by)
        factor_changes.tell(account_id, "factors_reset_declined")
    return True


def rank_of(held: Sequence[StaffRole]) -> str:
    """The highest of these roles; a parent has none."""
    return max((role.role for role in held), key=RANKS.index, default="parent")


def _may(
    table: Mapping[str, frozenset[str]], staff: Staff, account_id: str, held: Sequence[StaffRole]
) -> bool:
    rank = _rank(staff)
    if account_id == staff.account_id or rank not in table[rank_of(held)]:
        return False
    reach = staff.reach(Right.RESET_FACTORS)
    return reach.everywhere or all(
        role.school_id is not None and reach.covers(role.school_id) for role in held
    )


def _may_confirm(staff: Staff, reset: FactorReset, held: Sequence[StaffRole]) -> bool:
    if reset.asked_by == staff.account_id:
        return False
    asker = rank_of(roles.roles_of(reset.asked_by))
    as_high = RANKS.index(_rank(staff)) >= RANKS.index(asker)
    return as_high and _may(CONFIRMS, staff, reset.account_id, held)


def _rank(staff: Staff) -> str:
    if staff.is_operator:
        return "operator"
    return "manager" if staff.may(Right.RESET_FACTORS) else "helper"


def _within_reach(staff: Staff, account_id: str) -> Account:
    condition = _reachable(staff.reach(Right.RESET_FACTORS))
    query = select(Account).where(Account.id == account_id, condition)
    found = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound(account_id)
    return found


def _reachable(reach: Reach) -> ColumnElement[bool]:
    """Guardians of now and staff of the reach; a condition on ``Account``."""
    if reach.everywhere:
        return within.live_guardians(reach)
    here = StaffRole.school_id.in_(sorted(reach.school_ids))
    colleagues = select(StaffRole.account_id).where(here)
    return or_(within.live_guardians(reach), Account.id.in_(colleagues))


def _held(staff: Staff, account_id: str) -> Waiting | None:
    people.hold_account(account_id)
    _within_reach(staff, account_id)
    return next(iter(_waiting(FactorReset.account_id == account_id)), None)


def _waiting(*which: ColumnElement[bool]) -> list[Waiting]:
    asker = aliased(Account)
    query = (
        select(FactorReset, Account, asker)
        .join(Account, Account.id == FactorReset.account_id)
        .join(asker, asker.id == FactorReset.asked_by)
        .where(FactorReset.closed_at.is_(None), FactorReset.expires_at > clock.now(), *which)
        .order_by(FactorReset.asked_at, FactorReset.id)
        .limit(100)
        .execution_options(populate_existing=True)
    )
    return [Waiting(*row) for row in db.session.execute(query)]


def _close(*which: ColumnElement[bool], outcome: str, closed_by: str | None = None) -> None:
    with transaction() as writes:
        writes.execute(
            update(FactorReset)
            .where(FactorReset.closed_at.is_(None), *which)
            .values(closed_at=clock.now(), closed_by=closed_by, outcome=outcome)
            .execution_options(synchronize_session=False)
        )


def _asked_today(staff: Staff) -> int:
    since = clock.now() - timedelta(days=1)
    mine = (FactorReset.asked_by == staff.account_id, FactorReset.asked_at > since)
    return db.session.scalar(select(func.count()).select_from(FactorReset).where(*mine)) or 0


def _is_set_up(account_id: str) -> bool:
    return totp.is_on(account_id) or bool(passkeys.count(account_id))


def _record(event: str, staff: Staff, account_id: str, **detail: Any) -> None:
    for school_id in _schools(staff, account_id):
        events.record(event, school_id=school_id, account_id=account_id, **detail)


def _schools(staff: Staff, account_id: str) -> list[str | None]:
    """In whose logbooks it stands: where the holder works or is a guardian, within the reach."""
    reach = staff.reach(Right.RESET_FACTORS)
    found = {role.school_id for role in roles.roles_of(account_id)}
    found.update(finding.schools_concerned(reach, account_id))
    within_reach = sorted(each for each in found if each and reach.covers(each))
    return [*within_reach] or [None]
