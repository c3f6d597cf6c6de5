"""Forms that were sent: each once, however often the button was pressed (security rule N5).

A page's forms carry a random key. Whoever claims it first does the act; its answer is kept, sealed,
for an equal form that comes after it, or at the same time in another worker. With it may be kept
what was typed, for the page that shows it again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects import postgresql, sqlite

from idp import clock
from idp.database import db, delete_all, hashes, keyed_hash, opaque_id, transaction, update_all
from idp.sessions import sealing
from idp.sessions.models import FormSubmission

KEPT: Final = timedelta(hours=1)
"""How long an answer, and what was typed, may be asked for again."""
ABANDONED: Final = timedelta(minutes=2)
"""After so long nobody is at work on a claimed form any more: its worker has died."""
MOST: Final = 50
"""Rows that are over and leave when another comes in: the table does not wait for the purge."""


@dataclass(frozen=True)
class Seen:
    """A form that came before; ``answer`` is None while somebody is at work on it."""

    id: str
    created_at: datetime
    answer: dict[str, Any] | None

    @property
    def is_abandoned(self) -> bool:
        return self.answer is None and self.created_at < clock.now() - ABANDONED


@dataclass(frozen=True)
class Kept:
    """What is kept of a form that was sent: its answer, and what was typed into it."""

    answer: dict[str, Any] | None
    typed: dict[str, Any] | None


def claim(key: str, browser: str) -> str | None:
    """The id under which the caller does what this form asks: for exactly one caller."""
    now, made = clock.now(), opaque_id("f")()
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[db.engine.dialect.name]
    row = {
        "id": made,
        "key_hash": _key_hash(key),
        "browser_hash": browser_hash(browser),
        "created_at": now,
        "expires_at": now + KEPT,
    }
    with transaction() as writes:
        _make_room(now)
        if _came_before(key):
            return None
        statement = dialect.insert(FormSubmission).values(row).on_conflict_do_nothing()
        # Not rowcount: for an INSERT it is -1 on PostgreSQL, whether a row came in or not
        inserted = writes.execute(statement.returning(FormSubmission.id)).first()
    return made if inserted else None


def find(key: str, browser: str) -> Seen | None:
    """The form of this key that came before; None where its claim was given back."""
    row = db.session.execute(
        select(FormSubmission.id, FormSubmission.created_at, FormSubmission.answer).where(
            FormSubmission.key_hash == _key_hash(key)
        )
    ).one_or_none()
    if row is None:
        return None
    answer = sealing.opened("form answer", row.id, browser, row.answer)
    return Seen(row.id, row.created_at, answer)


def claim_again(seen: Seen) -> bool:
    """Claim a form whose answer no longer counts: true for exactly one caller."""
    now = clock.now()
    return bool(
        update_all(
            FormSubmission,
            FormSubmission.id == seen.id,
            FormSubmission.created_at == seen.created_at,
            answer=None,
            typed=None,
            created_at=now,
            expires_at=now + KEPT,
        )
    )


def answered(
    claimed: str,
    browser: str,
    answer: dict[str, Any],
    *,
    typed: dict[str, Any] | None = None,
    kept: timedelta = KEPT,
) -> None:
    """Keep the answer, and what was typed, for ``kept``."""
    update_all(
        FormSubmission,
        FormSubmission.id == claimed,
        answer=sealing.seal("form answer", claimed, browser, answer),
        typed=typed and sealing.seal("typed", claimed, browser, typed),
        expires_at=clock.now() + kept,
    )


def give_back(claimed: str) -> None:
    """Nothing was done, or nothing that an equal form should get too: the next one is judged."""
    delete_all(FormSubmission, FormSubmission.id == claimed)


def kept(submission_id: str, browser: str) -> Kept | None:
    """What is kept of this form, for the browser that sent it."""
    row = db.session.execute(
        select(FormSubmission.answer, FormSubmission.typed).where(
            FormSubmission.id == submission_id,
            FormSubmission.browser_hash == browser_hash(browser),
            FormSubmission.expires_at > clock.now(),
        )
    ).one_or_none()
    if row is None:
        return None
    return Kept(
        sealing.opened("form answer", submission_id, browser, row.answer),
        sealing.opened("typed", submission_id, browser, row.typed),
    )


def forget(*which: ColumnElement[bool]) -> int:
    """Forget these answers, which are kept for whoever has sent their forms."""
    return delete_all(FormSubmission, *which, FormSubmission.answer.is_not(None))


def _make_room(now: datetime) -> None:
    # Two that make room at once pass over each other's rows
    over = (
        select(FormSubmission.id)
        .where(FormSubmission.expires_at < now)
        .limit(MOST)
        .with_for_update(skip_locked=True)
    )
    if ids := db.session.scalars(over).all():
        delete_all(FormSubmission, FormSubmission.id.in_(ids))


def _came_before(key: str) -> bool:
    """Whether an equal form came while another of our hash keys was the newest."""
    hashed = _key_hash(key)
    if not isinstance(hashed, hashes.Hashes):
        return False
    former = FormSubmission.key_hash.in_(hashed.former)
    return db.session.scalar(select(FormSubmission.id).where(former).limit(1)) is not None


def _key_hash(key: str) -> str:
    return keyed_hash("form", key)


def browser_hash(browser: str) -> str:
    """What is stored of the browser that something belongs to."""
    return keyed_hash("browser", browser)
