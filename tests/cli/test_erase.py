"""``idp user erase``, ``idp child erase``, ``idp purge --dry-run``."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from click.testing import Result

from idp import clock
from idp.database import db, transaction
from idp.lifecycle import endings
from idp.mail.models import OutboxMessage
from idp.people import children, staff
from idp.people.models import Account, Child
from idp.privacy import erasure
from idp.purge import on_request
from tests import factories

pytestmark = pytest.mark.quick_on("sqlite")

Run = Callable[..., Result]
JsonOf = Callable[..., Any]


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


def gone(model: Any, key: str) -> bool:
    db.session.expire_all()
    return db.session.get(model, key) is None


def test_an_account_is_erased_when_all_before_it_is_done(run: Run) -> None:
    school = factories.school()
    claire, _ = factories.family(school, "Lina", username="claire", email="c@x.example")
    with transaction():
        staff.grant(claire.id, "manager", school.id)
    erasure.request_erasure(claire.id)
    erase = ("user", "erase", "claire", "--yes")
    assert "works at a desk" in refused(run(*erase))
    with transaction():
        staff.revoke(claire.id, "manager", school.id)
    assert "idp user disable" in refused(run(*erase))
    endings.disable_account(claire.id)
    assert "idp user erasure done" in refused(run(*erase))
    assert run("user", "erasure", "done", "claire").exit_code == 0
    assert "wait to leave" in refused(run(*erase)), "the mail that says so"
    with transaction():
        for message in db.session.scalars(db.select(OutboxMessage)):
            message.status = "sent"
    assert run(*erase).output == "claire is erased.\n"
    assert gone(Account, claire.id)
    assert "no user" in refused(run(*erase))


def test_mails_that_wait_are_not_sent_where_it_has_to_be_now(run: Run) -> None:
    claire = factories.account("claire", email="c@x.example")
    endings.disable_account(claire.id)
    erasure.request_erasure(claire.id)
    erasure.close(claire.id, "done")
    assert run("user", "erase", "claire", "--now", "--yes").exit_code == 0
    assert gone(Account, claire.id)


def test_a_role_that_may_not_delete_events_is_told_so_before_anything(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    claire = factories.account("claire", status="disabled")
    child = factories.child(factories.school())
    children.mark_left(child)
    monkeypatch.setattr(on_request, "may_erase", lambda: False)
    for words in (("user", "erase", "claire"), ("child", "erase", child.id)):
        assert "the role that owns the tables" in refused(run(*words, "--yes"))
    assert not gone(Account, claire.id)
    assert not gone(Child, child.id)


def test_it_asks_before(run: Run) -> None:
    claire = factories.account("claire", status="disabled")
    assert run("user", "erase", "claire", stdin="n\n").exit_code != 0
    assert not gone(Account, claire.id)


def test_a_child_is_erased_once_it_has_left(run: Run) -> None:
    child = factories.child(factories.school())
    assert "idp child left" in refused(run("child", "erase", child.id, "--yes"))
    children.mark_left(child)
    assert run("child", "erase", child.id, "--yes").exit_code == 0
    assert gone(Child, child.id)


def test_a_dry_run_says_whom_and_how_many(run: Run, json_of: JsonOf) -> None:
    school = factories.school()
    child = factories.child(school)
    children.mark_left(child)
    with time_machine.travel(clock.now() + timedelta(days=181), tick=False):
        report = json_of("purge", "--dry-run")
        shown = run("purge", "--dry-run").output
    (count,) = report["counts"]
    assert (count["rule"], count["does"], count["count"]) == ("child_left", "erase", 1)
    assert count["school"] == school.name
    assert [each["id"] for each in report["people"]] == [child.id]
    assert {each["table"] for each in report["tables"]} > {"outbox", "audit_events"}
    assert child.id in shown
    assert "Nobody is ended or erased by these rules before" in shown
    assert not gone(Child, child.id)


def test_a_school_says_how_long_who_left_is_kept(run: Run, json_of: JsonOf) -> None:
    school = factories.school()
    edit = ("school", "edit", school.id, "--keep-leavers-days")
    assert json_of(*edit, "365")["keep_leavers_days"] == 365
    assert json_of(*edit, "default")["keep_leavers_days"] is None
    assert "from 30 to 1095" in refused(run(*edit, "29"))
