"""``deploy/`` and what the guide says of it are one: nothing named that is not there."""

import dataclasses
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from idp import heartbeat, measures
from idp.cli.program import NOUNS
from idp.settings import Settings, variable, variables
from tests.installs import image

DEPLOY = Path("deploy")
GUIDE = Path("docs/operator.md").read_text()
METRIC = re.compile(r"\bidp_[a-z_]+")


def alerts() -> list[dict[str, str]]:
    groups = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def metrics() -> set[str]:
    """The names under which Prometheus knows what is counted or asked."""
    registry = CollectorRegistry()
    measures.Metrics(registry)
    names = {
        name for family in registry.collect() for name in (family.name, f"{family.name}_total")
    }
    names |= {f"idp_request_seconds_{part}" for part in ("bucket", "sum", "count")}
    source = Path("idp/doctor/measured.py").read_text()
    return names | {name for name in METRIC.findall(source) if f'"{name}"' in source}


def chapter(title: str) -> str:
    """The text under a heading, up to the next of its level or above."""
    match = re.search(rf"^(#+) {title}$(.*?)(?=^#{{1,3}} |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert match is not None, title
    return match[2]


def test_each_alert_has_its_paragraph_and_each_paragraph_its_alert() -> None:
    told = re.findall(r"^- \*\*`(\w+)`\*\*", chapter("Alerts"), re.MULTILINE)
    assert told == [rule["alert"] for rule in alerts()]


@pytest.mark.parametrize("file", ["prometheus/alerts.yml", "grafana/idp.json"])
def test_what_is_asked_of_prometheus_is_counted(file: str) -> None:
    text = (DEPLOY / file).read_text()
    asked = set(METRIC.findall(text))
    assert asked
    assert asked <= metrics()


def test_the_dashboard_shows_all_that_is_counted() -> None:
    dashboard = json.loads((DEPLOY / "grafana/idp.json").read_text())
    queries = " ".join(t["expr"] for panel in dashboard["panels"] for t in panel["targets"])
    shown = {re.sub(r"_(total|bucket)$", "", name) for name in METRIC.findall(queries)}
    registry = CollectorRegistry()
    measures.Metrics(registry)
    assert {family.name for family in registry.collect()} <= shown
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


def test_the_guide_tells_of_each_metric() -> None:
    told = set(METRIC.findall(chapter("Metrics")))
    assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in metrics()} == {
        re.sub(r"_total$", "", name) for name in told
    }


# The image, and what runs it


CONTAINERFILE = Path("Containerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = ("prepare", "serve", "mail", "roster", "notify", "daily", "figures", "backup")
PROCESSES = {
    "serve", "mail work", "roster work", "notify work", "purge", "overview refresh",
    "backup create",
}  # fmt: skip
OF_COMPOSE = {"IDP_HOST", "IDP_IMAGE", "IDP_UPSTREAM"}
"""Variables of the compose files and of Caddy, which the provider never sees."""


def test_every_setting_that_deploy_names_exists() -> None:
    known = {variable(each.name) for each in dataclasses.fields(Settings)} | variables.ELSEWHERE
    files = [Path("Containerfile"), *(file for file in DEPLOY.rglob("*") if file.is_file())]
    known |= {f"{name}_FILE" for name in known}
    setting = re.compile(r"\b(?:IDP_[A-Z_]+[A-Z]|DATABASE_URL(?:_FILE)?)\b")
    named = {name for file in files for name in setting.findall(file.read_text())}
    assert len(named) > 10
    assert named - OF_COMPOSE <= known


def commands(file: str) -> set[str]:
    """The first words of every `idp …` that a file starts."""
    text = (DEPLOY / file).read_text()
    lists = re.findall(r"(?:command|args): \[([a-z, ]+)", text)
    spoken = re.findall(
        r"\bidp ((?:purge|overview refresh|db upgrade|keys ensure|backup create))\b", text
    )
    return {each.replace(",", "").strip() for each in lists} | set(spoken)


def test_each_process_of_the_guide_has_its_service() -> None:
    units = " ".join(file.read_text() for file in (DEPLOY / "systemd").glob("*.service"))
    started = set(re.findall(r"/opt/idp/bin/idp ([a-z]+(?: [a-z]+)?)", units))
    assert started >= PROCESSES
    table = re.findall(r"^\| [^|]+ \| `idp ([a-z ]+)`", chapter("What runs"), re.MULTILINE)
    assert set(table) == PROCESSES
    assert commands("compose.yaml") >= PROCESSES - {"serve"}
    for command in started | commands("compose.yaml"):
        assert command.split()[0] in NOUNS


def test_the_image_is_nobodys_root_and_needs_no_compiler() -> None:
    last = CONTAINERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert not re.search(r"\b(gcc|build-essential|python3-dev|libpq-dev)\b", CONTAINERFILE)
    for name in re.findall(r"^COPY (?!--from)(.+) /src", CONTAINERFILE, re.MULTILINE):
        for part in name.split():
            assert Path(part).exists()
            assert f"!{part}" in Path(".containerignore").read_text().splitlines()
    assert Path(".containerignore").read_text() == Path(".dockerignore").read_text()


FETCHES_NOTHING = {"groupadd", "install", "mkdir", "python3 -m venv", "rm", "useradd"}
SIGNED = {"apt-get update", "apt-get install"}
"""By Debian, whose keys are in the image that it begins with."""
HASHED = ({"--require-hashes", "--only-binary=:all:"}, {"--no-index", "--no-build-isolation"})
"""What pip is told: to check what it fetches, and to build nothing of it; or to fetch nothing."""


def unchecked(steps: list[tuple[str, str]]) -> list[str]:
    """The commands of these steps that are not known to check all that they fetch."""
    found = [f"{word} {rest}" for word, rest in steps if word == "ADD"]
    for command in (
        each.strip() for word, rest in steps if word == "RUN" for each in rest.split("&&")
    ):
        words = shlex.split(command)
        pip = words[0].endswith("/pip")
        if pip and words[1] == "install" and any(set(words) >= options for options in HASHED):
            continue
        if pip and words[1] == "uninstall":
            continue
        known = any(words[: len(each.split())] == each.split() for each in FETCHES_NOTHING | SIGNED)
        if not known or re.search(r"[;|`<]|\$\(|https?:", command):
            found.append(command)
    return found


def test_r11_no_step_of_the_image_fetches_what_is_not_checked() -> None:
    steps = image.steps(CONTAINERFILE)
    assert unchecked(steps) == []
    locks = {each for _, rest in steps for each in re.findall(r"--requirement /src/(\S+)", rest)}
    assert locks == {"requirements.txt", "requirements-build.txt"}


@pytest.mark.parametrize(
    ("words", "others"),
    [
        (" --no-build-isolation", ""),
        (" --no-index", ""),
        (" --require-hashes", ""),
        (" --only-binary=:all:", ""),
        ("uninstall --yes pip", "install wheel"),
        ("python3 -m venv /opt/idp", "python3 -m venv /opt/idp; curl https://a.example | sh"),
        ("COPY idp", "ADD https://a.example/idp.tar"),
        ("mkdir -p", "wget -P"),
    ],
)
def test_r11_a_step_that_fetches_unchecked_is_found(words: str, others: str) -> None:
    assert words in CONTAINERFILE
    assert unchecked(image.steps(CONTAINERFILE.replace(words, others))) != []


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_may_as_little_as_it_can(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    secret = {"session_secret", "password_pepper", "token_hash_key", "subject_key"}
    assert secret <= set(service["secrets"]) <= set(COMPOSE["secrets"])
    assert not {f"IDP_{each.upper()}" for each in secret} & set(service["environment"])


def test_one_variable_lets_every_service_that_goes_on_answer_prometheus() -> None:
    for name in ("serve", "mail", "roster", "notify"):
        said = COMPOSE["services"][name]["environment"]
        assert said["IDP_METRICS_PORT"] == "${IDP_METRICS_PORT:-0}"
        assert said["IDP_METRICS_HOST"] == "0.0.0.0"
        assert "ports" not in COMPOSE["services"][name]


@pytest.mark.parametrize("name", ["daily", "figures", "backup"])
def test_a_timer_of_the_compose_file_is_unhealthy_from_a_run_that_failed_until_the_next(
    name: str, tmp_path: Path
) -> None:
    service = COMPOSE["services"][name]
    *_, script = service["entrypoint"]
    kind, *probe = service["healthcheck"]["test"]
    assert kind == "CMD"
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "idp").write_text(
        "#!/bin/sh\nread code rest < turns\necho $rest > turns\nexit $code\n"
    )
    # Each pause is where somebody looks; after the last run it ends the loop
    looked = shlex.join(probe).replace("/tmp/", f"{tmp_path}/")
    (programs / "sleep").write_text(
        f"#!/bin/sh\n{looked} && echo healthy >> seen || echo unhealthy >> seen\n"
        '[ -n "$(cat turns)" ] || kill $PPID\n'
    )
    for each in programs.iterdir():
        each.chmod(0o755)
    (tmp_path / "turns").write_text("0 4 4 0\n")
    environment = {"PATH": f"{programs}:/usr/bin:/bin"}
    script = script.replace("/tmp/", f"{tmp_path}/")
    subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment, check=False, timeout=20)
    seen = (tmp_path / "seen").read_text().split()
    assert seen[-4:] == ["healthy", "unhealthy", "unhealthy", "healthy"]
    assert set(seen[:-4]) <= {"healthy"}, "nothing has failed before the first run"


@pytest.mark.parametrize("name", ["mail", "roster", "notify"])
def test_a_worker_whose_loop_hangs_is_unhealthy_to_docker_and_killed_by_systemd(name: str) -> None:
    service = COMPOSE["services"][name]
    kind, *probe = service["healthcheck"]["test"]
    assert kind == "CMD"
    assert service["command"] == [name, "work", "--heartbeat", probe[-1]]
    assert probe == ["idp", "alive", "/tmp/alive"]
    assert "/tmp" in service["tmpfs"], "each container has its own"
    unit = (DEPLOY / f"systemd/idp-{name}.service").read_text()
    said = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    assert float(said["WatchdogSec"]) == heartbeat.LONGEST_SILENCE
    assert said["NotifyAccess"] == "main"
    assert said["Restart"] == "always"
    assert said["WatchdogSignal"] == "SIGKILL", "no core, which would hold secrets"


def test_whoever_is_waited_for_until_it_is_healthy_says_itself_how_that_is_asked() -> None:
    """Not by its image alone: podman drops the health check of one that it builds as OCI's."""
    waited_for = {
        name
        for file in ("compose.yaml", "traefik/compose.yaml")
        for service in yaml.safe_load((DEPLOY / file).read_text())["services"].values()
        for name, until in service.get("depends_on", {}).items()
        if until["condition"] == "service_healthy"
    }
    assert waited_for == {"serve", "database"}
    for name in waited_for:
        assert COMPOSE["services"][name]["healthcheck"]["test"]


def test_serve_is_asked_the_same_by_the_compose_file_as_by_its_image() -> None:
    found = re.search(r"^HEALTHCHECK (.+) CMD (.+)$", CONTAINERFILE, re.MULTILINE)
    assert found is not None
    options = dict(re.findall(r"--([\w-]+)=(\S+)", found[1]))
    said = dict(COMPOSE["services"]["serve"]["healthcheck"])
    assert said.pop("test") == ["CMD", *json.loads(found[2])]
    assert {name.replace("_", "-"): value for name, value in said.items()} == options


def test_whoever_builds_the_image_with_podman_keeps_its_health_check() -> None:
    texts = [GUIDE, CONTAINERFILE, Path("README.md").read_text()]
    built = [command for text in texts for command in re.findall(r"podman build\b.*", text)]
    assert len(built) > 1
    assert [command for command in built if "--format docker" not in command] == []


def test_what_is_written_before_a_restore_on_kubernetes_outlives_the_container() -> None:
    text = chapter("A restore on Kubernetes")
    written = re.findall(r"(?:> ?|rm |--erasures-from,)([\w./-]+)", text)
    assert {"backups/since-backup.json", "backups/erasures.txt"} <= set(written)
    assert all(name.startswith("backups/") for name in written)
    assert set(re.findall(r"[\w/]*since-backup\.json", text)) == {"backups/since-backup.json"}


def test_the_schema_is_widened_before_anything_of_ours_starts() -> None:
    for name in OURS[1:]:
        needs = COMPOSE["services"][name]["depends_on"]
        assert needs == {"prepare": {"condition": "service_completed_successfully"}}


def test_the_chart_is_of_this_version() -> None:
    version = re.search(r"^version = (.+)$", Path("setup.cfg").read_text(), re.MULTILINE)
    chart = yaml.safe_load((DEPLOY / "helm/school-idp/Chart.yaml").read_text())
    assert version is not None
    assert chart["appVersion"] == chart["version"] == version[1]


# The lock


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-build.txt"])
def test_each_file_of_a_lock_has_its_hash_and_the_pinned_version(name: str) -> None:
    locked = _pins(Path(name).read_text())
    pinned = _pins(Path("constraints.txt").read_text())
    assert {name: version for name, version in locked.items() if pinned.get(name) != version} == {}
    for entry in re.split(r"\n(?=\w)", Path(name).read_text()):
        if not entry.startswith("#"):
            assert "--hash=sha256:" in entry, entry


def test_the_locks_hold_what_is_needed_and_what_builds_it() -> None:
    needed = re.search(r"install_requires =\n((?:    .+\n)+)", Path("setup.cfg").read_text())
    assert needed is not None
    assert _names(needed[1].split()) <= set(_pins(Path("requirements.txt").read_text()))
    builds = tomllib.loads(Path("pyproject.toml").read_text())["build-system"]["requires"]
    assert _names(builds) <= set(_pins(Path("requirements-build.txt").read_text()))


def _names(requirements: list[str]) -> set[str]:
    return {_plain(re.split(r"[\[<>=]", each.strip())[0]) for each in requirements}


def _pins(text: str) -> dict[str, str]:
    pairs = re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {_plain(name): version for name, version in pairs}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
