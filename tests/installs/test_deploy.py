"""What ``deploy/`` holds, judged by the programs that will read it."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.installs.compilers import go, go_environment, go_program

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
    "metrics": {"enabled": True},
    "ingress": {"enabled": True, "className": "nginx"},
    "imagePullSecrets": [{"name": "registry"}],
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


@pytest.mark.parametrize("values", [VALUES, EVERYTHING], ids=["least", "everything"])
def test_kubernetes_takes_what_the_chart_makes(
    helm: str, values: dict[str, Any], tmp_path: Path
) -> None:
    made = rendered(helm, values, tmp_path)
    kinds = {each["kind"] for each in made}
    assert kinds >= {
        "CronJob", "Deployment", "HorizontalPodAutoscaler", "Job", "NetworkPolicy",
        "PodDisruptionBudget", "Service",
    }  # fmt: skip
    assert ("Ingress" in kinds) == (values is EVERYTHING)
    assert "Secret" not in kinds
    for each in made:
        kubernetes_validate.validate(each, KUBERNETES, strict=True)


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
    jsonschema.validate(yaml.safe_load((DEPLOY / file).read_text()), schema)
