"""What Prometheus fetches: a port of its own for each process that goes on running.

The workers of ``idp serve`` write into one folder (``prometheus_client``'s multiprocess mode), and
the process that keeps them reads it: whoever asks, asks all of them. A server that follows
another one (SIGHUP) goes on with its numbers.
"""

import atexit
import logging
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from socket import AF_INET6, SHUT_RDWR
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Event, Lock, Thread, Timer
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from flask import Flask

from idp import measures
from idp.cli.listening import place_of
from idp.database import db
from idp.doctor.measured import State
from idp.settings import Settings

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which ``prometheus_client`` knows the folder; read as it is imported."""
TRY_AGAIN: Final = 2.0
"""Seconds between two tries where the port is another's: a server that leaves has it a while."""
SAMPLED: Final = 5.0
PATIENCE: Final = 10.0
"""Seconds within which a question has to be said, and an answer taken."""
AT_ONCE: Final = 8
"""Connections at a time; one more is closed."""
_log = logging.getLogger(__name__)


def prepare(settings: Settings) -> None:
    """Make the folder that the workers will share, before any of them is there."""
    if not settings.metrics_port or os.environ.get(FOLDER):
        return
    folder = tempfile.mkdtemp(prefix="idp-metrics-")
    os.environ[FOLDER] = folder
    ours = os.getpid()
    # A fork inherits what is done at the end, and is not the one to do it
    atexit.register(_remove, folder, ours)


def _remove(folder: str, maker: int) -> None:
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)


def begin_worker(app: Flask) -> None:
    """Count in a worker of ``idp serve``, and look at its pool now and then."""
    if not app.extensions["idp.settings"].metrics_port:
        return
    measures.begin()
    Thread(target=_sample, args=(app,), name="measures", daemon=True).start()


def begin_alone(app: Flask) -> None:
    """Count in a process that has no others beside it, and answer whoever asks it."""
    if app.extensions["idp.settings"].metrics_port:
        os.environ.pop(FOLDER, None)
        measures.begin()
        serve(app, of_workers=False)


def serve(app: Flask, *, of_workers: bool) -> None:
    """Answer at the port of its own, in a thread; wait for the port where it is another's."""
    settings: Settings = app.extensions["idp.settings"]
    if settings.metrics_port:
        answers = _Answers(app, of_workers=of_workers)
        where = (settings.metrics_host, settings.metrics_port)
        Thread(target=_serve, args=(*where, answers), name="metrics", daemon=True).start()


def _serve(host: str, port: int, answers: "_Answers") -> None:
    never, was_told = Event(), False
    while True:
        try:
            server = listening_at(host, port, answers)
        except OSError as error:
            if not was_told:
                _log.warning("metrics wait for %s port %d: %s", host, port, error.strerror)
            was_told = True
            never.wait(TRY_AGAIN)
            continue
        server.serve_forever()


def listening_at(host: str, port: int, answers: Callable[..., Iterable[bytes]]) -> WSGIServer:
    """A server that is not asked yet. Raises ``OSError``."""
    family, address = place_of(host, port)
    kind = _ServerOfIPv6 if family == AF_INET6 else _Server
    return make_server(address[0], port, answers, kind, _Silent)


def _sample(app: Flask) -> None:
    never = Event()
    while not never.wait(SAMPLED):
        count_connections(app)


def count_connections(app: Flask) -> None:
    """Look at this process's pool, and count what it holds."""
    with app.app_context():
        pool: Any = db.engine.pool
    most = app.extensions["idp.settings"].database_connections
    if hasattr(pool, "checkedout"):
        measures.connections(pool.checkedout(), pool.checkedin(), most)


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection, so that one that says nothing holds up nobody else."""

    daemon_threads = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._free = BoundedSemaphore(AT_ONCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()


class _ServerOfIPv6(_Server):
    address_family = AF_INET6


class _Silent(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: it asks every few seconds."""

    def handle(self) -> None:
        # However slowly it goes on: a byte now and then would begin ``timeout`` anew
        self._late = Timer(self.timeout, self._end)
        self._late.daemon = True
        self._late.start()
        try:
            super().handle()
        except OSError:
            pass  # it said nothing, or left
        finally:
            self._late.cancel()

    def get_environ(self) -> dict[str, Any]:
        self._late.cancel()  # the question is whole
        return super().get_environ()

    def _end(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(SHUT_RDWR)


class _Answers:
    """``/metrics``, and nothing else."""

    def __init__(self, app: Flask, *, of_workers: bool) -> None:
        self._app = app
        self._of_workers = of_workers
        self._state = State()
        self._turn = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415

        if environ.get("PATH_INFO") != "/metrics" or environ["REQUEST_METHOD"] != "GET":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"Metrics are at /metrics.\n"]
        with self._turn:
            metrics = generate_latest(self._registry())
        start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [metrics]

    def _registry(self) -> Any:
        from prometheus_client import REGISTRY, CollectorRegistry, multiprocess  # noqa: PLC0415

        if not self._of_workers:
            return REGISTRY
        _forget_the_dead(Path(os.environ[FOLDER]))
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        registry.register(self)
        return registry

    def collect(self) -> Iterable[Any]:
        """What the database and the keys say, in Prometheus' own form."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

        with self._app.app_context():
            samples = self._state.samples()
            # No connection is open while the next worker is forked
            db.engine.dispose()
        by_name = defaultdict(list)
        for sample in samples:
            by_name[sample.name, sample.meaning].append(sample)
        for (name, meaning), these in by_name.items():
            family = GaugeMetricFamily(name, meaning, labels=[name for name, _ in these[0].labels])
            for sample in these:
                family.add_metric([value for _, value in sample.labels], sample.value)
            yield family


def _forget_the_dead(folder: Path) -> None:
    """What a worker that is gone had waiting, waits no longer; what it has counted stays."""
    for file in folder.glob("gauge_live*_*.db"):
        if not Path(f"/proc/{file.stem.rpartition('_')[2]}").exists():
            file.unlink(missing_ok=True)
