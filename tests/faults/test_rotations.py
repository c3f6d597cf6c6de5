"""Rules K2 and R18: what signs and what hashes is changed, and nobody notices."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from time import sleep
from typing import Any

import pytest
from sqlalchemy import text

from idp.oidc import key_files
from tests.conftest import SECRETS
from tests.faults.changes import LED
from tests.faults.machines import reload
from tests.faults.site import Site, site_of
from tests.faults.visits import Browser
from tests.security.outages import eventually

SEEN_WITHIN = 5
"""Seconds until every worker has seen a change of keys in the database."""
LISTS = ("session_secret", "password_pepper", "token_hash_key")

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(600)]


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
    """As docs/secrets.md says: the new ones first as second lines, then promoted; in the end the
    former ones are taken out.
    """
    with site_of(tmp_path, count=2, IDP_DRAIN="5") as site:
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

        assert site.machine.run("secrets", "status").returncode == 1
        as_if_a_year_had_gone_by(site)
        everybody_signs_in(site)
        status = site.machine.run("secrets", "status")
        assert status.returncode == 0, status.stdout
        with site.visited(desk=False) as traffic:
            for machine in site.machines:
                for name, secret in new.items():
                    site.secrets[name] = [secret]
                machine.settings(**as_variables(site.secrets))
                reload(machine)
            made_before = len(traffic.done.sessions)
            assert eventually(lambda: len(traffic.done.sessions) > made_before + 5, 30)
            site.judge_planned("the former secrets are taken out", traffic)
        assert {each["place"] for each in hanging(site)} == {1}


def hanging(site: Site) -> list[dict[str, Any]]:
    """The secrets on which something hangs."""
    told = json.loads(site.machine.run("secrets", "status", "--json").stdout)
    return [each for each in told if each["hanging"]]


def as_if_a_year_had_gone_by(site: Site) -> None:
    """Everything is over by then that ends by itself; and the secretary has a passkey alone."""
    over = "grants, browser_sessions, interactions, form_submissions, known_devices"
    with site.reading() as now:
        now.execute(text(f"TRUNCATE {over} CASCADE"))
        secretary = "(SELECT id FROM accounts WHERE username = 'secretary')"
        now.execute(text(f"DELETE FROM passwords WHERE account_id = {secretary}"))
        now.execute(text("UPDATE installation_marks SET at = at - INTERVAL '1 year'"))
        now.commit()


def everybody_signs_in(site: Site) -> None:
    for username, password in site.household.passwords:
        browser = Browser(site.door.anew())
        browser.open(LED, "/")
        browser.submit("sign-in", "login-form", username=username, password=password)
        assert 'id="sign-out"' in browser.page


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
