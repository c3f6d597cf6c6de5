"""``idp roster``: what is checked is what is imported; invitations; reports; large changes."""

import csv
import io
import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from idp import clock
from idp.audit.models import AuditEvent
from idp.database import db
from idp.mail.models import OutboxMessage
from idp.people.models import Account, School
from idp.roster.models import RosterChange, RosterGuardian, RosterPupil
from tests import factories
from tests.cli.conftest import Run, refused
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import OneRoster
from tests.roster.test_oneroster import whole

pytestmark = pytest.mark.long_on("sqlite")


def count(model: object) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0  # type: ignore[arg-type]


def test_a_check_changes_nothing_and_says_what_an_import_would(
    checked: Import, json_of: JsonOf, school: School, tmp_path: Path
) -> None:
    path = whole().zip(tmp_path / "1.zip")

    report = checked(path)

    assert report["counts"] == {"account_made": 3, "child_made": 3, "guardianship_made": 5}
    assert (count(Account), count(RosterChange)) == (0, 0)
    answer = json_of("roster", "import", "--run", report["run"])
    assert answer["schools"][0]["counts"] == report["counts"]
    assert count(Account) == 3


def test_nothing_of_the_file_is_kept_once_it_is_applied(imported: Import, tmp_path: Path) -> None:
    imported(whole().zip(tmp_path / "1.zip"))
    assert (count(RosterPupil), count(RosterGuardian)) == (0, 0)


def test_a_check_tells_what_looks_wrong(imported: Import, checked: Import, tmp_path: Path) -> None:
    imported(whole().zip(tmp_path / "1.zip"))
    second = whole()
    second.users = [row for row in second.users if row["sourcedId"] != "p2"]
    second.pupil("p8", "Hugo", "Maes", class_name="3B")
    second.pupil("p9", "Rose", "Claes", "g8", "g9", class_name="3B")
    second.guardian("g8", "Inge", "Claes")
    second.guardian("g9", "Inge", "Claes")

    findings = checked(second.zip(tmp_path / "2.zip"))["findings"]

    assert findings["class_vanishes"]["samples"] == ["1A (1)"]
    assert findings["pupils_without_guardian"]["samples"] == ["Hugo Maes"]
    assert findings["guardians_without_address"]["count"] == 2
    assert findings["duplicate_guardians"]["samples"] == ["Inge Claes"]
    assert findings["large_change"]["count"] == 1


def test_a_large_change_wants_a_second_confirmation(
    imported: Import, run: Run, school: School, json_of: JsonOf, tmp_path: Path
) -> None:
    imported(whole().zip(tmp_path / "1.zip"))
    second = OneRoster()
    second.school()
    second.pupil("p1", "Lina", "Dubois", "g1", "g2")
    second.guardian("g1", "Claire", "Dubois", "claire@dubois.example")
    second.guardian("g2", "Marc", "Dubois", "marc@dubois.example", role="guardian")
    path = str(second.zip(tmp_path / "2.zip"))

    sentence = refused(run("roster", "import", path, "--school", school.id, "--json"))

    assert "--confirm-large-change" in sentence
    assert db.session.scalar(select(func.count()).where(AuditEvent.event == "child_left")) == 0
    run_id = sentence.split("--run ")[1].split()[0]
    answer = json_of("roster", "import", "--run", run_id, "--confirm-large-change")
    assert answer["schools"][0]["counts"] == {"child_left": 2, "guardianship_ended": 3}


def test_invitations_leave_one_after_the_other(
    imported: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    begun = clock.now()
    report = imported(whole().zip(tmp_path / "1.zip"), "--invite", "--per-hour", "60")

    messages = db.session.scalars(select(OutboxMessage).order_by(OutboxMessage.due_at)).all()

    assert report["invited"] == len(messages) == 3
    assert [each.kind for each in messages] == ["invitation"] * 3
    minutes = [(each.due_at - messages[0].due_at) for each in messages]
    assert minutes == [timedelta(0), timedelta(minutes=1), timedelta(minutes=2)]
    assert messages[0].due_at - begun < timedelta(minutes=1)


def test_a_second_imports_invitations_come_after_the_firsts(
    imported: Import, tmp_path: Path
) -> None:
    imported(whole().zip(tmp_path / "1.zip"), "--invite", "--per-hour", "60")
    more = whole()
    more.pupil("p8", "Hugo", "Maes", "g8")
    more.guardian("g8", "Inge", "Maes", "inge@maes.example")
    imported(more.zip(tmp_path / "2.zip"), "--invite", "--per-hour", "60")
    due = db.session.scalars(select(OutboxMessage.due_at).order_by(OutboxMessage.due_at)).all()
    assert [each - due[0] for each in due] == [timedelta(minutes=number) for number in range(4)]


def test_who_has_no_address_is_not_invited(imported: Import, tmp_path: Path) -> None:
    made = OneRoster()
    made.school()
    made.pupil("p1", "Lina", "Dubois", "g1")
    made.guardian("g1")
    assert imported(made.zip(tmp_path / "1.zip"), "--invite")["invited"] == 0


@pytest.mark.parametrize(
    ("language", "reason"),
    [
        ("en", "A given name or a family name is missing."),
        ("fr", "Il manque un prénom ou un nom de famille."),
        ("nl", "Er ontbreekt een voornaam of een familienaam."),
        ("de", "Es fehlt ein Vorname oder ein Nachname."),
    ],
)
def test_rejected_rows_go_to_a_file_with_line_and_reason(
    imported: Import, tmp_path: Path, language: str, reason: str
) -> None:
    made = whole()
    made.pupil("p8", "", "=HYPERLINK(1)")
    (tmp_path / "rejected.csv").touch(0o644)
    imported(made.zip(tmp_path / "1.zip"), "--language", language)

    path = tmp_path / "rejected.csv"
    (_, row) = csv.reader(io.StringIO(path.read_text("utf-8-sig")), delimiter=";")

    assert row[:3] == ["users.csv", "8", reason]
    assert "'=HYPERLINK(1)" in row  # rule A6: no spreadsheet runs it
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_trail_tells_of_the_import_and_of_each_person(imported: Import, tmp_path: Path) -> None:
    run_id = imported(whole().zip(tmp_path / "1.zip"))["run"]
    events = db.session.scalars(select(AuditEvent).where(AuditEvent.actor == "cli")).all()
    kinds = [each.event for each in events if each.detail.get("run") == run_id]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "roster_begun": 1,
        "roster_applied": 1,
        "account_created": 3,
        "child_created": 3,
        "guardianship_made": 5,
    }
    assert "Lina" not in json.dumps([each.detail for each in events])


def test_l1_no_name_is_logged(
    imported: Import, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(0):
        imported(whole().zip(tmp_path / "1.zip"))
    assert "Lina" not in caplog.text
    assert "claire" not in caplog.text.lower()


def test_imports_are_listed_and_shown(
    imported: Import, run: Run, json_of: JsonOf, school: School, tmp_path: Path
) -> None:
    run_id = imported(whole().zip(tmp_path / "1.zip"))["run"]
    assert [each["id"] for each in json_of("roster", "list", "--school", school.id)] == [run_id]
    other = factories.school("Collège Autre")
    assert json_of("roster", "list", "--school", other.id) == []
    assert "no school s_other" in refused(run("roster", "list", "--school", "s_other"))
    shown = run("roster", "show", run_id).stdout
    assert "pupils new" in shown
    assert "Lina" not in shown


def test_the_report_for_people_names_counts_and_samples(
    run: Run, school: School, tmp_path: Path
) -> None:
    made = whole()
    made.pupil("p9", "Rose", "Claes\u0301")
    path = str(made.zip(tmp_path / "1.zip"))
    shown = run("roster", "check", path, "--school", school.id).stdout
    assert "guardianships new  5" in shown.replace("   ", "  ")
    assert "! 1 × Pupils without a guardian – Rose Claeś" in shown
    assert "idp roster import --run j_" in shown


def test_what_was_checked_can_be_forgotten(checked: Import, run: Run, tmp_path: Path) -> None:
    report = checked(whole().zip(tmp_path / "1.zip"))
    assert run("roster", "discard", report["run"]).exit_code == 0
    assert count(RosterPupil) == 0
    assert "read the file again" in refused(run("roster", "import", "--run", report["run"]))


def test_a_pattern_of_user_names_is_the_schools(
    imported: Import, app: Flask, tmp_path: Path
) -> None:
    imported(whole().zip(tmp_path / "1.zip"), "--usernames", "{g}{family}")
    more = whole()
    more.pupil("p8", "Hugo", "Maes", "g8")
    more.guardian("g8", "Inge", "D'Hondt-van den Bossche")
    imported(more.zip(tmp_path / "2.zip"))  # remembered
    names = set(db.session.scalars(select(Account.username)))
    assert names == {"cdubois", "mdubois", "oshevchenko", "idhondt-vandenbossche"}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--school", "s_unknown"),
        ("--school", "SCHOOL", "--school", "SCHOOL"),
        ("--school", "SCHOOL=org-9"),
        ("--school", "SCHOOL", "--usernames", "{birth}"),
        ("--school", "SCHOOL", "--usernames", "parent"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(
    run: Run, school: School, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    path = str(whole().zip(tmp_path / "1.zip"))
    refused(run("roster", "import", path, *(a.replace("SCHOOL", school.id) for a in arguments)))
    assert count(Account) == 0


def test_a_file_and_a_run_are_not_imported_at_once(run: Run, app: Flask, tmp_path: Path) -> None:
    refused(run("roster", "import"))
    path = str(whole().zip(tmp_path / "1.zip"))
    refused(run("roster", "import", path, "--run", "j_x"))


def test_names_that_are_taken_get_a_number(imported: Import, tmp_path: Path) -> None:
    factories.account("claire.dubois")
    factories.account("claire.dubois2")
    made = OneRoster()
    made.school()
    made.pupil("p1", "Lina", "Dubois", *(f"g{number}" for number in range(15)))
    for number in range(15):
        made.guardian(f"g{number}", "Claire", "Dubois", f"claire{number}@dubois.example")
    imported(made.zip(tmp_path / "1.zip"))
    names = set(db.session.scalars(select(Account.username)))
    assert names == {"claire.dubois", *(f"claire.dubois{number}" for number in range(2, 18))}
