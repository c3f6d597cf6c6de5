"""``idp user``: another address on the school's word, requests to be erased, help desks."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from idp.credentials import email_changes, one_time_tokens
from idp.mail import outbox
from idp.privacy import erasure
from tests import factories

pytestmark = pytest.mark.quick_on("postgresql")

Run = Callable[..., Result]
JsonOf = Callable[..., Any]


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    return str(result.exception) if result.exception else result.output


def test_an_address_is_changed_and_both_are_told(json_of: JsonOf) -> None:
    claire = factories.account("claire", email="old@x.example")
    token = one_time_tokens.mint(claire.id, "password_reset")
    waiting = email_changes.begin_change(claire.id, claire.email, "wish@x.example", proved=True)
    confirm = email_changes.mint_link(waiting, "confirm", "m_1")

    changed = json_of("user", "email", "claire", "new@x.example")

    assert (changed["email"], changed["changed"]) == ("new@x.example", True)
    assert isinstance(one_time_tokens.find(token), one_time_tokens.Unknown)
    assert email_changes.find_by_secret("confirm", confirm) is None
    kinds = sorted(each.kind for each in outbox.list_messages())
    assert kinds == ["email_changed", "email_changed_old"]


def test_the_same_address_changes_nothing(json_of: JsonOf) -> None:
    factories.account("claire", email="old@x.example")
    assert json_of("user", "email", "claire", "OLD@x.example")["changed"] is False
    assert outbox.list_messages() == []


@pytest.mark.parametrize("address", ["", "claire", "a@b@c"])
def test_what_is_no_address_is_one_line(run: Run, address: str) -> None:
    claire = factories.account("claire", email="old@x.example")
    refused(run("user", "email", "claire", address))
    assert claire.email == "old@x.example"


def test_a_disabled_account_keeps_its_address(run: Run) -> None:
    factories.account("claire", email="old@x.example", status="disabled")
    refused(run("user", "email", "claire", "new@x.example"))


def test_requests_are_listed_and_answered(run: Run, json_of: JsonOf) -> None:
    claire, paul = factories.account("claire"), factories.account("paul")
    for each in (claire, paul):
        erasure.request_erasure(each.id)
    assert [row["username"] for row in json_of("user", "erasure", "list")] == ["claire", "paul"]

    json_of("user", "erasure", "done", "claire")
    json_of("user", "erasure", "done", "paul", "--declined")

    assert json_of("user", "erasure", "list") == []
    outcomes = [row["outcome"] for row in json_of("user", "erasure", "list", "--all")]
    assert outcomes == ["done", "declined"]
    refused(run("user", "erasure", "done", "claire"))


def test_show_tells_a_help_desk_what_it_asks(json_of: JsonOf) -> None:
    claire = factories.account("claire", email="old@x.example")
    email_changes.begin_change(claire.id, claire.email, "wish@x.example", proved=True)
    erasure.request_erasure(claire.id)
    shown = json_of("user", "show", "claire")
    for field in ("email_change_waits_since", "password_set_at", "erasure_asked_at"):
        assert shown[field]
    assert shown["email_verified_at"] is None
    assert shown["sessions"] == 0
    assert "wish@x.example" not in str(shown)


def test_two_accounts_of_one_person_become_one(run: Run, json_of: JsonOf) -> None:
    school = factories.school()
    factories.family(school, "Lina", username="claire", email="claire@x.example")
    factories.family(school, "Noé", username="claire2")

    done = json_of("user", "merge", "claire", "claire2", "--yes")

    assert done == {"kept": "claire", "closed": "claire2", "children": 1}
    names = {child["name"] for child in json_of("user", "show", "claire")["children"]}
    assert names == {"Lina Dubois", "Noé Dubois"}
    assert json_of("user", "show", "claire2")["status"] == "disabled"
    refused(run("user", "merge", "claire", "claire", "--yes"))
    refused(run("user", "merge", "claire", "nobody", "--yes"))


def test_a_disabled_account_is_enabled_once(run: Run, json_of: JsonOf) -> None:
    factories.account("claire")
    run("user", "disable", "claire")
    assert run("user", "enable", "claire").exit_code == 0
    assert json_of("user", "show", "claire")["status"] == "active"
    refused(run("user", "enable", "claire"))
