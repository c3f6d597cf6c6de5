"""``idp certify`` at a terminal, and what docs/certify.md and docs/integrate.md say of it."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from idp.certify.school import CASES, SIXTY
from idp.clients.certification_checks import CHECKS
from tests.clients.documented import free_port, printed
from tests.packaging.test_documents import headings

RUN = re.MULTILINE | re.DOTALL
BIN = Path(sys.executable).parent
GUIDE = Path("docs/certify.md").read_text()
COMMAND = next(
    line for line in GUIDE.splitlines() if line.startswith("idp certify") and "flask" in line
)


def certify(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command in a folder, with nothing of ours in its environment."""
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), **more}
    return subprocess.run(
        [str(BIN / "idp"), "certify", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=850,
    )


@pytest.mark.long
def test_the_guides_command_passes_the_guides_program(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(printed("app.py"))
    command = COMMAND.removeprefix("idp certify ").replace("3000", str(free_port())).split()

    done = certify(tmp_path, command[0], "--port", str(free_port()), "--json", *command[1:])

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["certified"]
    others = {each["code"]: each["verdict"] for each in report["results"] if _not_passed(each)}
    # It asks again, and is told nothing
    assert others == dict.fromkeys(("logout_token", "security_event"), "could not be told")


@pytest.mark.long
def test_a_mistake_is_told_with_the_line_that_helps(tmp_path: Path) -> None:
    shown = re.search(r"^```console\n\$ FAULT=state idp certify ([^\n]*)\n(.*?)^```", GUIDE, RUN)
    assert shown
    port, own = str(free_port()), str(free_port())
    home, *words = shown[1].replace("3000", own).split()

    done = certify(
        *(tmp_path, home, "--port", port, *words), FAULT="state", PYTHONPATH=str(Path.cwd())
    )

    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == shown[2].replace("9400", port).replace("3000", own)
    state = next(check for check in CHECKS if check.code == "state")
    assert f"« {state.sentence} »" in done.stdout


@pytest.mark.long
def test_where_nothing_answers_it_says_what_to_set_up(tmp_path: Path) -> None:
    home = f"http://127.0.0.1:{free_port()}/"
    port = free_port()

    done = certify(tmp_path, home, "--port", str(port), "--wait", "0")

    assert done.returncode == 2
    assert f"ISSUER=http://127.0.0.1:{port}" in done.stdout
    assert "CLIENT_ID=" in done.stdout
    assert "CLIENT_SECRET=" in done.stdout
    assert done.stderr == f"idp: nothing answers at {home}\n"


@pytest.mark.long
@pytest.mark.parametrize("address", ["nonsense", "http://shop.example/", "https://a.example/?x=1"])
def test_what_is_no_address_of_an_application_is_refused(tmp_path: Path, address: str) -> None:
    done = certify(tmp_path, address)
    assert done.returncode == 2
    assert "is no address of an application" in done.stderr


@pytest.mark.long
def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = certify(tmp_path, "http://127.0.0.1:9/", "--port", str(port))
    assert done.returncode == 2
    assert done.stderr == f"idp: port {port} is taken by another program (--port)\n"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_the_line_that_helps_stands_where_the_report_says(check: object) -> None:
    place, _, anchor = check.place.partition("#")  # type: ignore[attr-defined]
    document = Path(place)
    section = _section(document.read_text(), anchor)
    assert anchor in headings(document)
    assert check.line in section  # type: ignore[attr-defined]
    assert f"| `{check.code}` | {check.title} |" in GUIDE  # type: ignore[attr-defined]


def test_the_guide_lists_every_family_and_all_are_awkward_in_a_way_of_their_own() -> None:
    for family in CASES:
        assert f"| `{family.case}` | {family.about} |" in GUIDE
    assert len(SIXTY) == 60
    assert len({family.case for family in CASES}) == len(CASES) >= 12


def _not_passed(result: dict[str, str]) -> bool:
    return result["verdict"] != "passed"


def _section(text: str, anchor: str) -> str:
    """What stands under a heading, on one line; down to the next heading of its level or above."""
    parts = re.split(r"^(#+) (.*)$", text, flags=re.MULTILINE)
    for level, title, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        plain = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        if plain == anchor and level:
            return " ".join(body.split())
    return ""
