"""Runs pytest for the whole check: where a few tests failed, their files are run once more.

Usage: ``second_try.py <file for their names> <pytest> [<argument> …]``. Of eight thousand tests, on
a machine whose load nobody knows, one may fail by the clock alone. The second run has all tests of
those files, in one process and in their order, so that what they do to each other shows again, and
each that had failed has to run in it and to pass. Not tried again are: more than ``MOST`` failures,
which are no accident; what a test left behind (an error at its teardown); a run that failed by
something else than tests, or was interrupted. What passed the second time is told at the end of the
check, by name: it is either a test that can fail by chance, or a fault that shows by chance.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

MOST: Final = 3
TESTS_FAILED: Final = 1
"""pytest's exit code where tests failed and nothing else is wrong."""
HERE: Final = Path(__file__).resolve().parent
FILES: Final = "SECOND_TRY"
"""Variable of the second run: the files whose tests it has."""


def main(told: Path, *command: str) -> int:
    """Run, and perhaps run again; returns the exit code that counts."""
    code, first = _run(*command)
    failed = sorted({name for name, when in first["failed"]})
    after = any(when == "teardown" for _, when in first["failed"])
    is_little = 0 < len(failed) <= MOST and all("::" in name for name in failed)
    if code != TESTS_FAILED or after or not is_little:
        return code
    files = sorted({name.partition("::")[0] for name in failed})
    print(f"\n=== {len(failed)} failed: once more, {', '.join(files)}", flush=True)
    code, second = _run(*command, "-n", "0", files=files)
    if code == 0 and not set(failed) <= set(second["passed"]):
        print("=== what had failed did not run again", flush=True)
        return TESTS_FAILED
    if code == 0:
        told.parent.mkdir(exist_ok=True)
        step = os.environ.get("CHECK_STEP", "")
        with told.open("a", encoding="utf-8") as file:
            file.writelines(f"{step} {name}".lstrip() + "\n" for name in failed)
    return code


def _run(*command: str, files: list[str] | None = None) -> tuple[int, dict[str, Any]]:
    with TemporaryDirectory() as folder:
        says = Path(folder) / "said.json"
        environment = os.environ | {"OUTCOMES": str(says)}
        path = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(path)
        environment.pop(FILES, None)
        if files is not None:
            environment[FILES] = json.dumps(files)
        plugin = ("-p", "outcomes_of_tests")
        code = subprocess.run([*command, *plugin], env=environment, check=False).returncode
        said = json.loads(says.read_text()) if says.exists() else {"failed": [], "passed": []}
        return code, said


if __name__ == "__main__":
    # Interrupted, pytest says what failed until then: it is waited for, and not tried again
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
