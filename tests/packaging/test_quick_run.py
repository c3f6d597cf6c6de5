"""A quick run: on which kind of database each test runs, and that its name has no say in it."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests import databases, skipped

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("renamed", "moved", "first", "second", "third", "fourth", "fifth", "sixth")
TESTS = "".join(f"def test_{name}(database_url): ...\n" for name in NAMES)


def collected(folder: Path, **environment: str) -> dict[str, list[str]]:
    """For each file of a folder of tests, the kinds of database that its tests run on."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "tests.conftest"]
    command += ["-p", "no:cacheprovider", f"--config-file={ROOT / 'pyproject.toml'}"]
    done = subprocess.run(
        [*command, f"--rootdir={folder}", str(folder)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"^(\w+)\.py::\w+\[(\w+)\]$", done.stdout, re.MULTILINE)
    kinds: dict[str, list[str]] = {}
    for name, kind in found:
        kinds.setdefault(name, []).append(kind)
    return kinds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One module that says nothing, and one for each kind."""
    (tmp_path / "test_each.py").write_text(TESTS)
    for kind in databases.KINDS:
        says = f'import pytest\npytestmark = pytest.mark.quick_on("{kind}")\n'
        (tmp_path / f"test_{kind}.py").write_text(says + TESTS)
    return tmp_path


def test_a_module_says_on_which_database_its_tests_run_and_no_name_does(folder: Path) -> None:
    kinds = collected(folder)

    assert sorted(kinds["test_each"]) == sorted(databases.KINDS * len(NAMES))
    for kind in databases.KINDS:
        assert kinds[f"test_{kind}"] == [kind] * len(NAMES)


def test_a_long_run_has_every_test_on_each_kind(folder: Path) -> None:
    kinds = collected(folder, EACH_DATABASE="1")

    assert len(kinds) == 3
    for each in kinds.values():
        assert sorted(each) == sorted(databases.KINDS * len(NAMES))


@pytest.mark.long
def test_what_takes_long_runs_by_itself_and_where_it_is_named(folder: Path) -> None:
    long = "import pytest\npytestmark = pytest.mark.long\n"
    (folder / "test_crash.py").write_text(long + TESTS)

    assert set(collected(folder, LONG="1")) == {"test_crash"}
    assert set(collected(folder)) > {"test_crash"}


@pytest.mark.long
def test_what_takes_long_is_in_the_second_run_and_in_no_first_one(
    request: pytest.FixtureRequest,
) -> None:
    first, second = every_test(), every_test(LONG="1")

    assert len(first) > 1000
    assert len(second) > 50
    assert not first & second
    # Several processes share a run: what this one calls its tests by, each must
    here = {item.nodeid for item in request.session.items}
    expected = first | second
    assert not {each for each in here if each not in expected and not EACH_DATABASE}


@pytest.mark.long
def test_what_is_long_on_one_kind_is_in_one_run_on_each() -> None:
    first, second = every_test(), every_test(LONG="1")

    said: dict[str, str] = {}
    for file in (ROOT / "tests").glob("*/test_*.py"):
        if kinds := re.findall(r'long_on\("(\w+)"\)', file.read_text()):
            said[str(file.relative_to(ROOT))] = kinds[0]
    assert set(said.values()) == set(databases.KINDS)
    for name, kind in said.items():
        (other,) = set(databases.KINDS) - {kind}
        assert parameters(first, name, kind) == set(), name
        on_both = parameters(first, name, other) & parameters(second, name, kind)
        assert on_both, name


def parameters(tests: set[str], name: str, kind: str) -> set[str]:
    """The tests of a file that run on a kind of database, without its name."""
    ids = (each.rpartition("[") for each in tests if each.startswith(f"{name}::"))
    return {test + of.replace(kind, "") for test, _, of in ids if kind in of}


EACH_DATABASE = "EACH_DATABASE" in os.environ
"""Then more tests run here than in a run that says nothing."""


def every_test(**environment: str) -> set[str]:
    """The tests of a run that names none, as ``make test`` is."""
    return {line for line in whole_run(**environment).splitlines() if "::" in line}


@cache
def whole_run(**environment: str) -> str:
    """What it prints, of its tests and at its end."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


SKIPPING = """
import pytest

@pytest.mark.browser
@pytest.mark.parametrize("page", [1, 2])
def test_page(page): pytest.skip("Chromium is not installed")

@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"])
def test_rows(database_url):
    if database_url == "postgresql": pytest.skip("PostgreSQL is not available: no server")

@pytest.mark.nginx
@pytest.mark.parametrize("installed", [True, False])
def test_proxy(installed):
    if not installed: pytest.skip("nginx is not installed")
"""


@pytest.mark.long
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "workers"])
def test_a_run_says_at_its_end_what_it_went_without(tmp_path: Path, workers: list[str]) -> None:
    (tmp_path / "test_skipping.py").write_text(SKIPPING)

    said = ended(tmp_path, *workers)

    assert "NO TEST RAN in a browser: all 2 were skipped." in said
    assert "NO TEST RAN on PostgreSQL: all 1 were skipped." in said
    assert "NO TEST RAN behind nginx" not in said
    assert re.findall(r"^ +(\d+)  (.+)$", said, re.MULTILINE) == [
        ("2", "Chromium is not installed"),
        ("1", "PostgreSQL is not available: no server"),
        ("1", "nginx is not installed"),
    ]


def test_a_run_that_skips_nothing_says_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_all.py").write_text("def test_it(): ...\n")

    assert "skipped" not in ended(tmp_path)


@pytest.mark.long
def test_a_run_names_what_it_leaves_to_another_target_and_why() -> None:
    apart = {
        file.parent.name
        for file in (ROOT / "tests").glob("*/conftest.py")
        if "collect_ignore" in file.read_text()
    }
    said = re.findall(r"^ +(\d+)  tests/(\w+): .*(make test-\w+)", whole_run(), re.MULTILINE)

    assert apart == set(skipped.APART)
    assert {(name, target) for _tests, name, target in said} == {
        (name, f"make test-{name}") for name in apart
    }
    assert all(int(tests) > 1 for tests, *_rest in said)
    assert not any("installs" in line for line in skipped.left_to_others({"INSTALLS": "1"}))


def ended(folder: Path, *options: str) -> str:
    """What a run of a folder's tests prints."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", *options]
    command += ["-p", "no:cacheprovider", f"--config-file={ROOT / 'pyproject.toml'}"]
    done = subprocess.run(
        [*command, f"--rootdir={folder}", str(folder)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_whole_check_runs_every_target_that_tests() -> None:
    targets = re.findall(r"^(test[a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    steps = re.findall(
        r"^tests \w+ \w+ make (test[a-z-]*)", (ROOT / ".ci/run").read_text(), re.MULTILINE
    )

    assert {"test", "test-long", "test-installs", "test-faults"} <= set(targets)
    assert set(steps) == set(targets) - {"test-each"}  # the same tests twice


def test_each_folder_whose_modules_say_a_kind_has_both() -> None:
    says = r'(quick_on\(|parametrize\("database_url", \[)"(\w+)"'
    found: dict[str, set[tuple[str, str]]] = {}
    for file in (ROOT / "tests").glob("*/test_*.py"):
        found.setdefault(file.parent.name, set()).update(re.findall(says, file.read_text()))
    folders = {name for name, said in found.items() if "quick_on(" in {way for way, _ in said}}

    assert folders >= {"admin", "cli", "federation", "journey", "protocol", "security", "web"}
    for name in folders:
        assert {kind for _, kind in found[name]} == set(databases.KINDS), name


def test_each_process_of_a_test_has_its_databases_own_history() -> None:
    """Beside keys that tests share, another database's history says « restored », and it waits."""
    without, found = [], 0
    for path in sorted((ROOT / "tests").rglob("*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if "IDP_KEYS_FOLDER" in text else ():
            named = settings_named(node)
            if "keys_folder" in ast.unparse(named.get("IDP_KEYS_FOLDER", ast.Constant(""))):
                found += 1
                if "IDP_HISTORY_FILE" not in named:
                    without.append(f"{path.relative_to(ROOT)}:{node.lineno}")  # type: ignore[attr-defined]
    assert found > 3
    assert not without


def settings_named(node: ast.AST) -> dict[str, ast.expr]:
    """What a dictionary or a call gives to each of its names."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {key.value: value for key, value in pairs if isinstance(key, ast.Constant)}  # type: ignore[misc]
    if isinstance(node, ast.Call):
        return {each.arg: each.value for each in node.keywords if each.arg}
    return {}
