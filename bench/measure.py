"""Measures: so many visitors at once, for so many seconds, and what came of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter, process_time

from bench import processes
from bench.exchange import Plan, Unexpected, Wait
from bench.wire import Crowd

Visits = Callable[[int], Plan]
"""Makes the next visit of visitor number n."""

PAUSE_AFTER_ERROR = 0.05


@dataclass
class Cell:
    """One measurement. Times in seconds; processor shares in cores (2.0: both, fully)."""

    at_once: int
    seconds: float = 0.0
    done: int = 0
    times: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    load_cores: float = 0.0
    provider_cores: float = 0.0
    database_cores: float = 0.0
    """Where the database's server was named; else it is among the others."""
    other_cores: float = 0.0

    @property
    def rate(self) -> float:
        """Visits a second."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        return self.errors.total()

    @property
    def provider_time(self) -> float:
        """Processor seconds of the provider for each visit; hardly depends on who else runs."""
        return self.provider_cores / self.rate if self.rate else 0.0

    @property
    def database_time(self) -> float:
        """Processor seconds of the database's server for each visit."""
        return self.database_cores / self.rate if self.rate else 0.0

    def percentile(self, share: float) -> float:
        """The time that this share of the visits stayed under; seconds."""
        return percentile(self.times, share)


@dataclass
class Window:
    """The time that counts: after the warm-up, before the end."""

    opens: float
    closes: float

    def over(self) -> bool:
        return perf_counter() >= self.closes


def percentile(times: list[float], share: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(times)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def cell(
    port: int, visits: Visits, at_once: int, seconds: float, group: int = 0, database: int = 0
) -> Cell:
    """Let ``at_once`` visitors come again and again for ``seconds``, after a short warm-up.

    ``group``: the provider's process group, whose processor time is told as well; ``database``:
    the process whose children serve the database's connections.
    """
    result = Cell(at_once)
    window = _window(seconds)
    plans = [_visitor(visits, number, window, result) for number in range(at_once)]
    _run(port, [*plans, _clock(window, result, group, database)], window, {"": result})
    return result


def storm(
    port: int, visits: Visits, probes: Visits, at_once: int, seconds: float, group: int
) -> tuple[Cell, Cell]:
    """Sign-ins at full load, while discovery is probed on a timetable.

    A probe's time runs from the moment when it was due, so that a provider which stalls
    can't hide it by delaying the following probes (« coordinated omission »).
    """
    load, probe = Cell(at_once), Cell(PROBES)
    window = _window(seconds)
    plans = [_visitor(visits, number, window, load) for number in range(at_once)]
    plans += [_prober(probes, number, window, probe) for number in range(PROBES)]
    _run(port, [*plans, _clock(window, load, group)], window, {"": load, "probe": probe})
    probe.seconds = load.seconds
    return load, probe


PROBES = 8
PROBE_EVERY = 0.08


def _window(seconds: float) -> Window:
    opens = perf_counter() + max(0.5, seconds / 5)
    return Window(opens, opens + seconds)


def _run(port: int, plans: list[Plan], window: Window, cells: dict[str, Cell]) -> None:
    def heard(step: str, seconds: float) -> None:
        if window.opens <= perf_counter() <= window.closes:
            owner = cells.get(step, cells[""])
            owner.steps.setdefault(step, []).append(seconds)

    Crowd(port, heard).run(plans)


def _visitor(visits: Visits, number: int, window: Window, result: Cell) -> Plan:
    while not window.over():
        began = perf_counter()
        try:
            yield from visits(number)
        except Unexpected as error:
            result.errors[str(error)] += 1
            yield Wait(perf_counter() + PAUSE_AFTER_ERROR)
        else:
            _note(result, window, began)


def _prober(probes: Visits, number: int, window: Window, result: Cell) -> Plan:
    due = perf_counter() + PROBE_EVERY * number / PROBES
    while not window.over():
        if due > perf_counter():
            yield Wait(due)
        try:
            yield from probes(number)
        except Unexpected as error:
            result.errors[str(error)] += 1
        else:
            _note(result, window, due)
        due += PROBE_EVERY


def _note(result: Cell, window: Window, began: float) -> None:
    now = perf_counter()
    if now < window.opens:
        return
    result.done += now <= window.closes
    # visits that end after the close are slow ones: leaving them out would flatter
    result.times.append(now - began)


def _clock(window: Window, result: Cell, group: int, database: int = 0) -> Plan:
    """Read the processors' clocks when the window opens and when it closes."""
    yield Wait(window.opens)
    before, began = _used(group, database), perf_counter()
    yield Wait(window.closes)
    used = [after - earlier for after, earlier in zip(_used(group, database), before, strict=True)]
    result.seconds = perf_counter() - began
    load, provider, kept, machine = (each / result.seconds for each in used)
    result.load_cores, result.provider_cores, result.database_cores = load, provider, kept
    result.other_cores = max(machine - load - provider - kept, 0.0)


def _used(group: int, database: int) -> tuple[float, float, float, float]:
    provider = processes.processor_seconds(group) if group else 0.0
    kept = processes.family_seconds(database) if database else 0.0
    return process_time(), provider, kept, processes.machine_seconds()
