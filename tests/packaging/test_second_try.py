"""The whole check tries a few tests twice: what passes then is told, a second failure counts."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
SECOND_TRY = ROOT / ".ci" / "second_try.py"
ENVIRONMENT = {"PATH": os.environ["PATH"]}
"""The check itself may run these tests, and for the second time."""
FAILS_AT_FIRST = """
    tried = Path(__file__).with_name("{name}.tried")
    if not tried.exists():
        tried.touch()
        raise AssertionError
"""
FAILS = "\n    raise AssertionError\n"
PASSES = "\n    with Path(__file__).with_name('passes.ran').open('a') as file: file.write('.')\n"


def written(folder: Path, **tests: str) -> Path:
    """A folder of tests by their names."""
    path = folder / "test_sample.py"
    bodies = (f"def test_{name}():{body.format(name=name)}" for name, body in tests.items())
    path.write_text("from pathlib import Path\n\n" + "\n".join(bodies))
    return path


def command(path: Path, *arguments: str) -> list[str]:
    told = path.with_name("told")
    pytest_ = [sys.executable, "-m", "pytest", "-c", "/dev/null", f"--rootdir={path.parent}"]
    return [sys.executable, str(SECOND_TRY), str(told), *pytest_, *arguments, str(path)]


def run(path: Path, *arguments: str, **more: str) -> tuple[int, list[str]]:
    """The exit code, and the tests that are told to have passed the second time."""
    done = subprocess.run(
        command(path, *arguments),
        env=ENVIRONMENT | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    told = path.with_name("told")
    return done.returncode, told.read_text().split() if told.exists() else []


@pytest.mark.parametrize("workers", [(), ("-n", "2", "--dist", "loadfile")])
def test_what_fails_once_is_tried_again_with_its_file_and_told(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    path = written(tmp_path, chance=FAILS_AT_FIRST, passes=PASSES)
    beside = "def test_other():\n    open(__file__ + '.ran', 'a').write('.')\n"
    (tmp_path / "test_beside.py").write_text(beside)

    assert run(path, *workers, str(tmp_path)) == (0, ["test_sample.py::test_chance"])
    assert (tmp_path / "passes.ran").read_text() == "..", "what it may have met, it meets again"
    assert (tmp_path / "test_beside.py.ran").read_text() == "."


def test_what_another_test_of_its_file_does_to_it_shows_again(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(
        "done = []\ndef test_spoils(): done.append(1)\ndef test_spoilt(): assert not done\n"
    )

    assert run(tmp_path / "test_sample.py") == (1, [])


def test_what_a_test_leaves_behind_is_no_accident(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(
        "import pytest\nfrom pathlib import Path\n"
        "@pytest.fixture\ndef guard():\n    yield\n"
        "    tried = Path(__file__).with_name('tried')\n"
        "    if not tried.exists():\n        tried.touch()\n        raise AssertionError\n"
        "def test_it(guard): ...\n"
    )

    assert run(tmp_path / "test_sample.py") == (1, [])


def test_what_does_not_run_again_has_not_passed(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(
        "import pytest\nfrom pathlib import Path\n"
        "tried = Path(__file__).with_name('tried')\n"
        "@pytest.mark.parametrize('time', ['second' if tried.exists() else 'first'])\n"
        "def test_it(time):\n    tried.touch()\n    assert time == 'second'\n"
    )

    assert run(tmp_path / "test_sample.py") == (1, [])


def test_a_run_that_failed_by_something_else_is_not_tried_again(tmp_path: Path) -> None:
    path = written(tmp_path, chance=FAILS_AT_FIRST)
    (tmp_path / "conftest.py").write_text(
        "def pytest_sessionfinish(session): session.exitstatus = 9\n"
    )

    assert run(path) == (9, [])


def test_its_step_is_told_with_it(tmp_path: Path) -> None:
    path = written(tmp_path, chance=FAILS_AT_FIRST)

    assert run(path, CHECK_STEP="long:") == (0, ["long:", "test_sample.py::test_chance"])


def test_what_fails_twice_has_failed(tmp_path: Path) -> None:
    assert run(written(tmp_path, chance=FAILS_AT_FIRST, fault=FAILS)) == (1, [])


def test_more_than_three_are_no_accident(tmp_path: Path) -> None:
    chances = dict.fromkeys(("one", "two", "three", "four"), FAILS_AT_FIRST)

    assert run(written(tmp_path, **chances)) == (1, [])


def test_a_run_without_a_failure_is_told_nothing_of(tmp_path: Path) -> None:
    assert run(written(tmp_path, passes=PASSES)) == (0, [])


def test_a_run_that_could_not_begin_is_not_tried_again(tmp_path: Path) -> None:
    path = written(tmp_path, passes=PASSES)
    path.write_text("import nothing_of_this_name")

    assert run(path) == (2, [])


def test_a_run_that_is_interrupted_says_what_had_failed(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    path = written(
        tmp_path,
        fault=FAILS,
        lasts="\n    Path(__file__).with_name('begun').touch(); __import__('time').sleep(60)\n",
    )
    whole = ["timeout", "--signal=INT", "--kill-after=30", "600", *command(path)]
    process = subprocess.Popen(whole, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    end = monotonic() + 60
    while not begun.exists():
        assert monotonic() < end
        sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert process.returncode != 0
    assert "1 failed" in out
    assert not (tmp_path / "told").exists()


def test_the_check_ends_with_their_names(tmp_path: Path) -> None:
    script = (ROOT / ".ci" / "run").read_text().split("step lint")[0]
    script = script.replace('cd "$(dirname "$0")/.."', f"cd {tmp_path}")
    script += 'mkdir build; echo "tests/test_x.py::test_chance" >> "$again"; finish'
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert re.search(r"each is to be mended:\n +tests/test_x\.py::test_chance\n", done.stdout)


def test_every_step_of_tests_has_a_second_try() -> None:
    said = (ROOT / ".ci" / "run").read_text()
    makefile = (ROOT / "Makefile").read_text()

    named = re.findall(r"^tests \w+ \d+ make ([\w-]+)", said, re.MULTILINE)
    assert named == ["test", "test-long", "test-installs", "test-faults"]
    for name in named:
        recipe = re.search(rf"^{name}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
        assert recipe
        assert "$(PYTEST)" in recipe[1]
        assert "$(BIN)/pytest" not in recipe[1]
