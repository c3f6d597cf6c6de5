"""How long a change of tables waits for a lock on PostgreSQL: everybody else waits behind it.

PostgreSQL cancels an autovacuum that somebody waits for, though only after ``deadlock_timeout``.
Whoever always gives up sooner never gets past that of a large table, which may take hours.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from time import sleep
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from idp.database import db

LOCK_TIMEOUT: Final = "500ms"
"""Shorter than ``deadlock_timeout`` (a second): a step that holds one table and waits for another
lets go before PostgreSQL refuses somebody who holds that one and waits for this."""
EVERY: Final = 5
"""One of so many tries, the second first, waits until an autovacuum has been cancelled. Not more: a
VACUUM of somebody's, and one against the wraparound of numbers, is cancelled by nobody."""
TRIES: Final = 5
PAUSE: Final = 2.0  # seconds in which those who waited behind us go first

_VACUUMS: Final = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND granted"
    " AND mode = 'ShareUpdateExclusiveLock' AND pid <> pg_backend_pid()"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
_PAST_VACUUM: Final = text(
    "SELECT setting::int + 500 || 'ms' FROM pg_settings WHERE name = 'deadlock_timeout'"
)


class Held(Exception):
    """Somebody held what was needed for longer than it was waited for."""


def longest(now: Connection, tried: int) -> str:
    """How long to wait for each lock, where somebody held one ``tried`` times before."""
    if tried % EVERY == 1 and now.scalar(_VACUUMS):
        return str(now.scalar(_PAST_VACUUM))
    return LOCK_TIMEOUT


def change(*statements: str, then: Callable[[Connection], None] = lambda _now: None) -> None:
    """Change tables in one transaction, tried some times: who comes meanwhile waits for half a
    second, or for as long as an autovacuum takes to give way, and goes first after that.
    """

    def change_now(tried: int) -> None:
        with db.engine.connect().execution_options(isolation_level="READ COMMITTED") as now:
            now.exec_driver_sql(f"SET LOCAL lock_timeout = '{longest(now, tried)}'")
            for statement in statements:
                now.exec_driver_sql(statement)
            then(now)
            now.commit()

    patiently(change_now, TRIES)


def beside_traffic(now: Connection, statement: str, longest_wait: float) -> None:
    """Run a statement that stands in no transaction, and so has no ``lock_timeout`` of its own: one
    of the session would be somebody else's behind a pooler. It is cancelled from beside instead.

    ``longest_wait``: seconds. Raises ``Held`` where it took longer; what it had done by then stays.
    """
    driver: Any = now.connection.dbapi_connection
    ended, cancelled = Event(), Event()

    def watch() -> None:
        while not ended.wait(longest_wait):
            cancelled.set()
            with suppress(psycopg.Error):  # it is asked again
                driver.cancel_safe(timeout=longest_wait)

    watching = Thread(target=watch, daemon=True)
    watching.start()
    try:
        now.exec_driver_sql(statement)
    except OperationalError as error:
        # 57014 query_canceled (PostgreSQL, appendix A)
        if is_held(error) or (
            cancelled.is_set() and getattr(error.orig, "sqlstate", None) == "57014"
        ):
            raise Held from error
        raise
    finally:
        ended.set()
        watching.join()
        if cancelled.is_set():
            now.invalidate()  # or what is said next could be cancelled


def patiently(
    act: Callable[[int], None], tries: int, say: Callable[[], object] = lambda: None
) -> None:
    """Do something, so many times while somebody holds what it needs; ``act`` is told how often it
    was tried before, and ``say`` is called before each further try. Raises the last
    ``OperationalError``.
    """
    for tried in range(tries):
        try:
            act(tried)
        except OperationalError as error:
            if tried == tries - 1 or not is_held(error):
                raise
            say()
            sleep(PAUSE)
        else:
            return


def is_held(error: DBAPIError) -> bool:
    """Whether somebody held what was needed; nothing of the transaction was done."""
    # 55P03 lock_not_available, 40P01 deadlock_detected (PostgreSQL, appendix A)
    return getattr(error.orig, "sqlstate", None) in {"55P03", "40P01"}
