"""An invitation for everybody at a school who was never sent one: whom an import forgot."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Select, distinct, exists, func, select

from idp import clock
from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import db, retried
from idp.desk.access.acts import act_at_school
from idp.desk.access.rights import Right, Staff
from idp.mail import spread
from idp.mail.kinds import WITH_TOKEN
from idp.mail.models import OutboxMessage
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account
from idp.settings import current as settings

MAY_ARRIVE: Final = ("queued", "sent")
"""Fates of a mail after which no other is due."""


@retried
def invite_school(staff: Staff, school_id: str) -> int:
    """Mail an invitation to every guardian who was never sent a token; returns how many.

    They leave at the rate of an import's invitations. Raises ``NotFound``.
    """
    # Of two clicks at once the second waits, and finds the mails of the first
    with act_at_school(staff, Right.SEND_TOKENS, school_id) as on:
        whom = _uninvited([school_id]).with_only_columns(Account.id, Account.email_key).distinct()
        recipients = [(row.id, row.email_key) for row in db.session.execute(whom)]
        spread.enqueue_spread("invitation", recipients, per_hour=settings().invitations_per_hour)
        if recipients:
            # Without their number, which would tell of what others sent (security rule C3)
            on.record("school_invited")
    return len(recipients)


def not_invited(staff: Staff, school_ids: Collection[str]) -> dict[str, int]:
    """How many ``invite_school`` would write to at each school of the scope; one query."""
    school_scope = staff.school_scope(Right.SEND_TOKENS)
    ids = [each for each in school_ids if school_scope.covers(each)]
    counted = _uninvited(ids).group_by(LiveGuardianship.school_id)
    return dict(db.session.execute(counted).all())


def _uninvited(school_ids: Collection[str]) -> Select[str, int]:
    """School, and its guardians who can be written to and neither hold a token nor wait for one."""
    mailed = exists().where(
        OutboxMessage.account_id == Account.id,
        OutboxMessage.kind.in_(WITH_TOKEN),
        OutboxMessage.status.in_(MAY_ARRIVE),
    )
    holds = exists().where(
        OneTimeToken.account_id == Account.id,
        one_time_tokens.unspent(),
        OneTimeToken.expires_at > clock.now(),
    )
    return (
        select(LiveGuardianship.school_id, func.count(distinct(Account.id)))
        .join(Account, Account.id == LiveGuardianship.account_id)
        .where(
            LiveGuardianship.school_id.in_(school_ids),
            Account.status == "invited",
            Account.email_key.is_not(None),
            ~mailed,
            ~holds,
        )
    )
