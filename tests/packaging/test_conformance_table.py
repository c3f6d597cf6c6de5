"""docs/conformance.md is what the tests say of themselves, and what they showed when they ran."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conformance import plans, requirements, results, table

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_made_from_the_tests() -> None:
    page = results.PAGE.read_text()

    assert page == table.document(page, shown={}), "python -m tests.conformance.table"


def test_no_test_is_left_out() -> None:
    trees = [ast.parse(file.read_text()) for file in plans.FOLDER.glob("test_*.py")]
    tests = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    rows = [each for each in requirements.everywhere() if each.test.startswith("conformance/")]

    assert len(rows) == len(tests) > 500


def test_the_page_says_only_what_a_run_has_shown() -> None:
    said = results.claimed(results.PAGE.read_text())

    assert set(said) == {each.test for each in requirements.everywhere()}
    assert set(said.values()) <= {results.MET, results.UNMET}, "run them, and make the page"


def test_a_test_that_names_no_section_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "conformance"
    folder.mkdir()
    (folder / "test_more.py").write_text('def test_it():\n    """It works."""\n')

    with pytest.raises(ValueError, match="names no specification"):
        requirements.everywhere(folder)


CASE = "tests/conformance/test_fapi2.py::test_the_whole_flow"
TEST = "conformance/test_fapi2.test_the_whole_flow"
OTHER = f"{CASE}[another]"


@pytest.mark.parametrize(
    ("ran", "word"),
    [
        ({"passed": [CASE, OTHER]}, results.MET),
        ({"passed": [CASE], "failed": [OTHER]}, results.UNMET),
        ({"passed": [CASE], "error": [CASE]}, results.UNMET),
        ({"passed": [CASE], "xfailed": [OTHER]}, results.UNMET),
        ({"passed": [CASE], "skipped": [OTHER]}, results.SKIPPED),
        ({"skipped": [CASE]}, results.SKIPPED),
    ],
)
def test_met_is_said_of_what_ran_and_passed_with_every_case(
    ran: dict[str, list[str]], word: str, tmp_path: Path
) -> None:
    stats = {name: [SimpleNamespace(nodeid=case) for case in cases] for name, cases in ran.items()}
    kept = tmp_path / "build" / "kept.json"

    seen = results.shown(stats)
    results.keep(seen, kept)

    assert seen == {TEST: word} == results.last_shown(kept)
    assert f"`conformance/test_fapi2.py` `test_the_whole_flow` | {word} |" in table.document(
        shown=seen
    )
    assert bool(list(results.contradictions(table.document(shown={}), seen))) is (
        word == results.UNMET
    )


def test_a_result_counts_for_the_file_that_gave_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    results.keep({TEST: results.MET, "conformance/test_of_yesterday.test_it": results.MET}, kept)
    of_another_file = {TEST: [results.UNMET, "0" * 16]}

    assert results.last_shown(kept) == {TEST: results.MET}
    kept.write_text(json.dumps(of_another_file))
    assert results.last_shown(kept) == {}


def test_what_never_ran_says_so() -> None:
    assert results.NEVER in table.document(page="", shown={})
    assert f"| {results.MET} |" not in table.document(page="", shown={})


@pytest.mark.long
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "workers"])
def test_a_run_fails_where_the_page_says_what_it_contradicts(
    tmp_path: Path, workers: list[str]
) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "test_more.py").write_text("def test_good(): ...\ndef test_same(): ...\n")
    page = tmp_path / "conformance.md"
    rows = {"test_good": results.UNMET, "test_same": results.MET}
    page.write_text(
        "\n".join(f"| §1 | x | `some/test_more.py` `{test}` | {rows[test]} |" for test in rows)
    )
    command = [sys.executable, "-m", "pytest", "-q", *workers, "-p", "tests.conftest"]
    command += ["-p", "no:cacheprovider", f"--config-file={ROOT / 'pyproject.toml'}"]

    done = subprocess.run(
        [*command, f"--rootdir={tmp_path}", str(folder)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CONFORMANCE_PAGE": str(page)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == results.CONTRADICTED, done.stdout + done.stderr
    assert "some/test_more.test_good is **not met**; in this run it is met" in done.stdout
    assert "test_same" not in done.stdout
    assert "2 passed" in done.stdout, "nothing but the page is wrong"
