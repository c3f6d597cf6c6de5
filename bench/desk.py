"""``python -m bench.desk``: how long the desk's search and pages take in a large district.

The district of ``bench.district`` is imported, then each kind of query is asked again and again
by a manager and by an operator, by the service itself and over HTTP. Times in milliseconds.
"""

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

from flask import Flask
from sqlalchemy import func, select

from bench import databases, desk_pages, processes
from bench.district import FAMILY, GIVEN_NAMES, PORT, Size, imported
from bench.measure import percentile
from bench.provider import environment
from idp import Settings, create_app
from idp.database import db
from idp.desk.access.rights import AT_TERMINAL, Right, SchoolScope, Staff
from idp.desk.search import search
from idp.oidc.keys import Keyring
from idp.people.models import Account, Child, School
from idp.people.search_index import DirectoryEntry

GOAL = 100.0
"""Milliseconds that no answer may take."""
ROUNDS = 60

Query = Callable[[random.Random], str]


class Taken(NamedTuple):
    """Seconds that passed, and seconds of processor in this process (with SQLite: all of them)."""

    passed: float
    busy: float


def main() -> int:
    """Import the district, ask, print a table; 1 where the goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.desk", description=__doc__)
    parser.add_argument("--database", choices=(*databases.KINDS, "both"), default="both")
    parser.add_argument("--schools", type=int, default=Size.schools)
    parser.add_argument("--pupils", type=int, default=Size.pupils)
    parser.add_argument("--guardians", type=int, default=Size.guardians)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="queries of each kind")
    arguments = parser.parse_args()
    size = Size(arguments.schools, arguments.pupils, arguments.guardians)
    kinds = databases.KINDS if arguments.database == "both" else (arguments.database,)
    met = [_measured(kind, size, arguments.rounds) for kind in kinds]
    return int(not all(met))


def _measured(kind: str, size: Size, rounds: int) -> bool:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="idp-desk-")))
        url = stack.enter_context(databases.fresh(kind, folder))
        variables = environment(folder, url, PORT)
        seconds, megabytes = imported(variables, folder, size)
        print(f"imported in {seconds:.0f} s, {megabytes:.0f} MB", flush=True)
        Keyring(folder / "keys").ensure()
        app = create_app(Settings.from_environment(variables))
        stack.enter_context(app.app_context())
        _heading(databases.described(url))
        met = [_row(*each) for each in _rows(app, rounds)]  # each is measured, whatever came before
        return all(met)


def _heading(described: str) -> None:
    people = [
        db.session.scalar(select(func.count()).select_from(model))
        for model in (Child, Account, DirectoryEntry)
    ]
    busy, cores = processes.busy(), len(os.sched_getaffinity(0))
    print(
        f"{described}\n{people[0]} pupils, {people[1]} guardians, {people[2]} lines in the"
        f" directory; others use {busy:.1f} cores of {cores}"
    )
    print(f"  {'':<40} {'p50':>7} {'p95':>7} {'p99':>7} {'CPU p99':>9}   found", flush=True)


def _row(label: str, times: list[Taken], count: int | None) -> bool:
    passed = [each.passed for each in times]
    shares = [1_000 * percentile(passed, share) for share in (0.5, 0.95, 0.99)]
    columns = " ".join(f"{share:7.1f}" for share in shares)
    busy = 1_000 * percentile([each.busy for each in times], 0.99)
    print(f"  {label:<40} {columns} {busy:9.1f}   {'' if count is None else count}", flush=True)
    return shares[-1] < GOAL


def _rows(app: Flask, rounds: int) -> Iterator[tuple[str, list[Taken], int | None]]:
    school = db.session.scalars(select(School.id).order_by(School.name).limit(1)).one()
    school_scope = SchoolScope(school_ids=frozenset({school}))
    for who, staff in (
        ("manager", Staff("", {Right.LOOK_UP: school_scope})),
        ("operator", AT_TERMINAL),
    ):
        for label, query in _queries().items():
            times, count = _searched(staff, query, rounds)
            yield f"search, {who}: {label}", times, count
    for label, visit in desk_pages.visits(app, school).items():
        yield label, [_timed(visit) for _ in range(rounds)], None


def _searched(staff: Staff, query: Query, rounds: int) -> tuple[list[Taken], int]:
    chance = random.Random(7)
    totals: list[int] = []
    times: list[Taken] = []
    for _ in range(rounds):
        text = query(chance)
        db.session.rollback()
        times.append(_timed(partial(_search, staff, text, totals)))
    return times, sorted(totals)[len(totals) // 2]


def _search(staff: Staff, text: str, totals: list[int]) -> None:
    totals.append(search.find(staff, text).total)


def _timed(visit: Callable[[], None]) -> Taken:
    began, used = perf_counter(), process_time()
    visit()
    return Taken(perf_counter() - began, process_time() - used)


def _queries() -> dict[str, Query]:
    def given_name(chance: random.Random) -> str:
        return chance.choice(GIVEN_NAMES)

    def family(chance: random.Random) -> str:
        return chance.choice(FAMILY)

    def mistyped(chance: random.Random) -> str:
        word = chance.choice([each for each in FAMILY if len(each) > 5 and each.isascii()])
        place = chance.randrange(1, len(word) - 2)
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]

    return {
        "full name": lambda chance: f"{given_name(chance)} {family(chance)}",
        "common name": family,
        "two letters": lambda chance: family(chance)[:2],
        "typo": mistyped,
        "first name and typo": lambda chance: f"{given_name(chance)} {mistyped(chance)}",
        "class": lambda chance: f"{chance.randrange(1, 7)}{chance.choice('ABCDEFGH')}",
        "class and name": lambda chance: f"{chance.randrange(1, 7)}B {family(chance)}",
        "e-mail": lambda chance: f"g{chance.randrange(1, 4_000)}@families.example",
        "part of an e-mail": lambda chance: f"{chance.randrange(1_000, 4_000)}@famil",
        "nothing found": lambda chance: f"Xyzzy{chance.randrange(1_000)} Plugh",
        "a misspelling of nobody": lambda chance: (
            f"{chance.choice(GIVEN_NAMES)}qx {family(chance)}zzk"
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
