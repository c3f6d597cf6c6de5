"""Does the database take a write? What only reads looks well on a standby, or on a full disk."""

from threading import Lock
from time import monotonic
from typing import Any, Final

from flask import Flask, current_app
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from idp.database import BUSY_TIMEOUT
from idp.readiness import marks

TRUSTED_FOR: Final = 2.0  # seconds that a process believes its last good write
WAIT: Final = 2000  # milliseconds
_NAME: Final = "idp.readiness.write_probe"


class Probe:
    """The last write of a process, so that many questions are one write."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._good_until = 0.0

    def takes_writes(self) -> bool:
        """Whether the database took a small write just now."""
        with self._lock:
            if monotonic() < self._good_until:
                return True
            try:
                write()
            except SQLAlchemyError:
                return False
            self._good_until = monotonic() + TRUSTED_FOR
            return True


def init_app(app: Flask) -> None:
    """Give the application its probe; nothing is written yet."""
    app.extensions[_NAME] = Probe()


def takes_writes() -> bool:
    """Whether the running application can write."""
    probe: Probe = current_app.extensions[_NAME]
    return probe.takes_writes()


def write() -> None:
    """Write one row over itself, within seconds. Raises ``SQLAlchemyError``.

    Somebody else who writes for longer than that proves the same.
    """
    with marks.connection() as now:
        try:
            _write(now)
        except DBAPIError as error:
            if not _somebody_writes(error):
                raise


def _write(now: Connection) -> None:
    if now.dialect.name == "sqlite":
        driver: Any = now.connection.driver_connection
        driver.execute(f"PRAGMA busy_timeout = {WAIT}")
        try:
            with now.begin():
                marks.write(now, marks.PROBE)
        finally:
            driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        return
    with now.begin():
        now.exec_driver_sql(f"SET LOCAL lock_timeout = {WAIT}")
        now.exec_driver_sql(f"SET LOCAL statement_timeout = {WAIT + 1000}")
        marks.write(now, marks.PROBE)


def _somebody_writes(error: DBAPIError) -> bool:
    # 55P03 lock_not_available (PostgreSQL, appendix A); SQLITE_BUSY
    return getattr(error.orig, "sqlstate", None) == "55P03" or "locked" in str(error.orig)
