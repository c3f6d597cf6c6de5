"""What this process counts for Prometheus: nothing at all, unless ``begin`` was called in it.

Each function costs a look at one name where nothing is counted, and some microseconds where it
is. Labels come from lists of ours – routes, grants, ways to sign in, outcomes – never from a
request, and name no person, school or application (security rule L1).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 8)
ROUTE: Final = "idp.route"
"""What a request's environment holds once its address is known: the rule, unfilled."""
UNKNOWN: Final = "none"
"""The route of what led nowhere, or was answered before anybody looked."""
# A way is one of these or a provider's key, whatever comes of it
PASSWORD: Final = "password"  # noqa: S105 – the name of a way
PASSKEY: Final = "passkey"
OTP: Final = "otp"
"""A code of the app, or a recovery code."""
TOKEN: Final = "token"  # noqa: S105 – the name of a way
"""One that was mailed or printed."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


class Metrics:
    """What is counted, each by its name, meaning and labels."""

    def __init__(self, registry: "CollectorRegistry | None" = None) -> None:
        from prometheus_client import Counter, Gauge, Histogram  # noqa: PLC0415 – where asked for

        kept: dict[str, Any] = {} if registry is None else {"registry": registry}
        self.requests = Counter(
            "idp_requests", "Requests answered", ["route", "method", "status"], **kept
        )
        self.seconds = Histogram(
            "idp_request_seconds", "How long they took", ["route"], buckets=SECONDS, **kept
        )
        self.sign_ins = Counter(
            "idp_sign_ins", "Proofs that were tried", ["way", "outcome"], **kept
        )
        self.tokens = Counter("idp_tokens", "Token requests judged", ["grant", "outcome"], **kept)
        self.deliveries = Counter(
            "idp_deliveries", "What applications were told of: its fate", ["outcome"], **kept
        )
        self.mails = Counter("idp_mails", "Mails: their fate", ["outcome"], **kept)
        self.imports = Counter("idp_imports", "Tasks of imports", ["task", "outcome"], **kept)
        live: dict[str, Any] = {"multiprocess_mode": "livesum", **kept}
        self.bcrypt = Gauge("idp_bcrypt_waiting", "Password checks under way or waiting", **live)
        self.bcrypt_refused = Counter(
            "idp_bcrypt_refused", "Password checks turned away: too many waited", **kept
        )
        self.connections = Gauge(
            "idp_database_connections", "Connections of the workers' pools", ["state"], **live
        )


_metrics: Metrics | None = None


def begin(registry: "CollectorRegistry | None" = None) -> None:
    """Count from now on, in this process."""
    global _metrics  # noqa: PLW0603 – one for each process, as its pid is
    if _metrics is None:
        _metrics = Metrics(registry)


def is_on() -> bool:
    """Whether this process counts."""
    return _metrics is not None


def sign_in(way: str, outcome: str) -> None:
    """One proof was tried: of two factors each is one.

    ``way``: a constant of this module, or a configured provider's key; ``outcome``: "ok", or why
    not. The same place tells both, so that they can be compared.
    """
    if _metrics is not None:
        _metrics.sign_ins.labels(way, outcome).inc()


def token(grant: str, outcome: str) -> None:
    """A request at the token endpoint; ``outcome``: "ok" or the error's code."""
    if _metrics is not None:
        _metrics.tokens.labels(grant, outcome).inc()


def delivery(outcome: str) -> None:
    """The fate of something that an application was to be told of."""
    if _metrics is not None:
        _metrics.deliveries.labels(outcome).inc()


def mail(outcome: str) -> None:
    """The fate of a mail."""
    if _metrics is not None:
        _metrics.mails.labels(outcome).inc()


def import_task(task: str, outcome: str) -> None:
    """The end of a task of an import."""
    if _metrics is not None:
        _metrics.imports.labels(task, outcome).inc()


@contextmanager
def waiting_for_bcrypt() -> Iterator[None]:
    """While a password check waits or runs."""
    if _metrics is None:
        yield
        return
    _metrics.bcrypt.inc()
    try:
        yield
    finally:
        _metrics.bcrypt.dec()


def bcrypt_refused() -> None:
    """One more check than may wait was turned away."""
    if _metrics is not None:
        _metrics.bcrypt_refused.inc()


def connections(used: int, free: int, most: int) -> None:
    """What the pool of this process holds now."""
    if _metrics is not None:
        _metrics.connections.labels("used").set(used)
        _metrics.connections.labels("free").set(free)
        _metrics.connections.labels("most").set(most)


class Requests:
    """WSGI middleware: counts each answer by its route, method and status."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self._known: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if _metrics is None:
            return self.application(environ, start_response)
        began = perf_counter()
        environ.setdefault(ROUTE, UNKNOWN)

        def answer(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            counter, histogram = self._of(environ, int(status[:3]))
            counter.inc()
            histogram.observe(perf_counter() - began)
            return start_response(status, headers, *error)

        return self.application(environ, answer)

    def _of(self, environ: dict[str, Any], status: int) -> tuple[Any, Any]:
        key = (environ.get(ROUTE, UNKNOWN), environ.get("REQUEST_METHOD", ""), status)
        kept = self._known.get(key)
        if kept is None:
            assert _metrics is not None
            route, method, _ = key
            method = method if method in METHODS else "other"
            counted = _metrics.requests.labels(route, method, str(status))
            kept = (counted, _metrics.seconds.labels(route))
            if method != "other":  # strangers invent methods, and nothing that grows
                self._known[key] = kept
        return kept
