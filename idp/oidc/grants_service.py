"""Ending grants and consents: what an application was given, and what it was allowed.

Codes, access tokens and refresh tokens all ask their grant at use, so that one UPDATE here
is enough. Which ones end with what stands in ``lifecycle.endings``.
"""

from datetime import datetime

from sqlalchemy import ColumnElement

from idp import clock
from idp.audit import events
from idp.database import transaction, update_all, update_asking
from idp.oidc.models import ChildConsent, Consent, Grant


def end(reason: str, *which: ColumnElement[bool]) -> int:
    """End these grants, in the caller's transaction; returns how many."""
    values = {"ended_at": clock.now(), "ended_reason": reason}
    with transaction():
        ended = update_all(Grant, *which, Grant.ended_at.is_(None), **values)
        if ended:
            events.record("grant_ended", reason=reason, count=ended)
    return ended


def end_heard(
    reason: str, *which: ColumnElement[bool], at: datetime, heard: ColumnElement[bool]
) -> tuple[int, bool]:
    """``end``, and whether others are to be told of any of them."""
    values = {"ended_at": at, "ended_reason": reason}
    with transaction():
        ended, is_heard = update_asking(
            Grant, *which, Grant.ended_at.is_(None), ask=heard, **values
        )
        if ended:
            events.record("grant_ended", reason=reason, count=ended)
    return ended, is_heard


def withdraw_consents(
    *which: ColumnElement[bool], at: datetime, heard: ColumnElement[bool]
) -> tuple[int, bool]:
    """Withdraw these ``Consent``s, in the caller's transaction; returns how many, and whether
    others are to be told of any.
    """
    alive = Consent.withdrawn_at.is_(None)
    return update_asking(Consent, *which, alive, ask=heard, withdrawn_at=at)


def withdraw_child_consents(*which: ColumnElement[bool]) -> int:
    """Withdraw these ``ChildConsent``s, in the caller's transaction; returns how many."""
    alive = ChildConsent.withdrawn_at.is_(None)
    return update_all(ChildConsent, *which, alive, withdrawn_at=clock.now())
