"""Rules K2 and R18: what signs and what hashes is changed, and nobody notices."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from time import sleep
from typing import Any

import pytest

from idp.oidc import key_files
from tests.conftest import SECRETS
from tests.faults.machines import reload
from tests.faults.site import Site, site_of
from tests.security.outages import eventually

SEEN_WITHIN = 5
"""Seconds until every worker has seen a change of keys in the database."""
LISTS = ("session_secret", "password_pepper", "token_hash_key")

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]


def test_signing_keys_rotate_past_an_application_that_keeps_them_for_an_hour(site: Site) -> None:
    as_if_published_long_ago(site.machine.keys_folder)
    with site.visited() as traffic:
        traffic.application.learn_keys()
        before = traffic.application.last_kid
        assert site.machine.run("keys", "rotate").returncode == 0
        sleep(3)
        site.judge_planned("signing keys rotate", traffic)
    assert traffic.application.last_kid != before


def test_signing_keys_move_into_the_database_and_rotate_there(tmp_path: Path) -> None:
    """As docs/operator.md says, « Keys in the database », on two machines."""
    sealed_under = {"IDP_KEYS_ENCRYPTION_KEY": token_urlsafe(48)}
    with site_of(tmp_path, count=2, **sealed_under) as site:
        folder = site.machine.keys_folder
        as_if_published_long_ago(folder)
        with site.visited() as traffic:
            traffic.application.learn_keys()
            before = traffic.application.last_kid
            moved = site.machine.run("keys", "move", "--to", "database")
            assert moved.returncode == 0, moved.stderr
            for machine in site.machines:
                machine.settings(IDP_KEYS_IN="database")
                reload(machine)
            for file in folder.glob("*.pem"):
                file.unlink()
            rotated = site.machine.run("keys", "rotate")
            assert rotated.returncode == 0, rotated.stderr
            assert eventually(lambda: traffic.application.last_kid != before, 30)
            sleep(SEEN_WITHIN + 1)
            last = len(traffic.done.access)
            assert eventually(lambda: len(traffic.done.access) > last + 20, 30)
            site.judge_planned("signing keys move into the database, and rotate", traffic)
        assert traffic.application.last_kid != before


def test_secrets_rotate_on_two_machines_one_step_after_the_other(tmp_path: Path) -> None:
    """As docs/secrets.md says: the new ones first as second lines, then promoted."""
    with site_of(tmp_path, count=2) as site:
        new = {name: token_urlsafe(48).encode() for name in LISTS}
        with site.visited() as traffic:
            for promoted in (False, True):
                for name, secret in new.items():
                    site.secrets[name] = [secret, SECRETS[name]][:: 1 if promoted else -1]
                for machine in site.machines:
                    machine.settings(**as_variables(site.secrets))
                    reload(machine)
            made_before = len(traffic.done.sessions)
            assert eventually(lambda: len(traffic.done.sessions) > made_before + 5, 30)
            site.judge_planned("secrets rotate (session, pepper, hashes)", traffic)
        newest = {each["secret"] for each in hanging(site) if each["place"] == 1}
        assert newest >= {"IDP_TOKEN_HASH_KEY", "IDP_PASSWORD_PEPPER"}


def hanging(site: Site) -> list[dict[str, Any]]:
    """The secrets on which something hangs."""
    told = json.loads(site.machine.run("secrets", "status", "--json").stdout)
    return [each for each in told if each["hanging"]]


def as_variables(secrets: dict[str, list[bytes]]) -> dict[str, str]:
    return {
        f"IDP_{name.upper()}": json.dumps([each.decode() for each in them])
        for name, them in secrets.items()
    }


def as_if_published_long_ago(folder: Path) -> None:
    """A next key may sign once applications have had an hour to see it."""
    then = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    entries = [replace(each, created_at=then) for each in key_files.read_index(folder)]
    key_files.write_index(folder, entries)
