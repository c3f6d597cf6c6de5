"""What ``deploy/`` holds, judged by the programs that will read it."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
import yaml

from tests.installs.compilers import go, go_environment
from tests.packaging.test_deploy import alerts, metrics
from tests.security.outages import eventually
from tests.smtp import free_port

pytestmark = pytest.mark.timeout(600)

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = "github.com/compose-spec/compose-go/v2@v2.16.2"


def ran(*command: str, **variables: str) -> str:
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def program(name: str) -> str:
    there = shutil.which(name)
    if there is None:
        pytest.skip(f"{name} is not installed")
    return there


def test_prometheus_takes_the_alerts_and_they_fire_as_meant() -> None:
    promtool = program("promtool")
    ran(promtool, "check", "config", str(DEPLOY / "prometheus/prometheus.yml"))
    ran(promtool, "check", "rules", str(DEPLOY / "prometheus/alerts.yml"))
    ran(promtool, "test", "rules", str(DEPLOY / "prometheus/alerts_test.yml"))


@pytest.mark.parametrize("does", ["fires", "is silent"])
def test_promtool_is_asked_of_each_alert_when_it_fires_and_when_it_is_silent(does: str) -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus/alerts_test.yml").read_text())["tests"]
    asked = {
        each["alertname"]
        for test in tests
        for each in test["alert_rule_test"]
        if bool(each["exp_alerts"]) is (does == "fires")
    }
    assert asked == {rule["alert"] for rule in alerts()}


DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))


def expressions(dashboard: Path) -> list[str]:
    """What a dashboard asks of Prometheus, with Grafana's variables as it fills them in."""
    content = json.loads(dashboard.read_text())
    targets = [each for panel in panels_of(content) for each in panel.get("targets", [])]
    asked = [str(each["expr"]) for each in targets]
    for variable in content["templating"]["list"]:
        assert variable["type"] == "datasource", "a query of another kind is asked nowhere here"
    filled = [each.replace("$__rate_interval", "5m").replace("$__range", "1h") for each in asked]
    assert not [each for each in filled if "$" in each]
    return filled


def panels_of(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in part.get("panels", []):
        yield panel
        yield from panels_of(panel)  # of a row


def checked_as_rules(asked: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What promtool says of expressions, each a rule of its own."""
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(asked)]
    file = folder / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    command = [program("promtool"), "check", "rules", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: file.stem)
def test_prometheus_understands_every_question_of_a_dashboard(
    dashboard: Path, tmp_path: Path
) -> None:
    asked = expressions(dashboard)
    assert len(asked) > 10
    done = checked_as_rules(asked, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(asked)} rules found" in done.stdout
    broken = checked_as_rules([*asked[1:], asked[0] + ")"], tmp_path)
    assert broken.returncode != 0, "one that can't be parsed is found among them"


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: file.stem)
def test_every_name_in_a_dashboards_questions_is_a_metric_of_ours(dashboard: Path) -> None:
    for each in expressions(dashboard):
        bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]', " ", each)  # texts, labels, times
        bare = re.sub(r"\b(?:by|without|on|ignoring)\s*\([^)]*\)", " ", bare)
        called = set(re.findall(r"\b([a-z_]+)\s*\(", bare))
        names = set(re.findall(r"\b[a-z_:][a-z0-9_:]*\b", bare)) - called - OPERATORS
        assert names, each
        assert names <= metrics(), each


OPERATORS = {"sum", "max", "min", "avg", "count", "and", "or", "unless", "bool", "offset"}


def test_caddy_takes_its_file() -> None:
    file = str(DEPLOY / "caddy/Caddyfile")
    ran(
        program("caddy"),
        "validate",
        "--config",
        file,
        "--adapter",
        "caddyfile",
        IDP_HOST="a.example",
    )


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers that arrived."""

    def do_GET(self) -> None:
        body = json.dumps(self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


_SPELT = (
    "X-Forwarded-For X_Forwarded_For X-Forwarded_For X_Forwarded-For Forwarded X-Real-Ip"
    " X-Client-Cert X_Client_Cert X-Client_Cert X_Client-Cert"
)
FORGED = dict.fromkeys(_SPELT.split(), "192.0.2.66")
"""What a visitor may write of itself, and nobody may believe."""


@pytest.fixture
def caddy(tmp_path: Path) -> Iterator[int]:
    """The port of Caddy before a server that echoes."""
    echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    Thread(target=echo.serve_forever, daemon=True).start()
    port = free_port()
    process = subprocess.Popen(
        [program("caddy"), "run", "--config", DEPLOY / "caddy/Caddyfile", "--adapter", "caddyfile"],
        env=os.environ
        | {
            "IDP_HOST": f"http://127.0.0.1:{port}",
            "IDP_UPSTREAM": f"127.0.0.1:{echo.server_port}",
            "XDG_DATA_HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        assert eventually(lambda: _answers(port), 30)
        yield port
    finally:
        process.terminate()
        process.wait(20)
        echo.shutdown()


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=2).ok
    except requests.ConnectionError:
        return False


def test_e8_caddy_hands_on_nothing_that_a_visitor_writes_of_itself(caddy: int) -> None:
    answer = requests.get(f"http://127.0.0.1:{caddy}/", headers=FORGED, timeout=10)
    arrived = [(name.lower().replace("_", "-"), value) for name, value in answer.json()]
    assert [value for name, value in arrived if name == "x-forwarded-for"] == ["127.0.0.1"]
    assert "192.0.2.66" not in answer.text


def test_caddy_keeps_monitoring_out(caddy: int) -> None:
    health = requests.get(f"http://127.0.0.1:{caddy}/health/ready", timeout=10)
    assert health.status_code == 404


def test_e8_traefik_is_told_of_every_spelling() -> None:
    labels = yaml.safe_load((DEPLOY / "traefik/compose.yaml").read_text())["services"]["serve"]
    emptied = {
        name.rpartition(".")[2].lower()
        for name, value in labels["labels"].items()
        if ".customrequestheaders." in name and value == ""
    }
    # Traefik itself throws the standard ones away
    assert {name.lower() for name in FORGED} - {"x-forwarded-for", "forwarded"} <= emptied


@pytest.mark.parametrize("file", ["compose.yaml", "traefik/compose.yaml"])
def test_the_compose_file_is_one(file: str) -> None:
    fetched = json.loads(
        subprocess.run(
            [go(), "mod", "download", "-json", COMPOSE],
            env=go_environment(), capture_output=True, text=True, check=True, timeout=120,
        ).stdout
    )  # fmt: skip
    schema = json.loads((Path(fetched["Dir"]) / "schema/compose-spec.json").read_text())
    import jsonschema  # takes seconds, which no run of other tests should wait for

    jsonschema.validate(yaml.safe_load((DEPLOY / file).read_text()), schema)
