"""A span for each request, sent where OpenTelemetry's own variables say; off without them.

``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``…_TRACES_ENDPOINT``) or ``OTEL_TRACES_EXPORTER`` switches it
on; endpoint, headers, sampling and the service's name are read by OpenTelemetry itself. A span
tells the route, never the address with what stands in it: no person, no code, no token (rule L1).
Traces begin here: what a stranger claims in ``traceparent`` would be his to sample and to name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from idp import correlation
from idp.log_forms import SERVICE
from idp.measures import METHODS, ROUTE, UNKNOWN
from idp.settings.variables import is_service_link

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

CORRELATION: Final = "idp.correlation_id"
"""The attribute that holds what logs, error pages and ``X-Request-Id`` name a request by."""
_SWITCHES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_OTLP: Final = ("ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION", "PROTOCOL", "CERTIFICATE",
                "CLIENT_KEY", "CLIENT_CERTIFICATE")  # fmt: skip
_LIMITS: Final = (
    "ATTRIBUTE_COUNT", "ATTRIBUTE_VALUE_LENGTH", "EVENT_ATTRIBUTE_COUNT", "LINK_ATTRIBUTE_COUNT",
    "SPAN_ATTRIBUTE_COUNT", "SPAN_ATTRIBUTE_VALUE_LENGTH", "SPAN_EVENT_COUNT", "SPAN_LINK_COUNT",
)  # fmt: skip
HEEDED: Final = frozenset(
    {
        *("OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"),
        *("OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"),
        *(f"OTEL_EXPORTER_OTLP_{name}" for name in _OTLP),
        *(f"OTEL_EXPORTER_OTLP_TRACES_{name}" for name in _OTLP),
        *(f"OTEL_{name}_LIMIT" for name in _LIMITS),
        *("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT"),
        *("OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
    }
)
"""The variables that count here; those of ``OTEL_PYTHON_…`` are the library's own matter."""
_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
_SHARE: Final = "OTEL_TRACES_SAMPLER_ARG"
_PROTOCOLS: Final = ("http/protobuf",)
_COMPRESSIONS: Final = ("none", "gzip", "deflate")
_MEANT: Final[Mapping[str, tuple[str, ...]]] = {
    _EXPORTER: ("otlp", "none"),
    "OTEL_EXPORTER_OTLP_PROTOCOL": _PROTOCOLS,
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": _PROTOCOLS,
    "OTEL_EXPORTER_OTLP_COMPRESSION": _COMPRESSIONS,
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": _COMPRESSIONS,
    "OTEL_TRACES_SAMPLER": (
        *("always_on", "always_off", "traceidratio"),
        *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
    ),
}
"""What we can do of what these may say, and their words are never a secret."""

Application = Callable[..., Iterable[bytes]]


class NotInstalled(Exception):
    """The variables ask for traces, and OpenTelemetry is not there."""


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables ask for traces."""
    if _is_off(environment):
        return False
    exporter = _word(environment, _EXPORTER)
    return exporter == "otlp" or (not exporter and _has_address(environment))


def impossible(environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that asks for what can't be done here: no trace leaves so."""
    if _is_off(environment):
        return
    wanted = is_wanted(environment)
    for name, possible in _MEANT.items():
        if name == _EXPORTER or (wanted and _wins(environment, name)):
            word = _word(environment, name)
            if name == "OTEL_TRACES_SAMPLER":
                word = environment.get(name, "").lower()  # the library takes no blanks away
            if word and word not in possible:
                yield f"{name} is {word[:40]!r}; what is done here is {' or '.join(possible)}"
    share = _word(environment, _SHARE)
    by_share = _word(environment, "OTEL_TRACES_SAMPLER").endswith("traceidratio")
    if wanted and by_share and share and not _is_share(share):
        yield f"{_SHARE} is {share[:40]!r}; what is done here is a number from 0 to 1"


def unread(environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable of OpenTelemetry that counts for nothing here."""
    if not _is_off(environment):
        for name, text in sorted(environment.items()):
            if name.startswith("OTEL_") and not _counts(name, text):
                is_others = "_LOGS_" in name or "_METRICS_" in name
                known = [] if is_others else sorted(HEEDED)
                (near,) = get_close_matches(name, known, n=1, cutoff=0.9) or [""]
                meant = f": {near} would" if near else ": traces alone are sent"
                yield f"{name} counts for nothing{meant}"


def _word(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name, "").strip().lower()


def _has_address(environment: Mapping[str, str]) -> bool:
    return any(_word(environment, name) for name in _SWITCHES)


def _wins(environment: Mapping[str, str], name: str) -> bool:
    """Whether a variable counts beside that of traces alone, which goes before it."""
    if "_TRACES_" in name:
        return True
    return not _word(environment, name.replace("_OTLP_", "_OTLP_TRACES_"))


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _is_off(environment: Mapping[str, str]) -> bool:
    return _word(environment, "OTEL_SDK_DISABLED") == "true"


def _counts(name: str, text: str) -> bool:
    """Whether a variable is read, is the library's own, or asks for nothing."""
    if name in HEEDED or name.startswith("OTEL_PYTHON_") or is_service_link(name, text):
        return True
    return not text or (name.endswith("_EXPORTER") and text.strip().lower() == "none")


def refuse_missing(environment: Mapping[str, str]) -> None:
    """Raise ``NotInstalled`` where traces are asked for and can't be made."""
    if is_wanted(environment) and find_spec("opentelemetry") is None:
        raise NotInstalled("traces need OpenTelemetry: pip install 'school-idp[otel]'")


def provider() -> "TracerProvider":
    """What makes spans and sends them, in a thread of its own."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say wins over ours
    resource = Resource.create()
    if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE}))
    made = TracerProvider(resource=resource)
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made


class Spans:
    """WSGI middleware: one span for each request."""

    def __init__(self, application: Application, made: "TracerProvider") -> None:
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        self.application = application
        self._tracer = made.get_tracer("idp")
        self._kind = SpanKind.SERVER

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        method = environ.get("REQUEST_METHOD", "")
        method = method if method in METHODS else "_OTHER"
        environ.setdefault(ROUTE, UNKNOWN)
        with self._tracer.start_as_current_span(
            method, kind=self._kind, attributes={"http.request.method": method}
        ) as span:

            def answer(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
                route, code = environ[ROUTE], int(status[:3])
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", code)
                span.set_attribute(CORRELATION, correlation.current().id)
                if code >= 500:
                    span.set_attribute("error.type", str(code))
                return start_response(status, headers, *error)

            return self.application(environ, answer)
