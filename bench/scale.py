"""``python -m bench.scale``: what one family, one school and operators ask for, among few and many.

Fills PostgreSQL twice with ``bench.population`` and asks the same of both, through the whole
application but without a network. Prints medians in milliseconds and their ratio as the table of
docs/scale.md; ends with 1 where one that should cost the same costs more than ``--bound`` times as
much. In round figures for 10⁶ accounts: 7 GB of disk and an hour.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import psycopg
from alembic import command
from flask import Flask

from bench import filled, population, provider, scale_acts
from bench.filled import Platform
from bench.population import Grown
from bench.scale_acts import Acts
from idp import Settings, create_app, purge
from idp.database import db, migrations
from idp.desk.overview import counting
from idp.oidc.keys import Keyring

PORT: Final = 18700
ROUNDS: Final = 15
_BACKENDS: Final = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
NOTICEABLE: Final = 0.002
"""Seconds by which something must have become slower to count: a timer is no better."""

Spent = tuple[float, float]
"""Seconds by the clock, and of processors: the second is the same on a busy machine."""
Compared = tuple[str, Spent, Spent]


@dataclass(frozen=True)
class Served:
    """A filled platform, what is asked of it, and how its database is asked what that took."""

    app: Flask
    acts: Acts
    beside: psycopg.Connection[Any]

    def spent(self, name: str) -> Spent:
        """What an act takes: here and in PostgreSQL."""
        began, processors = perf_counter(), self._processors()
        self.acts[name]()
        return perf_counter() - began, self._processors() - processors

    def _processors(self) -> float:
        pids = self.beside.execute(_BACKENDS).fetchall()
        spent = (Path(f"/proc/{pid}/schedstat").read_text().split()[0] for (pid,) in pids)
        return process_time() + sum(map(int, spent)) / 1e9


def main() -> int:
    """Fill, ask, print a table; 1 where something does not cost the same."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--few", type=int, default=10_000, help="accounts of the small platform")
    parser.add_argument("--many", type=int, default=1_000_000, help="accounts of the large one")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--bound", type=float, default=1.2)
    parser.add_argument(
        "--keep",
        type=Path,
        help="a folder where both stay filled: the next run measures copies of them",
    )
    parser.add_argument("--only", default="", help="acts of this name alone, and nothing beside")
    arguments = parser.parse_args()
    with (
        _serving(Grown(arguments.few), arguments.keep) as few,
        _serving(Grown(arguments.many), arguments.keep) as many,
    ):
        measured = [
            _compared(name, few, many, arguments.rounds)
            for name in few.acts
            if arguments.only in name
        ]
        for platform in (few, many) if not arguments.only else ():
            _beside(platform.app)
    return _told(measured, arguments)


def _compared(name: str, few: Served, many: Served, rounds: int) -> Compared:
    """What an act took on each, the medians of so many, in turn: whatever else the machine does
    meanwhile slows both.
    """
    for each in (few, many):
        each.acts[name]()
    taken = [(few.spent(name), many.spent(name)) for _ in range(rounds)]
    here, there = zip(*taken, strict=True)
    return name, _medians(here), _medians(there)


def _medians(spent: Sequence[Spent]) -> Spent:
    clock, processors = zip(*spent, strict=True)
    return statistics.median(clock), statistics.median(processors)


def _told(measured: list[Compared], arguments: argparse.Namespace) -> int:
    few, many = f"{arguments.few:,}", f"{arguments.many:,}"
    print(f"| medians in ms, accounts: | {few} | {many} | ratio | CPU: {few} | {many} | ratio |")
    print("|---|---|---|---|---|---|---|")
    slower = []
    for name, here, there in measured:
        if there[0] > arguments.bound * here[0] and there[0] - here[0] > NOTICEABLE:
            slower.append(name)
        print(f"| {name} | {' | '.join(_cells(*each) for each in zip(here, there, strict=True))} |")
    print(f"Dearer by more than {arguments.bound}: {', '.join(slower) or 'nothing'}")
    return int(bool(slower))


def _cells(few: float, many: float) -> str:
    return f"{1000 * few:.1f} | {1000 * many:.1f} | {many / few:.2f}"


def _beside(app: Flask) -> None:
    """What is done beside requests."""
    with app.app_context():
        began = perf_counter()
        counting.refresh()
        print(f"  the platform's figures: {perf_counter() - began:.1f} s", flush=True)
        _purged()
        db.session.remove()


def _purged() -> None:
    """What a purge takes for each row that it removes, and for each table that it walks."""
    before = perf_counter()
    for table in purge.GROWING:
        began = perf_counter()
        removed = purge.purged(table)
        seconds = perf_counter() - began
        if removed.total() or seconds > 1:
            rows = ", ".join(f"{count:,} {name}" for name, count in removed.items())
            print(f"  purge, {table.name}: {rows} in {seconds:.1f} s", flush=True)
    print(f"  a purge: {perf_counter() - before:.1f} s", flush=True)


@contextmanager
def _serving(grown: Grown, kept: Path | None) -> Iterator[Served]:
    with filled.platform(kept and kept / str(grown.accounts), partial(_made, grown)) as platform:
        app = _app(platform.variables)
        with app.app_context():
            command.upgrade(migrations.configuration(), "head")
            counting.refresh()
            acts = scale_acts.all_of_them(app, platform, grown, PORT)
            db.session.remove()
        with psycopg.connect(platform.variables["DATABASE_URL"], autocommit=True) as beside:
            yield Served(
                app, acts, beside
            )  # outside of the context: each request is to begin with nothing
        with app.app_context():
            db.engine.dispose()


def _made(grown: Grown, folder: Path, url: str) -> Platform:
    variables = provider.environment(folder, url, PORT)
    variables["IDP_LOG_LEVEL"] = "ERROR"  # its log is not what is measured
    app = _app(variables)
    with app.app_context():
        command.upgrade(migrations.configuration(), "head")
        Keyring(app.extensions["idp.settings"].keys_folder).ensure()
        client_id, secret = scale_acts.application()
        _fill(grown, url, client_id)
        db.session.remove()
        db.engine.dispose()
    return Platform(folder, variables, client_id, secret)


def _app(variables: dict[str, str]) -> Flask:
    os.environ.update(variables)
    return create_app(Settings.from_environment(variables))


def _fill(grown: Grown, url: str, client_id: str) -> None:
    print(f"{grown.accounts:,} accounts, {grown.children:,} pupils, {grown.schools:,} schools")
    for line in population.fill(url, grown, client_id, scale_acts.password_hash()):
        print(f"  {line}", flush=True)
    with psycopg.connect(url) as connection:
        size = connection.execute(
            "SELECT pg_size_pretty(pg_database_size(current_database()))"
        ).fetchone()
    print(f"  the database: {size[0] if size else '?'}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
