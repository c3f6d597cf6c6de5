"""The worker that tells applications: several at once, none of which the others wait for.

At least once: a crash between an application's answer and our commit tells it once more. That
does no harm: what has ended has ended.
"""

import logging
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Lock
from time import monotonic
from typing import Final, Self, cast

from flask import Flask, current_app

from idp import correlation, workers
from idp.deliveries import queue, sending
from idp.deliveries.queue import BATCH, FIRST_PAUSE, Claimed
from idp.deliveries.sending import Delivered, Fate, Later, NotSent, Refused, Unregistered
from idp.workers import Round

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Applications that are told at one moment, or parts of what one is told: as many as may wait for
somebody else's server (``idp.outgoing.places``)."""
OF_ONE: Final = 2
"""Threads that tell one application, of the three that may wait for one host, where others may be;
one, once it has not answered."""
BATCH_SECONDS: Final = 10.0
A_MOMENT: Final = timedelta(seconds=1)
"""Where too many wait for its host already."""


def work(stop: Event, pause: float = 1.0) -> None:
    """Tell applications until ``stop`` is set, looking every ``pause`` seconds.

    Outlives the database and every application. Needs an application context.
    """
    with Telling(stop) as telling:
        workers.work(stop, pause, telling.look, what="what applications are told", log=log)


def deliver_due() -> int:
    """Tell what is due now, one after the other; returns of how many the fate was found."""
    handled, seen = 0, set[str]()
    while (client_id := queue.next_client(seen)) is not None:
        batch = queue.claim(client_id)
        done = _deliver(batch, Event())
        handled += done.handled
        if len(batch) < BATCH or done.away:
            seen.add(client_id)
    return handled


class Telling:
    """The threads of a worker, and which applications they are busy with."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._app = cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined]
        self._busy: Counter[str] = Counter()
        self._away: set[str] = set()
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="telling")
        self._running: set[Future[None]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    def look(self) -> Round:
        """Give what is due to threads that have nothing to do; never waits for any of them."""
        started = 0
        empty = set[str]()
        while (taken := self._taken()) < AT_ONCE:
            client_id = queue.next_client(self._occupied() | empty)
            if client_id is None:
                break
            batch = queue.claim(client_id)
            if not batch:  # another machine's
                empty.add(client_id)
                continue
            self._count(client_id, 1)
            self._running.add(self._threads.submit(self._run, client_id, batch))
            started += 1
        # All are taken: come back when one may be done, not at once
        return Round(handled=started if taken < AT_ONCE else 0)

    def finish(self) -> None:
        """Wait until all is done that was begun."""
        wait(self._running)

    def _run(self, client_id: str, batch: list[Claimed]) -> None:
        try:
            with self._app.app_context():
                # One batch, then whoever waits longest: a backlog of one delays no other
                self._note(client_id, away=_deliver(batch, self._stop).away)
        except Exception as error:  # noqa: BLE001 – what was claimed comes back after its lease
            log.error("an application could not be told: %s", type(error).__name__)
        finally:
            self._count(client_id, -1)

    def _taken(self) -> int:
        self._running = {each for each in self._running if not each.done()}
        return len(self._running)

    def _occupied(self) -> set[str]:
        with self._lock:
            return {
                client_id
                for client_id, threads in self._busy.items()
                if threads >= (1 if client_id in self._away else OF_ONE)
            }

    def _count(self, client_id: str, more: int) -> None:
        with self._lock:
            self._busy[client_id] += more
            if not self._busy[client_id]:
                del self._busy[client_id]

    def _note(self, client_id: str, *, away: bool) -> None:
        with self._lock:
            (self._away.add if away else self._away.discard)(client_id)


@dataclass(frozen=True)
class _Done:
    """Of how many the fate was found, and whether the application answers at all."""

    handled: int
    away: bool = False


def _deliver(batch: list[Claimed], stop: Event) -> _Done:
    """Tell one application of several things, until it does not answer; gives the rest back."""
    correlation.begin(actor="worker")
    until = monotonic() + BATCH_SECONDS
    taken: dict[str, list[Claimed]] = {}
    done, pause = _Done(len(batch)), A_MOMENT
    for number, one in enumerate(batch):
        fate = NotSent() if stop.is_set() or monotonic() > until else _sent(one)
        if isinstance(fate, NotSent):
            done, pause = _Done(number), A_MOMENT
            break
        if isinstance(fate, Delivered):
            taken.setdefault(fate.answer, []).append(one)
        else:
            _settle(one, fate)
        if isinstance(fate, Later) and fate.away:
            done, pause = _Done(number + 1, away=True), FIRST_PAUSE
            break
    _settle_told(taken)
    queue.give_back(batch[done.handled :], after=pause)
    return done


def _sent(one: Claimed) -> Fate:
    try:
        return sending.send(one)
    except Exception as error:  # noqa: BLE001 – one bad row must not hold up all others
        kind = type(error).__name__  # its text may name a person (rule L1)
        log.error("delivery %s can't be written: %s", one.row.id, kind)
        return Later(f"can't be written: {kind}", away=False)


def _settle(one: Claimed, fate: Fate) -> None:
    match fate:
        case Refused(answer):
            queue.ended(one, "refused", answer)
        case Later(answer, away):
            queue.put_back(one, answer)
            if away:
                queue.spare(one.row.client_id)
        case Unregistered():
            queue.ended(one, "dropped", "not registered for it any more")
    log.info("delivery %s (%s): %s", one.row.id, one.row.event, type(fate).__name__.lower())


def _settle_told(taken: dict[str, list[Claimed]]) -> None:
    for answer, these in taken.items():
        queue.mark_delivered(these, answer)
        for one in these:
            log.info("delivery %s (%s): told, %s", one.row.id, one.row.event, answer)
