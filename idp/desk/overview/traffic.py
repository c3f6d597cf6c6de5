"""When guardians sign in, and which of their mails don't arrive."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    true,
    type_coerce,
)

from idp import clock
from idp.audit.models import AuditEvent
from idp.database import db
from idp.desk.access.rights import Right, Staff
from idp.desk.overview.onboarding import live_guardianships
from idp.mail.answers import MEANINGS
from idp.mail.models import OutboxMessage
from idp.settings import current as settings

WEEK: Final = timedelta(days=7)
DAY: Final = timedelta(days=1)
MAIL_SINCE: Final = timedelta(days=14)
STUCK_AFTER: Final = timedelta(minutes=15)
"""A mail that is due for so long waits for a worker that does not run."""
LONGEST_RETRY: Final = timedelta(hours=1)

REASONS: Final = (*MEANINGS, "retried", "stuck")
"""Why mails don't arrive: what the answer of refusal means, and (the last two) still waiting."""


@dataclass(frozen=True)
class Hours:
    """Sign-ins by hour of the day in the platform's time zone, from midnight: 24 numbers each."""

    day: tuple[int, ...]
    """The 24 hours up to now."""
    week: tuple[int, ...]
    """The 7 days up to now, all together."""


def sign_ins(staff: Staff, school_id: str | None = None) -> Hours:
    """Sign-ins of guardians live at the school, or of everybody within the scope; one query."""
    now = clock.now()
    # Whole hours of UTC: what began before stays out
    begin = (now - WEEK).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    slot = _hour_of(AuditEvent.at)
    query = (
        select(slot, func.count())
        # Written out: SQLite takes a partial index for a constant alone
        .where(literal_column("audit_events.event = 'sign_in'"), AuditEvent.at >= begin)
        .where(whose(staff, school_id, AuditEvent.account_id))
        .group_by(slot)
    )
    zone = ZoneInfo(settings().timezone)
    day, week = [0] * 24, [0] * 24
    for text, count in db.session.execute(query):
        at = datetime.strptime(text, "%Y-%m-%d %H").replace(tzinfo=UTC)
        hour = at.astimezone(zone).hour
        week[hour] += count
        if at > now - DAY:
            day[hour] += count
    return Hours(tuple(day), tuple(week))


def mail_trouble(staff: Staff, school_id: str | None = None) -> dict[str, int]:
    """How many mails of the last 14 days did not arrive, by reason; one query."""
    now = clock.now()
    message = OutboxMessage
    refused = and_(message.status == "refused", message.created_at > now - MAIL_SINCE)
    waiting = and_(
        message.status == "queued",
        message.due_at < now + LONGEST_RETRY,
        or_(message.answer.is_not(None), message.due_at < now - STUCK_AFTER),
    )
    reason = _reason()
    counts = dict(
        db.session.execute(
            select(reason, func.count())
            .where(or_(refused, waiting), whose(staff, school_id, message.account_id))
            .group_by(reason)
        ).all()
    )
    return {each: counts[each] for each in REASONS if each in counts}


def whose(staff: Staff, school_id: str | None, account_id: Any) -> ColumnElement[bool]:
    """Of guardians live at the school or in the scope; of everybody for a whole platform."""
    school_scope = staff.school_scope(Right.SEE_OVERVIEW)
    if school_id is None and school_scope.everywhere:
        return true()
    guardians = live_guardianships(school_scope, school_id)
    is_theirs: ColumnElement[bool] = account_id.in_(select(guardians.c.account_id))
    return is_theirs


def _hour_of(at: Any) -> ColumnElement[str]:
    """The hour of UTC as text, the same on both databases."""
    if db.engine.dialect.name == "sqlite":
        return func.substr(type_coerce(at, String), 1, 13)
    return func.to_char(func.timezone("UTC", at), "YYYY-MM-DD HH24")


def _reason() -> ColumnElement[str]:
    """Why, by what the outbox keeps as the answer's meaning."""
    answer, status = OutboxMessage.answer, OutboxMessage.status
    return case(
        (and_(status == "queued", answer.is_(None)), "stuck"),
        (status == "queued", "retried"),
        else_=func.coalesce(OutboxMessage.meaning, "refused"),
    )
