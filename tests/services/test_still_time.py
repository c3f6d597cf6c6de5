"""What expires by itself is known to the tests that count."""

from pathlib import Path
from time import monotonic

import pytest
from flask.testing import FlaskClient

import idp
from idp.audit import continuity
from tests import still
from tests.parallel import Queries

SOURCE = Path(str(idp.__file__)).parent


def test_every_module_that_believes_for_some_seconds_is_held() -> None:
    asking = {
        path.relative_to(SOURCE.parent).with_suffix("").as_posix().replace("/", ".")
        for path in SOURCE.rglob("*.py")
        if "from time import" in (text := path.read_text()) and "monotonic()" in text
    }
    # Deadlines of what is waited for, and when a loop went on: not of something kept
    waiting = {
        "idp.backup.places",
        "idp.cli.generations",
        "idp.deliveries.worker",
        "idp.heartbeat",
        "idp.outgoing.watch",
        "idp.roster.strays",
        "idp.workers",
    }
    waiting |= {f"idp.certify.{each}" for each in ("application", "chromium")}
    waiting |= {f"idp.certify.checks.{each}" for each in ("notices", "visits")}
    assert asking - waiting == {module.__name__ for module in still.WITH_AN_EXPIRY}


@pytest.mark.parametrize("slower", [1, 3, 30])
def test_a_count_is_the_same_on_a_machine_that_is_slower(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, slower: int
) -> None:
    """Each look at the clock costs as many seconds as a slow machine needs for a page."""
    passed = [monotonic()]

    def later() -> float:
        passed[0] += slower
        return passed[0]

    monkeypatch.setattr(continuity, "monotonic", later)
    client.get("/")
    counts = []
    for _ in range(4):
        with Queries() as asked:
            client.get("/")
        counts.append(len(asked))
    assert len(set(counts)) == 1
