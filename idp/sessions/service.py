"""Browser sessions and the choice of the child: begun, found, ended on the server."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, delete, select, tuple_, update

from idp import clock, settings
from idp.audit import events
from idp.database import db, keyed_hash, transaction
from idp.people.models import Account, Child, Guardianship
from idp.sessions.models import BrowserSession, ChildChoice

TOUCH_EVERY = timedelta(minutes=5)
"""``last_seen_at`` is written at most this often: a page view is not a write."""


_LIVE_SESSION: Final = (
    select(BrowserSession, Account)
    .join(Account, Account.id == BrowserSession.account_id)
    .where(
        BrowserSession.secret_hash == bindparam("secret_hash"),
        BrowserSession.ended_at.is_(None),
        BrowserSession.expires_at > bindparam("now"),
        BrowserSession.last_seen_at > bindparam("idle_since"),
        Account.status == "active",
    )
)
"""Built once: on the hot paths, putting a statement together costs more than running it."""


@dataclass(frozen=True)
class SignedIn:
    """A live session and its guardian."""

    session: BrowserSession
    account: Account


def begin(
    account_id: str, *, amr: tuple[str, ...], acr: str, device: str = ""
) -> tuple[BrowserSession, str]:
    """Begin a session; returns it with the secret for the cookie, which is stored hashed.

    ``amr``: RFC 8176 values of what was really done.
    """
    secret = secrets.token_urlsafe(32)
    now = clock.now()
    session = BrowserSession(
        secret_hash=keyed_hash("session", secret),
        account_id=account_id,
        auth_time=now,
        amr=" ".join(amr),
        acr=acr,
        device=device,
        created_at=now,
        last_seen_at=now,
        expires_at=now + settings.current().session_absolute,
    )
    with transaction() as writes:
        writes.add(session)
        writes.flush()
        events.record("sign_in", account_id=account_id, session_id=session.id, amr=list(amr))
    return session, secret


def find(secret: str) -> SignedIn | None:
    """The live session of this secret, with its active guardian; one query."""
    now = clock.now()
    row = db.session.execute(
        _LIVE_SESSION,
        {
            "secret_hash": keyed_hash("session", secret),
            "now": now,
            "idle_since": now - settings.current().session_idle,
        },
    ).one_or_none()
    if row is None:
        return None
    session, account = row
    if session.last_seen_at < now - TOUCH_EVERY:
        _touch(session)
    return SignedIn(session, account)


def live(account_id: str) -> list[BrowserSession]:
    """The guardian's live sessions, the last used first."""
    now = clock.now()
    return list(
        db.session.scalars(
            select(BrowserSession)
            .where(
                BrowserSession.account_id == account_id,
                BrowserSession.ended_at.is_(None),
                BrowserSession.expires_at > now,
                BrowserSession.last_seen_at > now - settings.current().session_idle,
            )
            .order_by(BrowserSession.last_seen_at.desc())
        )
    )


def end(session_id: str, *, account_id: str) -> bool:
    """End one session of this guardian; false where it is not theirs or has ended."""
    with transaction() as writes:
        ended = writes.execute(
            update(BrowserSession)
            .where(
                BrowserSession.id == session_id,
                BrowserSession.account_id == account_id,
                BrowserSession.ended_at.is_(None),
            )
            .values(ended_at=clock.now())
        ).rowcount
        if ended:
            events.record("session_ended", account_id=account_id, session_id=session_id)
    return bool(ended)


def end_all(account_id: str, *, keep: str | None = None) -> int:
    """End the guardian's sessions, except ``keep``; returns how many ended."""
    with transaction() as writes:
        ended: int = writes.execute(
            update(BrowserSession)
            .where(
                BrowserSession.account_id == account_id,
                BrowserSession.id != (keep or ""),
                BrowserSession.ended_at.is_(None),
            )
            .values(ended_at=clock.now())
        ).rowcount
        if ended:
            events.record("session_ended", account_id=account_id, count=ended)
    return ended


def choose_child(session_id: str, child: Child) -> None:
    """Remember a choice for this session and the child's school.

    The caller has checked, in the same transaction, that the guardianship is live.
    """
    with transaction() as writes:
        # Two tabs at once: the second waits here, and finds the first one's row (rule R4).
        session = select(BrowserSession.id).where(BrowserSession.id == session_id)
        writes.execute(session.with_for_update())
        writes.merge(
            ChildChoice(
                session_id=session_id,
                school_id=child.school_id,
                child_id=child.id,
                selected_at=clock.now(),
            )
        )
        events.record("child_chosen", child_id=child.id, session_id=session_id)


def forget_choices(session_id: str) -> None:
    """Ask again for the child at the next application (« changer d'enfant »)."""
    with transaction() as writes:
        writes.execute(delete(ChildChoice).where(ChildChoice.session_id == session_id))


def forget_child(account_id: str, child_id: str) -> None:
    """Remove a child from every choice of this guardian (the guardianship has ended)."""
    sessions = select(BrowserSession.id).where(BrowserSession.account_id == account_id)
    with transaction() as writes:
        writes.execute(
            delete(ChildChoice).where(
                ChildChoice.child_id == child_id, ChildChoice.session_id.in_(sessions)
            )
        )


def forget_children(ended: Select[Any]) -> None:
    """``forget_child`` for many: ``ended`` yields ids of guardianships."""
    mine = and_(
        Guardianship.child_id == ChildChoice.child_id,
        Guardianship.account_id == BrowserSession.account_id,
    )
    chosen = (
        select(ChildChoice.session_id, ChildChoice.school_id)
        .join(BrowserSession, BrowserSession.id == ChildChoice.session_id)
        .join(Guardianship, mine)
        .where(Guardianship.id.in_(ended))
    )
    with transaction() as writes:
        writes.execute(
            delete(ChildChoice)
            .where(tuple_(ChildChoice.session_id, ChildChoice.school_id).in_(chosen))
            .execution_options(synchronize_session=False)
        )


def _touch(session: BrowserSession) -> None:
    now = clock.now()
    with transaction() as writes:
        writes.execute(
            update(BrowserSession).where(BrowserSession.id == session.id).values(last_seen_at=now)
        )
