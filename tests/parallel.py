"""Races and queries: the same call in many threads at once, and what the database was asked."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import Engine, event

from idp import readiness
from idp.database import db
from tests.still import time_stands_still

T = TypeVar("T")


def at_once(app: Flask, times: int, call: Callable[[], T]) -> tuple[list[T], list[Exception]]:
    """Call in ``times`` threads that start together; returns results, and what was raised."""
    start = threading.Barrier(times, timeout=60)
    results: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        with app.app_context():
            start.wait()
            try:
                results.append(call())
            except Exception as error:  # noqa: BLE001 - the test looks at each
                errors.append(error)
            finally:
                db.session.remove()

    readiness.read_beginnings()  # or each of them waits for one connection more
    db.session.commit()
    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results, errors


class Queries:
    """The statements sent to the database while the block runs, for which time stands still.

    It runs as in a worker that has begun, which has read its first secrets before it answers.
    """

    def __enter__(self) -> list[str]:
        readiness.read_beginnings()
        self._seen: list[str] = []
        self._still = time_stands_still()
        self._still.__enter__()
        event.listen(Engine, "before_cursor_execute", self._note)
        return self._seen

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        event.remove(Engine, "before_cursor_execute", self._note)
        self._still.__exit__(kind, error, trace)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SAVEPOINT")):
            self._seen.append(statement)
