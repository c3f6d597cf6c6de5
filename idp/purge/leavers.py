"""Who has left for longer than their school keeps them: the rules by which `idp purge` ends people.

Each school says for how many days; where it says nothing, the operator does. An account belongs to
nobody's school once no child of its holder is there: it stays as long as any of them says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, or_, select

from idp import clock, settings
from idp.database import UtcDateTime, db
from idp.mail import outbox
from idp.mail.models import OutboxMessage
from idp.people import guardianships, schools, staff
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child, ErasureRequest, Guardianship, School
from idp.roster.models import RosterRun, RosterRunSchool
from idp.roster.reading import RESUME_WITHIN

NOTICE: Final = timedelta(days=30)
"""So long before their account ends parents are told; and so long after the first purge that knows
these rules nobody is ended, however long ago they left."""
REGRET: Final = timedelta(days=7)
"""So long after a request to be erased was answered « done » its account stays."""
LAST_WORDS: Final = timedelta(days=2)
"""Between the end of an account and its erasure: what is to be told of the end is told."""

Condition = Callable[[datetime], ColumnElement[bool]]


@dataclass(frozen=True)
class Rule:
    """Of whom something is done by the clock. ``does``: what, as ``ending`` knows it."""

    name: str
    model: Any
    does: str
    is_due: Condition
    words: str
    """For whoever reads the report: who that is."""


def _kept_until(now: datetime) -> Any:
    """Who left before this is kept no longer, by the school of a query that reads ``School``."""
    days = func.coalesce(School.keep_leavers_days, settings.current().keep_leavers_days)
    known = {settings.current().keep_leavers_days, *db.session.scalars(_PERIODS)} - {None}
    times = {each: literal(now - timedelta(days=each), UtcDateTime) for each in known}
    # One that a school sets between the two questions: for this once, as long as any may say
    longest = literal(now - timedelta(days=schools.LEAVERS_KEPT[1]), UtcDateTime)
    return case(times, value=days, else_=longest)


_PERIODS: Final = select(School.keep_leavers_days).distinct()


def _left(now: datetime) -> ColumnElement[bool]:
    return and_(_left_long_ago(now), ~_imported_now(now, Child.school_id))


def _left_long_ago(now: datetime) -> ColumnElement[bool]:
    school = School.id == Child.school_id
    kept_until = select(_kept_until(now)).where(school).correlate(Child).scalar_subquery()
    return Child.left_at < kept_until


def _waits_for_import(now: datetime) -> ColumnElement[bool]:
    return and_(_left_long_ago(now), _imported_now(now, Child.school_id))


def _imported_now(now: datetime, school_id: Any) -> ColumnElement[bool]:
    """An import of the school waits or is at work: whoever it names may come back."""
    return exists().where(
        RosterRunSchool.school_id == school_id,
        RosterRun.id == RosterRunSchool.run_id,
        RosterRun.status.in_(("reading", "checked", "applying")),
        RosterRun.created_at > now - RESUME_WITHIN,
    )


def _has_child() -> ColumnElement[bool]:
    return exists().where(
        Guardianship.account_id == Account.id,
        Child.id == Guardianship.child_id,
        guardianships.live(),
    )


def _is_needed(now: datetime) -> ColumnElement[bool]:
    """Whatever else keeps an account without children: work, a question that waits, an import."""
    question = exists().where(
        LinkRequest.account_id == Account.id,
        LinkRequest.answered_at.is_(None),
        LinkRequest.expires_at > now,
    )
    imported = exists().where(
        Guardianship.account_id == Account.id,
        Child.id == Guardianship.child_id,
        _imported_now(now, Child.school_id),
    )
    return or_(staff.has_role(), question, imported)


def _childless(now: datetime) -> ColumnElement[bool]:
    """No child at any school, for longer than each of these schools keeps those who left."""
    kept = exists().where(
        Guardianship.account_id == Account.id,
        Child.id == Guardianship.child_id,
        School.id == Child.school_id,
        or_(guardianships.live(), guardianships.over_since() >= _kept_until(now)),
    )
    ever = exists().where(Guardianship.account_id == Account.id)
    long_ago = now - timedelta(days=settings.current().keep_leavers_days)
    untouched = and_(
        Account.updated_at < long_ago,
        func.coalesce(Account.last_sign_in_at, Account.created_at) < long_ago,
    )
    # With the child left who it was guardian of; that its account ends was noted before
    noted = Account.end_announced_at.is_not(None)
    return and_(~kept, or_(ever, noted, untouched), ~_is_needed(now))


def _is_reachable() -> ColumnElement[bool]:
    """Somebody who can sign in, and whom a mail reaches, is told before."""
    return and_(Account.status == "active", Account.email.is_not(None))


def _is_announced(before: datetime) -> ColumnElement[bool]:
    """Told by then, and not a child's guardian again since."""
    since = exists().where(
        Guardianship.account_id == Account.id,
        Child.id == Guardianship.child_id,
        guardianships.over_since() > Account.end_announced_at,
    )
    return and_(Account.end_announced_at.is_not(None), Account.end_announced_at <= before, ~since)


def ends_at(account_id: str) -> datetime | None:
    """When the end of an account is due that its holder was told of; None where there is none to
    tell: not announced yet, or not so any more.
    """
    query = select(Account.end_announced_at).where(Account.id == account_id)
    announced = db.session.scalar(query)
    if announced is None:
        return None
    due = max(announced + NOTICE, clock.now())
    return due if db.session.scalar(query.where(_childless(due), _is_announced(due))) else None


def _is_untold(_now: datetime) -> ColumnElement[bool]:
    """Somebody whose mail never left: a restore dropped it, or no server took it for days."""
    unsent = exists().where(
        OutboxMessage.account_id == Account.id,
        OutboxMessage.kind == "account_ends",
        OutboxMessage.created_at >= Account.end_announced_at,
        or_(
            OutboxMessage.status == "dropped",
            and_(
                OutboxMessage.status == "refused",
                OutboxMessage.answer.startswith(outbox.ABANDONED),
            ),
        ),
    )
    return and_(Account.end_announced_at.is_not(None), _is_reachable(), unsent)


def _to_announce(now: datetime) -> ColumnElement[bool]:
    return and_(_childless(now + NOTICE), _is_reachable(), ~_is_announced(now))


def _childless_to_end(now: datetime) -> ColumnElement[bool]:
    is_warned = or_(~_is_reachable(), _is_announced(now - NOTICE))
    return and_(Account.status != "disabled", _childless(now), is_warned)


def _is_over(now: datetime) -> ColumnElement[bool]:
    return and_(_is_closed(now), ~_has_mail_waiting())


def _is_closed(now: datetime) -> ColumnElement[bool]:
    return and_(Account.status == "disabled", Account.updated_at < now - LAST_WORDS)


def _has_mail_waiting() -> ColumnElement[bool]:
    return exists().where(OutboxMessage.account_id == Account.id, OutboxMessage.status == "queued")


def _waits_for_mail(now: datetime) -> ColumnElement[bool]:
    return and_(_is_closed(now), _has_mail_waiting(), or_(_childless(now), _agreed(now)))


def _childless_to_erase(now: datetime) -> ColumnElement[bool]:
    return and_(_is_over(now), _childless(now))


def _agreed(now: datetime) -> ColumnElement[bool]:
    """Whose request was answered « done », where no school has linked a child since: it was not
    asked.
    """
    since = exists().where(
        Guardianship.account_id == Account.id,
        Child.id == Guardianship.child_id,
        guardianships.live(),
        Guardianship.created_at > ErasureRequest.closed_at,
    )
    done = exists().where(
        ErasureRequest.account_id == Account.id,
        ErasureRequest.outcome == "done",
        ErasureRequest.closed_at < now - REGRET,
        ~since,
    )
    return and_(done, ~_is_needed(now))


def _asked_to_end(now: datetime) -> ColumnElement[bool]:
    return and_(Account.status != "disabled", _agreed(now), ~_has_child())


def _asked_to_erase(now: datetime) -> ColumnElement[bool]:
    return and_(_is_over(now), _agreed(now))


RULES: Final = (
    Rule("end_untold", Account, "forget", _is_untold, "parents whose mail never left: told anew"),
    Rule("end_announced", Account, "announce", _to_announce, "parents without a child, told"),
    Rule("account_childless", Account, "end", _childless_to_end, "accounts without a child"),
    Rule("account_asked", Account, "end", _asked_to_end, "accounts whose erasure was agreed to"),
    Rule("account_childless", Account, "erase", _childless_to_erase, "ended for want of a child"),
    Rule("account_asked", Account, "erase", _asked_to_erase, "ended as they asked"),
    Rule("child_left", Child, "erase", _left, "children who left"),
)
"""In this order: a child says until when its guardians are kept, and goes last."""

HELD: Final = (
    Rule("mail_waits", Account, "hold", _waits_for_mail, "whose mail has to leave first"),
    Rule("import_waits", Child, "hold", _waits_for_import, "whom a file that waits may name"),
)
"""Who would be erased, and is held back by something that passes."""
