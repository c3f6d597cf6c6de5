"""Visitors who come as long as something breaks: a bounded load, on many threads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Thread
from time import monotonic, sleep

from tests.faults.changes import ADDRESSES, Changing
from tests.faults.changes import KINDS as CHANGES
from tests.faults.door import Answers, Door, Trouble
from tests.faults.household import Household
from tests.faults.visits import SESSION, Application, Browser, Done, Visit
from tests.security.outages import eventually

KINDS = frozenset({"way in", "sign-in", "code", "ID token", "refresh", "UserInfo", "home"})
DESK = "desk"
PAUSE = 0.25
"""Seconds between two acts of a visitor: the load is bounded, so that what starts anew meanwhile
has a part of two cores.
"""
QUIET = 2.0
"""Seconds without a failure after which things go well again."""


class Traffic:
    """Three parents who sign in, one who stays, two who change something, and a secretary who looks
    and corrects, again and again.

    ``desk``: whether the secretary comes. She has signed in once, and does so no more.
    ``balancer``: whether one asks if the machine is ready.
    """

    def __init__(
        self, door: Door, household: Household, *, desk: bool = True, balancer: bool = False
    ) -> None:
        self._door, self._household = door, household
        self._changing = Changing(door, household.movers, household.changes)
        self._acts = [self._sign_in, self._sign_in, self._sign_in, self._stay]
        self._acts += [self._change_password, self._consent]
        self._acts += [self._look_at_the_desk, self._correct] if desk else []
        self._acts += [self._balance] if balancer else []
        self.kinds = KINDS | CHANGES | ({DESK, ADDRESSES} if desk else set())
        self._parents = cycle(household.parents)
        self._end = Event()
        self.done = Done()
        self.application = Application(door, household.application, self.done)
        self.secretary = household.secretary
        """The secret of her session: whoever breaks it gives her another one."""
        self.mended_at = 0.0
        """When what was gone was started again, or given room: as people count."""
        self.over_at = 0.0
        """When it answered: from here on ours is the time that goes by."""

    @property
    def answers(self) -> Answers:
        return self._door.answers

    @contextmanager
    def coming(self) -> Iterator[None]:
        """They come for as long as the block lasts; all had been there before it begins."""
        coming = [Thread(target=self._again_and_again, args=(act,)) for act in self._acts]
        for each in coming:
            each.start()
        try:
            assert eventually(lambda: self.answers.kinds() >= self.kinds, 30), self.answers.failed()
            yield
        finally:
            self._end.set()
            for each in coming:
                each.join()

    @contextmanager
    def mending(self) -> Iterator[None]:
        """What was gone comes again: the block starts it, and ends when it answers."""
        self.mended_at = monotonic()
        yield
        self.cause_is_gone()

    def cause_is_gone(self) -> None:
        """From here on it is counted how long it takes until nothing fails."""
        self.over_at = monotonic()
        self.mended_at = self.mended_at or self.over_at

    def go_well(self, seconds: float = 20) -> bool:
        """Whether each kind of request succeeds again, and none fails any more."""

        def well() -> bool:
            since = self.answers.last_failure(self.over_at)
            return monotonic() > since + QUIET and self.answers.kinds(since) >= self.kinds

        return eventually(well, seconds)

    @property
    def recovered_within(self) -> float:
        """Seconds; 0 where nothing was to pass."""
        return self.answers.last_failure(self.over_at) - self.over_at if self.over_at else 0.0

    @property
    def failed_until(self) -> float:
        """Seconds from when it was mended to the last failure."""
        return self.answers.last_failure(self.mended_at) - self.mended_at if self.over_at else 0.0

    # Who comes

    def _again_and_again(self, act: Callable[[], None]) -> None:
        while not self._end.is_set():
            try:
                act()
            except Trouble:
                sleep(2 * PAUSE)
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody got what they came for
                self.answers.note("visit", f"{type(error).__name__}: {error}".splitlines()[0][:200])
                sleep(2 * PAUSE)

    def _sign_in(self) -> None:
        visit = Visit(self._door, self.application, self.done)
        visit.sign_in(next(self._parents))
        for step in (visit.look_in, visit.come_again, visit.look_in):
            self._end.wait(PAUSE)
            step()
        visit.leave()
        self._end.wait(PAUSE)

    def _stay(self) -> None:
        """An application that refreshes for the same parent; it asks again if it has to."""
        visit = Visit(self._door, self.application, self.done)
        visit.sign_in(next(self._parents))
        token = visit.tokens["refresh_token"]
        while not self._end.wait(PAUSE):
            try:
                token = self.application.refresh(token)["refresh_token"]
            except Trouble as trouble:
                if trouble.is_refusal:
                    raise
                sleep(2 * PAUSE)
        self.done.ends.append(token)

    def _balance(self) -> None:
        self._door.ask("balancer", "GET", "/health/ready")
        self._end.wait(PAUSE)

    def _change_password(self) -> None:
        self._changing.change_password()
        self._end.wait(3 * PAUSE)

    def _consent(self) -> None:
        self._changing.consent()
        self._end.wait(3 * PAUSE)

    def _correct(self) -> None:
        self._changing.correct_address(self.secretary)
        self._end.wait(3 * PAUSE)

    def _look_at_the_desk(self) -> None:
        browser = Browser(self._door, **{SESSION: self.secretary})
        browser.open(DESK, f"/admin/people?school={self._household.school_id}")
        assert "3B" in browser.page, browser.page[:500]
        self._end.wait(3 * PAUSE)
