"""Runs a plan inside the provider's own process, without a network: for counting and profiles."""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask
from sqlalchemy import Engine, event

from bench.exchange import Answer, Call, Plan

Spent = Counter[str]
"""What a visit takes: ``requests``, ``commits``, ``statements``, ``signatures``."""


class _Nowhere(io.TextIOBase):
    """Takes the provider's log: written as ever, but not between the lines of our report."""

    def write(self, text: str) -> int:
        return len(text)


_NOWHERE = _Nowhere()
_WRITES = re.compile(r"\A\s*(?:WITH\b.*)?\b(?:INSERT|UPDATE|DELETE)\b", re.DOTALL)


def walk(app: Flask, plan: Plan, spent: Spent | None = None) -> None:
    """Go through a plan to its end. Raises ``Unexpected`` as the plan does."""
    answer: Answer | None = None
    while True:
        try:
            action = plan.send(answer)  # type: ignore[arg-type]
        except StopIteration:
            return
        answer = None
        if isinstance(action, Call):
            with redirect_stderr(_NOWHERE):
                answer = _answer(app, action.request)
            if spent is not None:
                spent["requests"] += 1
                spent["signatures"] += answer.body.count(b'"id_token"')


@contextmanager
def counted(engine: Engine) -> Iterator[Spent]:
    """Count statements, and the commits that changed something, while this is open."""
    spent: Spent = Counter()

    def executed(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        spent["statements"] += 1
        if not _WRITES.search(statement):
            return
        if connection.in_transaction():
            connection.info["bench_wrote"] = True
        else:  # in autocommit: a transaction of its own
            spent["commits"] += 1

    def committed(connection: Any) -> None:
        if connection.info.pop("bench_wrote", False):
            spent["commits"] += 1

    event.listen(engine, "before_cursor_execute", executed)
    event.listen(engine, "commit", committed)
    try:
        yield spent
    finally:
        event.remove(engine, "before_cursor_execute", executed)
        event.remove(engine, "commit", committed)


def _answer(app: Flask, request: bytes) -> Answer:
    environ = _environ(request)
    written: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[..., Any]:
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        written.append("\r\n".join(lines) + "\r\n")
        return written.append  # the old way to write, which nobody uses

    body = app.wsgi_app(environ, start_response)
    try:
        content = b"".join(body)
    finally:
        if hasattr(body, "close"):
            body.close()
    head = written[0].encode("latin-1")
    return Answer(int(head[9:12]), head, content, 0.0)


def _environ(request: bytes) -> dict[str, Any]:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for line in lines:
        name, _, value = line.partition(": ")
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    environ["SERVER_NAME"], _, environ["SERVER_PORT"] = environ["HTTP_HOST"].partition(":")
    return environ
