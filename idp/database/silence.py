"""A PostgreSQL that went silent: nobody waits for it for ever.

A statement that takes long and a server that stands still look alike to whoever waits. So after
``PATIENCE`` we knock at the same door once more: where nobody opens either, the connection is
given up as a lost one is (security rule R2), else the waiting goes on. A network that is gone
is also told by TCP (``REACHED``), which sees no server that a running machine has stopped.

This module is imported where there is a PostgreSQL.
"""

import os
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import cache, partial
from threading import Lock
from time import monotonic
from typing import Any, Final, Self

import psycopg

PATIENCE: Final = 5.0
"""Seconds of waiting for an answer, and between two knocks."""
KNOCKING: Final = 4
"""Seconds that the door has to be opened in."""
REMEMBERED: Final = 1.0
"""Seconds for which whoever comes to a door that nobody has opened does not wait as long again: a
request asks the database several times, and its visitor waits for all of them."""
HASTE: Final = 0.5
"""Seconds of waiting for an answer meanwhile."""


class Connection(psycopg.Connection[Any]):
    """One whose waiting ends where the server has gone silent."""

    _door: "_Door" = ("", "")
    _knock: Callable[[], Any]

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Open one; it remembers the door, of the several that an address may name."""
        wanted = str(kwargs.get("host") or ""), str(kwargs.get("port") or "")
        if _doors().is_silent(wanted):
            raise psycopg.OperationalError("the database has gone silent")
        try:
            made = super().connect(conninfo, **kwargs)
        except psycopg.errors.ConnectionTimeout:
            _doors().note(wanted, opens=False)
            raise
        made._door = made.info.host, str(made.info.port)
        door = {"host": made.info.host, "port": made.info.port}
        if made.info.hostaddr:
            door["hostaddr"] = made.info.hostaddr  # names may be told by the same lost network
        kwargs |= door | {"connect_timeout": KNOCKING, "target_session_attrs": "any"}
        made._knock = partial(psycopg.connect, conninfo, **kwargs)
        return made

    def wait(
        self, gen: Generator[Any, Any, Any], interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        """Wait for an answer, as psycopg does: what comes in time costs nothing more."""
        limit = PATIENCE if timeout is None else timeout
        if timeout is None and _doors().is_silent(self._door):
            limit = HASTE
        try:
            return super().wait(gen, interval, limit)
        except psycopg.errors._WaitTimeout:  # which psycopg shows to whoever sets a limit
            if timeout is not None:
                raise
        while True:
            self._give_up_if_silent()
            with suppress(psycopg.errors._WaitTimeout):
                return super().wait(_resumed(gen), interval, limit)

    def _give_up_if_silent(self) -> None:
        if not _doors().opens(self._door, self._knock):
            self.pgconn.finish()
            raise psycopg.OperationalError("the database has gone silent")


def _resumed(gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """What has begun already, to be waited for once more."""
    try:
        wanted = gen.send(psycopg.waiting.READY_NONE)
        while True:
            wanted = gen.send((yield wanted))
    except StopIteration as done:
        return done.value


_Door = tuple[str, str]
"""A host, and its port."""


class _Doors:
    """Who knocked where, and when: those who wait at the same time knock once."""

    def __init__(self) -> None:
        self._turn = Lock()
        self._known: dict[_Door, tuple[float, bool]] = {}

    def opens(self, door: _Door, knock: Callable[[], Any]) -> bool:
        asked_at = monotonic()
        with self._turn:
            known_at, opens = self._known.get(door, (0.0, True))
            if known_at < asked_at - REMEMBERED:
                opens = _opens(knock)
                self.note(door, opens=opens)
        return opens

    def note(self, door: _Door, *, opens: bool) -> None:
        self._known[door] = (monotonic(), opens)

    def is_silent(self, door: _Door) -> bool:
        """Whether nobody has opened it a moment ago."""
        known_at, opens = self._known.get(door, (0.0, True))
        return not opens and monotonic() - known_at < REMEMBERED


def _opens(knock: Callable[[], Any]) -> bool:
    try:
        knock().close()
    except psycopg.errors.ConnectionTimeout:
        return False
    except psycopg.Error:
        pass  # a refusal is an answer, and a broken line is TCP's to tell
    return True


@cache
def _doors() -> _Doors:
    return _Doors()


os.register_at_fork(after_in_child=_doors.cache_clear)
