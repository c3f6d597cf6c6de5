"""What a run of the tests shows of the requirements, and whether docs/conformance.md says so.

Each run that goes to its end keeps what it showed, for ``tests.conformance.table``; and it fails
where the page claims of a test what this very run contradicts.
"""

import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.plans import FOLDER

PAGE = Path(os.environ.get("CONFORMANCE_PAGE", FOLDER.parents[1] / "docs" / "conformance.md"))
KEPT = FOLDER.parents[1] / "build" / "conformance.json"
MET, UNMET, SKIPPED, NEVER = "met", "**not met**", "**skipped**", "**not run**"
_ROW = re.compile(r"\| `(?P<file>\w+/test_\w+)\.py` `(?P<name>test_\w+)` \| (?P<word>[^|]+) \|$")
_CASE = re.compile(r"(?:.*/)?(?P<file>\w+/test_\w+)\.py::(?:\w+::)*(?P<name>test_\w+)")


def shown(stats: Mapping[str, Iterable[Any]]) -> dict[str, str]:
    """By test: met where each of its cases has run and passed. ``stats``: of pytest's reporter."""
    outcomes: dict[str, set[str]] = defaultdict(set)
    for outcome in ("passed", "failed", "error", "skipped", "xfailed", "xpassed"):
        for report in stats.get(outcome, ()):
            if case := _CASE.match(str(getattr(report, "nodeid", ""))):
                outcomes[f"{case['file']}.{case['name']}"].add(outcome)
    return {test: _word(seen) for test, seen in outcomes.items()}


def _word(outcomes: set[str]) -> str:
    if outcomes - {"passed", "skipped"}:
        return UNMET
    return SKIPPED if "skipped" in outcomes else MET


def claimed(page: str) -> dict[str, str]:
    """By test, what the page says."""
    rows = filter(None, map(_ROW.search, page.splitlines()))
    return {f"{row['file']}.{row['name']}": row["word"] for row in rows}


def contradictions(page: str, seen: Mapping[str, str]) -> Iterator[str]:
    """A line for each test of which the page says something else.

    One that this machine could not run (PostgreSQL is missing, say) contradicts nothing; where
    everything is installed, a test that is skipped has failed.
    """
    for test, word in sorted(claimed(page).items()):
        if seen.get(test, word) not in {word, SKIPPED}:
            yield f"docs/conformance.md says that {test} is {word}; in this run it is {seen[test]}"


CONTRADICTED = 9
"""Exit code of a run that contradicts the page, whatever else failed: no second try mends that."""


def finished(session: pytest.Session) -> list[str]:
    """Keep what the run showed; the contradictions, by which it fails."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return []
    if not _is_whole(session) or not PAGE.is_file():
        return []
    seen = shown(reporter.stats)
    if seen:
        keep(seen)
    wrong = list(contradictions(PAGE.read_text(), seen))
    if wrong:
        session.exitstatus = CONTRADICTED
    return wrong


def _is_whole(session: pytest.Session) -> bool:
    """Whether each file that ran has run with all its cases, as far as a first run has them."""
    option = session.config.option
    chosen = option.keyword or option.markexpr or getattr(option, "lf", False)
    by_name = any("::" in each for each in session.config.args)
    ended = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
    stopped = session.shouldstop or session.shouldfail
    return ended and not (chosen or by_name or stopped or os.environ.get("LONG"))


def keep(seen: Mapping[str, str], kept: Path = KEPT) -> None:
    """Add to what earlier runs showed, each with the file as it was then."""
    known = json.loads(kept.read_text()) if kept.is_file() else {}
    files = {file: digest(file) for file in {_file(test) for test in seen}}
    known.update({test: [word, files[_file(test)]] for test, word in seen.items()})
    kept.parent.mkdir(exist_ok=True)
    written = kept.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps(known, indent=0, sort_keys=True))
    written.replace(kept)


def last_shown(kept: Path = KEPT) -> dict[str, str]:
    """What the last runs showed, of files that have not changed since."""
    known = json.loads(kept.read_text()) if kept.is_file() else {}
    now = {file: digest(file) for file in {_file(test) for test in known}}
    return {test: word for test, (word, then) in known.items() if then == now[_file(test)] != ""}


def digest(name: str) -> str:
    """Of a file of tests as it is now; empty where there is none."""
    file = FOLDER.parent / name
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else ""


def _file(test: str) -> str:
    return f"{test.partition('.')[0]}.py"
