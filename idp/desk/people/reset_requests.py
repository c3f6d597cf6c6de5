"""Requests to reset a lost second step: who sees them, in whose logbooks they stand, their end.

A request is its asker's schools' matter: nobody at another school of the same holder sees it,
nor who asked (security rule C3). So several may wait for one account, each of another school.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from idp import clock
from idp.audit import events
from idp.credentials.models import FactorReset
from idp.database import db, retried, transaction, update_all
from idp.desk.access import rights as desk
from idp.desk.access import scope
from idp.desk.access.acts import Act
from idp.desk.access.rights import RIGHTS, Right, SchoolScope, Staff
from idp.desk.people import page as finding
from idp.lifecycle import factor_changes
from idp.people import accounts
from idp.people import staff as roles
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account, StaffRole

LASTS: Final = timedelta(hours=24)
_ASKING: Final = sorted(role for role, has in RIGHTS.items() if Right.RESET_FACTORS in has)


@dataclass(frozen=True)
class Waiting:
    """A request that a second person may confirm."""

    reset: FactorReset
    account: Account
    asked_by: Account


def seen_by(staff: Staff, *which: ColumnElement[bool]) -> list[Waiting]:
    """The open requests that concern the reader, the oldest first; one query.

    Its asker is there still, and works where the reader does: at a school of the holder.
    """
    return _waiting(_asked_where(staff.school_scope(Right.RESET_FACTORS)), *which)


def about(account_id: str) -> list[Waiting]:
    """The open requests for an account, whoever asked: what its holder sees."""
    return _waiting(FactorReset.account_id == account_id)


def lock_request(account_id: str, staff: Staff) -> set[str]:
    """Lock the account, the acting person and whoever has asked, in one order; their ids."""
    asking = select(FactorReset.asked_by).where(FactorReset.account_id == account_id, *_open())
    all_of_them = {account_id, staff.account_id, *db.session.scalars(asking)}
    for each in sorted(all_of_them):
        accounts.lock_account(each)
    return all_of_them


def add(on: Act, account_id: str) -> None:
    """Keep a request of now, and tell the holder."""
    now, asked_by = clock.now(), on.staff.account_id
    request = FactorReset(
        account_id=account_id, asked_by=asked_by, asked_at=now, expires_at=now + LASTS
    )
    db.session.add(request)
    schools = schools_of(asked_by, account_id)
    on.record("factors_reset_asked", at=schools, account_id=account_id)
    factor_changes.notify_owner(account_id, "factors_reset_asked")


def close(*which: ColumnElement[bool], outcome: str, closed_by: str | None = None) -> None:
    """End those of these requests that are open."""
    update_all(
        FactorReset,
        FactorReset.closed_at.is_(None),
        *which,
        closed_at=clock.now(),
        closed_by=closed_by,
        outcome=outcome,
    )


def decline(resets: list[FactorReset], *, closed_by: str) -> None:
    """End these requests of one holder, who is told once; in the caller's transaction."""
    account_id = resets[0].account_id
    ids = [each.id for each in resets]
    close(FactorReset.id.in_(ids), outcome="declined", closed_by=closed_by)
    for each in resets:
        for school_id in schools_of(each.asked_by, account_id):
            events.record(
                "factors_reset_declined",
                school_id=school_id,
                account_id=account_id,
                asked_by=each.asked_by,
            )
    factor_changes.notify_owner(account_id, "factors_reset_declined")


@retried
def not_me(account_id: str) -> bool:
    """Its holder says that nothing is lost: all of it ends. False where nothing waits."""
    with transaction():
        accounts.lock_account(account_id)
        waiting = about(account_id)
        if waiting:
            decline([each.reset for each in waiting], closed_by=account_id)
    return bool(waiting)


def asked_today(staff: Staff) -> int:
    """How many this person asked for in the last 24 hours."""
    since = clock.now() - timedelta(days=1)
    mine = (FactorReset.asked_by == staff.account_id, FactorReset.asked_at > since)
    return db.session.scalar(select(func.count()).select_from(FactorReset).where(*mine)) or 0


def schools_of(asked_by: str, account_id: str) -> list[str | None]:
    """In whose logbooks a request stands, from its beginning to its end: where the holder works
    or is a guardian, as far as its asker reaches; or the platform's.
    """
    asker = desk.staff_of(asked_by) or Staff(asked_by)
    school_scope = asker.school_scope(Right.RESET_FACTORS)
    school_ids = {role.school_id for role in roles.roles_of(account_id)}
    school_ids.update(finding.schools_concerned(school_scope, account_id))
    return [*sorted(each for each in school_ids if each and school_scope.covers(each))] or [None]


def _waiting(*which: ColumnElement[bool]) -> list[Waiting]:
    asker = aliased(Account)
    query = (
        select(FactorReset, Account, asker)
        .join(Account, Account.id == FactorReset.account_id)
        .join(asker, asker.id == FactorReset.asked_by)
        .where(*_open(), *which)
        .order_by(FactorReset.asked_at, FactorReset.id)
        .limit(100)
        .execution_options(populate_existing=True)
    )
    return [Waiting(*row) for row in db.session.execute(query)]


def _open() -> tuple[ColumnElement[bool], ...]:
    return FactorReset.closed_at.is_(None), FactorReset.expires_at > clock.now()


def _asked_where(school_scope: SchoolScope) -> ColumnElement[bool]:
    """Whether the asker works for the platform, or at a school of the holder in this scope."""
    role, work = aliased(StaffRole), aliased(StaffRole)
    works_there = exists().where(
        work.account_id == FactorReset.account_id, work.school_id == role.school_id
    )
    pupils = exists().where(
        LiveGuardianship.account_id == FactorReset.account_id,
        LiveGuardianship.school_id == role.school_id,
    )
    in_scope = and_(scope.at(school_scope, role.school_id), or_(works_there, pupils))
    there_still = select(Account.id).where(Account.status == "active")
    return exists().where(
        FactorReset.asked_by.in_(there_still),
        role.account_id == FactorReset.asked_by,
        role.role.in_(_ASKING),
        or_(role.school_id.is_(None), in_scope),
    )
