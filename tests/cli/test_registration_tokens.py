"""``idp client registration-token``: who may register an application without us."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests import factories
from tests.cli.conftest import Run
from tests.conformance.test_dynamic_registration import register
from tests.outgoing.conftest import change

pytestmark = pytest.mark.quick_on("sqlite")
JsonOf = Callable[..., Any]
NOUN = ("client", "registration-token")


def make(json_of: JsonOf, *more: str) -> dict[str, str]:
    """A token for a school."""
    made = json_of(*NOUN, "create", "Homework Ltd", "--school", factories.school().id, *more)
    assert isinstance(made, dict)
    return made


def test_a_token_is_shown_once_and_registers(app: Flask, json_of: JsonOf) -> None:
    change(app, dynamic_registration="token")
    made = make(json_of, "--uses", "2", "--scope", "openid child")

    answered = register(app.test_client(), made["initial_access_token"])

    assert answered.status_code == 201
    [listed] = json_of(*NOUN, "list")
    assert (listed["uses_left"], listed["scope"], listed["works"]) == (1, "openid child", True)
    assert made["initial_access_token"] not in str(listed)


def test_an_ended_token_registers_nothing(app: Flask, run: Run, json_of: JsonOf) -> None:
    change(app, dynamic_registration="token")
    made = make(json_of)

    assert "has ended" in run(*NOUN, "end", made["token_id"]).stdout
    assert "had ended before" in run(*NOUN, "end", made["token_id"]).stdout

    assert register(app.test_client(), made["initial_access_token"]).status_code == 401
    assert json_of(*NOUN, "list")[0]["works"] is False


def test_it_is_said_that_nobody_can_use_a_token(run: Run) -> None:
    done = run(*NOUN, "create", "Homework Ltd", "--school", factories.school().id)
    assert "IDP_DYNAMIC_REGISTRATION is off" in done.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--uses", "0"), ("--uses", "1001"), ("--expires", "0"), ("--expires", "900d")),
        *(("--scope", "email"), ("--scope", "openid admin"), ("--school", "s_nobody")),
    ],
)
def test_bounds_that_mean_nothing_are_refused(run: Run, option: str, value: str) -> None:
    school = [] if option == "--school" else ["--school", factories.school().id]
    done = run(*NOUN, "create", "Homework Ltd", *school, option, value)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1


def test_who_is_unknown_has_no_token(run: Run) -> None:
    assert run(*NOUN, "end", "n_nobody").exit_code == 2
