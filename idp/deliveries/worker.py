"""The worker that tells applications: several at once, none of which the others wait for.

At least once: a crash between an application's answer and our commit tells it once more. That
does no harm: what has ended has ended.
"""

import logging
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from threading import Event, Lock
from time import monotonic
from typing import Final, Self, cast

from flask import Flask, current_app

from idp import correlation, heartbeat, measures, workers
from idp.deliveries import pauses, queue, sending, settling, strays
from idp.deliveries.queue import Claimed
from idp.deliveries.sending import Delivered, Fate, Later, NotSent, Outdated, Refused, Unregistered
from idp.workers import Round

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Applications that are told at one moment, or parts of what one is told: as many as may wait for
somebody else's server (``idp.outgoing.places``)."""
OF_ONE: Final = 2
"""Threads that tell one application, of the three that may wait for one host."""
PROBES: Final = 4
"""Threads that see whether an application is back: the others tell those that never were away."""
BATCH_SECONDS: Final = 10.0
STANDSTILL: Final = 60.0
"""Seconds."""
A_MOMENT: Final = timedelta(seconds=1)
"""Where too many wait for its host already."""


def work(stop: Event, pause: float = 1.0) -> None:
    """Tell applications until ``stop`` is set, looking every ``pause`` seconds.

    Outlives the database and every application. Needs an application context.
    """
    put_off = workers.Strays("things that applications are told", strays.bring_back, log)
    with Telling(stop) as telling:
        workers.work(stop, pause, telling.look, put_off, what="what applications are told", log=log)


def deliver_due() -> int:
    """Tell what is due now, one after the other; returns of how many the fate was found."""
    handled, empty = 0, set[str]()
    while (client_id := queue.next_client(empty)) is not None:
        if batch := queue.claim(client_id):
            handled += _deliver(batch, Event())
        else:  # another worker's
            empty.add(client_id)
    return handled


class Telling:
    """The threads of a worker, and which applications they are busy with."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._app = cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined]
        self._busy: Counter[str] = Counter()
        self._probing: set[str] = set()
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="telling")
        self._running: set[Future[None]] = set()
        self._moved = monotonic()
        """When a thread last began or ended something."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    def look(self) -> Round:
        """Give what is due to threads that have nothing to do; never waits for any of them."""
        started = 0
        empty = set[str]()
        while (taken := self._taken()) < AT_ONCE:
            may_probe = len(self._probing) < PROBES
            client_id = queue.next_client(self._occupied() | empty, spared_too=may_probe)
            if client_id is None:
                break
            batch = queue.claim(client_id)
            if not batch:  # another machine's
                empty.add(client_id)
                continue
            self._begin(client_id, probes=batch[0].probes)
            self._running.add(self._threads.submit(self._run, client_id, batch))
            self._moved = monotonic()
            started += 1
        heartbeat.set_silent(self._hangs())
        # All are taken: come back when one may be done, not at once
        return Round(handled=started if taken < AT_ONCE else 0)

    def finish(self) -> None:
        """Wait until all is done that was begun."""
        wait(self._running)

    def _run(self, client_id: str, batch: list[Claimed]) -> None:
        try:
            with self._app.app_context():
                # One batch, then whoever waits longest: a backlog of one delays no other
                _deliver(batch, self._stop)
        except Exception as error:  # noqa: BLE001 – what was claimed comes back after its lease
            log.error("an application could not be told: %s", type(error).__name__)
        finally:
            self._end(client_id)

    def _taken(self) -> int:
        running = {each for each in self._running if not each.done()}
        if running != self._running:
            self._running, self._moved = running, monotonic()
        return len(running)

    def _hangs(self) -> bool:
        """Whether all threads stand still for longer than a batch and an answer may take."""
        return self._taken() == AT_ONCE and monotonic() - self._moved > STANDSTILL

    def _occupied(self) -> set[str]:
        with self._lock:
            return {client_id for client_id, threads in self._busy.items() if threads >= OF_ONE}

    def _begin(self, client_id: str, *, probes: bool) -> None:
        with self._lock:
            self._busy[client_id] += 1
            if probes:
                self._probing.add(client_id)

    def _end(self, client_id: str) -> None:
        with self._lock:
            self._busy[client_id] -= 1
            if not self._busy[client_id]:
                del self._busy[client_id]
                self._probing.discard(client_id)


def _deliver(batch: list[Claimed], stop: Event) -> int:
    """Tell one application of several things, until it is to be spared; gives the rest back.
    Returns of how many the fate was found.
    """
    correlation.begin(actor="worker")
    until = monotonic() + BATCH_SECONDS
    fates = _Batch(batch[0])
    done, pause = len(batch), timedelta(0)
    for number, one in enumerate(batch):
        fate = NotSent() if stop.is_set() or monotonic() > until else _sent(one)
        if isinstance(fate, NotSent):
            done, pause = number, A_MOMENT
            fates.not_sent()
            break
        if fates.settle(one, fate):
            done = number + 1
            break
    settling.give_back(batch[done:], after=pause)
    fates.end()
    return done


class _Batch:
    """What became of a batch so far, and whether its application takes anything."""

    def __init__(self, first: Claimed) -> None:
        self._client_id = first.client.id
        self._probes = first.probes
        self._failing = first.failing
        self._takes = False
        self._spared_for: str | None = None
        self._delivered: dict[str, list[Claimed]] = {}

    def settle(self, one: Claimed, fate: Fate) -> bool:
        """Note a fate; returns whether the application is to be spared from now on."""
        measures.delivery(type(fate).__name__.lower())
        match fate:
            case Delivered(answer):
                self._takes = True
                self._delivered.setdefault(answer, []).append(one)
                return False
            case Refused(answer):
                self._takes = True
                settling.ended(one, "refused", answer)
            case Later(answer, away):
                return self._later(one, answer, away)
            case Unregistered():
                settling.ended(one, "dropped", "not registered for it any more")
            case Outdated():
                settling.ended(one, "outdated", "it has got a token since")
        _log(one, fate)
        return False

    def _later(self, one: Claimed, answer: str, away: bool) -> bool:
        settling.put_back(one, answer, away=away)
        spared = pauses.failed(self._client_id, away=away, anew=self._takes, probes=self._probes)
        self._failing, self._takes = True, False
        self._spared_for = answer if spared else None
        _log(one, Later(answer, away))
        return spared

    def not_sent(self) -> None:
        """We were too busy, or are about to stop."""
        if self._probes and self._failing and not self._takes:
            pauses.not_tried(self._client_id, A_MOMENT)

    def end(self) -> None:
        """Note what was taken over, all of it at once."""
        for answer, these in self._delivered.items():
            settling.mark_delivered(these, answer)
            for one in these:
                log.info("delivery %s (%s): told, %s", one.row.id, one.row.event, answer)
        if self._takes and self._failing:
            pauses.took_something(self._client_id)
        if self._spared_for is not None:
            settling.give_up_old(self._client_id, self._spared_for)


def _sent(one: Claimed) -> Fate:
    try:
        return sending.send(one)
    except Exception as error:  # noqa: BLE001 – one bad row must not hold up all others
        kind = type(error).__name__  # its text may name a person (rule L1)
        log.error("delivery %s can't be written: %s", one.row.id, kind)
        return Later(f"can't be written: {kind}", away=False)


def _log(one: Claimed, fate: Fate) -> None:
    log.info("delivery %s (%s): %s", one.row.id, one.row.event, type(fate).__name__.lower())
