"""Spans: sent where OpenTelemetry's variables say, with our correlation id and nobody's data."""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from idp import spans
from tests.cli.conftest import invoked, refused, start
from tests.cli.test_metrics import fetched, until
from tests.smtp import free_port

pytestmark = [pytest.mark.slow, pytest.mark.long]


class Collector(ThreadingHTTPServer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.bodies: list[bytes] = []

    def spans(self) -> list[tuple[str, dict[str, str], str]]:
        """Name, attributes and parent of each span."""
        return [
            (
                span.name,
                {a.key: _value(a.value) for a in span.attributes},
                span.parent_span_id.hex(),
            )
            for body in list(self.bodies)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _value(value: object) -> str:
    return str(getattr(value, value.WhichOneof("value")))  # type: ignore[attr-defined]


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_a_span_for_each_request_with_our_correlation_id(
    collector: Collector, environment: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{collector.server_port}"
    environment["OTEL_BSP_SCHEDULE_DELAY"] = "200"
    base = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("w") as log:
        process = start(environment, "serve", "--port", str(port), stdout=log, stderr=log)
        try:
            until(lambda: fetched(f"{base}/health/live")[0] == 200)
            asked = urllib.request.Request(
                f"{base}/oauth2/jwks", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
            )
            with urllib.request.urlopen(asked, timeout=10) as answer:
                request_id = answer.headers["X-Request-Id"]
            fetched(f"{base}/welcome?token=hush-hush&name=claire@dubois.example")
            fetched(f"{base}/claire@dubois.example")
            until(lambda: {n for n, _, _ in collector.spans()} >= {"GET /oauth2/jwks", "GET none"})
            until(lambda: "GET /welcome" in {name for name, _, _ in collector.spans()})
        finally:
            process.terminate()
            process.wait(40)
    (asked_for,) = [span for span in collector.spans() if span[0] == "GET /oauth2/jwks"]
    assert asked_for[1]["http.response.status_code"] == "200"
    assert asked_for[1]["http.route"] == "/oauth2/jwks"
    if request_id:
        assert asked_for[1]["idp.correlation_id"] == request_id
    assert len(asked_for[1]["idp.correlation_id"]) == 16
    assert asked_for[2] == ""  # nobody's child
    sent = b"".join(collector.bodies)
    assert b"school-idp" in sent
    assert b"dubois" not in sent
    assert b"hush" not in sent


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp "}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "true "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_standard_variables_switch_it(variables: dict[str, str], wanted: bool) -> None:
    assert spans.is_wanted(variables) is wanted


OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "otlp or none"),
        ({"OTEL_TRACES_EXPORTER": "otlp,console"}, "otlp or none"),
        ({"OTEL_TRACES_SAMPLER": "parentbased_ratio"}, "parentbased_traceidratio"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio "}, "traceidratio"),
        ({"OTEL_TRACES_SAMPLER_ARG": "ten", "OTEL_TRACES_SAMPLER": "traceidratio"}, "from 0 to 1"),
        ({"OTEL_TRACES_SAMPLER_ARG": "2", "OTEL_TRACES_SAMPLER": "traceidratio"}, "from 0 to 1"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, "gzip"),
    ],
)
def test_what_can_not_be_done_is_told_by_the_check(
    environment: dict[str, str], variables: dict[str, str], words: str
) -> None:
    told = told_of(environment | OTLP | variables)
    ((level, sentence),) = told
    assert level == "trouble"
    assert sentence.startswith(next(iter(variables)))
    assert words in sentence


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "OTEL_EXPORTER_OTLP_TRACE_ENDPOINT",
            "http://c:4318",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        ),
        ("OTEL_SERVICENAME", "idp", "OTEL_SERVICE_NAME"),
        ("OTEL_METRICS_EXPORTER", "otlp", "traces alone"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "key=hush-hush", "traces alone"),
        ("OTEL_PROPAGATORS", "b3", "traces alone"),
    ],
)
def test_what_counts_for_nothing_is_told_with_the_right_name(
    environment: dict[str, str], name: str, text: str, words: str
) -> None:
    ((level, sentence),) = told_of(environment | OTLP | {name: text})
    assert level == "notice"
    assert sentence.startswith(name)
    assert words in sentence
    assert "hush" not in sentence


def test_of_what_comes_to_pass_nothing_is_told(environment: dict[str, str]) -> None:
    right = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_SERVICE_NAME": "idp",
        # Kubernetes' own, beside a service called otel-collector
        "OTEL_COLLECTOR_SERVICE_HOST": "10.0.0.7",
        "OTEL_COLLECTOR_PORT_4318_TCP": "tcp://10.0.0.7:4318",
    }
    assert told_of(environment | OTLP | right) == []
    off = {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "console"}
    assert told_of(environment | OTLP | off) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_TRACES_SAMPLER": "mine"} | OTLP,
        {"OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_SAMPLER_ARG": "ten"} | OTLP,
        {
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        }
        | OTLP,
    ],
    ids=["no traces", "none", "no share", "its own goes before"],
)
def test_of_what_does_not_count_nothing_is_told(variables: dict[str, str]) -> None:
    assert list(spans.impossible(variables)) == []


def test_what_the_library_reads_of_traces_counts() -> None:
    from opentelemetry.exporter.otlp.proto.http import trace_exporter
    from opentelemetry.sdk import environment_variables, resources, trace
    from opentelemetry.sdk.trace import export, sampling

    modules = (trace, sampling, export, resources, trace_exporter)
    source = "".join(Path(str(each.__file__)).read_text() for each in modules)
    source += (Path(str(trace_exporter.__file__)).parents[1] / "_common/__init__.py").read_text()
    known = {name for name in vars(environment_variables) if name.startswith("OTEL_")}
    named = known & set(re.findall(r"\bOTEL_[A-Z_]+\b", source))
    assert len(named) > 20
    theirs = {name for name in named if name.startswith("OTEL_PYTHON_")}
    assert named - theirs <= spans.HEEDED
    # Which exporter and protocol is ours to say: the library reads it at a start that is not ours
    ours = {"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"}
    assert {name for name in spans.HEEDED - named if "PROTOCOL" not in name} <= ours


def told_of(environment: dict[str, str]) -> list[tuple[str, str]]:
    """What the check says of traces."""
    said = json.loads(invoked(environment, "check", "--json").stdout)
    return [(each["level"], each["sentence"]) for each in said if each["subject"] == "traces"]


def test_nothing_of_it_is_loaded_without_them() -> None:
    script = "import sys, idp.cli.worker; print([m for m in sys.modules if 'opentelemetry' in m])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_asked_for_and_not_installed_is_refused(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "find_spec", lambda _name: None)
    environment["OTEL_TRACES_EXPORTER"] = "otlp"
    line = refused(invoked(environment, "serve", "--port", str(free_port())))
    assert "school-idp[otel]" in line
