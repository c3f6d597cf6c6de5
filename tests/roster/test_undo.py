"""An import is taken back: whole, within seven days, and never over somebody else's change."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from idp import clock, purge
from idp.credentials import one_time_tokens
from idp.database import db, transaction
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import account_actions, guardianships
from idp.desk.people.account_actions import Reason
from idp.lifecycle import endings, passwords
from idp.people.accounts import find_by_username
from idp.people.guardianships import live_children, lock_guardianship
from idp.people.linking import link_guardian
from idp.people.models import Account, Child, Guardianship, School
from idp.roster.models import RosterChange, RosterPupil
from tests import factories
from tests.cli.conftest import Run, refused
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import OneRoster
from tests.roster.test_oneroster import guardians_of, pupil, whole

pytestmark = pytest.mark.long_on("postgresql")


def state() -> set[tuple[str, ...]]:
    """Who is live, with names, addresses and classes: what an undo brings back."""
    db.session.expire_all()
    accounts = {
        ("account", each.username, each.given_name, each.email or "")
        for each in db.session.scalars(select(Account).where(Account.status != "disabled"))
    }
    children = {
        ("child", each.given_name, each.family_name, each.class_name)
        for each in db.session.scalars(select(Child).where(Child.left_at.is_(None)))
    }
    links = db.session.scalars(select(Guardianship).where(Guardianship.ended_at.is_(None)))
    live = {("link", each.account_id, each.child_id, each.relationship) for each in links}
    return accounts | children | live


def test_a_terminal_is_told_what_an_undo_did_in_a_table(
    imported: Import, run: Run, tmp_path: Path
) -> None:
    run_id = imported(whole().zip(tmp_path / "1.zip"))["run"]

    outcome = run("roster", "undo", run_id).output

    assert "{" not in outcome
    assert re.search(r"new pupils who leave again +3 +0", outcome)
    assert re.search(r"new guardianships ended +5 +0", outcome)


def undo(json_of: JsonOf, run_id: str) -> dict[str, dict[str, int]]:
    (report,) = json_of("roster", "undo", run_id)
    return {"undone": report["undone"], "left": report["left"]}


def test_the_first_import_is_undone_whole(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    run_id = imported(whole().zip(tmp_path / "1.zip"))["run"]

    done = undo(json_of, run_id)

    assert done["left"] == {}
    assert state() == set()
    assert json_of("roster", "show", run_id)["status"] == "undone"


def test_a_later_import_is_undone_to_what_stood_before(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    imported(whole().zip(tmp_path / "1.zip"))
    before = state()
    second = whole()
    second.users = [row for row in second.users if row["sourcedId"] != "p2"]
    second.users[0] |= {"familyName": "Maes", "agentSourcedIds": "g1"}
    second.users[2] |= {"givenName": "Clara", "email": "clara@dubois.example"}
    second.pupil("p9", "Nora", "Claes", "g9")
    second.guardian("g9", "Inge", "Claes", role="aunt")
    run_id = imported(second.zip(tmp_path / "2.zip"), "--confirm-large-change")["run"]
    assert state() != before

    done = undo(json_of, run_id)

    assert done["left"] == {}
    assert state() == before


def test_what_was_undone_can_be_imported_again(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    path = whole().zip(tmp_path / "1.zip")
    first = imported(path)
    before = state()
    undo(json_of, first["run"])

    imported(path)

    assert {each for each in state() if each[0] != "link"} == {
        each for each in before if each[0] != "link"
    }  # the same accounts with their user names, the same children
    assert guardians_of("p1").keys() == {"claire.dubois", "marc.dubois"}
    assert imported(path)["counts"] == {}


def test_an_account_that_the_school_closed_opens_again_when_its_list_has_it(
    imported: Import, tmp_path: Path
) -> None:
    path = whole().zip(tmp_path / "1.zip")
    imported(path)
    claire = find_by_username("claire.dubois")
    assert claire is not None
    with transaction():
        claire.claimed_at = clock.now()  # with a password, and no session yet
    account_actions.close_access(AT_TERMINAL, claire.id, Reason("moved"))
    assert claire.status == "disabled"

    imported(path)

    db.session.expire_all()
    assert (claire.status, claire.closed_at) == ("active", None)
    assert "claire.dubois" in guardians_of("p1")


@pytest.mark.parametrize("code", ["court", "family", "request", "mistake", "other"])
def test_c2_a_link_that_somebody_ended_stays_ended_whatever_the_file_says(
    imported: Import, tmp_path: Path, school: School, code: str
) -> None:
    path = whole().zip(tmp_path / "1.zip")
    imported(path)
    claire = find_by_username("claire.dubois")
    assert claire is not None
    guardianships.end(AT_TERMINAL, claire.id, pupil("p1").id, Reason(code))

    report = imported(path)

    assert set(guardians_of("p1")) == {"marc.dubois"}
    assert set(guardians_of("p2")) == {"claire.dubois", "marc.dubois"}
    (outcome,) = [each for each in report["findings"] if each["code"] == "separated"]
    assert (outcome["count"], outcome["samples"]) == (1, ["Claire Dubois, Lina Dubois"])
    guardianships.link(AT_TERMINAL, claire.id, pupil("p1").id, "mother")
    imported(path)
    assert set(guardians_of("p1")) == {"claire.dubois", "marc.dubois"}


def test_a_districts_import_is_undone_at_every_school_and_can_be_made_again(
    json_of: JsonOf, app: Flask, tmp_path: Path
) -> None:
    schools = [factories.school("North"), factories.school("South")]
    made = OneRoster()
    made.district()
    for number, org in enumerate(("north", "south")):
        made.school(org, org.title(), parent="district")
        made.pupil(f"p{number}", "Lina", "Dubois", "g1", org=org)
    made.guardian("g1", "Claire", "Dubois", "claire@dubois.example")
    path = str(made.zip(tmp_path / "district.zip"))
    options = [word for each in schools for word in ("--school", each.id)]
    outcome = json_of("roster", "import", path, *options)
    account = db.session.scalars(select(Account)).one()

    reports = json_of("roster", "undo", outcome["id"])

    assert [each["left"] for each in reports] == [{}, {}]
    assert state() == set()
    json_of("roster", "import", path, *options)
    db.session.expire_all()
    assert account.status == "invited"
    assert len(live_children(account.id)) == 2


def test_who_has_signed_in_since_is_left_and_told(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    run_id = imported(whole().zip(tmp_path / "1.zip"))["run"]
    account = find_by_username("claire.dubois")
    assert account is not None
    with transaction():
        passwords.set_first_password(account.id, factories.PASSWORD)

    done = undo(json_of, run_id)

    assert done["left"] == {"account_made": 1}
    db.session.expire_all()
    assert account.status == "active"
    assert live_children(account.id) == []


def test_what_the_desk_changed_since_is_left_and_told(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    run_id = imported(whole().zip(tmp_path / "1.zip"))["run"]
    with transaction():
        pupil("p1").class_name = "6A"
    claire = find_by_username("claire.dubois")
    assert claire is not None
    endings.end_guardianship(claire.id, pupil("p1").id, "court order")
    rita = factories.account(given_name="Rita", family_name="Maes")
    link_guardian(rita.id, pupil("p2").id)

    done = undo(json_of, run_id)

    assert done["left"] == {"guardianship_made": 1, "child_made": 2}
    assert pupil("p1").class_name == "6A"
    assert lock_guardianship(rita.id, pupil("p2").id)
    ended = db.session.scalars(
        select(Guardianship).where(Guardianship.ended_reason == "court order")
    )
    assert ended.one().account_id == claire.id


def test_a_pupil_who_came_back_stays_with_whom_the_desk_has_linked_since(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    imported(whole().zip(tmp_path / "1.zip"))
    without = whole()
    without.users = [row for row in without.users if row["sourcedId"] != "p3"]
    imported(without.zip(tmp_path / "2.zip"), "--confirm-large-change")
    assert pupil("p3").left_at is not None
    run_id = imported(whole().zip(tmp_path / "3.zip"), "--confirm-large-change")["run"]
    rita = factories.account(given_name="Rita", family_name="Maes")
    link_guardian(rita.id, pupil("p3").id)

    done = undo(json_of, run_id)

    assert done["left"]["child_changed"] == 1
    assert [child.id for child, _ in live_children(rita.id)] == [pupil("p3").id]
    assert guardians_of("p3").keys() == {rita.username}


def test_an_undo_never_revives_what_a_court_has_ended(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    imported(whole().zip(tmp_path / "1.zip"))
    claire = find_by_username("claire.dubois")
    assert claire is not None
    endings.end_guardianship(claire.id, pupil("p1").id, "court order")
    second = whole()
    second.users = [row for row in second.users if row["sourcedId"] != "p2"]
    second.users[0]["agentSourcedIds"] = "g2"
    run_id = imported(second.zip(tmp_path / "2.zip"), "--confirm-large-change")["run"]

    undo(json_of, run_id)

    assert guardians_of("p1").keys() == {"marc.dubois"}
    assert guardians_of("p2").keys() == {"claire.dubois", "marc.dubois"}


def test_a_later_import_has_to_be_undone_first(
    imported: Import, run: Run, json_of: JsonOf, tmp_path: Path
) -> None:
    first = imported(whole().zip(tmp_path / "1.zip"))["run"]
    more = whole()
    more.pupil("p7", "Hugo", "Maes")
    second = imported(more.zip(tmp_path / "2.zip"))["run"]

    assert f"undo {second} first" in refused(run("roster", "undo", first))

    undo(json_of, second)
    undo(json_of, first)
    assert state() == set()


def test_after_seven_days_nothing_is_undone(imported: Import, run: Run, tmp_path: Path) -> None:
    run_id = imported(whole().zip(tmp_path / "1.zip"))["run"]
    before = state()
    with time_machine.travel(clock.now() + timedelta(days=7, minutes=1), tick=False):
        assert "more than 7 days" in refused(run("roster", "undo", run_id))
    assert state() == before


def test_an_undo_ends_tokens_that_were_sent_meanwhile(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    run_id = imported(whole().zip(tmp_path / "1.zip"))["run"]
    account = find_by_username("claire.dubois")
    assert account is not None
    token = one_time_tokens.mint(account.id, "first_sign_in")
    undo(json_of, run_id)
    assert one_time_tokens.find(token) == one_time_tokens.Unknown()


def test_r8_the_journal_is_purged_when_nothing_can_be_undone(
    imported: Import, school: School, app: Flask, tmp_path: Path
) -> None:
    imported(whole().zip(tmp_path / "1.zip"))
    purge.run(pause=0)
    assert db.session.scalars(select(RosterChange)).first() is not None
    with time_machine.travel(clock.now() + timedelta(days=9), tick=False):
        purge.run(pause=0)
    assert db.session.scalars(select(RosterChange)).first() is None


def test_r8_what_was_read_and_never_applied_is_purged_after_two_days(
    checked: Import, tmp_path: Path
) -> None:
    checked(whole().zip(tmp_path / "1.zip"))
    purge.run(pause=0)
    assert db.session.scalars(select(RosterPupil)).first() is not None
    with time_machine.travel(clock.now() + timedelta(days=3), tick=False):
        purge.run(pause=0)
    assert db.session.scalars(select(RosterPupil)).first() is None


@pytest.mark.parametrize("run_id", ["j_unknown", "x"])
def test_an_unknown_import_is_not_undone(run: Run, app: Flask, run_id: str) -> None:
    assert "unknown" in refused(run("roster", "undo", run_id))
