"""Where the time goes: code flows and refresh grants under ``cProfile``, in this process.

Processor time counts, not waiting: so a busy machine does not blur the picture.
"""

import cProfile
import io
import pstats
import re
from collections import defaultdict
from pathlib import Path
from time import process_time

from flask import Flask

from bench import inside
from bench.measure import Visits

ROUNDS = 150
PACKAGES = 18
_LONG_PATH = re.compile(r"/\S*/(?:site-packages|python3\.\d+)/|" + re.escape(f"{Path.cwd()}/"))
FUNCTIONS = 25

Function = tuple[str, int, str]
Table = dict[
    Function,
    tuple[int, int, float, float, dict[Function, tuple[int, int, float, float]]],
]


def profile_visits(app: Flask, visits: dict[str, Visits]) -> str:
    """Processor time of a visit without the profiler, shares by package, top functions."""
    paragraphs = []
    for kind in ("refresh", "code"):
        began = process_time()
        for _ in range(ROUNDS):
            inside.walk(app, visits[kind](0))
        each = (process_time() - began) / ROUNDS
        profile = cProfile.Profile(process_time)  # waiting for the database does not count
        profile.enable()
        for _ in range(ROUNDS):
            inside.walk(app, visits[kind](0))
        profile.disable()
        paragraphs.append(f"== {kind}: {each * 1000:.2f} ms of processor each, no network ==")
        paragraphs.append(_report(profile, each))
    return "\n".join(paragraphs)


def _report(profile: cProfile.Profile, each: float) -> str:
    out = io.StringIO()
    stats = pstats.Stats(profile, stream=out)
    table: Table = stats.stats  # type: ignore[attr-defined]
    shares: dict[str, float] = defaultdict(float)
    for function, (_, _, own, _, callers) in table.items():
        if function[0] == "~":  # a built-in: its time belongs to who called it
            for caller, figures in callers.items():
                shares[_package(caller[0])] += figures[2]
        else:
            shares[_package(function[0])] += own
    total = sum(shares.values()) or 1
    for package, own in sorted(shares.items(), key=lambda share: -share[1])[:PACKAGES]:
        # the profiler makes every call dearer: only the shares are taken from it
        out.write(f"{own / total:7.1%}  {own / total * each * 1000:7.3f} ms  {package}\n")
    stats.sort_stats("tottime").print_stats(FUNCTIONS)
    stats.sort_stats("cumulative").print_stats(4 * FUNCTIONS)
    return _LONG_PATH.sub("", out.getvalue())


def _package(filename: str) -> str:
    parts = Path(filename).parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    if "idp" in parts:
        after = parts[parts.index("idp") :]
        return ".".join(after[:2]).removesuffix(".py")
    if filename == "~" or filename.startswith("<"):
        return "built in"
    return f"python: {parts[-1]}".removesuffix(".py") if "python3" in filename else parts[0]
