"""Ending grants: each way in which what an application was given comes to its end.

Codes, access tokens and refresh tokens all ask their grant at use, so that one UPDATE here
is enough. Every function joins the caller's transaction and returns how many grants ended.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, tuple_, update

from idp import clock
from idp.audit import events
from idp.database import transaction
from idp.oidc.models import ChildConsent, Consent, Grant
from idp.people.models import Guardianship


def end(grant_id: str, reason: str) -> int:
    """End one grant (reuse of a code or refresh token, revocation)."""
    return _end(reason, Grant.id == grant_id)


def end_for_account(account_id: str, reason: str, keep_session: str | None = None) -> int:
    """End a guardian's grants, except those of the session that goes on."""
    return _end(reason, Grant.account_id == account_id, Grant.session_id != (keep_session or ""))


def end_for_accounts(owners: Select[Any], reason: str) -> int:
    """``end_for_account`` for many: ``owners`` yields ids of accounts."""
    return _end(reason, Grant.account_id.in_(owners))


def end_for_session(session_id: str, reason: str) -> int:
    """End the grants of a session that has ended, except those meant to outlive it."""
    return end_for_sessions([session_id], reason)


def end_for_sessions(session_ids: Sequence[str], reason: str, *, offline_too: bool = False) -> int:
    """End the grants of sessions that have ended, except those meant to outlive them.

    ``offline_access`` is exactly the wish to outlive the session (OpenID Connect Core §11);
    ``offline_too`` overrides it, where the way in itself has ended.
    """
    if not session_ids:
        return 0
    if offline_too:
        return _end(reason, Grant.session_id.in_(session_ids))
    online = (" " + Grant.scope + " ").not_like("% offline_access %")
    return _end(reason, Grant.session_id.in_(session_ids), online)


def end_for_guardianship(account_id: str, child_id: str, reason: str) -> int:
    """End every grant and consent under which this guardian's applications see this child."""
    _withdraw_children(ChildConsent.account_id == account_id, ChildConsent.child_id == child_id)
    return _end(reason, Grant.account_id == account_id, Grant.child_id == child_id)


def end_for_guardianships(ended: Select[Any], reason: str) -> int:
    """``end_for_guardianship`` for many: ``ended`` yields ids of guardianships."""
    pairs = select(Guardianship.account_id, Guardianship.child_id).where(Guardianship.id.in_(ended))
    _withdraw_children(tuple_(ChildConsent.account_id, ChildConsent.child_id).in_(pairs))
    return _end(reason, tuple_(Grant.account_id, Grant.child_id).in_(pairs))


def end_for_client(account_id: str, client_id: str, reason: str) -> int:
    """End one application's grants of this guardian."""
    return _end(reason, Grant.account_id == account_id, Grant.client_id == client_id)


def end_all_for_client(client_id: str, reason: str) -> int:
    """End everything that one application was ever given."""
    return _end(reason, Grant.client_id == client_id)


def withdraw_consent(account_id: str, client_id: str) -> bool:
    """Withdraw the guardian's consent and end what the application got by it."""
    with transaction() as session:
        withdrawn = session.execute(
            update(Consent)
            .where(
                Consent.account_id == account_id,
                Consent.client_id == client_id,
                Consent.withdrawn_at.is_(None),
            )
            .values(withdrawn_at=clock.now())
        ).rowcount
        _withdraw_children(
            ChildConsent.account_id == account_id, ChildConsent.client_id == client_id
        )
        end_for_client(account_id, client_id, "consent withdrawn")
        if withdrawn:
            events.record("consent_withdrawn", account_id=account_id, client_id=client_id)
    return bool(withdrawn)


def withdraw_consents_since(account_id: str, since: datetime) -> int:
    """Withdraw what was allowed in a guardian's name since then; the grants have ended."""
    with transaction() as session:
        withdrawn: int = session.execute(
            update(Consent)
            .where(
                Consent.account_id == account_id,
                Consent.granted_at >= since,
                Consent.withdrawn_at.is_(None),
            )
            .values(withdrawn_at=clock.now())
        ).rowcount
        _withdraw_children(ChildConsent.account_id == account_id, ChildConsent.granted_at >= since)
        if withdrawn:
            events.record("consent_withdrawn", account_id=account_id, count=withdrawn)
    return withdrawn


def _withdraw_children(*which: Any) -> None:
    with transaction() as session:
        session.execute(
            update(ChildConsent)
            .where(*which, ChildConsent.withdrawn_at.is_(None))
            .values(withdrawn_at=clock.now())
            .execution_options(synchronize_session=False)
        )


def _end(reason: str, *which: Any) -> int:
    with transaction() as session:
        ended: int = session.execute(
            update(Grant)
            .where(*which, Grant.ended_at.is_(None))
            .values(ended_at=clock.now(), ended_reason=reason)
            .execution_options(synchronize_session=False)
        ).rowcount
        if ended:
            events.record("grant_ended", reason=reason, count=ended)
    return ended
