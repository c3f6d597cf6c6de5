"""The same visits to each provider in turn, again and again, so that a busy minute meets all."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import psycopg

from bench import measure, plans, processes, provider, world
from bench.measure import Cell, Visits
from bench.peers import node
from bench.plans import Chain, Target, Visitor
from bench.processes import free_port
from idp import Settings, create_app
from tests import postgres

OURS = "ours"
NODE = "node, PostgreSQL"
MEMORY = "node, memory"
CONTESTANTS = (OURS, NODE, MEMORY)
PROCESSES = {OURS: provider.WORKERS, NODE: 2, MEMORY: 1}
SIGN_IN_ONLY = "openid"

KINDS = {
    "code flow": "with a living session: authorize, exchange, UserInfo; scope openid",
    "code, child": "the same with scope openid child",
    "refresh": "one refresh grant, the token rotated",
    "discovery": "the discovery document",
    "key set": "the key set",
}


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    seconds: float
    rounds: int
    kinds: tuple[str, ...]
    at_once: tuple[int, ...]
    contestants: tuple[str, ...] = CONTESTANTS
    server_threads: int | None = None
    guardians: int = 200


@dataclass
class Row:
    """What one provider did in all rounds of one kind of visit."""

    cells: list[Cell] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return median(each.rate for each in self.cells)

    @property
    def p99(self) -> float:
        return measure.percentile([time for each in self.cells for time in each.times], 0.99)

    @property
    def processor(self) -> tuple[float, float]:
        """Seconds of a visit: of the application, of the database's server."""
        done = sum(each.done for each in self.cells) or 1
        whole = [(each.provider_cores, each.database_cores, each.seconds) for each in self.cells]
        return (
            sum(ours * seconds for ours, _, seconds in whole) / done,
            sum(kept * seconds for _, kept, seconds in whole) / done,
        )

    @property
    def errors(self) -> list[str]:
        return [text for each in self.cells for text, _ in each.errors.most_common(2)]


Rows = dict[tuple[str, int], dict[str, Row]]
"""By kind of visit and visitors at once; then by provider."""


@dataclass(frozen=True)
class Contestant:
    """A running provider, and who visits it."""

    port: int
    group: int
    database: int
    visits: dict[str, Visits]


def run(wish: Wish, say: Callable[[str], None]) -> Rows:
    """Measure every kind of visit at every provider."""
    say("installing node-oidc-provider, where it is not")
    folder = node.installed()
    rows: Rows = {}
    with tempfile.TemporaryDirectory(prefix="idp-peers-") as name, ExitStack() as running:
        base = running.enter_context(postgres.temporary_cluster(fsync=True))
        everybody = {
            each: running.enter_context(_contestant(each, base, Path(name), folder, wish))
            for each in wish.contestants
        }
        for kind in wish.kinds:
            for at_once in wish.at_once:
                say(f"{kind}, {at_once} at once")
                if at_once == wish.at_once[0]:  # compilers that learn while they run have learnt
                    _compared(everybody, kind, at_once, replace(wish, rounds=1))
                rows[kind, at_once] = _compared(everybody, kind, at_once, wish)
    return rows


def _compared(
    everybody: dict[str, Contestant], kind: str, at_once: int, wish: Wish
) -> dict[str, Row]:
    rows = {name: Row() for name in everybody}
    for number in range(wish.rounds):
        # each in turn is the first one
        order = [*everybody][number % len(everybody) :] + [*everybody][: number % len(everybody)]
        for name in order:
            one = everybody[name]
            cell = measure.cell(
                one.port, one.visits[kind], at_once, wish.seconds, one.group, one.database
            )
            rows[name].cells.append(cell)
    return rows


@contextmanager
def _contestant(
    name: str, base: str, folder: Path, programs: Path, wish: Wish
) -> Iterator[Contestant]:
    port = free_port()
    if name == OURS:
        with _ours(base, folder, port, wish) as ours:
            yield ours
        return
    url = postgres.create_database(base, "node") if name == NODE else None
    server = server_of(url) if url else 0
    with node.serving(programs, port, url, PROCESSES[name]) as (group, code, refresh):
        visitors = [Visitor() for _ in range(max(wish.at_once))]
        yield Contestant(port, group, server, _visits(code, refresh, visitors))


@contextmanager
def _ours(base: str, folder: Path, port: int, wish: Wish) -> Iterator[Contestant]:
    url = postgres.create_database(base, "ours")
    settings = provider.environment(folder, url, port)
    app = create_app(Settings.from_environment(settings))
    made = world.build(
        app, port, guardians=wish.guardians, residents=max(wish.at_once), applications=20
    )
    with app.app_context():
        world.db.engine.dispose()
    with provider.serving(settings, port, wish.server_threads) as group:
        visits = _visits(made.target, made.target, made.residents)
        yield Contestant(port, group, server_of(url), visits)


def server_of(url: str) -> int:
    """The process whose children serve the connections of a PostgreSQL database."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        return processes.parent_of(row[0])


def _visits(code: Target, refresh: Target, visitors: Sequence[Visitor]) -> dict[str, Visits]:
    chains = [Chain("") for _ in visitors]

    def _refresh(number: int) -> plans.Plan:
        if not chains[number].refresh_token:
            yield from plans.new_chain(refresh, visitors[number], chains[number])
        yield from plans.refresh(refresh, chains[number])

    return {
        "code flow": lambda number: plans.code_flow(code, visitors[number], SIGN_IN_ONLY),
        "code, child": lambda number: plans.code_flow(code, visitors[number]),
        "refresh": _refresh,
        "discovery": lambda _: plans.discovery(code),
        "key set": lambda _: plans.key_set(code),
    }
