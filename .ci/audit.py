"""Audit the pinned dependencies, and say what could not be audited.

pip-audit ends well where its service knows none of the packages, or does not answer: then it
has checked nothing. Exit codes: 0 each was checked and none is known to be weak; 1 weaknesses
are known; 3 some could not be checked.
"""

import json
import subprocess
import sys
from pathlib import Path

WEAK, NOT_CHECKED = 1, 3


def main(command: list[str], report: Path) -> int:
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    done = subprocess.run([*command, "--format", "json", "--output", report], check=False)
    try:
        dependencies = json.loads(report.read_text())["dependencies"]
    except (OSError, ValueError, KeyError):
        print(f"Nothing was audited: pip-audit ended with {done.returncode} and told nothing.")
        return NOT_CHECKED
    return judged(dependencies)


def judged(dependencies: list[dict[str, object]]) -> int:
    """Say what was found; the exit code."""
    weak = [each for each in dependencies if each.get("vulns")]
    skipped = [each for each in dependencies if "skip_reason" in each]
    for each in weak:
        ids = ", ".join(str(known["id"]) for known in each["vulns"])
        print(f"{each['name']} {each['version']} is known to be weak: {ids}")
    checked = len(dependencies) - len(skipped)
    print(
        f"{checked} of {len(dependencies)} packages were audited, {len(weak)} are known to be weak."
    )
    if skipped or not dependencies:
        names = ", ".join(str(each["name"]) for each in skipped[:5])
        print(f"Not audited, {len(skipped)}: {names} … (is the service reached?)")
    if weak:
        return WEAK
    return NOT_CHECKED if skipped or not dependencies else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], Path(sys.argv[1])))
