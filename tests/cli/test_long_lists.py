"""Lists of any length: printed a piece at a time, and never cut in silence."""

import gc
import json
import os
import subprocess
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from idp.audit import events
from idp.cli import audit, output
from idp.database import transaction
from idp.people import accounts
from tests import factories
from tests.cli.conftest import PROGRAM, Run

pytestmark = pytest.mark.quick_on("postgresql")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (output, accounts, audit):
        monkeypatch.setattr(module, "PIECE", 3)


def test_every_account_is_listed_whatever_the_size_of_a_piece(
    run: Run, json_of: Callable[..., Any]
) -> None:
    for number in range(10):
        factories.account(f"parent{number}", email="shared@a.example" if number % 2 else None)
    names = [f"parent{number}" for number in range(10)]
    assert [row["username"] for row in json_of("user", "list")] == names
    lines = run("user", "list").stdout.splitlines()
    assert len(lines) == 11
    shared = json_of("user", "list", "--email", "Shared@A.example")
    assert [row["username"] for row in shared] == names[1::2]
    assert json_of("user", "list", "--email", "nobody@a.example") == []
    assert run("user", "list", "--status", "disabled").stdout == "(none)\n"


def test_a_list_that_is_cut_says_so(run: Run) -> None:
    for number in range(7):
        factories.account(f"parent{number}")
        events.record("sign_in")
    whole = run("user", "list", "--limit", "7")
    cut = run("user", "list", "--limit", "6", "--json")
    assert "cut after" not in whole.stderr
    assert "cut after 6; there are more" in cut.stderr
    assert len(json.loads(cut.stdout)) == 6
    trail = run("audit", "list", "--limit", "4", "--json")
    assert "--limit, or --all" in trail.stderr
    assert [row["id"] for row in json.loads(trail.stdout)] == sorted(
        (row["id"] for row in json.loads(trail.stdout)), reverse=True
    )
    everything = run("audit", "list", "--all", "--event", "sign_in", "--json")
    assert (everything.stderr, len(json.loads(everything.stdout))) == ("", 7)


@pytest.mark.long
@pytest.mark.parametrize("as_json", [False, True])
def test_memory_does_not_grow_with_the_list(as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output.click, "echo", lambda *_args, **_options: None)

    def peak(rows: int) -> int:
        tracemalloc.start()
        try:
            lazy_rows = ({"id": "x" * 500, "n": number} for number in range(rows))
            output.stream(lazy_rows, ("id", "n"), as_json)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    # As a command has it: what is written with indents leaves garbage in circles
    usual = gc.get_threshold()
    gc.set_threshold(700)
    try:
        # Held as a whole, a thousand rows are 600 kB
        assert peak(1_000) < 2 * peak(100) + 50_000
    finally:
        gc.set_threshold(*usual)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_process_that_lists_many_events_is_no_larger(
    app: Flask, environment: dict[str, str], database_url: str
) -> None:
    events.record("sign_in")
    environment["DATABASE_URL"] = database_url

    def kilobytes(rows: int) -> int:
        with transaction() as writes:
            writes.execute(
                text(
                    "INSERT INTO audit_events (at, event, result, actor, detail)"
                    " SELECT now(), 'sign_in', 'ok', repeat('x', 40), '{}'"
                    " FROM generate_series(1, :rows)"
                ),
                {"rows": rows},
            )
        program = [str(PROGRAM), "audit", "list", "--all", "--json"]
        listing = subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(listing.pid, 0)
        listing.returncode = os.waitstatus_to_exitcode(status)
        assert listing.returncode == 0
        return used.ru_maxrss

    few = kilobytes(1_000)
    # Held as a whole, so many events were 80 MB
    assert kilobytes(40_000) < few + 12_000
