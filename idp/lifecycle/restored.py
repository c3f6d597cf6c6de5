"""After a database was restored from a backup: end all that proves who somebody is.

The backup has forgotten what was ended since it was made. Nobody can tell which sessions,
tokens and permissions those were, so that all of them end (security rules R9 and R13).
"""

from typing import Any, Final

from sqlalchemy import Delete, Update, delete, update

from idp import clock
from idp.audit import continuity, events
from idp.credentials.email_models import EmailChange
from idp.credentials.factor_models import PasskeyChallenge, RecoveryCode, TotpEnrolment
from idp.credentials.models import KnownDevice, OneTimeToken
from idp.database import retried, transaction
from idp.federation.models import FederationState
from idp.mail.models import OutboxMessage
from idp.oidc.models import ChildConsent, Consent, Grant
from idp.sessions.models import BrowserSession, Interaction

REASON: Final = "restored from a backup"


@retried
def end_what_came_back() -> dict[str, int]:
    """End every session, grant and one-time token, and forget what browsers carried on.

    Mails that wait are dropped: they may have been sent before. Returns how many of each.
    Then this database's history counts as the one that goes on.
    """
    with transaction() as writes:
        ended = {name: _count(writes, change) for name, change in _changes().items()}
        detail: dict[str, Any] = dict(ended)
        events.record(continuity.ACKNOWLEDGED, **detail)
    continuity.begin_anew()
    return ended


def _changes() -> dict[str, Update | Delete]:
    now = clock.now()
    alive = (OneTimeToken.spent_at.is_(None), OneTimeToken.ended_at.is_(None))
    dropped = {"status": "dropped", "finished_at": now, "answer": REASON}
    return {
        "interactions": delete(Interaction),
        "sessions": update(BrowserSession)
        .where(BrowserSession.ended_at.is_(None))
        .values(ended_at=now),
        "grants": update(Grant)
        .where(Grant.ended_at.is_(None))
        .values(ended_at=now, ended_reason=REASON),
        "one_time_tokens": update(OneTimeToken).where(*alive).values(ended_at=now),
        "email_changes": update(EmailChange)
        .where(EmailChange.undone_at.is_(None), EmailChange.ended_at.is_(None))
        .values(ended_at=now),
        # Codes that were used since the backup would work again
        "recovery_codes": delete(RecoveryCode),
        "passkey_challenges": delete(PasskeyChallenge),
        "federation_states": delete(FederationState),
        "totp_enrolments": delete(TotpEnrolment),
        "consents": update(Consent).where(Consent.withdrawn_at.is_(None)).values(withdrawn_at=now),
        "child_consents": update(ChildConsent)
        .where(ChildConsent.withdrawn_at.is_(None))
        .values(withdrawn_at=now),
        "known_devices": delete(KnownDevice),
        "mails": update(OutboxMessage).where(OutboxMessage.status == "queued").values(**dropped),
    }


def _count(writes: Any, change: Update | Delete) -> int:
    changed: int = writes.execute(change.execution_options(synchronize_session=False)).rowcount
    return changed
