"""What ``deploy/`` holds, judged by the programs that will read it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import kubernetes_validate
import pytest
import requests
import yaml

from tests.installs.compilers import go, go_environment, go_program
from tests.security.outages import eventually
from tests.smtp import free_port

pytestmark = pytest.mark.timeout(600)

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CHART = DEPLOY / "helm/school-idp"
HELM = ("helm.sh/helm/v3/cmd/helm", "v3.22.0")
COMPOSE = "github.com/compose-spec/compose-go/v2@v2.16.2"
KUBERNETES = "1.31"
VALUES = {
    "settings": {"IDP_ISSUER": "https://id.example", "IDP_MAIL_PORT": 587},
    "existingSecret": "idp",
    "existingKeys": "idp-keys",
}
EVERYTHING = {
    **VALUES,
    "metrics": {"enabled": True, "serviceMonitor": True},
    "ingress": {"enabled": True, "className": "nginx"},
    "backup": {"enabled": True, "existingClaim": "idp-backups"},
    "imagePullSecrets": [{"name": "registry"}],
}

IN_DATABASE = {
    **EVERYTHING,
    "settings": {**VALUES["settings"], "IDP_KEYS_IN": "database"},  # type: ignore[dict-item]
    "existingKeys": "",
}


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


@pytest.fixture(scope="module")
def helm() -> str:
    return go_program(*HELM)


def rendered(helm: str, values: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Every object that the chart makes of these values."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    chart = ("school", str(CHART), "--values", str(file), "--kube-version", KUBERNETES)
    return [each for each in yaml.safe_load_all(ran(helm, "template", *chart)) if each]


def test_helm_has_nothing_to_say_against_the_chart(helm: str, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(EVERYTHING))
    ran(helm, "lint", "--strict", str(CHART), "--values", str(file), "--kube-version", KUBERNETES)


def test_without_a_secret_the_chart_says_what_is_missing(helm: str, tmp_path: Path) -> None:
    for missing in VALUES:
        left = {name: value for name, value in VALUES.items() if name != missing}
        with pytest.raises(AssertionError, match=f"{missing}.* is needed"):
            rendered(helm, left, tmp_path)


@pytest.mark.parametrize(
    "values", [VALUES, EVERYTHING, IN_DATABASE], ids=["least", "everything", "keys in database"]
)
def test_kubernetes_takes_what_the_chart_makes(
    helm: str, values: dict[str, Any], tmp_path: Path
) -> None:
    made = rendered(helm, values, tmp_path)
    kinds = {each["kind"] for each in made}
    assert kinds >= {
        "CronJob", "Deployment", "HorizontalPodAutoscaler", "Job", "NetworkPolicy",
        "PodDisruptionBudget", "Service",
    }  # fmt: skip
    assert ("Ingress" in kinds) == (values is not VALUES)
    assert ("idp-keys" in str(made)) == (values is not IN_DATABASE), "no Secret of keys is mounted"
    assert "Secret" not in kinds
    for each in made:
        if each["kind"] != "ServiceMonitor":  # Prometheus' operator brings it
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_every_process_that_goes_on_answers_prometheus(helm: str, tmp_path: Path) -> None:
    made = rendered(helm, EVERYTHING, tmp_path)
    services = [
        each["spec"] | each["metadata"]
        for each in made
        if each["kind"] == "Service" and "prometheus.io/port" in str(each)
    ]
    reached = {}
    for each in made:
        if each["kind"] != "Deployment":
            continue
        labels = each["spec"]["template"]["metadata"]["labels"]
        for container in each["spec"]["template"]["spec"]["containers"]:
            said = {it["name"]: it.get("value") for it in container["env"]}
            assert said["IDP_METRICS_HOST"] == "0.0.0.0"
            ports = {
                it["name"]: it["containerPort"]
                for it in container["ports"]
                if str(it["containerPort"]) == said["IDP_METRICS_PORT"]
            }
            reached[container["args"][0]] = [
                it["name"]
                for it in services
                if it["selector"].items() <= labels.items()
                and it["ports"][0]["targetPort"] in ports
                and it["annotations"]["prometheus.io/port"] == said["IDP_METRICS_PORT"]
            ]
    assert set(reached) == {"serve", "roster", "mail", "notify"}
    assert sorted(name for names in reached.values() for name in names) == sorted(
        it["name"] for it in services
    )
    assert all(len(names) == 1 for names in reached.values()), reached
    monitor = next(each for each in made if each["kind"] == "ServiceMonitor")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    found = [each for each in made if each["kind"] == "Service"]
    assert {
        each["metadata"]["name"] for each in found if wanted <= each["metadata"]["labels"].items()
    } == {it["name"] for it in services}
    assert {it["ports"][0]["name"] for it in services} == {monitor["endpoints"][0]["port"]}


def test_a_stopped_release_runs_nothing_that_could_disturb_a_restore(
    helm: str, tmp_path: Path
) -> None:
    made = rendered(helm, EVERYTHING | {"stopped": True}, tmp_path)
    kinds = {each["kind"] for each in made}
    assert not kinds & {"Job", "HorizontalPodAutoscaler"}
    assert {each["spec"]["replicas"] for each in made if each["kind"] == "Deployment"} == {0}
    timers = [each["spec"] for each in made if each["kind"] == "CronJob"]
    assert len(timers) == 3
    assert all(each["suspend"] for each in timers)
    # What they have started is found by the labels by which the guide deletes it
    for each in timers:
        labels = each["jobTemplate"]["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "school"


@pytest.mark.parametrize(
    ("wish", "command"),
    [
        (
            {"file": "a.idp-backup", "options": ["--keep-keys"]},
            "idp backup restore backups/a.idp-backup --replace --yes --keep-keys",
        ),
        (
            {"file": "newest", "options": ["--erasures-from", "backups/a list.txt"]},
            "idp backup restore backups/found --replace --yes --erasures-from backups/a list.txt",
        ),
        ({"shell": True}, "sleep 14400"),
    ],
    ids=["a file", "the newest", "a shell"],
)
def test_a_restore_is_a_job_of_the_chart_beside_the_backups(
    helm: str, tmp_path: Path, wish: dict[str, Any], command: str
) -> None:
    made = rendered(helm, EVERYTHING | {"restore": wish}, tmp_path)
    name = "shell" if "shell" in wish else "restore"
    job = next(each for each in made if each["metadata"]["name"] == f"school-idp-{name}")
    kubernetes_validate.validate(job, KUBERNETES, strict=True)
    nightly = next(each for each in made if each["metadata"]["name"] == "school-idp-backup")
    assert "annotations" not in job["metadata"], "no hook: it happens once, when it is made"
    assert job["spec"]["backoffLimit"] == 0
    pod, its = _pods(job)[0], _pods(nightly)[0]
    assert pod["volumes"] == its["volumes"]
    container, model = pod["containers"][0], its["containers"][0]
    for same in ("env", "image", "volumeMounts", "workingDir", "securityContext"):
        assert container[same] == model[same]
    assert did(container, tmp_path) == command


def did(container: dict[str, Any], folder: Path) -> str:
    """What a container runs, its programs being stand-ins that say how they were called."""
    for name in ("idp", "sleep"):
        program = folder / name
        latest = '[ "$1 $2" != "backup latest" ] || { echo backups/found; exit; }'
        program.write_text(f'#!/bin/sh\n{latest}\necho {name} "$@"\n')
        program.chmod(0o755)
    words = [*container.get("command", ["idp"]), *container.get("args", [])]
    return ran(*words, PATH=f"{folder}:{os.environ['PATH']}").strip()


def test_every_container_of_the_chart_may_as_little_as_it_can(helm: str, tmp_path: Path) -> None:
    for each in rendered(helm, EVERYTHING, tmp_path):
        for pod in _pods(each):
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert pod["automountServiceAccountToken"] is False
            for container in [*pod["initContainers"], *pod["containers"]]:
                may = container["securityContext"]
                assert may["readOnlyRootFilesystem"] is True
                assert may["allowPrivilegeEscalation"] is False
                assert may["capabilities"] == {"drop": ["ALL"]}
                assert set(container["resources"]) == {"requests", "limits"}
                # A secret stands in a file, never in a variable that an error may print
                for variable in container.get("env", ()):
                    assert "valueFrom" not in variable


def _pods(made: dict[str, Any]) -> list[dict[str, Any]]:
    spec = made.get("spec", {})
    template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
    return [template["spec"]] if template else []


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
