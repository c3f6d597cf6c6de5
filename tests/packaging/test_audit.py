"""A check of dependencies that checked nothing has not passed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECKED = {"name": "flask", "version": "3.1.3", "vulns": []}
SKIPPED = {"name": "alembic", "skip_reason": "Dependency not found on PyPI"}
WEAK = {"name": "jinja2", "version": "1", "vulns": [{"id": "CVE-2026-1"}]}


def audit(tmp_path: Path, told: str) -> subprocess.CompletedProcess[str]:
    """Run the audit with a stand-in for pip-audit, which says this and ends well."""
    stand_in = tmp_path / "pip_audit.py"
    stand_in.write_text(
        "import sys; from pathlib import Path\n"
        f"Path(sys.argv[sys.argv.index('--output') + 1]).write_text({told!r})\n"
        if told
        else "raise SystemExit(1)"
    )
    command = [sys.executable, ".ci/audit.py", str(tmp_path / "build" / "audit.json")]
    return subprocess.run(
        [*command, sys.executable, str(stand_in)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("dependencies", "code", "words"),
    [
        ([CHECKED], 0, "1 of 1 packages were audited, 0 are known"),
        ([SKIPPED, SKIPPED], 3, "0 of 2 packages were audited"),
        ([CHECKED, SKIPPED], 3, "Not audited, 1: alembic"),
        ([], 3, "0 of 0"),
        ([CHECKED, WEAK, SKIPPED], 1, "jinja2 1 is known to be weak: CVE-2026-1"),
    ],
)
def test_r11_an_audit_passes_only_where_each_package_was_audited(
    tmp_path: Path, dependencies: list[object], code: int, words: str
) -> None:
    done = audit(tmp_path, json.dumps({"dependencies": dependencies}))
    assert done.returncode == code, done.stderr
    assert words in done.stdout


def test_r11_a_service_that_does_not_answer_is_told(tmp_path: Path) -> None:
    done = audit(tmp_path, "")
    assert (done.returncode, "Nothing was audited" in done.stdout) == (3, True)


def test_r11_ci_tells_what_was_not_checked(tmp_path: Path) -> None:
    """The whole check names an audit that did not happen, and does not call it passed."""
    script = (ROOT / ".ci" / "run").read_text().split("step lint")[0]
    script = script.replace('cd "$(dirname "$0")/.."', "cd /")
    script += "told audit 1 sh -c 'exit 3'; step good 1 true; finish"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Not passed, and told only: audit" in done.stdout
    assert "All passed" not in done.stdout
