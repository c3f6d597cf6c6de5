"""Rules K2 and R12: what signs and what hashes is changed, and nobody notices."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep

import pytest

from idp.oidc import key_files
from tests.faults.site import Site

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(170)]


def test_signing_keys_rotate_past_an_application_that_keeps_them_for_an_hour(site: Site) -> None:
    as_if_published_long_ago(site.machine.keys_folder)
    with site.visited() as traffic:
        traffic.application.learn_keys()
        before = traffic.application.last_kid
        assert site.machine.run("keys", "rotate").returncode == 0
        sleep(3)
        site.judge_planned("signing keys rotate", traffic)
    assert traffic.application.last_kid != before


def as_if_published_long_ago(folder: Path) -> None:
    """A next key may sign once applications have had an hour to see it."""
    then = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    entries = [replace(each, created_at=then) for each in key_files.read_index(folder)]
    key_files.write_index(folder, entries)
