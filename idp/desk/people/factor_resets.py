"""A second step that somebody has lost is reset by two people: one asks, another confirms.

Whoever resets a second step opens an account to whoever has its password. So it wants two of the
desk, who both have made sure who asks; its holder is told at once, and again when it is done.
Nobody asks or confirms for themselves, nor confirms what they asked for; a request lasts a day,
and ends with the asker's role or account, and when its holder proves that nothing is lost.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from idp import clock
from idp.credentials import factors, passkeys, totp
from idp.credentials.models import FactorReset
from idp.database import db, retried
from idp.desk.access import rights as desk
from idp.desk.access import scope
from idp.desk.access.acts import On, act_on
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.desk.people import reset_requests as requests
from idp.desk.people.reset_requests import Waiting
from idp.errors import Conflict, NotFound
from idp.lifecycle import factor_changes
from idp.people import staff as roles
from idp.people.models import Account, StaffRole

EACH_DAY: Final = 10
"""What one member of staff may ask for in a day: a school has few lost phones."""
SEASONED: Final = timedelta(hours=72)
"""How old a role must be: else one operator hires the second person, and is two people. And the
acting person's own second step: else one who got into a colleague's account is."""

RANKS: Final = ("parent", "helper", "manager", "operator")
ASKS: Final[Mapping[str, frozenset[str]]] = {
    "parent": frozenset({"manager", "operator"}),
    "helper": frozenset({"manager", "operator"}),
    "manager": frozenset({"manager", "operator"}),
    "operator": frozenset(),
}
"""Whose second step, by the highest role, which roles ask to have reset. A manager: of the own
schools, and only of whoever has no role beyond them. An operator's: at a terminal alone."""
CONFIRMS: Final[Mapping[str, frozenset[str]]] = {
    "parent": frozenset({"manager", "operator"}),
    "helper": frozenset({"manager", "operator"}),
    "manager": frozenset({"operator"}),
    "operator": frozenset(),
}
"""Which roles confirm it: another person, of at least the role of who asked. Of a manager's who
has a strictly wider right (``Staff.refuse_peer``)."""


@dataclass(frozen=True)
class State:
    """An account's second step, and what the reader may do about it."""

    account: Account
    is_set_up: bool
    waiting: Waiting | None
    may_ask: bool
    may_confirm: bool
    may_decline: bool
    too_new: str
    """The code of what of the reader's is too young, if that is all: role, or second step."""


def state(staff: Staff, account_id: str) -> State:
    """What the page of an account within the scope shows; raises ``NotFound``."""
    account = _account_in_scope(staff, account_id)
    held = roles.roles_of(account_id)
    alive, _dead = _sorted_out(staff, account_id, held)
    waits = _first(staff, alive, held)

    def may(who: Staff) -> bool:
        return _may_ask(who, account_id, held) if not waits else _may_confirm(who, waits, held)

    by_role = may(staff)
    too_new = _too_new(may, _seasoned(staff.account_id)) if by_role else None
    now = by_role and not too_new
    own = waits is not None and waits.reset.asked_by == staff.account_id
    return State(
        account,
        _is_set_up(account_id),
        waits,
        may_ask=waits is None and now,
        may_confirm=waits is not None and now,
        may_decline=waits is not None and (by_role or own),
        too_new=too_new.code if too_new else "",
    )


def waiting(staff: Staff) -> list[Waiting]:
    """The requests within the scope, the oldest first."""
    return requests.seen_by(staff, scope.people(staff.school_scope(Right.RESET_FACTORS)))


@retried
def request_reset(staff: Staff, account_id: str) -> bool:
    """Ask, and tell the holder; false where somebody has asked already.

    Raises ``NotFound`` and ``Conflict``: not theirs, too new, nothing there, or too many.
    """
    # Who asks twice at once is counted once after the other
    with _act(staff, account_id) as on:
        held = roles.roles_of(account_id)
        _must(lambda who: _may_ask(who, account_id, held), staff)
        if not _is_set_up(account_id):
            raise Conflict("nothing_to_reset")
        expired = FactorReset.expires_at <= clock.now()
        requests.close(FactorReset.account_id == account_id, expired, outcome="void")
        alive, dead = _sorted_out(staff, account_id, held)
        _void(dead)
        if alive:
            on.keep()
            return False
        if requests.asked_today(staff) >= EACH_DAY:
            raise Conflict("too_many_resets")
        requests.close(
            FactorReset.account_id == account_id,
            FactorReset.asked_by == staff.account_id,
            outcome="void",
        )
        requests.add(on, account_id)
    return True


@retried
def confirm(staff: Staff, account_id: str) -> bool:
    """Reset it, on the word of a second person; false where nothing waits any more.

    Raises ``NotFound`` and ``Conflict``: not theirs, too new, nothing there, or too many.
    """
    with _act(staff, account_id) as on:
        held = roles.roles_of(account_id)
        alive, dead = _sorted_out(staff, account_id, held)
        _void(dead)
        # Who asked just now is not held: theirs is for the next time
        waits = _first(staff, [each for each in alive if each.reset.asked_by in on.it], held)
        if waits is None:
            on.keep()
            return False
        _must(lambda who: _may_confirm(who, waits, held), staff)
        asked_by = waits.reset.asked_by
        schools = requests.schools_of(asked_by, account_id)
        requests.close(FactorReset.id == waits.reset.id, outcome="done", closed_by=staff.account_id)
        requests.close(FactorReset.account_id == account_id, outcome="void")  # nothing is left
        factor_changes.reset(account_id, asked_by=asked_by, school_ids=schools)
    return True


@retried
def decline(staff: Staff, account_id: str) -> bool:
    """End a request, one's own too; false where nothing waits. As ``confirm``."""
    with _act(staff, account_id) as on:
        held = roles.roles_of(account_id)
        alive, dead = _sorted_out(staff, account_id, held)
        _void(dead)
        waits = _first(staff, alive, held)
        if waits is None:
            on.keep()
            return False
        own = waits.reset.asked_by == staff.account_id
        if not own and not _may_confirm(staff, waits, held):
            raise Conflict("reset_not_theirs")
        requests.decline([waits.reset], closed_by=staff.account_id)
    return True


def _act(staff: Staff, account_id: str) -> AbstractContextManager[On[set[str]]]:
    """An act on an account within the scope: it, the acting person and whoever has asked are
    locked, in one order. Requests that are over are closed, whatever comes of the act.
    """

    def find(_school_scope: SchoolScope) -> set[str]:
        there = requests.lock_request(account_id, staff)
        _account_in_scope(staff, account_id)
        return there

    return act_on(staff, Right.RESET_FACTORS, find)


def rank_of(held: Sequence[StaffRole]) -> str:
    """The highest of these roles; a parent has none."""
    return max((role.role for role in held), key=RANKS.index, default="parent")


def _may(
    table: Mapping[str, frozenset[str]], staff: Staff, account_id: str, held: Sequence[StaffRole]
) -> bool:
    rank = _rank(staff)
    if account_id == staff.account_id or rank not in table[rank_of(held)]:
        return False
    school_scope = staff.school_scope(Right.RESET_FACTORS)
    return _find_in_scope(staff, account_id) is not None and (
        school_scope.everywhere
        or all(role.school_id is not None and school_scope.covers(role.school_id) for role in held)
    )


def _may_ask(staff: Staff, account_id: str, held: Sequence[StaffRole]) -> bool:
    return _may(ASKS, staff, account_id, held)


def _may_confirm(staff: Staff, waits: Waiting, held: Sequence[StaffRole]) -> bool:
    reset = waits.reset
    if reset.asked_by == staff.account_id:
        return False
    asker = rank_of(roles.roles_of(reset.asked_by))
    as_high = RANKS.index(_rank(staff)) >= RANKS.index(asker)
    shared = as_high and requests.seen_by(staff, FactorReset.id == reset.id)
    return bool(shared) and _may(CONFIRMS, staff, reset.account_id, held)


def _must(may: Callable[[Staff], bool], staff: Staff) -> None:
    """The roles as they are under the locks, and those that are old enough; the own second step."""
    nobody = Staff(staff.account_id)
    now, seasoned = desk.staff_now_and(staff.account_id, clock.now() - SEASONED)
    if not may(now or nobody):
        raise Conflict("reset_not_theirs")
    if too_new := _too_new(may, seasoned or nobody):
        raise too_new


def _too_new(may: Callable[[Staff], bool], seasoned: Staff) -> Conflict | None:
    if not may(seasoned):
        return Conflict("role_too_new")
    set_up = factors.set_up_by(seasoned.account_id, clock.now() - SEASONED)
    return None if set_up else Conflict("second_step_too_new")


def _seasoned(account_id: str) -> Staff:
    return desk.staff_of(account_id, since=clock.now() - SEASONED) or Staff(account_id)


def _rank(staff: Staff) -> str:
    if staff.is_operator:
        return "operator"
    return "manager" if staff.may(Right.RESET_FACTORS) else "helper"


def _account_in_scope(staff: Staff, account_id: str) -> Account:
    account = _find_in_scope(staff, account_id)
    if account is None:
        raise NotFound("account", account_id)
    return account


def _find_in_scope(staff: Staff, account_id: str) -> Account | None:
    condition = scope.people(staff.school_scope(Right.RESET_FACTORS))
    query = select(Account).where(Account.id == account_id, condition)
    return db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def _sorted_out(
    staff: Staff, account_id: str, held: Sequence[StaffRole]
) -> tuple[list[Waiting], list[str]]:
    """The requests that stand and that the reader sees; and those that are over, whose ever."""
    stand = {each.reset.id: _stands(each, held) for each in requests.about(account_id)}
    seen = requests.seen_by(staff, FactorReset.account_id == account_id)
    alive = [each for each in seen if stand.get(each.reset.id)]
    return alive, [reset_id for reset_id, stands in stand.items() if not stands]


def _stands(waits: Waiting, held: Sequence[StaffRole]) -> bool:
    """Whether its asker might ask still, and its holder has not shown that nothing is lost."""
    account_id, asker = waits.account.id, waits.asked_by
    return (
        asker.status == "active"
        and _may_ask(_seasoned(asker.id), account_id, held)
        and not factors.used_since(account_id, waits.reset.asked_at)
    )


def _first(staff: Staff, alive: list[Waiting], held: Sequence[StaffRole]) -> Waiting | None:
    """The oldest that the reader's roles may confirm, else the oldest."""
    mine = (each for each in alive if _may_confirm(staff, each, held))
    return next(mine, next(iter(alive), None))


def _void(dead: list[str]) -> None:
    if dead:
        requests.close(FactorReset.id.in_(dead), outcome="void")


def _is_set_up(account_id: str) -> bool:
    return totp.is_on(account_id) or bool(passkeys.count(account_id))
