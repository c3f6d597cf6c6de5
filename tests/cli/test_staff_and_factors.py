"""``idp user role`` and ``idp user factors``; and what ``idp check`` says of staff."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from idp.credentials import factors
from idp.database import db
from idp.people import accounts, staff
from idp.people.models import Account, School
from idp.sessions import service as sessions
from tests import factories
from tests.cli.conftest import Run, of_installation, refused
from tests.second_factors import audited, switch_on, told

pytestmark = pytest.mark.quick_on("postgresql")

JsonOf = Callable[..., Any]


@pytest.fixture
def school(app: Flask) -> School:
    return factories.school()


@pytest.fixture
def claire(app: Flask) -> Account:
    return factories.account("claire", email="claire@dubois.example")


def test_roles_are_granted_listed_and_revoked(
    run: Run, json_of: JsonOf, claire: Account, school: School
) -> None:
    json_of("user", "role", "grant", "claire", "manager", "--school", school.id)
    json_of("user", "role", "grant", "claire", "operator")
    listed = json_of("user", "role", "list")
    assert [(each["role"], each["school_id"]) for each in listed] == [
        ("manager", school.id),
        ("operator", None),
    ]
    assert run("user", "role", "revoke", "claire", "operator").exit_code == 0
    assert run("user", "role", "revoke", "claire", "operator").exit_code == 0
    assert [each["role"] for each in json_of("user", "role", "list")] == ["manager"]
    assert len(audited("role_granted")) == 2
    assert len(audited("role_revoked")) == 1
    assert audited("role_granted")[0].actor == "cli"


def test_a_role_is_granted_once(run: Run, claire: Account) -> None:
    for _ in range(2):
        assert run("user", "role", "grant", "claire", "operator").exit_code == 0
    assert len(staff.roles_of(claire.id)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("claire", "manager"),
        ("claire", "manager", "--school", "s_unknown"),
        ("claire", "operator", "--school", "{school}"),
        ("claire", "director"),
        ("nobody", "operator"),
    ],
)
def test_a_role_that_makes_no_sense_is_refused(
    run: Run, claire: Account, school: School, arguments: tuple[str, ...]
) -> None:
    filled = [each.format(school=school.id) for each in arguments]
    refused(run("user", "role", "grant", *filled))
    assert not staff.is_staff(claire.id)


def test_a_helper_may_be_for_one_school_or_for_all(
    run: Run, claire: Account, school: School
) -> None:
    assert run("user", "role", "grant", "claire", "helper").exit_code == 0
    result = run("user", "role", "grant", "claire", "helper", "--school", school.id)
    assert result.exit_code == 0
    assert len(staff.roles_of(claire.id)) == 2


def test_a3_a_new_role_ends_sessions(run: Run, claire: Account) -> None:
    sessions.begin(claire.id, amr=("pwd",), acr="x")
    run("user", "role", "grant", "claire", "operator")
    assert sessions.live(claire.id) == []


def test_factors_are_listed_and_reset(run: Run, json_of: JsonOf, claire: Account) -> None:
    secret, codes = switch_on(claire.id)
    sessions.begin(claire.id, amr=("pwd",), acr="x")
    shown = json_of("user", "factors", "list", "claire")
    assert shown["recovery_codes_left"] == 10
    assert shown["required"] is True
    table = run("user", "factors", "list", "claire").stdout
    for hidden in (secret, *codes):
        assert hidden not in table

    assert run("user", "factors", "reset", "claire").exit_code == 0

    assert not factors.load(claire.id).any
    assert sessions.live(claire.id) == []
    assert len(told("factors_reset")) == 1
    assert audited("factors_reset")[0].actor == "cli"
    assert "none" in run("user", "factors", "reset", "claire").stdout
    assert len(told("factors_reset")) == 1


def test_a3_check_finds_staff_without_a_second_factor(run: Run, claire: Account) -> None:
    run("user", "role", "grant", "claire", "operator")
    assert [each.subject for each in of_installation()] == ["staff claire"]
    switch_on(claire.id)
    assert list(of_installation()) == []


def test_the_last_operator_is_disabled_only_with_that_word(run: Run) -> None:
    for name, status in (("ingrid", "active"), ("new", "invited")):
        staff.grant(factories.account(name, status=status).id, "operator")

    assert "--last-operator" in refused(run("user", "disable", "ingrid"))
    assert status_of("ingrid") == "active"
    run("user", "disable", "ingrid", "--last-operator")

    assert status_of("ingrid") == "disabled"


def test_of_two_operators_one_is_disabled_without_a_word(run: Run) -> None:
    for name in ("ingrid", "marc"):
        staff.grant(factories.account(name).id, "operator")
    run("user", "disable", "ingrid")
    assert status_of("ingrid") == "disabled"


def status_of(username: str) -> str:
    db.session.rollback()
    db.session.expire_all()
    account = accounts.find_by_username(username)
    assert account is not None
    return account.status
