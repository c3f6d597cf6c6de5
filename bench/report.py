"""The table, the steps, the marks: what is printed, and the same as JSON."""

from dataclasses import dataclass
from typing import Any

from bench.limits import Limits
from bench.measure import Cell, percentile
from bench.trial import Trial

NAMES = {"signatures": "RS256", "bcrypt": "bcrypt", "commits": "commits", "requests": "empty pages"}

REFERENCE_SIGNATURES = 1170.0
CODE_FLOWS = 180.0
REFRESH_GRANTS = 379.0
BCRYPT_SHARE = 0.95
BOUND_SHARE = 0.60
STORM_P99 = 0.050
"""Half of what node-oidc-provider 9 gave, in memory, where one core signs 1,170 times a second."""


@dataclass(frozen=True)
class Mark:
    """A promise, and whether it was kept."""

    promise: str
    wanted: str
    measured: str
    met: bool


def of_machine(limits: Limits, cores: int, uname: str) -> str:
    pages = ", ".join(f"{rate:,.0f} at {n}" for n, rate in limits.pages.items())
    rows = (
        ("RS256 signatures", f"{limits.signatures_one_core:,.0f} on one core", limits.signatures),
        ("bcrypt checks, cost 12", f"{limits.bcrypt_one_core:.2f} on one core", limits.bcrypt),
    )
    lines = [f"The machine: {uname}, {cores} cores. Each a second:"]
    lines += [f"  {name:<30}{one}, {both:,.2f} on both" for name, one, both in rows]
    return "\n".join([*lines, f"  {'empty pages of the server':<30}{pages}"])


def of_trial(trial: Trial) -> str:
    """The table of one database."""
    commits = ", ".join(f"{rate:,.0f} at {n}" for n, rate in trial.limits.commits.items())
    lines = [
        f"{trial.described}; provider with 2 workers",
        f"  commits a second              {commits}",
        "  one visit takes               " + "; ".join(_taken(trial)),
        "",
        _HEAD,
    ]
    for kind, cells in trial.cells.items():
        lines += [_row(trial, kind, cell) for cell in cells.values()]
    if trial.storm:
        load, probe = trial.storm
        lines += [
            _row(trial, "sign-in", load, "storm: sign-in"),
            _row(trial, "", probe, "storm: discovery"),
        ]
    if steps := _steps(trial):
        lines += ["", "Median and p99 of each step, ms:", *steps]
    lines += _errors(trial)
    if trial.profile:
        lines += ["", trial.profile]
    return "\n".join(lines)


def limiting(trial: Trial, kind: str, at_once: int) -> tuple[str, float] | None:
    """The machine's limit that binds first for a kind of visit: its name, visits a second."""
    rates = [
        (trial.limits.rate(what, at_once) / count, what)
        for what, count in _needs(trial, kind).items()
        if count and trial.limits.rate(what, at_once)
    ]
    if not rates:
        return None
    rate, what = min(rates)
    return NAMES[what], rate


def marks(trials: list[Trial]) -> list[Mark]:
    """The issue's marks, for every database; those on tokens count on PostgreSQL."""
    made = []
    for trial in trials:
        scale = trial.limits.signatures_one_core / REFERENCE_SIGNATURES
        for kind, wanted in (("code", CODE_FLOWS), ("refresh", REFRESH_GRANTS)):
            if cell := trial.cells.get(kind, {}).get(32):
                for note, mark in (("", wanted), (" (scaled by signatures)", wanted * scale)):
                    promise = f"{trial.database}: {kind} at 32{note}"
                    made.append(_at_least(promise, mark, cell))
        made += _bound_marks(trial)
        made += _sign_in_marks(trial)
    return made


def of_marks(made: list[Mark]) -> str:
    width = max((len(mark.promise) for mark in made), default=0)
    return "\n".join(
        f"  {mark.promise:<{width}}  {mark.wanted:>14}  {mark.measured:>14}  "
        f"{'met' if mark.met else 'NOT MET'}"
        for mark in made
    )


def as_json(trials: list[Trial], machine: Limits, made: list[Mark]) -> dict[str, Any]:
    """Everything that was measured, without the single times."""
    return {
        "machine": {
            "signatures_one_core": machine.signatures_one_core,
            "signatures": machine.signatures,
            "bcrypt_one_core": machine.bcrypt_one_core,
            "bcrypt": machine.bcrypt,
            "empty_pages": machine.pages,
        },
        "databases": [
            {
                "kind": trial.database,
                "described": trial.described,
                "commits": trial.limits.commits,
                "one_visit_takes": trial.spent,
                "cells": [
                    {"what": kind, **_cell_json(cell)}
                    for kind, cells in trial.cells.items()
                    for cell in cells.values()
                ],
                "storm": [_cell_json(cell) for cell in trial.storm] if trial.storm else None,
            }
            for trial in trials
        ],
        "marks": [vars(mark) for mark in made],
    }


_HEAD = (
    f"{'what':<17}{'at once':>8}{'a second':>10}{'median ms':>11}{'p99 ms':>9}{'errors':>8}"
    f"{'the limit':>22}{'ratio':>8}{'CPU ms':>8}   cores used: load, provider, rest"
)


def _row(trial: Trial, kind: str, cell: Cell, name: str = "") -> str:
    limit = limiting(trial, kind, cell.at_once)
    limited_by = f"{limit[0]} {limit[1]:,.1f}" if limit else "-"
    ratio = f"{cell.rate / limit[1]:.0%}" if limit else "-"
    cores = f"{cell.load_cores:.2f}  {cell.provider_cores:.2f}  {cell.other_cores:.2f}"
    return (
        f"{name or kind:<17}{cell.at_once:>8}{cell.rate:>10,.1f}"
        f"{cell.percentile(0.5) * 1000:>11,.1f}{cell.percentile(0.99) * 1000:>9,.1f}"
        f"{cell.failed:>8}{limited_by:>22}{ratio:>8}"
        + (f"{cell.provider_time * 1000:>8,.1f}   {cores}" if cell.provider_cores else "")
    )


def _needs(trial: Trial, kind: str) -> dict[str, int]:
    spent = trial.spent.get(kind)
    if spent is None:
        return {}
    bcrypt = 1 if kind == "sign-in" else 0
    return {"bcrypt": bcrypt} | {
        what: spent[what] for what in ("signatures", "commits", "requests")
    }


def _taken(trial: Trial) -> list[str]:
    return [
        f"{kind}: " + ", ".join(f"{count} {what}" for what, count in sorted(spent.items()) if count)
        for kind, spent in trial.spent.items()
    ]


def _steps(trial: Trial) -> list[str]:
    lines = []
    for kind in ("code", "dpop-par", "sign-in"):
        for cell in trial.cells.get(kind, {}).values():
            steps = ", ".join(
                f"{step} {percentile(times, 0.5) * 1000:.1f} / {percentile(times, 0.99) * 1000:.1f}"
                for step, times in cell.steps.items()
            )
            lines.append(f"  {kind} at {cell.at_once}: {steps}")
    return lines


def _errors(trial: Trial) -> list[str]:
    cells = [cell for cells in trial.cells.values() for cell in cells.values()]
    errors = [
        error for cell in (*cells, *(trial.storm or ())) for error in cell.errors.most_common(3)
    ]
    return [f"  error, {count} times: {text[:300]}" for text, count in errors]


def _at_least(promise: str, wanted: float, cell: Cell) -> Mark:
    met = cell.rate >= wanted and not cell.failed
    return Mark(promise, f">= {wanted:,.1f}/s", f"{cell.rate:,.1f}/s", met)


def _bound_marks(trial: Trial) -> list[Mark]:
    """What PAR and DPoP may cost of the plain flow, measured in the same run."""
    made = []
    for at_once, cell in trial.cells.get("dpop-par", {}).items():
        plain = trial.cells.get("code", {}).get(at_once)
        if plain is not None and plain.rate:
            share = cell.rate / plain.rate
            promise = f"{trial.database}: dpop-par at {at_once}, of the plain code flow"
            met = share >= BOUND_SHARE and not cell.failed
            made.append(Mark(promise, f">= {BOUND_SHARE:.0%}", f"{share:.0%}", met))
    return made


def _sign_in_marks(trial: Trial) -> list[Mark]:
    made = []
    cell = trial.cells.get("sign-in", {}).get(32)
    load, probe = trial.storm or (None, None)
    for name, each in (("sign-ins at 32", cell), ("sign-ins in the storm", load)):
        if each and trial.limits.bcrypt:
            share = each.rate / trial.limits.bcrypt
            promise = f"{trial.database}: {name}, of bcrypt alone on both cores"
            met = share >= BCRYPT_SHARE and not each.failed
            made.append(Mark(promise, f">= {BCRYPT_SHARE:.0%}", f"{share:.0%}", met))
    if probe:
        p99 = probe.percentile(0.99)
        promise = f"{trial.database}: discovery's p99 in the storm"
        met = p99 <= STORM_P99 and not probe.failed and bool(probe.done)
        made.append(Mark(promise, f"<= {STORM_P99 * 1000:.0f} ms", f"{p99 * 1000:.0f} ms", met))
    return made


def _cell_json(cell: Cell) -> dict[str, Any]:
    return {
        "at_once": cell.at_once,
        "a_second": cell.rate,
        "median_ms": cell.percentile(0.5) * 1000,
        "p99_ms": cell.percentile(0.99) * 1000,
        "errors": dict(cell.errors),
        "steps_median_ms": {s: percentile(t, 0.5) * 1000 for s, t in cell.steps.items()},
        "provider_cpu_ms": cell.provider_time * 1000,
        "cores": {
            "load": cell.load_cores,
            "provider": cell.provider_cores,
            "rest": cell.other_cores,
        },
    }
