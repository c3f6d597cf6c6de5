"""Signing out: a session ends with the grants that hang on it."""

from sqlalchemy import select

from idp.database import transaction
from idp.oidc import grants_service
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession


def end_session(account_id: str, session_id: str) -> bool:
    """End one of the guardian's sessions; false where it is not theirs or has ended."""
    with transaction():
        ended = sessions.end(session_id, account_id=account_id)
        if ended:
            grants_service.end_for_session(session_id, "signed out")
    return ended


def end_other_sessions(account_id: str, keep: str) -> int:
    """End every session of the guardian but one, with what applications got through them."""
    with transaction() as writes:
        others = writes.scalars(
            select(BrowserSession.id).where(
                BrowserSession.account_id == account_id,
                BrowserSession.id != keep,
                BrowserSession.ended_at.is_(None),
            )
        ).all()
        ended = sessions.end_all(account_id, keep=keep)
        grants_service.end_for_sessions(others, "signed out")
    return ended
