"""``idp serve``: the production server, once everything that it stands on is sound."""

import logging
import os
import signal
from threading import Timer
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from idp import readiness, settings, spans
from idp.cli import application, generations, heard, metrics, worker
from idp.cli.errors import BadInput
from idp.cli.group import Command
from idp.cli.listening import check_port, resolved
from idp.database import db
from idp.doctor import configuration
from idp.readiness import leaving

STOP_SECONDS = 30
"""How long requests may take to finish after a stop was asked."""
SPARE_THREADS = 31
BACKLOG = 1024


@click.command("serve", cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="TCP port."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Processes; one for each core.",
)
@click.option(
    "--threads",
    type=click.IntRange(4, 512),
    help="Requests at once in each worker. Default: as many as may wait for bcrypt, and "
    f"{SPARE_THREADS} more, so that sign-ins that queue leave room for other pages.",
)
@with_appcontext
def command(host: str, port: int, workers: int, threads: int | None) -> None:
    """Answer browsers and applications, until stopped (Ctrl-C or SIGTERM).

    Refuses to start where it could not work: unsafe settings, a schema that is not this
    version's, a key file that can't be read, a port that is taken. After SIGTERM it serves for
    IDP_DRAIN seconds more, while /health/ready says 503. SIGHUP puts a new server beside it, with
    the code and the settings file of then, and stops this one once that one answers.
    X-Forwarded-* headers count only from IDP_TRUSTED_PROXIES.

    Examples:
      idp serve
      idp serve --host 0.0.0.0 --port 8080 --workers 4
    """
    configuration.refuse_unsafe(settings.current(), dict(os.environ))
    readiness.refuse_unready()
    host = resolved(host)
    if not generations.is_later():
        check_port(host, port)
    db.engine.dispose()  # a connection must not be shared across the fork
    now = settings.current()
    application.speak(now.log_level)
    waiting = now.bcrypt_queue + now.bcrypt_parallel
    try:
        spans.refuse_missing(os.environ)
    except spans.NotInstalled as error:
        raise BadInput(str(error)) from error
    metrics.prepare(now)
    generations.begin(workers, now.drain.total_seconds())
    server = _server(host, port, workers, threads or waiting + SPARE_THREADS)
    server.on_startup(lambda: _hear(server, now.drain.total_seconds()))
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    server.on_startup(lambda: metrics.serve(app, of_workers=True))
    os.environ[worker.MAIN] = str(os.getpid())
    server.serve()


def _hear(server: Any, drain: float) -> None:
    """Serve for ``drain`` seconds more once told to leave; told again, leave at once."""

    def leave(number: int, _frame: Any) -> None:
        wait = 0 if leaving.leaves_nobody() else drain
        leaving.begin(replaced=number == generations.REPLACED)
        timer = Timer(wait, server.signal_handler_interrupt)
        timer.daemon = True
        timer.start()

    heard.by_thread(
        {
            signal.SIGINT: server.signal_handler_interrupt,
            signal.SIGTERM: leave,
            generations.REPLACED: leave,
        }
    )
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it is the keeper's


class WithoutAdvice(logging.Filter):
    """Leaves out the server's advice against many threads: ours wait for bcrypt, not for it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Python threads, which seems quite high" not in record.getMessage()


def _server(host: str, port: int, workers: int, threads: int) -> Any:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    return Granian(
        "idp.cli.worker:create",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        blocking_threads=threads,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=128 * 1024),
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
        log_dictconfig=_logging(),
    )


def _logging() -> dict[str, Any]:
    """The server's own few lines, in the same form as ours; its access log stays off."""
    ours = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {},
        "filters": {"advice": {"()": "idp.cli.serve.WithoutAdvice"}},
        "handlers": {"stderr": {"class": "idp.logs.StderrHandler", "filters": ["advice"]}},
        "loggers": {"_granian": ours, "granian.access": ours},
    }
