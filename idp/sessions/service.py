"""Browser sessions and the choice of the child: begun, found, ended on the server."""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, and_, bindparam, join, or_, select, tuple_, update

from idp import clock, settings
from idp.audit import events
from idp.database import db, delete_all, hashes, keyed_hash, transaction, update_all
from idp.database.prepared import Prepared, columns
from idp.people.models import Account, AccountRow, ChildRow
from idp.sessions.models import BrowserSession, ChildChoice, PersistentLogin, SessionRow

TOUCH_EVERY = timedelta(minutes=5)
"""``last_seen_at`` is written at most this often: a page view is not a write."""


@dataclass(frozen=True)
class SignedIn:
    """A live session and its guardian."""

    session: SessionRow
    account: AccountRow


def _idle_since(now: datetime) -> datetime:
    """The moment since which a session has to have been used to open anything."""
    return now - settings.current().session_idle


def _in_use(now: Any, idle_since: Any) -> ColumnElement[bool]:
    """Whether a session still opens something. ``now``, ``idle_since``: moments, or parameters."""
    return and_(
        BrowserSession.ended_at.is_(None),
        BrowserSession.expires_at > now,
        BrowserSession.last_seen_at > idle_since,
    )


def goes_on() -> ColumnElement[bool]:
    """As the condition of a statement that knows ``parameters_of``: the session of that secret goes
    on, and its account is active.
    """
    return and_(
        BrowserSession.secret_hash == bindparam("secret_hash"),
        _in_use(bindparam("now"), bindparam("idle_since")),
        Account.status == "active",
    )


def parameters_of(secret: str) -> dict[str, Any]:
    """The parameters of ``goes_on``."""
    now = clock.now()
    return {
        "secret_hash": keyed_hash("session", secret),
        "now": now,
        "idle_since": _idle_since(now),
    }


WITH_ACCOUNT: Final = join(BrowserSession, Account, Account.id == BrowserSession.account_id)
_LIVE_SESSION: Final = Prepared(
    select(*columns(BrowserSession, SessionRow), *columns(Account, AccountRow))
    .select_from(WITH_ACCOUNT)
    .where(goes_on()),
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
    session = made(
        secret,
        now,
        device=device,
        account_id=account_id,
        auth_time=auth_time or now,
        auth_time_proved=auth_time_proved,
        link_id=link_id,
        amr=" ".join(amr),
        acr=acr,
        passkey_id=passkey_id,
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


def made(secret: str, now: datetime, **of_the_sign_in: Any) -> BrowserSession:
    """A new session of that secret, which lasts from now on; the caller adds it."""
    return BrowserSession(
        secret_hash=keyed_hash("session", secret),
        created_at=now,
        last_seen_at=now,
        expires_at=now + settings.current().session_absolute,
        **of_the_sign_in,
    )


def find(secret: str) -> SignedIn | None:
    """The live session of this secret, with its active guardian; one query."""
    signed_in = _LIVE_SESSION.one_or_none(**parameters_of(secret))
    return None if signed_in is None else seen(signed_in, secret)


def seen(signed_in: SignedIn, secret: str) -> SignedIn:
    """Note that the session of this secret was used, where that was not noted lately."""
    if signed_in.session.last_seen_at < clock.now() - TOUCH_EVERY:
        _touch(signed_in.session, secret)
    return signed_in


def find_left(secret: str) -> SignedIn | None:
    """The session of this secret that nobody has ended, though it may have run out: it opens
    nothing any more, and may be ended still.
    """
    row = db.session.execute(
        select(BrowserSession, Account)
        .join(Account, Account.id == BrowserSession.account_id)
        .where(
            BrowserSession.secret_hash == keyed_hash("session", secret),
            BrowserSession.ended_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else SignedIn(*row)


def is_left() -> ColumnElement[bool]:
    """Nobody has ended it, though it may have run out; a condition on ``BrowserSession``."""
    return BrowserSession.ended_at.is_(None)


def lock_left(session_id: str) -> BrowserSession | None:
    """The session, run out or not, which nobody ends before this transaction does; None where
    somebody has.
    """
    return db.session.scalars(
        select(BrowserSession)
        .where(BrowserSession.id == session_id, is_left())
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def is_live(session_id: str, account_id: str) -> bool:
    """Whether this is a session of the guardian's that has not ended, asked in a transaction."""
    row_id = db.session.scalar(
        select(BrowserSession.id).where(BrowserSession.id == session_id, *_lasts(account_id))
    )
    return row_id is not None


def live(account_id: str) -> list[BrowserSession]:
    """The guardian's live sessions, the last used first."""
    now = clock.now()
    return list(
        db.session.scalars(
            select(BrowserSession)
            .where(BrowserSession.account_id == account_id, _in_use(now, _idle_since(now)))
            .order_by(BrowserSession.last_seen_at.desc())
        )
    )


@dataclass(frozen=True)
class Listed:
    """A session as its owner sees it: in use, or the last one of a browser that stays signed in."""

    session: BrowserSession
    stays_until: datetime | None


def listed(account_id: str) -> list[Listed]:
    """Where the guardian is signed in, and stays signed in; the last used first."""
    now = clock.now()
    rows = db.session.execute(
        select(BrowserSession, PersistentLogin.expires_at)
        .outerjoin(
            PersistentLogin,
            and_(PersistentLogin.session_id == BrowserSession.id, PersistentLogin.expires_at > now),
        )
        .where(
            BrowserSession.account_id == account_id,
            is_left(),
            or_(_in_use(now, _idle_since(now)), PersistentLogin.id.is_not(None)),
        )
        .order_by(BrowserSession.last_seen_at.desc())
    )
    return [Listed(*row) for row in rows]


AuditDetail = Literal["each", "count", "none"]


@dataclass(frozen=True)
class Ended:
    """How many sessions ended, and whether that is to be told of any."""

    count: int
    heard: bool


def end(
    *which: ColumnElement[bool], at: datetime, heard: ColumnElement[bool], tell: AuditDetail
) -> Ended:
    """End those of these sessions that go on, in the caller's transaction.

    ``heard``: whether others are to be told of one; ``tell``: whether the audit log names each
    of them, or their number for each account.
    """
    with transaction() as writes:
        rows = writes.execute(
            update(BrowserSession)
            .where(*which, BrowserSession.ended_at.is_(None))
            .values(ended_at=at)
            .returning(BrowserSession.account_id, BrowserSession.id, heard)
            .execution_options(synchronize_session=False)
        ).all()
        ended = [(account_id, session_id) for account_id, session_id, _heard in rows]
        if ended and tell != "none":
            events.record_rows(_ended(ended, each=tell == "each"))
    return Ended(len(rows), any(row[2] for row in rows))


def _ended(rows: Sequence[tuple[str, str]], *, each: bool) -> list[dict[str, Any]]:
    if each:
        return [
            events.row("session_ended", account_id=owner, session_id=session_id)
            for owner, session_id in rows
        ]
    counts = Counter(owner for owner, _id in rows)
    return [
        events.row("session_ended", account_id=owner, count=count)
        for owner, count in counts.items()
    ]


def renew(session_id: str, *, account_id: str, **changes: Any) -> str | None:
    """Give a live session a new secret, with other changes; None where it has ended."""
    secret = secrets.token_urlsafe(32)
    with transaction() as writes:
        renewed = writes.execute(
            update(BrowserSession)
            .where(BrowserSession.id == session_id, *_lasts(account_id))
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
    delete_all(ChildChoice, ChildChoice.session_id == session_id)


def forget_children(*which: ColumnElement[bool]) -> int:
    """Forget choices, found by ``ChildChoice`` and their session; returns how many."""
    chosen = (
        select(ChildChoice.session_id, ChildChoice.school_id)
        .join(BrowserSession, BrowserSession.id == ChildChoice.session_id)
        .where(*which)
    )
    keys = tuple_(ChildChoice.session_id, ChildChoice.school_id)
    return delete_all(ChildChoice, keys.in_(chosen))


def is_in_use(session: BrowserSession) -> bool:
    """Whether the session still opens something, by what was read of it and what holds now."""
    idle_since = _idle_since(clock.now())
    return session.last_seen_at > idle_since and is_live(session.id, session.account_id)


def _touch(session: SessionRow, secret: str) -> None:
    hashed = keyed_hash("session", secret)
    # Under the newest key, where there are several
    anew = {"secret_hash": str(hashed)} if isinstance(hashed, hashes.Hashes) else {}
    update_all(
        BrowserSession,
        BrowserSession.id == session.id,
        BrowserSession.secret_hash == hashed,
        last_seen_at=clock.now(),
        **anew,
    )


def _lasts(account_id: str) -> tuple[ColumnElement[bool], ...]:
    """The guardian's sessions that have neither ended nor reached their end."""
    return (
        BrowserSession.account_id == account_id,
        BrowserSession.ended_at.is_(None),
        BrowserSession.expires_at > clock.now(),
    )
