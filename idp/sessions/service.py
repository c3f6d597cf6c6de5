"""Browser sessions and the choice of the child: begun, found, ended on the server."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, and_, bindparam, delete, select, tuple_, update

from idp import clock, settings
from idp.audit import events
from idp.database import db, keyed_hash, transaction
from idp.database.prepared import Prepared, columns
from idp.people.models import Account, AccountRow, ChildRow, Guardianship
from idp.sessions.models import BrowserSession, ChildChoice, SessionRow

TOUCH_EVERY = timedelta(minutes=5)
"""``last_seen_at`` is written at most this often: a page view is not a write."""


@dataclass(frozen=True)
class SignedIn:
    """A live session and its guardian."""

    session: SessionRow
    account: AccountRow


_LIVE_SESSION: Final = Prepared(
    select(*columns(BrowserSession, SessionRow), *columns(Account, AccountRow))
    .join(Account, Account.id == BrowserSession.account_id)
    .where(
        BrowserSession.secret_hash == bindparam("secret_hash"),
        BrowserSession.ended_at.is_(None),
        BrowserSession.expires_at > bindparam("now"),
        BrowserSession.last_seen_at > bindparam("idle_since"),
        Account.status == "active",
    ),
    SessionRow,
    AccountRow,
    into=SignedIn,
)


def begin(
    account_id: str,
    *,
    amr: tuple[str, ...],
    acr: str,
    device: str = "",
    auth_time: datetime | None = None,
    auth_time_proved: bool = True,
    link_id: str | None = None,
    passkey_id: str | None = None,
) -> tuple[BrowserSession, str]:
    """Begin a session; returns it with the secret for the cookie, which is stored hashed.

    ``amr``: RFC 8176 values of what was really done; ``auth_time``: when, now if not told.
    """
    secret = secrets.token_urlsafe(32)
    now = clock.now()
    session = BrowserSession(
        secret_hash=keyed_hash("session", secret),
        account_id=account_id,
        auth_time=auth_time or now,
        auth_time_proved=auth_time_proved,
        link_id=link_id,
        amr=" ".join(amr),
        acr=acr,
        passkey_id=passkey_id,
        device=device,
        created_at=now,
        last_seen_at=now,
        expires_at=now + settings.current().session_absolute,
    )
    with transaction() as writes:
        writes.add(session)
        writes.flush()
        events.record(
            "sign_in",
            account_id=account_id,
            session_id=session.id,
            amr=list(amr),
            device=device,
        )
    return session, secret


def find(secret: str) -> SignedIn | None:
    """The live session of this secret, with its active guardian; one query."""
    now = clock.now()
    found = _LIVE_SESSION.one_or_none(
        secret_hash=keyed_hash("session", secret),
        now=now,
        idle_since=now - settings.current().session_idle,
    )
    if found is not None and found.session.last_seen_at < now - TOUCH_EVERY:
        _touch(found.session)
    return found


def is_live(session_id: str, account_id: str) -> bool:
    """Whether this is a session of the guardian's that has not ended, asked in a transaction."""
    found = db.session.scalar(
        select(BrowserSession.id).where(
            BrowserSession.id == session_id,
            BrowserSession.account_id == account_id,
            BrowserSession.ended_at.is_(None),
            BrowserSession.expires_at > clock.now(),
        )
    )
    return found is not None


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


def end_for_accounts(owners: Select[Any]) -> int:
    """``end_all`` for many: ``owners`` yields ids of accounts."""
    with transaction() as writes:
        ended: int = writes.execute(
            update(BrowserSession)
            .where(BrowserSession.account_id.in_(owners), BrowserSession.ended_at.is_(None))
            .values(ended_at=clock.now())
            .execution_options(synchronize_session=False)
        ).rowcount
        if ended:
            events.record("session_ended", count=ended)
    return ended


def end_of_passkey(account_id: str, passkey_id: str, *, keep: str) -> list[str]:
    """End the sessions that a passkey began or raised, except ``keep``; returns the ids of all
    that it ever did, those that were over before too.
    """
    with transaction() as writes:
        found = list(
            writes.scalars(
                select(BrowserSession.id).where(
                    BrowserSession.account_id == account_id,
                    BrowserSession.passkey_id == passkey_id,
                    BrowserSession.id != keep,
                )
            )
        )
        for session_id in found:
            end(session_id, account_id=account_id)
    return found


def renew(session_id: str, *, account_id: str, **changes: Any) -> str | None:
    """Give a live session a new secret, with other changes; None where it has ended."""
    secret = secrets.token_urlsafe(32)
    with transaction() as writes:
        renewed = writes.execute(
            update(BrowserSession)
            .where(
                BrowserSession.id == session_id,
                BrowserSession.account_id == account_id,
                BrowserSession.ended_at.is_(None),
                BrowserSession.expires_at > clock.now(),
            )
            .values(secret_hash=keyed_hash("session", secret), **changes)
        ).rowcount
        if renewed:
            events.record("session_renewed", account_id=account_id, session_id=session_id)
    return secret if renewed else None


def choose_child(session_id: str, child: ChildRow, client_id: str) -> None:
    """Remember a choice, made on this application's page, for this session and the child's school.

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
                client_id=client_id,
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


def _touch(session: SessionRow) -> None:
    now = clock.now()
    with transaction() as writes:
        writes.execute(
            update(BrowserSession).where(BrowserSession.id == session.id).values(last_seen_at=now)
        )
