"""``python -m bench.peers``: our provider and node-oidc-provider side by side, in one run."""

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from bench import processes
from bench.peers import contest
from bench.peers.contest import CONTESTANTS, KINDS, MEMORY, NODE, OURS, Row, Rows, Wish
from bench.processes import Failed

AT_ONCE = (8, 32)
WIDTH = 24


def main() -> int:
    """Run what was asked; 0, or 1 where anything failed and ``--strict`` was given."""
    arguments = _arguments()
    # so that a stop from outside unwinds like Ctrl-C: servers end, folders go
    signal.signal(signal.SIGTERM, _stop)
    wish = Wish(
        seconds=0.5 if arguments.quick else arguments.seconds,
        rounds=1 if arguments.quick else arguments.rounds,
        kinds=arguments.only,
        at_once=arguments.at_once,
        server_threads=arguments.server_threads,
    )
    if (others := processes.busy()) > 0.2:
        _say(f"WARNING: others use {others:.1f} cores: compare processor time, not visits a second")
    try:
        rows = contest.run(wish, _say)
    except Failed as error:
        print(f"bench.peers: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench.peers: stopped", file=sys.stderr)
        return 130
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(rows), indent=1) + "\n")
    failed = any(row.errors for of_kind in rows.values() for row in of_kind.values())
    return int(arguments.strict and failed)


def table(rows: Rows) -> str:
    """A line for each kind of visit and number of visitors, a column for each provider."""
    names = [name for name in CONTESTANTS if any(name in each for each in rows.values())]
    head = f"{'visits a second (p99, ms)':<26}{'at once':>8}"
    lines = [head + "".join(f"{name:>{WIDTH}}" for name in names) + f"{'ours to theirs':>18}"]
    costs = ["", f"{'processor, ms a visit: application + database':<34}"]
    for (kind, at_once), of_kind in rows.items():
        cells = "".join(f"{_speed(of_kind[name]):>{WIDTH}}" for name in names)
        lines.append(f"{kind:<26}{at_once:>8}{cells}{_ratios(of_kind):>18}")
        spent = "".join(f"{_cost(of_kind[name]):>{WIDTH}}" for name in names)
        costs.append(f"{kind:<26}{at_once:>8}{spent}")
    errors = [
        f"  error, {name}, {kind} at {at_once}: {text[:200]}"
        for (kind, at_once), of_kind in rows.items()
        for name, row in of_kind.items()
        for text in row.errors
    ]
    return "\n".join(lines + costs + errors)


def as_json(rows: Rows) -> list[dict[str, Any]]:
    """Everything that was measured, without the single times."""
    return [
        {
            "what": kind,
            "at_once": at_once,
            "provider": name,
            "a_second": row.rate,
            "p99_ms": row.p99 * 1000,
            "application_ms": row.processor[0] * 1000,
            "database_ms": row.processor[1] * 1000,
            "errors": row.errors,
        }
        for (kind, at_once), of_kind in rows.items()
        for name, row in of_kind.items()
    ]


def _speed(row: Row) -> str:
    return f"{row.rate:,.0f} ({row.p99 * 1000:,.0f})"


def _cost(row: Row) -> str:
    application, database = row.processor
    return f"{application * 1000:.2f} + {database * 1000:.2f}"


def _ratios(of_kind: dict[str, Row]) -> str:
    """Ours to node with PostgreSQL, and to node in memory."""
    if OURS not in of_kind:
        return ""
    ours = of_kind[OURS].rate
    theirs = [of_kind[name].rate for name in (NODE, MEMORY) if name in of_kind]
    return ", ".join(f"{ours / rate:.2f}" if rate else "-" for rate in theirs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--only", type=_kinds, default=tuple(KINDS), help=", ".join(KINDS))
    parser.add_argument("--at-once", type=_numbers, default=AT_ONCE, help="such as 8,32")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each provider in a row")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    parser.add_argument("--quick", action="store_true", help="to see that it works")
    parser.add_argument("--server-threads", type=int, help="threads of each of our 2 workers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a visit failed")
    return parser.parse_args()


def _kinds(text: str) -> tuple[str, ...]:
    """Kinds of visits, separated by semicolons; the beginning of a name is enough."""
    asked = [part.strip() for part in text.split(";") if part.strip()]
    found = tuple(kind for kind in KINDS if any(kind.startswith(each) for each in asked))
    if not found:
        raise argparse.ArgumentTypeError(f"none of {'; '.join(KINDS)}")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(min(max(int(part), 1), 200) for part in text.split(","))


def _say(text: str) -> None:
    print(f"  … {text}", file=sys.stderr, flush=True)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
