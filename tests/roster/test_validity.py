"""The first and the last day count, by the school's calendar, in every record (rule N2)."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import select

from idp.database import db
from idp.people.models import Child
from idp.roster import validity
from idp.roster.validity import When
from tests.roster.conftest import Import
from tests.roster.files import OneRoster, table
from tests.roster.test_oneroster import guardians_of, pupil

pytestmark = pytest.mark.long_on("postgresql")

DAY = date(2026, 6, 30)


@pytest.mark.parametrize(
    ("begin", "end", "when"),
    [
        (None, None, When.NOW),
        (None, DAY, When.NOW),
        (DAY, None, When.NOW),
        (DAY, DAY, When.NOW),
        (None, date(2026, 6, 29), When.OVER),
        (date(2026, 7, 1), None, When.LATER),
        (date(2026, 7, 1), date(2026, 12, 31), When.LATER),
        (date(2026, 9, 1), date(2026, 8, 1), When.OVER),  # it never held
    ],
)
def test_n2_first_and_last_day_count(begin: date | None, end: date | None, when: When) -> None:
    assert validity.when(begin, end, DAY) is when


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 6, 30, 21, 30, tzinfo=UTC), date(2026, 6, 30)),
        (datetime(2026, 6, 30, 22, 30, tzinfo=UTC), date(2026, 7, 1)),  # 0:30 in Brussels
        (datetime(2026, 12, 31, 22, 30, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), date(2027, 1, 1)),
    ],
)
def test_n2_the_day_is_the_schools(app: object, moment: datetime, day: date) -> None:
    with time_machine.travel(moment, tick=False):
        assert validity.today() == day
    assert validity.day(moment.isoformat()) == day
    assert validity.day("30/06/2026") == validity.day("2026-06-30") == DAY
    assert validity.day("soon") is None


BEFORE, AFTER = datetime(2026, 6, 30, 21, 0, tzinfo=UTC), datetime(2026, 6, 30, 22, 5, tzinfo=UTC)
"""The last hour of 30 June in Brussels, and the first minutes of 1 July."""


def ending(record: str) -> OneRoster:
    made = OneRoster("1.2")
    made.school()
    made.sessions = [{"sourcedId": "t", "title": "t", "startDate": "", "endDate": "2999-06-30"}]
    made.pupil("p1", "Lina", "Dubois", "g1", "g2", class_name=None)
    made.pupil("p2", "Tom", "Maes", "g2", class_name=None)
    made.guardian("g1", "Claire", "Dubois", "claire@dubois.example")
    made.guardian("g2", "Marc", "Dubois", "marc@dubois.example")
    made.enrol("p1", "3B")
    made.classes["org-1-3B"]["termSourcedIds"] = "t"
    {
        "role": made.roles[2],
        "pupil": made.roles[0],
        "enrolment": made.enrollments[0],
        "term": made.sessions[0],
    }[record]["endDate"] = "2026-06-30"
    return made


def seen() -> tuple[bool, set[str], str]:
    db.session.expire_all()
    child = pupil("p1")
    return child.left_at is None, set(guardians_of("p1")), child.class_name


@pytest.mark.parametrize(
    ("record", "after"),
    [
        ("role", (True, {"marc.dubois"}, "3B")),
        ("pupil", (False, set(), "3B")),
        ("enrolment", (True, {"claire.dubois", "marc.dubois"}, "")),
        ("term", (True, {"claire.dubois", "marc.dubois"}, "")),
    ],
)
def test_n2_what_ends_holds_on_its_last_day_and_is_over_on_the_next(
    imported: Import, tmp_path: Path, record: str, after: tuple[bool, set[str], str]
) -> None:
    path = ending(record).zip(tmp_path / "roster.zip")
    with time_machine.travel(BEFORE, tick=False):
        imported(path)
        assert seen() == (True, {"claire.dubois", "marc.dubois"}, "3B")
    with time_machine.travel(AFTER, tick=False):
        imported(path, "--confirm-large-change")
    assert seen() == after


@pytest.mark.parametrize("kind", ["role", "pupil"])
def test_n2_what_has_not_begun_is_not_there_yet(
    imported: Import, tmp_path: Path, kind: str
) -> None:
    made = ending("term")
    made.sessions[0]["endDate"] = "2999-06-30"
    made.roles[2 if kind == "role" else 0]["beginDate"] = "2026-07-01"
    path = made.zip(tmp_path / "roster.zip")
    with time_machine.travel(BEFORE, tick=False):
        imported(path)
        assert guardians_of("p1").keys() == ({"marc.dubois"} if kind == "role" else set())
    with time_machine.travel(AFTER, tick=False):
        imported(path)
    assert guardians_of("p1").keys() == {"claire.dubois", "marc.dubois"}


def test_n2_a_class_that_begins_later_waits_for_its_day(imported: Import, tmp_path: Path) -> None:
    made = ending("enrolment")
    made.enrol("p1", "4B", beginDate="2026-07-01")
    path = made.zip(tmp_path / "roster.zip")
    with time_machine.travel(BEFORE, tick=False):
        imported(path)
        assert pupil("p1").class_name == "3B"
    with time_machine.travel(AFTER, tick=False):
        imported(path)
    assert pupil("p1").class_name == "4B"


def test_n2_a_delta_that_tells_of_a_roles_end_alone_ends_it(
    imported: Import, tmp_path: Path
) -> None:
    made = ending("term")
    made.sessions[0]["endDate"] = "2999-06-30"
    imported(made.zip(tmp_path / "1.zip"))
    delta = OneRoster("1.2", delta=True)
    delta.guardian("g1", "Claire", "Dubois", "claire@dubois.example")
    delta.users.clear()
    delta.roles[0] |= {"status": "active", "endDate": "2020-01-31"}
    report = imported(delta.zip(tmp_path / "2.zip"), "--confirm-large-change")
    assert report["counts"] == {"guardianship_ended": 1}
    assert guardians_of("p1").keys() == {"marc.dubois"}


@pytest.mark.parametrize(("moment", "there"), [(BEFORE, True), (AFTER, False)])
def test_n2_a_pupil_of_a_list_is_there_on_the_last_day(
    imported: Import, tmp_path: Path, moment: datetime, there: bool
) -> None:
    path = tmp_path / "pupils.csv"
    header = ["Nom", "Prénom", "Classe", "Nom resp. 1", "Prénom resp. 1", "Date de sortie"]
    path.write_text(table([header, ["Dubois", "Lina", "3B", "Dubois", "Claire", "30/06/2026"]]))
    with time_machine.travel(moment, tick=False):
        imported(path)
    assert (db.session.scalar(select(Child.given_name)) == "Lina") is there
