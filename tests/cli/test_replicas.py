"""PostgreSQL on several machines: commands that read a replica, an address that names them all."""

import json
from urllib.parse import urlsplit

import pytest
from flask import Flask

from idp.audit import events
from tests import factories
from tests.cli.conftest import finished
from tests.smtp import free_port

pytestmark = pytest.mark.long

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def served(environment: dict[str, str], app: Flask, database_url: str) -> dict[str, str]:
    """The environment of a real ``idp`` on the database of this test."""
    return {**environment, "DATABASE_URL": database_url}


@on_postgresql
@pytest.mark.parametrize("command", [("audit", "list"), ("user", "list")])
def test_lists_are_read_from_a_replica(served: dict[str, str], command: tuple[str, str]) -> None:
    factories.account("claire")
    events.record("sign_in")
    served["DATABASE_URL"] += "?options=-cdefault_transaction_read_only%3Don"
    listed = finished(served, *command, "--json")
    assert listed.returncode == 0, listed.stderr
    assert len(json.loads(listed.stdout)) >= 1


@on_postgresql
def test_an_address_may_name_machines_that_are_down(served: dict[str, str]) -> None:
    factories.account("claire")
    there = urlsplit(served["DATABASE_URL"])
    served["DATABASE_URL"] = (
        f"postgresql://{there.username}:{there.password}@{there.path}"
        f"?host=127.0.0.1,127.0.0.1&port={free_port()},{there.port}"
        "&target_session_attrs=read-write"
    )
    listed = finished(served, "user", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert len(json.loads(listed.stdout)) >= 1
