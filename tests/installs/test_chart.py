"""The chart, judged by Helm, by Kubernetes' own schema, and by what its containers run."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from flask import Flask
from sqlalchemy import event

from idp.database import db
from tests.cli.conftest import invoked
from tests.installs.compilers import go_program
from tests.installs.test_deploy import DEPLOY, ran

pytestmark = pytest.mark.timeout(600)

CHART = DEPLOY / "helm/school-idp"
HELM = ("helm.sh/helm/v3/cmd/helm", "v3.22.0")
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


@pytest.fixture(scope="module")
def helm() -> str:
    return go_program(*HELM)


def rendered(
    helm: str, values: dict[str, Any], folder: Path, *options: str
) -> list[dict[str, Any]]:
    """Every object that the chart makes of these values."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    chart = ("school", str(CHART), "--values", str(file), "--kube-version", KUBERNETES)
    return [each for each in yaml.safe_load_all(ran(helm, "template", *chart, *options)) if each]


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
    # The operator takes the job from that label of the Service, where there is one; else its name
    jobs = {
        command: it["labels"].get(monitor.get("jobLabel"), it["name"])
        for command, names in reached.items()
        for it in services
        if it["name"] in names
    }
    by_hand = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    servers, workers = (each["job_name"] for each in by_hand)
    assert jobs == {"serve": servers} | dict.fromkeys(("roster", "mail", "notify"), workers)


def test_the_port_of_metrics_and_of_the_server_open_to_whom_the_values_name(
    helm: str, tmp_path: Path
) -> None:
    ours = {"matchLabels": {"kubernetes.io/metadata.name": "ours"}}
    for name, key in (("serve", "fromNamespaces"), ("metrics", "metricsFromNamespaces")):
        for selectors in ([], [{}], [ours, {"matchLabels": {"team": "b"}}]):
            values = EVERYTHING | {"networkPolicy": {key: selectors}}
            made = rendered(helm, values, tmp_path, "--show-only", "templates/network.yaml")
            policy = next(it for it in made if it["metadata"]["name"] == f"school-idp-{name}")
            kubernetes_validate.validate(policy, KUBERNETES, strict=True)
            assert policy["spec"]["policyTypes"] == ["Ingress"]
            rules = policy["spec"].get("ingress", [])
            # A rule whose `from` is empty lets everybody in
            assert [each["from"] for each in rules] == (
                [[{"namespaceSelector": it} for it in selectors]] if selectors else []
            )
            assert all(each["ports"] for each in rules)


def test_a_server_is_restarted_for_itself_alone_and_asked_whether_it_is_ready(
    helm: str, tmp_path: Path, app: Flask
) -> None:
    made = rendered(helm, EVERYTHING, tmp_path)
    pods = [pod for each in made if each["kind"] == "Deployment" for pod in _pods(each)]
    serve = next(it for pod in pods for it in pod["containers"] if it["name"] == "serve")
    client, asked = app.test_client(), list[str]()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        where = serve[probe]["httpGet"]
        port = next(it for it in serve["ports"] if it["name"] == where["port"])
        assert str(port["containerPort"]) == serve["args"][serve["args"].index("--port") + 1]
        asked.clear()
        with app.app_context(), _statements(asked):
            answer = client.get(where["path"])
        assert answer.status_code == 200, answer.text
        # A database that is away takes a server out; restarted for it, all would be at once
        assert bool(asked) == (probe == "readinessProbe"), asked


def test_a_worker_whose_loop_hangs_is_restarted(helm: str, tmp_path: Path) -> None:
    made = rendered(helm, EVERYTHING, tmp_path)
    pods = [pod for each in made if each["kind"] == "Deployment" for pod in _pods(each)]
    workers = [it for pod in pods for it in pod["containers"] if it["args"][1] == "work"]
    assert {it["name"] for it in workers} == {"mail", "notify", "roster"}
    for each in workers:
        noun, _, option, file = each["args"]
        assert (noun, option) == (each["name"], "--heartbeat")
        command = each["livenessProbe"]["exec"]["command"]
        assert command == ["idp", "alive", file]
        assert invoked({}, *command[1:]).exit_code == 1, "none runs here, and no setting is needed"
        assert file.startswith("/tmp/")
        assert "/tmp" in {it["mountPath"] for it in each["volumeMounts"]}


@contextmanager
def _statements(asked: list[str]) -> Iterator[None]:
    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)


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
        ({"shell": True}, "sleep 86400"),
    ],
    ids=["a file", "the newest", "a shell"],
)
def test_a_restore_is_a_job_of_the_chart_beside_the_backups(
    helm: str, tmp_path: Path, wish: dict[str, Any], command: str
) -> None:
    made = rendered(helm, by_hand(wish), tmp_path)
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
    if name == "shell":
        assert job["spec"]["activeDeadlineSeconds"] == int(command.split()[1]), (
            "nothing cuts it off"
        )


def by_hand(wish: dict[str, Any]) -> dict[str, Any]:
    """What the guide's command names, of which no release holds anything."""
    return EVERYTHING | {"stopped": True, "restore": {"byHand": True} | wish}


@pytest.mark.parametrize("wish", [{"file": "newest"}, {"shell": True}], ids=["restore", "shell"])
@pytest.mark.parametrize("left_out", ["stopped", "byHand", "byHand, in a stopped release", None])
def test_no_release_holds_a_restore(
    helm: str, tmp_path: Path, wish: dict[str, Any], left_out: str | None
) -> None:
    values = by_hand(wish)
    options = [] if left_out else ["--is-upgrade"]  # as `helm upgrade` with all that was typed
    if left_out == "stopped":
        values["stopped"] = False
    elif left_out:
        values["stopped"] = left_out != "byHand"
        del values["restore"]["byHand"]
    with pytest.raises(AssertionError, match=r"restore\.byHand"):
        rendered(helm, values, tmp_path, *options)


def test_the_guides_commands_make_a_shell_and_a_restore_on_one_node(
    helm: str, tmp_path: Path
) -> None:
    guide = (DEPLOY.parent / "docs/operator.md").read_text()
    command = r"^helm template school \$chart --values values\.yaml (.+?) \|"
    pods = {}
    for options in re.findall(command, guide, re.MULTILINE):
        (job,) = rendered(helm, EVERYTHING, tmp_path, *shlex.split(options))
        template = job["spec"]["template"]
        pods[job["metadata"]["name"]] = (template["metadata"]["labels"], template["spec"])
    assert set(pods) == {"school-idp-shell", "school-idp-restore"}
    for _, spec in pods.values():
        (term,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["topologyKey"] == "kubernetes.io/hostname"
        # Itself among them: otherwise the first of the two would find no node
        assert all(_selects(term["labelSelector"], labels) for labels, _ in pods.values())
        assert not _selects(term["labelSelector"], _labels_of(helm, tmp_path, "backup"))


def _labels_of(helm: str, folder: Path, timer: str) -> dict[str, str]:
    made = rendered(helm, EVERYTHING, folder)
    its = next(each for each in made if each["metadata"]["name"] == f"school-idp-{timer}")
    labels: dict[str, str] = its["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    return labels


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert {each["operator"] for each in selector["matchExpressions"]} == {"In"}
    return selector["matchLabels"].items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in selector["matchExpressions"]
    )


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
    made = rendered(helm, EVERYTHING, tmp_path)
    made += rendered(helm, by_hand({"file": "newest"}), tmp_path)
    for each in made:
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
