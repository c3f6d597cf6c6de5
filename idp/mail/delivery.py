"""The mail worker: takes what is due from the outbox, has it written, and sends it.

At least once (security rule M3): a crash between the mail server's « 250 » and our commit
sends one more mail. That does no harm: the tokens of one outbox row all work until one is spent.
"""

import logging
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from threading import Event
from types import UnionType

from flask import Flask
from sqlalchemy.exc import InterfaceError, OperationalError

from idp import clock, correlation, measures, workers
from idp.database import retried, transaction
from idp.mail import outbox, smtp, strays
from idp.mail.messages import Message
from idp.mail.models import OutboxMessage
from idp.mail.outbox import Claim
from idp.mail.smtp import Deferred, Lost, Outcome, Post, Refused, Sent, ServerAway
from idp.workers import Round

log = logging.getLogger(__name__)

Composer = Callable[[OutboxMessage], list[Message]]
Withdrawal = Callable[[str, datetime, Collection[str] | None], None]

composers: dict[str, Composer] = {}
"""Who writes each kind of message: ``lifecycle.mails.tokens.register`` fills it.
A composer runs inside a transaction; an empty list means that there is nobody to write to."""

withdrawals: list[Withdrawal] = []
"""Called with an outbox id and an instant when a mail is *known* not to have left: whatever
was minted for it since then is in nobody's hands and ends; of these accounts only, where the
mail of others has left."""

AWAY_WAIT = 4.0
"""Seconds between two looks for a mail server that is away, at most: a look opens one connection,
takes no message, and what waits has left within ten seconds after the server is back, or a minute
where it was there and refused us for good."""
REFUSED_WAIT = 60.0
"""The same of a server that is there and refuses us: whoever comes with a wrong password each few
seconds is soon let in no more."""


def init_app(app: Flask) -> None:
    """Configure the way to the mail server; part of ``create_app``."""
    smtp.init_app(app)


def deliver_due(limit: int = 20) -> int:
    """Deliver what is due, ``limit`` messages at most; returns how many found their fate.

    Stops early where the mail server can't be reached.
    """
    return _round(limit).handled


def work(stop: Event, pause: float = 1.0) -> None:
    """Deliver until ``stop`` is set, looking every ``pause`` seconds.

    Outlives the database and the mail server: says so once, waits longer each time, and goes
    on by itself. Needs an application context.
    """
    put_off = workers.Strays("mails", strays.bring_back, log)
    workers.work(stop, pause, partial(_round, 20), put_off, what="mail", log=log)


def _round(limit: int) -> Round:
    handled = 0
    with Post() as post:
        try:
            # One at a time: a message waits for no other, so its lease can't run out in a batch.
            while handled < limit and outbox.any_due():
                # Before a message is taken, which has its attempts for itself, and before
                # anything is minted: a token that can't leave would end the one in use
                post.open()
                taken = outbox.claim_due(1)
                if not taken:
                    break
                _deliver(taken[0], post)
                handled += 1
        except ServerAway as away:
            outbox.wait_for_server(away.answer)
            return Round(
                handled,
                post.was_opened,
                f"mail server: {away.answer}",
                away=True,
                longest_wait=REFUSED_WAIT if away.is_refusal else AWAY_WAIT,
            )
        return Round(handled, post.was_opened)


def _deliver(claim: Claim, post: Post) -> None:
    correlation.begin(actor="worker")
    started = clock.now()
    try:
        _send(claim, post, started)
    except ServerAway as away:
        _withdraw(claim.message, started)
        outbox.give_back(claim, away.answer)
        raise


def _send(claim: Claim, post: Post, started: datetime) -> None:
    message = claim.message
    if reason := outbox.reason_to_drop(claim):
        outbox.dropped(message, reason)
        log.info("mail %s (%s) dropped: %s", message.id, message.kind, reason)
        return
    letters = _written(message)
    if letters is None:
        return
    if not letters and outbox.has_left(message):
        outbox.sent(message)  # and who is missing has no account or no address any more
        return
    if not letters:
        outbox.dropped(message, "nobody to write to")
        log.info("mail %s (%s) dropped: nobody to write to", message.id, message.kind)
        return
    _settle(message, letters, _outcomes(message, letters, post), started)


def _outcomes(message: OutboxMessage, letters: list[Message], post: Post) -> list[Outcome]:
    """Send what one row leads to. Raises ``ServerAway`` where the server has answered nothing.

    Later on that is a matter of the letter: what has left has left, and is not sent again with
    the rest. The next message finds the server away.
    """
    outcomes: list[Outcome] = []
    for number, letter in enumerate(letters):
        try:
            outcomes.append(post.send(letter, f"{message.id}.{message.attempts}.{number}"))
        except ServerAway as away:
            if not outcomes:
                raise
            outcomes.append(Deferred(away.answer))
    return outcomes


def _written(message: OutboxMessage) -> list[Message] | None:
    try:
        return _composed(message)
    except (OperationalError, InterfaceError):
        raise  # the database is away; the message comes back when its lease is over
    except Exception as error:  # noqa: BLE001 – one bad row must not hold up all others
        # The text of the error may name a person (rule L1); its type does not.
        kind = type(error).__name__
        log.error("mail %s (%s) can't be written: %s", message.id, message.kind, kind)
        outbox.put_back(message, f"can't be written: {kind}")
        return None


@retried
def _composed(message: OutboxMessage) -> list[Message]:
    with transaction() as session:
        session.expire_all()  # a worker runs for weeks: addresses and names may have changed
        session.refresh(message)
        letters = composers[message.kind](message)
        session.refresh(message)
    return letters


def _settle(
    message: OutboxMessage, letters: list[Message], outcomes: list[Outcome], started: datetime
) -> None:
    worst = min(outcomes, key=lambda outcome: _GRAVITY.index(type(outcome)))
    sent = _accounts(letters, outcomes, Sent)
    if not any(isinstance(outcome, Sent | Lost) for outcome in outcomes):
        _withdraw(message, started)
    elif stayed := _accounts(letters, outcomes, Deferred | Refused):
        _withdraw(message, started, stayed)
    match worst:
        case Lost(answer) | Deferred(answer):
            outbox.put_back(message, answer, left=sent)
        case Refused(answer):
            outbox.refused(message, answer)
        case Sent():
            outbox.sent(message)
    fate = type(worst).__name__.lower()
    measures.mail(fate)
    log.info("mail %s (%s) %s at attempt %d", message.id, message.kind, fate, message.attempts)


_GRAVITY = (Lost, Deferred, Refused, Sent)
"""Where one row leads to several mails, the first of these outcomes decides."""


def _accounts(letters: list[Message], outcomes: list[Outcome], fate: UnionType | type) -> set[str]:
    """Whose letters came to this."""
    each = zip(letters, outcomes, strict=True)
    return {
        account
        for letter, outcome in each
        if isinstance(outcome, fate)
        for account in letter.accounts
    }


def _withdraw(
    message: OutboxMessage, since: datetime, accounts: Collection[str] | None = None
) -> None:
    with transaction():
        for withdrawal in withdrawals:
            withdrawal(message.id, since, accounts)
