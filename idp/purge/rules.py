"""What may be deleted, of which table, and when; and why the other tables are kept.

Rows stay for a margin after their end, so that a clock that was an hour wrong removes nothing too
early (rule R5).
"""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from idp import settings
from idp.audit import partitions, removal
from idp.audit.models import AuditEvent
from idp.clients.models import UsedAssertion
from idp.credentials import devices, throttling
from idp.credentials.models import (
    EmailChange,
    FactorReset,
    KnownDevice,
    OneTimeToken,
    PasskeyChallenge,
    ThrottleCounter,
    TotpEnrolment,
)
from idp.deliveries import hearing
from idp.deliveries.models import EventDelivery
from idp.federation.models import DELETIONS_KEPT, DeletionRequest, FederationState, PendingLink
from idp.lifecycle import link_requests
from idp.mail.models import OutboxMessage
from idp.oidc.models import (
    AccessToken,
    AuthorizationCode,
    DeviceCode,
    Grant,
    PushedRequest,
    RefreshToken,
)
from idp.people.link_models import LinkRequest
from idp.people.models import Account, ErasureRequest
from idp.purge.walking import Growing, Rule
from idp.roster import staging
from idp.roster.models import RosterChange, RosterRejection, RosterRun, RosterRunSchool
from idp.roster.question_models import RosterRemark
from idp.roster.reading import RESUME_WITHIN
from idp.roster.runs import UNDO_WITHIN
from idp.sessions.models import BrowserSession, FormSubmission, Interaction, PersistentLogin

MARGIN: Final = timedelta(days=1)
EXPIRED_TOKENS_KEPT: Final = timedelta(days=90)
"""For so long the holder of an expired token is told so, and offered a new one."""
MAIL_KEPT: Final = timedelta(days=30)
"""For « did my invitation leave? »"""
DELIVERIES_KEPT: Final = timedelta(days=30)
"""For « was the application told? »"""
KNOWN_LATELY: Final = timedelta(days=30)
"""For so long after a sign-in an application that registered for it is told of what ends."""
RUNS_KEPT: Final = timedelta(days=90)
"""For « what did that import change? », in numbers."""


def _one_time_tokens(now: datetime) -> ColumnElement[bool]:
    in_use = exists().where(Interaction.verified_token_id == OneTimeToken.id)
    done_with = or_(OneTimeToken.spent_at.is_not(None), OneTimeToken.ended_at.is_not(None))
    return and_(
        OneTimeToken.expires_at < now - MARGIN,
        or_(done_with, OneTimeToken.expires_at < now - EXPIRED_TOKENS_KEPT),
        ~in_use,
    )


def _erasure_requests(now: datetime) -> ColumnElement[bool]:
    """Answered ones: that a request was met must stay answerable as long as the audit trail."""
    return ErasureRequest.closed_at < now - settings.current().audit_retention


def _grants(now: datetime) -> ColumnElement[bool]:
    """Grants on which nothing hangs any more."""
    hanging = (
        exists().where(model.grant_id == Grant.id)
        for model in (AuthorizationCode, DeviceCode, AccessToken, RefreshToken)
    )
    # Who is told of what ends is told of those whom it knew lately, however short its tokens lived
    heard = and_(hearing.grant_is_heard(), Grant.created_at > now - KNOWN_LATELY)
    return and_(Grant.created_at < now - MARGIN, *(~each for each in hanging), ~heard)


def _event_deliveries(now: datetime) -> ColumnElement[bool]:
    done = EventDelivery.status != "waiting"
    # Who was told that an account is closed is told when it is open again, however late
    closed = exists().where(Account.id == EventDelivery.account_id, Account.status == "disabled")
    still = and_(EventDelivery.event == "account-disabled", closed)
    return and_(done, EventDelivery.created_at < now - DELIVERIES_KEPT, ~still)


def _browser_sessions(now: datetime) -> ColumnElement[bool]:
    """Sessions that are over and under which no grant lives on; their choices go with them."""
    granted = exists().where(Grant.session_id == BrowserSession.id)
    # The sign-in on which the next session of a browser stands that stays signed in
    stays = exists().where(PersistentLogin.session_id == BrowserSession.id)
    return and_(BrowserSession.expires_at < now - MARGIN, ~granted, ~stays)


def _throttle_counters(now: datetime) -> ColumnElement[bool]:
    return and_(
        ThrottleCounter.updated_at < now - throttling.KEPT - MARGIN,
        ThrottleCounter.blocked_until < now,
    )


def _outbox(now: datetime) -> ColumnElement[bool]:
    return and_(OutboxMessage.status != "queued", OutboxMessage.created_at < now - MAIL_KEPT)


def _recent_run(model: Any, now: datetime, *which: ColumnElement[bool]) -> ColumnElement[bool]:
    since = now - RESUME_WITHIN - MARGIN
    return exists().where(RosterRun.id == model.run_id, RosterRun.created_at > since, *which)


def _waiting_run(model: Any, now: datetime) -> ColumnElement[bool]:
    return _recent_run(model, now, RosterRun.status.in_(("reading", "checked", "applying")))


def _staged(model: Any) -> Rule:
    """What was read from a file and waits to be applied no longer."""
    # Rejected rows of a run that is over are there to be written out
    keeps = _recent_run if model is RosterRejection else _waiting_run
    return lambda now: ~keeps(model, now)


def _planned_or_undoable(model: Any) -> Rule:
    """Plans that are over, and the journal of imports that can't be undone any more."""

    def rule(now: datetime) -> ColumnElement[bool]:
        undoable = exists().where(
            RosterRunSchool.run_id == model.run_id,
            or_(RosterRunSchool.school_id == model.school_id, model.school_id == ""),
            RosterRunSchool.applied_at > now - UNDO_WITHIN - MARGIN,
            RosterRunSchool.state == "applied",
        )
        return ~or_(undoable, _waiting_run(model, now))

    return rule


def _audit_events(now: datetime) -> ColumnElement[bool]:
    # The newest stays, however old: the history must be seen to go on (idp.audit.continuity).
    newest = select(func.max(AuditEvent.id)).scalar_subquery()
    return and_(AuditEvent.at < now - settings.current().audit_retention, AuditEvent.id < newest)


def _kept(
    column: Any, kept: timedelta = MARGIN, useless: Rule | None = None, **more: Any
) -> Growing:
    """A table whose rows stay for so long after this time, or longer where ``useless`` says so."""
    rule = useless or (lambda now: column < now - kept)
    return Growing(column.class_, rule, (column, lambda: kept), is_plain=useless is None, **more)


_SESSIONS: Final = _kept(BrowserSession.expires_at, useless=_browser_sessions, is_freed=True)
_GRANTS: Final = _kept(
    Grant.created_at, useless=_grants, frees=(Grant.session_id, _SESSIONS), is_freed=True
)


GROWING: Final = (
    # In this order: what refers to a row goes before the row.
    _kept(FederationState.expires_at),
    _kept(PendingLink.expires_at),
    _kept(DeletionRequest.created_at, DELETIONS_KEPT),
    _kept(Interaction.expires_at),
    _kept(FormSubmission.expires_at),
    _kept(OneTimeToken.expires_at, useless=_one_time_tokens),
    _kept(EmailChange.expires_at),  # nobody can confirm or undo it any more; its links go with it
    # Answered or not: a school's files ask nobody anew within that time
    _kept(LinkRequest.expires_at, link_requests.KEPT),
    _kept(FactorReset.expires_at),
    Growing(ErasureRequest, _erasure_requests),
    _kept(AuthorizationCode.expires_at, frees=(AuthorizationCode.grant_id, _GRANTS)),
    _kept(DeviceCode.expires_at, frees=(DeviceCode.grant_id, _GRANTS)),
    _kept(AccessToken.expires_at, frees=(AccessToken.grant_id, _GRANTS)),
    # Rotated ones too stay until they expire: their reuse must be recognised (rule O6)
    _kept(RefreshToken.expires_at, frees=(RefreshToken.grant_id, _GRANTS)),
    _GRANTS,
    _kept(PersistentLogin.expires_at, frees=(PersistentLogin.session_id, _SESSIONS)),
    _SESSIONS,
    _kept(ThrottleCounter.updated_at, throttling.KEPT + MARGIN, _throttle_counters),
    _kept(KnownDevice.last_seen_at, devices.REMEMBERED + MARGIN),
    _kept(PasskeyChallenge.expires_at),
    _kept(TotpEnrolment.expires_at),
    _kept(UsedAssertion.expires_at),
    _kept(PushedRequest.expires_at),
    _kept(OutboxMessage.created_at, MAIL_KEPT, _outbox),
    _kept(EventDelivery.created_at, DELIVERIES_KEPT, _event_deliveries),
    *(Growing(model, _staged(model)) for model in staging.STAGED),
    *(Growing(model, _planned_or_undoable(model)) for model in (RosterChange, RosterRemark)),
    _kept(RosterRun.created_at, RUNS_KEPT),
    Growing(
        AuditEvent,
        _audit_events,
        (AuditEvent.at, lambda: settings.current().audit_retention),
        removal.allowed,
        partitions.remove_aged,
    ),
)

PEOPLE: Final = {
    "accounts": "as long as a school of theirs keeps those who left; subjects are never reused",
    "children": "as long as their school keeps those who left",
}
"""Who is ended and erased by the rules of ``leavers``, with all that refers to them."""

KEPT: Final = {
    "schools": "the operator's own",
    "school_texts": "at most one for each school, kind of letter and language",
    "guardianships": "leave with either side; the audit log tells who could see whom until then",
    "directory_entries": "one for each person and school, kept by idp.people.search_index",
    "passwords": "one for each account",
    "federated_links": "one for each account and provider, until it is unlinked",
    "passkeys": "at most ten for each account",
    "totp_secrets": "one for each account",
    "recovery_codes": "at most ten for each account; used ones are counted",
    "staff_roles": "the operator's own",
    "clients": "the operator's own",
    "client_schools": "the operator's own",
    "client_logos": "one for each application",
    "registration_tokens": "the operator's own; they bound what was registered by them",
    "stored_keys": "a few for each algorithm; retired ones leave with a change",
    "key_lists": "one row",
    "client_refusals": "at most 30 for each application",
    "delivery_pauses": "at most one for each application",
    "consents": "one for each guardian and application",
    "child_consents": "one for each guardian, application and child",
    "child_choices": "leave with their session",
    "roster_sources": "one for each school",
    "roster_identities": "by which the next import knows the same people again",
    "roster_guardianships": "one for each guardianship",
    "roster_run_schools": "leave with their run",
    "roster_jobs": "leave with their run",
    "email_change_links": "leave with their change",
    "erasure_answers": "leave with their request",
    "database_identity": "one row: which database this is",
    "platform_counts": "one for the overview and one for each application",
    "installation_marks": "a row for each secret and signing key, and a few more",
}
"""Every other table, and why it is not purged."""
