"""``deploy/`` and what the guide says of it are one: nothing named that is not there."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from idp import measures

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
