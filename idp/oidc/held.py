"""What an answer stands on, held while it is given (security rules C5, R1): the session, and what
the guardian allowed.

Whoever ends one of them waits for the answer, or was first, and there is none.
"""

from typing import Any, Final

from sqlalchemy import Select, bindparam, select

from idp.clients.models import ClientRow
from idp.database.prepared import Prepared
from idp.oidc.models import Consent
from idp.sessions.models import BrowserSession


def _session() -> Select[Any]:
    return (
        select(BrowserSession.id)
        .where(BrowserSession.id == bindparam("session_id"), BrowserSession.ended_at.is_(None))
        .with_for_update(read=True)
    )


_SESSION: Final[Prepared[Any]] = Prepared(_session())
_SESSION_AND_CONSENT: Final[Prepared[Any]] = Prepared(
    _session()
    .join(Consent, Consent.account_id == BrowserSession.account_id)
    .where(Consent.client_id == bindparam("client_id"), Consent.withdrawn_at.is_(None))
)


def is_held(session_id: str, client: ClientRow) -> bool:
    """Whether the session lives, and of a third party the guardian's consent, and both go on until
    the transaction ends; one query.
    """
    if client.metadata_["first_party"]:
        return _SESSION.one_or_none(session_id=session_id) is not None
    held = _SESSION_AND_CONSENT.one_or_none(session_id=session_id, client_id=client.id)
    return held is not None
