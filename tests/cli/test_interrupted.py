"""Ctrl-C while the program is still loading: one line and code 130, at whatever moment."""

import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.cli.conftest import start

pytestmark = pytest.mark.quick_on("sqlite")

OTHERS = (
    *("click.core", "werkzeug.datastructures", "jinja2", "idp.cli.program"),
    *("idp.people.schools", "sqlalchemy.orm.session", "idp.web"),
)


def interrupted(environment: dict[str, str], when: Callable[[str], bool]) -> tuple[int, list[str]]:
    """The code and the last words of a command that hears Ctrl-C once Python has said this of
    what it loads.
    """
    traced = environment | {"PYTHONPROFILEIMPORTTIME": "1"}
    program = start(traced, "school", "list", measured=False)
    assert program.stderr is not None
    for line in program.stderr:
        if when(line.rpartition("|")[2].strip()):
            break
    else:
        pytest.fail(f"never seen; it ended with {program.wait()}")
    program.send_signal(signal.SIGINT)
    _, said = program.communicate(timeout=60)
    return program.returncode, [
        line for line in said.splitlines() if line and not line.startswith("import time:")
    ]


@pytest.mark.parametrize(
    "module",
    [
        *("flask.app", "idp.cli.group"),
        *(pytest.param(each, marks=pytest.mark.long) for each in OTHERS),
    ],
)
def test_an_interrupt_while_a_module_is_loaded_is_one_line(
    environment: dict[str, str], module: str
) -> None:
    code, said = interrupted(environment, module.__eq__)

    assert (code, said) == (130, ["idp: stopped"])


@pytest.mark.parametrize(
    "moment",
    [
        0.0,
        0.3,
        *(pytest.param(each, marks=pytest.mark.long) for each in (0.15, 0.45, 0.6, 0.75, 0.9)),
    ],
)
def test_an_interrupt_in_the_first_second_prints_no_traceback(
    environment: dict[str, str], moment: float
) -> None:
    def ours(module: str) -> bool:
        if not module.startswith("click"):
            return False
        time.sleep(moment)
        return True

    code, said = interrupted(environment, ours)

    assert (code, said) in ((130, ["idp: stopped"]), (0, []))


@pytest.mark.long
def test_who_runs_it_beside_the_terminal_is_not_interrupted(environment: dict[str, str]) -> None:
    """A shell's « & » and `nohup` have it ignore Ctrl-C, from its first moment to its last."""
    program = start(
        environment,
        *("school", "list"),
        measured=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    for _ in range(4):
        time.sleep(0.2)
        program.send_signal(signal.SIGINT)
    out, said = program.communicate(timeout=60)

    assert (program.returncode, out, said) == (0, "(none)\n", "")


def test_at_sigterm_it_ends_by_that_signal(environment: dict[str, str]) -> None:
    program = start(environment, "school", "list", measured=False, stderr=subprocess.PIPE)
    time.sleep(0.3)
    program.terminate()
    _, said = program.communicate(timeout=60)

    assert (program.returncode, said) == (-signal.SIGTERM, "")
