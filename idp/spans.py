"""A span for each request, sent where OpenTelemetry's own variables say; off without them.

``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``…_TRACES_ENDPOINT``) or ``OTEL_TRACES_EXPORTER`` switches it
on; endpoint, headers, sampling and the service's name are read by OpenTelemetry itself. A span
tells the route, never the address with what stands in it: no person, no code, no token (rule L1).
Traces begin here: what a stranger claims in ``traceparent`` would be his to sample and to name.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from idp import correlation
from idp.log_forms import SERVICE
from idp.measures import METHODS, ROUTE, UNKNOWN

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

CORRELATION: Final = "idp.correlation_id"
"""The attribute that holds what logs, error pages and ``X-Request-Id`` name a request by."""
_SWITCHES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Application = Callable[..., Iterable[bytes]]


class NotInstalled(Exception):
    """The variables ask for traces, and OpenTelemetry is not there."""


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables ask for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").lower()
    return exporter == "otlp" or (not exporter and any(map(environment.get, _SWITCHES)))


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
