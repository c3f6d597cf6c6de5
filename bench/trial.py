"""One database's turn: data set, provider, every cell of the table."""

import tempfile
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from bench import bound_flow, databases, inside, limits, measure, plans, profiling, provider, world
from bench.exchange import Plan, Unexpected
from bench.limits import Limits
from bench.measure import Cell, Visits
from bench.plans import Chain
from bench.processes import Failed, free_port
from bench.wire import Crowd
from bench.world import World
from idp import Settings, create_app
from idp.database import db

KINDS = ("discovery", "refresh", "code", "dpop-par", "sign-in", "storm")
STORM = 64


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    seconds: float
    kinds: tuple[str, ...]
    at_once: tuple[int, ...]
    server_threads: int | None
    guardians: int
    profile: bool


@dataclass
class Trial:
    """What was measured on one database."""

    database: str
    described: str
    limits: Limits
    cells: dict[str, dict[int, Cell]] = field(default_factory=dict)
    storm: tuple[Cell, Cell] | None = None
    spent: dict[str, inside.Spent] = field(default_factory=dict)
    profile: str = ""


def run(kind: str, wish: Wish, machine: Limits, say: Callable[[str], None]) -> Trial:
    """Measure everything on one kind of database."""
    with tempfile.TemporaryDirectory(prefix="idp-bench-") as name:
        folder = Path(name)
        with databases.fresh(kind, folder) as url:
            return _on(url, kind, folder, wish, machine, say)


def _on(
    url: str, kind: str, folder: Path, wish: Wish, machine: Limits, say: Callable[[str], None]
) -> Trial:
    port = free_port()
    settings = provider.environment(folder, url, port)
    app = create_app(Settings.from_environment(settings))
    say(f"{kind}: data set of {wish.guardians} guardians")
    everybody = world.build(
        app, port, guardians=wish.guardians, residents=max(wish.at_once) + 8, applications=20
    )
    trial = Trial(kind, databases.described(url), machine)
    with app.app_context():
        engine = db.engine
    say(f"{kind}: what one visit takes")
    chain = _chains(everybody, 1)
    inside.walk(app, plans.new_chain(everybody.target, everybody.residents[0], chain[0]))
    visits = _visits(everybody, chain)
    with inside.counted(engine) as spent:
        trial.spent = dict(_spent(app, visits, wish.kinds, spent))
    if wish.profile:
        say(f"{kind}: profile")
        trial.profile = profiling.profile_visits(app, visits)
    say(f"{kind}: commits a second")
    for at_once in wish.at_once:
        trial.limits.commits[at_once] = limits.commits(engine, at_once, min(wish.seconds, 2.0))
    engine.dispose()
    with provider.serving(settings, port, wish.server_threads) as group:
        _load(trial, everybody, wish, group, say)
    return trial


def _load(
    trial: Trial, everybody: World, wish: Wish, group: int, say: Callable[[str], None]
) -> None:
    port = everybody.target.port
    chains = _chains(everybody, max(wish.at_once))
    if "refresh" in wish.kinds:
        _prepare(everybody, chains)
    visits = _visits(everybody, chains)
    # What is compared at the same number of visitors is measured one after the other
    for at_once in wish.at_once:
        for kind in wish.kinds:
            if kind == "storm":
                continue
            say(f"{trial.database}: {kind}, {at_once} at once")
            seconds = wish.seconds * (2 if kind == "sign-in" else 1)
            cell = measure.cell(port, visits[kind], at_once, seconds, group)
            trial.cells.setdefault(kind, {})[at_once] = cell
    if "storm" in wish.kinds:
        say(f"{trial.database}: discovery while {STORM} sign in at once")
        trial.storm = measure.storm(
            port,
            visits["sign-in"],
            lambda _: plans.discovery(everybody.target, "probe"),
            STORM,
            2 * wish.seconds,
            group,
        )


def _visits(everybody: World, chains: list[Chain]) -> dict[str, Visits]:
    target = everybody.target
    newcomers = deque(everybody.newcomers)
    keys = [bound_flow.Key() for _ in everybody.residents]

    def next_newcomer(_number: int) -> Plan:
        newcomers.rotate(-1)  # the one who came longest ago: never twice at once
        return plans.sign_in(target, newcomers[0])

    return {
        "discovery": lambda _: plans.discovery(target),
        "refresh": lambda number: plans.refresh(target, chains[number]),
        "code": lambda number: plans.code_flow(target, everybody.residents[number]),
        "dpop-par": lambda number: bound_flow.pushed_and_bound(
            target, everybody.residents[number], keys[number], plans.CODE_SCOPE
        ),
        "sign-in": next_newcomer,
    }


def _chains(everybody: World, count: int) -> list[Chain]:
    return [Chain("") for _ in everybody.residents[:count]]


def _prepare(everybody: World, chains: list[Chain]) -> None:
    """Get each visitor a refresh token of its own, through real code flows."""
    walks = [
        plans.new_chain(everybody.target, visitor, chain)
        for visitor, chain in zip(everybody.residents, chains, strict=False)
    ]
    try:
        Crowd(everybody.target.port).run(walks)
    except Unexpected as error:
        raise Failed(f"no refresh token could be had: {error}") from error


def _spent(
    app: Flask, visits: dict[str, Visits], kinds: tuple[str, ...], spent: inside.Spent
) -> Iterable[tuple[str, inside.Spent]]:
    """Each kind of visit once in this process, counting what it takes."""
    for kind, visit in visits.items():
        if kind in kinds or (kind == "sign-in" and "storm" in kinds):
            inside.walk(app, visit(0))  # the first one may load what later ones find
            spent.clear()
            inside.walk(app, visit(0), spent)
            yield kind, spent.copy()
