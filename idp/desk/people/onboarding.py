"""How far guardians have come, as their school may know it: from no address to the last sign-in.

Of somebody without a live guardianship within the scope no more is told than when that ended:
an account that lives on at another school looks like one that does not. Moments from before
the first guardianship within the scope are known without their date, for the same reason: an
account that was there earlier was another school's (security rule C3).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, case, func, select

from idp import clock
from idp.audit.models import AuditEvent
from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken, Password
from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import SchoolScope
from idp.mail.kinds import WITH_TOKEN
from idp.mail.models import OutboxMessage
from idp.people import guardianships
from idp.people.models import Account, Child, Guardianship

SLACK: Final = timedelta(days=1)
"""An account may be made, and invited, somewhat before it is linked to its first pupil."""


class OnboardingStep(StrEnum):
    """Where somebody stands: the one thing that a list tells."""

    ENDED = "ended"
    """No live guardianship within the scope."""
    DISABLED = "disabled"
    SIGNED_IN = "signed_in"
    PASSWORD_SET = "password_set"  # noqa: S105 – a state, no secret
    OPENED = "opened"
    EXPIRED = "expired"
    REFUSED = "refused"
    DROPPED = "dropped"
    SENT = "sent"
    QUEUED = "queued"
    PRINTED = "printed"
    NOT_INVITED = "not_invited"
    NO_ADDRESS = "no_address"


@dataclass(frozen=True)
class Onboarding:
    """How far somebody has come. A moment is None where there is none, or none to be told."""

    step: OnboardingStep
    has_address: bool = False
    active: bool = False
    """Whether the account has been claimed: a token then gives a new password."""
    mail: str = ""
    """The fate of the newest mail with a token: ``queued``, ``sent``, ``refused``, ``dropped``;
    empty where there was none."""
    mailed_at: datetime | None = None
    meaning: str = ""
    """Of the mail server's answer, or why there was no mail: one of ``mail.answers.MEANINGS``."""
    printed_at: datetime | None = None
    opened_at: datetime | None = None
    expires_at: datetime | None = None
    """Of the newest token, as long as it would work if it were in time."""
    expired: bool = False
    password_set_at: datetime | None = None
    last_sign_in_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class VisibilityWindow:
    """What a scope has of somebody: since when, and whether still."""

    since: datetime | None
    """None for an operator: since ever."""
    live: bool
    ended_at: datetime | None

    def seen(self, moment: datetime | None) -> datetime | None:
        """The moment, unless it lies before this window."""
        if moment is None or (self.since is not None and moment < self.since):
            return None
        return moment


def onboarding_of(account_ids: Collection[str], school_scope: SchoolScope) -> dict[str, Onboarding]:
    """How far each of these accounts has come; five queries, whatever their number.

    For a page, a class or a school's list; the ids come from a query within the scope. Whoever
    is no guardian within it is not in the answer, except for an operator's.
    """
    return onboarding_of_named(account_ids, school_scope)[1]


def onboarding_of_named(
    account_ids: Collection[str], school_scope: SchoolScope
) -> tuple[list[Any], dict[str, Onboarding]]:
    """The same, and the accounts with their names, by the same queries."""
    ids = sorted(set(account_ids))
    if not ids:
        return [], {}
    windows = windows_of(ids, school_scope)
    mails, tokens = _mails(ids), _tokens(ids, school_scope)
    known = [row for row in _accounts(ids) if row.id in windows]
    return known, {row.id: _onboarding(row, windows[row.id], mails, tokens) for row in known}


def windows_of(
    account_ids: Collection[str], school_scope: SchoolScope
) -> dict[str, VisibilityWindow]:
    """What the scope has of each account; whoever was never guardian within it is left out.

    An operator looks without a window: everything counts, and who has no pupil is live too.
    """
    live = guardianships.live()
    rows = db.session.execute(
        select(
            Guardianship.account_id,
            func.min(case((live, Guardianship.created_at))),
            func.max(case((live, 1), else_=0)),
            func.max(guardianships.over_since()),
        )
        .join(Child, Child.id == Guardianship.child_id)
        .where(Guardianship.account_id.in_(account_ids), scope.children(school_scope))
        .group_by(Guardianship.account_id)
    )
    windows = {
        account_id: VisibilityWindow(_since(school_scope, since, ended_at), bool(is_live), ended_at)
        for account_id, since, is_live, ended_at in rows
    }
    if school_scope.everywhere:
        anybody = VisibilityWindow(None, live=True, ended_at=None)
        return {account_id: windows.get(account_id, anybody) for account_id in account_ids}
    return windows


def _since(
    school_scope: SchoolScope, since: datetime | None, ended_at: datetime | None
) -> datetime | None:
    """From when on an account's moments are this scope's to know: not from before, and not from
    a gap between two guardianships.
    """
    if school_scope.everywhere:
        return None
    if since is None:
        return datetime.max.replace(tzinfo=UTC)  # nothing is live, so that nothing is told
    return since if ended_at is not None else since - SLACK


def _onboarding(
    account: Any,
    window: VisibilityWindow,
    mails: Mapping[str, Any],
    tokens: Mapping[str, Any],
) -> Onboarding:
    if account.status == "disabled" and (window.live or window.since is None):
        return Onboarding(OnboardingStep.DISABLED)
    if not window.live:
        return Onboarding(OnboardingStep.ENDED, ended_at=window.ended_at)
    mail, token = mails.get(account.id), tokens.get(account.id)
    now = clock.now()
    onboarding = Onboarding(
        OnboardingStep.NOT_INVITED,
        has_address=bool(account.email),
        active=account.status == "active",
        mail=mail.status if mail else "",
        mailed_at=window.seen(mail.created_at) if mail else None,
        meaning=(mail.meaning or "") if mail and mail.status != "sent" else "",
        printed_at=window.seen(token.created_at) if token and not token.outbox_id else None,
        opened_at=window.seen(token.opened_at) if token else None,
        expires_at=token.expires_at if token else None,
        expired=bool(token and token.expires_at <= now),
        password_set_at=window.seen(account.set_at),
        last_sign_in_at=window.seen(account.last_sign_in_at),
    )
    signed_in = account.last_sign_in_at is not None
    return replace(onboarding, step=_step(onboarding, token, signed_in=signed_in))


def _step(onboarding: Onboarding, token: Any, *, signed_in: bool) -> OnboardingStep:
    """The one thing to tell: how far they came, or what is in the way."""
    if onboarding.active:
        return OnboardingStep.SIGNED_IN if signed_in else OnboardingStep.PASSWORD_SET
    if onboarding.mail == "queued":
        return OnboardingStep.QUEUED
    # A refused mail ends the token that it carried; whatever token is left came by another way
    if token is not None:
        if onboarding.expired:
            return (
                OnboardingStep.REFUSED if onboarding.mail == "refused" else OnboardingStep.EXPIRED
            )
        if token.opened_at:
            return OnboardingStep.OPENED
        if not token.outbox_id:
            return OnboardingStep.PRINTED
    if onboarding.mail:
        return OnboardingStep(onboarding.mail)
    return OnboardingStep.NOT_INVITED if onboarding.has_address else OnboardingStep.NO_ADDRESS


def _accounts(ids: list[str]) -> Any:
    return db.session.execute(
        select(
            Account.id,
            Account.given_name,
            Account.family_name,
            Account.username,
            Account.email,
            Account.status,
            Account.last_sign_in_at,
            Password.set_at,
        )
        .outerjoin(Password, Password.account_id == Account.id)
        .where(Account.id.in_(ids))
    )


def _mails(ids: list[str]) -> dict[str, Any]:
    """The newest mail with a token for each account."""
    return _newest(
        OutboxMessage,
        OutboxMessage.account_id.in_(ids) & OutboxMessage.kind.in_(WITH_TOKEN),
        ("status", "meaning", "created_at"),
    )


def _tokens(ids: list[str], school_scope: SchoolScope) -> dict[str, Any]:
    """The newest token that each account could use, were it in time.

    A letter that another school printed is not this scope's to know (security rule C3).
    """
    tokens = _newest(
        OneTimeToken,
        OneTimeToken.account_id.in_(ids) & one_time_tokens.unspent(),
        ("outbox_id", "created_at", "opened_at", "expires_at"),
    )
    if school_scope.everywhere:
        return tokens
    printed = set(
        db.session.scalars(
            select(AuditEvent.account_id).where(
                AuditEvent.account_id.in_(
                    [account_id for account_id, token in tokens.items() if not token.outbox_id]
                ),
                AuditEvent.event == "letter_printed",
                scope.at(school_scope, AuditEvent.school_id),
            )
        )
    )
    return {
        account_id: token
        for account_id, token in tokens.items()
        if token.outbox_id or account_id in printed
    }


def _newest(model: Any, which: ColumnElement[bool], columns: tuple[str, ...]) -> dict[str, Any]:
    place = func.row_number().over(
        partition_by=model.account_id, order_by=(model.created_at.desc(), model.id)
    )
    ranked = select(
        model.account_id, *(getattr(model, name) for name in columns), place.label("place")
    ).where(which)
    rows = ranked.subquery()
    newest = db.session.execute(select(rows).where(rows.columns.place == 1))
    return {row.account_id: row for row in newest}
