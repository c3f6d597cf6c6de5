"""``python -m bench``: measure the provider on this machine and print a table."""

import argparse
import json
import os
import platform
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType

from bench import databases, limits, processes, report, trial
from bench.limits import Limits
from bench.processes import Failed
from bench.provider import WORKERS
from bench.trial import KINDS, Wish

AT_ONCE = (1, 8, 32)
QUIET = 0.2
"""Cores that others may use before the figures are worth little."""


def main() -> int:
    """Run what was asked; 0, or 1 where a mark was missed and ``--strict`` was given."""
    arguments = _arguments()
    # so that a stop from outside unwinds like Ctrl-C: servers end, folders go
    signal.signal(signal.SIGTERM, _stop)
    wish = _wish(arguments)
    try:
        machine = _machine(wish)
        trials = [
            trial.run(kind, wish, replace(machine, commits={}), _report_step)
            for kind in (databases.KINDS if arguments.database == "both" else (arguments.database,))
        ]
    except Failed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 130
    made = report.marks(trials)
    _print(machine, trials, made)
    if arguments.json:
        arguments.json.write_text(
            json.dumps(report.as_json(trials, machine, made), indent=1) + "\n"
        )
    return int(arguments.strict and not all(mark.met for mark in made))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--database", choices=(*databases.KINDS, "both"), default="both")
    parser.add_argument("--only", type=_kinds, default=KINDS, help=f"of {','.join(KINDS)}")
    parser.add_argument("--at-once", type=_numbers, default=AT_ONCE, help="such as 1,8,32")
    parser.add_argument("--quick", action="store_true", help="1 s a cell, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--server-threads", type=int, help="threads of each of the 2 workers")
    parser.add_argument("--guardians", type=int, default=1000, help="size of the data set")
    parser.add_argument("--profile", action="store_true", help="say where the time goes")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a mark is missed")
    return parser.parse_args()


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(part.strip() for part in text.split(",") if part.strip())
    if unknown := set(kinds) - set(KINDS):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is none of {', '.join(KINDS)}")
    return kinds


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(min(max(int(part), 1), 200) for part in text.split(","))


def _wish(arguments: argparse.Namespace) -> Wish:
    seconds = 1.0 if arguments.quick else float(os.environ.get("BENCH_SECONDS", "5"))
    return Wish(
        seconds=min(max(seconds, 0.5), 60.0),
        kinds=arguments.only,
        at_once=arguments.at_once,
        server_threads=arguments.server_threads,
        guardians=max(arguments.guardians, 2 * max(*arguments.at_once, trial.STORM) + 16),
        profile=arguments.profile,
    )


def _machine(wish: Wish) -> Limits:
    if (others := processes.busy()) > QUIET:
        _report_step(
            f"WARNING: others use {others:.1f} cores of this machine: the figures mean little"
        )
    _report_step("the machine: signatures and bcrypt checks a second")
    machine = limits.processor(min(wish.seconds, 3.0), WORKERS)
    _report_step("the machine: empty pages a second")
    machine.pages = limits.pages(wish.at_once, min(wish.seconds, 2.0))
    return machine


def _print(machine: Limits, trials: list[trial.Trial], made: list[report.Mark]) -> None:
    cores = len(os.sched_getaffinity(0))
    print(
        report.of_machine(
            machine, cores, f"{platform.machine()}, Python {platform.python_version()}"
        )
    )
    for each in trials:
        print(f"\n{report.of_trial(each)}")
    if made:
        print("\nThe marks:\n" + report.of_marks(made))


def _report_step(text: str) -> None:
    print(f"  … {text}", file=sys.stderr, flush=True)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
