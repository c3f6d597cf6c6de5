"""Runs pytest for the whole check: a few tests that failed are tried once more, each by itself.

Usage: ``second_try.py <file for their names> <pytest> [<argument> …]``. Of eight thousand tests, on
a machine whose load nobody knows, one may fail by the clock alone. Whatever fails twice has failed;
so have more than ``MOST``, which are no accident. What passed the second time is told at the end
of the check, by name: it is either a test that can fail by chance, or a fault that shows by chance.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

MOST: Final = 3
TESTS_FAILED: Final = 1
"""pytest's exit code; an interrupted run, or one that could not begin, has another."""
ALONE: Final = ("-n", "0", "--last-failed", "--last-failed-no-failures", "none")


def main(told: Path, *command: str) -> int:
    """Run, and perhaps run again; returns the exit code that counts."""
    with TemporaryDirectory() as folder:
        kept = ("-o", f"cache_dir={folder}")
        code = subprocess.run([*command, *kept], check=False).returncode
        failed = _failed(Path(folder))
        if code != TESTS_FAILED or not 0 < len(failed) <= MOST:
            return code
        print(f"\n=== {len(failed)} failed, and are tried once more, by themselves", flush=True)
        code = subprocess.run([*command, *kept, *ALONE], check=False).returncode
        if code == 0:
            told.parent.mkdir(exist_ok=True)
            with told.open("a", encoding="utf-8") as file:
                file.writelines(f"{each}\n" for each in failed)
        return code


def _failed(cache: Path) -> list[str]:
    path = cache / "v" / "cache" / "lastfailed"
    return sorted(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


if __name__ == "__main__":
    # Interrupted, pytest says what failed until then: it is waited for, and not tried again
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
