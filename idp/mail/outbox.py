"""The durable outbox: mail leaves the request path as a row and waits here for the worker.

A row says what is to be told to whom, by ids. Words and tokens are made when it is sent, so
that no backup of this table opens an account (security rule P6).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, func, or_, select, update

from idp import clock, settings
from idp.audit import events
from idp.database import db, keyed_hash, opaque_id, release_connection, transaction, update_all
from idp.mail import answers
from idp.mail.kinds import ANYBODY_ASKS
from idp.mail.messages import clean
from idp.mail.models import OutboxMessage
from idp.people.models import Account, locked
from idp.workers import growing_pause

LEASE = timedelta(minutes=5)
"""How long a worker has a message for itself: longer than any SMTP dialogue with our timeouts.
After a crash another worker takes the message when this is over."""

FIRST_PAUSE = timedelta(seconds=4)
"""Short: a server that closed its connections to restart is back before somebody asks where their
mail is."""
LONGEST_PAUSE = timedelta(hours=1)
ABANDONED: Final = "given up after"
GIVE_UP_AFTER = timedelta(days=3)  # RFC 5321 §4.5.4.1 asks for four to five days or less
OVER_AT_ONCE = 20
ANSWER_LENGTH = 200
_WHILE_IT_WAITS: Final = {"email", "left"}
"""What a message is about, and nobody needs once its fate is known."""


@dataclass(frozen=True)
class Claim:
    """A message that a worker has for itself, and when it was due before that."""

    message: OutboxMessage
    was_due: datetime
    has_waited: bool
    """Whether the mail server was away when it was due, or it was tried before."""


def enqueue(
    kind: str, *, account_id: str | None = None, about: dict[str, Any] | None = None
) -> OutboxMessage:
    """Add a message in the caller's transaction, or in one of its own.

    ``kind`` names its composer; ``about`` holds ids and codes. ``about["email"]``, the key of
    an address that somebody typed, is the one exception: it is removed once resolved.
    """
    about, now = dict(about or {}), clock.now()
    with transaction() as session:
        message = OutboxMessage(
            id=opaque_id("m")(),
            kind=kind,
            account_id=account_id,
            about=about,
            recipient_hash=_recipient_hash(account_id, about),
            status="queued",
            attempts=0,
            created_at=now,
            due_at=now,
        )
        session.add(message)  # several go in together, so that nothing is left to defaults
    return message


def any_due() -> bool:
    """Whether a message is due. Asked before any is claimed, as nothing is locked by it: an idle
    worker must not take SQLite's only write lock each second.
    """
    due = db.session.scalar(select(OutboxMessage.id).where(*_due()).limit(1))
    release_connection()
    return due is not None


def claim_due(limit: int = 1) -> list[Claim]:
    """Claim messages that are due, oldest first: no other worker gets them for ``LEASE``.

    Until one is told of it has no answer: by that ``strays`` knows what may be on its way.
    """
    now = clock.now()
    with transaction() as session:
        messages = list(
            session.scalars(
                select(OutboxMessage)
                .where(*_due())
                .order_by(OutboxMessage.due_at, OutboxMessage.created_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
                .execution_options(populate_existing=True)
            )
        )
        claims = [_claimed(message) for message in messages]
        for message in messages:
            message.due_at = now + LEASE
            message.attempts += 1
            message.answer = message.meaning = None
    return claims


def _claimed(message: OutboxMessage) -> Claim:
    has_waited = message.attempts > 0 or message.answer is not None
    return Claim(message, message.due_at, has_waited)


def reason_to_drop(claim: Claim) -> str | None:
    """Why a message that anybody could ask for is not sent, or None if it is to be sent."""
    message = claim.message
    if message.kind not in ANYBODY_ASKS or message.recipient_hash is None:
        return None
    if _earlier_in_the_hour(message) >= settings.current().mail_per_address:
        return "too many for one address in an hour"
    # What piled up while the mail server was away goes out once, not four times an hour.
    if claim.has_waited and _later_waiting(message):
        return "a later one waits"
    return None


def sent(message: OutboxMessage) -> None:
    """Note that the mail server took the message over."""
    with transaction():
        if _finish(message, "sent", None, fenced=False):
            events.record("mail_sent", account_id=message.account_id, **_facts(message))


def refused(message: OutboxMessage, answer: str) -> None:
    """Note that the mail server will not take the message, with what it said."""
    with transaction():
        if _finish(message, "refused", answer):
            account_id = message.account_id
            events.record(
                "mail_refused", result="refused", account_id=account_id, **_facts(message)
            )


def dropped(message: OutboxMessage, reason: str) -> None:
    """Note that there is nothing to send, and why."""
    with transaction():
        _finish(message, "dropped", reason)


def drop(reason: str, *which: ColumnElement[bool]) -> int:
    """Drop those of these messages that wait, in the caller's transaction; returns how many."""
    values = {"status": "dropped", "finished_at": clock.now(), **_answered(reason)}
    return update_all(OutboxMessage, *which, OutboxMessage.status == "queued", **values)


def put_back(message: OutboxMessage, answer: str, *, left: Collection[str] = ()) -> None:
    """Queue the message again, with a growing pause; after three days it counts as refused.

    ``left``: the accounts whose mail has left all the same (``has_left``).
    """
    now = clock.now()
    if now - message.created_at > GIVE_UP_AFTER:
        _give_up(message, answer)
        return
    pause = growing_pause(FIRST_PAUSE, message.attempts, LONGEST_PAUSE)
    about = dict(message.about)
    if left:
        about["left"] = sorted({*about.get("left", ()), *left})
    with transaction():
        _change(message, fenced=True, due_at=now + pause, about=about, **_answered(answer))


def give_back(claim: Claim, answer: str) -> None:
    """Undo the claim: the mail server is away, and the message has waited since it was due."""
    fewer = claim.message.attempts - 1
    values = {"due_at": claim.was_due, "attempts": fewer, **_answered(answer)}
    with transaction():
        _change(claim.message, fenced=True, **values)


def has_left(message: OutboxMessage, account_id: str | None = None) -> bool:
    """Whether this account's mail of the message has left already, or anybody's."""
    left = message.about.get("left", ())
    return bool(left) if account_id is None else account_id in left


def wait_for_server(answer: str) -> None:
    """Note why what is due waits: the mail server is away. Nobody's attempt is spent on it.

    What has waited for three days counts as refused; a few at each call.
    """
    now = clock.now()
    update_all(OutboxMessage, *_due(), OutboxMessage.answer.is_(None), **_answered(answer))
    long_ago = OutboxMessage.created_at < now - GIVE_UP_AFTER
    over = select(OutboxMessage).where(*_due(), long_ago).limit(OVER_AT_ONCE)
    for message in db.session.scalars(over).all():
        _give_up(message, answer)


def list_messages(
    *, status: str | None = None, account_id: str | None = None, limit: int = 100
) -> list[OutboxMessage]:
    """The newest messages first, for the manager who asks what became of a mail."""
    query = select(OutboxMessage).order_by(OutboxMessage.created_at.desc(), OutboxMessage.id)
    if status is not None:
        query = query.where(OutboxMessage.status == status)
    if account_id is not None:
        query = query.where(OutboxMessage.account_id == account_id)
    return list(db.session.scalars(query.limit(limit)))


def _due() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return OutboxMessage.status == "queued", OutboxMessage.due_at <= clock.now()


def _give_up(message: OutboxMessage, answer: str) -> None:
    refused(message, f"{ABANDONED} {message.attempts} attempts: {answer}")


def _recipient_hash(account_id: str | None, about: dict[str, Any]) -> str | None:
    key = about.get("email")
    if key is None and account_id is not None:
        account = locked(account_id)
        query = select(Account.email_key).where(Account.id == account_id)
        key = db.session.scalar(query) if account is None else account.email_key
    return None if key is None else keyed_hash("mail recipient", key)


def _earlier_in_the_hour(message: OutboxMessage) -> int:
    """How many mails to the same address come before this one.

    Counted by the order in which they were asked for, so that workers side by side agree.
    """
    before = or_(
        OutboxMessage.created_at < message.created_at,
        (OutboxMessage.created_at == message.created_at) & (OutboxMessage.id < message.id),
    )
    count: int | None = db.session.scalar(
        select(func.count())
        .select_from(OutboxMessage)
        .where(
            OutboxMessage.recipient_hash == message.recipient_hash,
            OutboxMessage.kind.in_(ANYBODY_ASKS),
            OutboxMessage.status != "dropped",
            OutboxMessage.created_at > message.created_at - timedelta(hours=1),
            before,
        )
    )
    release_connection()
    return count or 0


def _later_waiting(message: OutboxMessage) -> bool:
    later = db.session.scalar(
        select(OutboxMessage.id)
        .where(
            OutboxMessage.recipient_hash == message.recipient_hash,
            OutboxMessage.kind == message.kind,
            OutboxMessage.status == "queued",
            OutboxMessage.created_at > message.created_at,
        )
        .limit(1)
    )
    release_connection()
    return later is not None


def _finish(
    message: OutboxMessage, status: str, answer: str | None, *, fenced: bool = True
) -> bool:
    about = {name: value for name, value in message.about.items() if name not in _WHILE_IT_WAITS}
    return _change(
        message,
        fenced=fenced,
        status=status,
        **_answered(answer),
        about=about,
        finished_at=clock.now(),
    )


def _change(message: OutboxMessage, *, fenced: bool, **values: Any) -> bool:
    """Write the outcome unless the message is finished, or (``fenced``) taken by another worker."""
    statement = update(OutboxMessage).where(
        OutboxMessage.id == message.id, OutboxMessage.status == "queued"
    )
    if fenced:
        statement = statement.where(OutboxMessage.attempts == message.attempts)
    with transaction() as session:
        changed: int = session.execute(statement.values(**values)).rowcount
    return changed == 1


def _answered(answer: str | None) -> dict[str, str | None]:
    """The columns of an answer: its text, and what it means."""
    if answer is None:
        return {"answer": None, "meaning": None}
    kept = clean(answer)[:ANSWER_LENGTH]
    return {"answer": kept, "meaning": answers.meaning(kept)}


def _facts(message: OutboxMessage) -> dict[str, Any]:
    return {"outbox_id": message.id, "kind": message.kind, "attempts": message.attempts}
