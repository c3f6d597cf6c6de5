"""``python -m tests.conformance.table``: docs/conformance.md, of the tests and of what they showed.

The words of the results are those of the last runs (``tests.conformance.results``); of a test that
has not run here since its file changed, the page's present word stays, and a run decides about it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain

from tests.conformance import plans, requirements, results
from tests.conformance.requirements import Requirement

HEAD = """# What the specifications ask for

Each row is a requirement, the test that keeps it, and what the test showed when it ran last. Most
send the provider what a client or a browser would, through its WSGI interface and without a socket;
a few go over a connection (`test_mtls_directly.py`, `test_openapi_live.py`), and a few call a
function. « met » is said of a test of which every case has run and passed. `make test` and
`make test-long` run them all, and the first fails where this page says of a test what that very run
contradicts. Below stand the plans of the OpenID Foundation, module by module: our own tests of what
the modules ask, not a run of its conformance suite. The page is made by
`python -m tests.conformance.table`.
"""
PLANS = """
# The plans of the OpenID Foundation

Where there is no test, the reason stands in its place. Hybrid and Implicit go through response
types with `token` as well: those are not offered, for no access token comes by the browser here.
Of the FAPI plans every variant's modules are listed; the reasons say for whom some of them are.
"""


def words(page: str, shown: Mapping[str, str], tests: set[str]) -> dict[str, str]:
    """By test: what the last run showed, else what the page says, else that it has not run."""
    said = results.claimed(page)
    return {test: shown.get(test) or said.get(test) or results.NEVER for test in tests}


def document(page: str | None = None, shown: Mapping[str, str] | None = None) -> str:
    """The page, as Markdown; made from the present one and from what the last runs showed."""
    page = results.PAGE.read_text() if page is None else page
    shown = results.last_shown() if shown is None else shown
    rows = requirements.everywhere()
    word = words(page, shown, {row.test for row in rows})
    return "\n".join([HEAD, *_by_specification(rows, word), PLANS, *_by_plan(word)]) + "\n"


def _by_specification(rows: Iterable[Requirement], word: Mapping[str, str]) -> list[str]:
    grouped: dict[str, list[Requirement]] = defaultdict(list)
    for each in rows:
        grouped[each.specification].append(each)
    parts = []
    for specification in sorted(grouped, key=_in_order):
        parts += [f"## {specification}\n", "| section | required | test | result |"]
        parts += ["|---|---|---|---|"]
        for row in sorted(grouped[specification], key=lambda row: _in_order(row.section)):
            rule = row.rule.replace("|", "\\|")
            parts.append(f"| {row.section} | {rule} | {_test(row.test)} | {word[row.test]} |")
        parts.append("")
    return parts


def _by_plan(word: Mapping[str, str]) -> list[str]:
    return list(chain.from_iterable(_plan(name, word) for name in plans.modules()))


def _plan(name: str, word: Mapping[str, str]) -> list[str]:
    rows = plans.of_plan(name)
    tested = [row for _module, row in rows if row.test]
    met = sum(word[row.test] == results.MET for row in tested)
    parts = [f"## {plans.modules()[name][0]}\n"]
    parts.append(f"`{name}`: {len(rows)} modules, {len(tested)} of them ours, {met} met.\n")
    parts += ["| module | about | test | result |", "|---|---|---|---|"]
    for module, row in rows:
        shown = f"{_test(row.test)} | {word[row.test]}" if row.test else f"– | {row.reason}"
        parts.append(f"| `{module}` | {row.about or '–'} | {shown} |")
    return [*parts, ""]


def _test(test: str) -> str:
    file, _dot, name = test.partition(".")
    return f"`{file}.py` `{name}`"


def _in_order(text: str) -> list[tuple[int, str]]:
    """Numbers as numbers: §9 before §10."""
    return [
        (int(part or 0), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)
    ]


if __name__ == "__main__":
    results.PAGE.write_text(document())
