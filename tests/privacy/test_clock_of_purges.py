"""R16: a clock that is wrong erases nobody, and a purge that did not run for long goes on."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from idp import clock, purge
from idp.database import db, transaction
from idp.people import children
from idp.people.models import Child
from idp.purge import steady
from tests import factories

pytestmark = pytest.mark.quick_on("sqlite")

DAY = timedelta(days=1)
YEAR = 365 * DAY


@pytest.fixture
def left(app: Flask) -> Child:
    """A child who left, where a purge has run for long."""
    purge.run(pause=0)
    with transaction() as writes:
        writes.execute(
            text("UPDATE installation_marks SET at = :at WHERE name = 'people purged'"),
            {"at": clock.now() - 400 * DAY},
        )
    _account, (child,) = factories.family(factories.school(), "Lina")
    children.mark_left(child)
    db.session.commit()
    return child


@pytest.fixture
def same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the machine and its database, which jump together."""
    monkeypatch.setattr(steady, "_database_clock", clock.now)


def purged_after(time: timedelta) -> tuple[int, list[str]]:
    said: list[str] = []
    with time_machine.travel(clock.now() + time, tick=False):
        erased = purge.run(pause=0, warn=said.append)["children"]
    return erased, said


@pytest.mark.usefixtures("same_clock")
def test_r16_a_clock_set_a_year_ahead_erases_nobody(left: Child) -> None:
    erased, (said,) = purged_after(YEAR)
    assert erased == 0
    assert "the clock jumped" in said
    assert purged_after(YEAR + DAY / 24)[0] == 0, "a second one at once neither"
    erased, (said,) = purged_after(DAY)
    assert erased == 0, "set right again"
    assert "the clock jumped" in said
    assert purged_after(2 * DAY) == (0, [])
    db.session.expire_all()
    assert db.session.get(Child, left.id) is not None


@pytest.mark.usefixtures("same_clock", "left")
def test_r16_a_purge_that_did_not_run_for_long_goes_on_a_day_later() -> None:
    assert purged_after(YEAR)[0] == 0
    assert purged_after(YEAR + DAY) == (1, [])


@pytest.mark.usefixtures("same_clock", "left")
def test_r16_a_daily_or_weekly_purge_waits_for_nothing() -> None:
    erased = [purged_after(week * 7 * DAY) for week in range(1, 28)]
    assert [said for _erased, said in erased if said] == []
    assert sum(count for count, _said in erased) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("left")
def test_r16_a_machine_whose_clock_is_not_the_databases_erases_nobody() -> None:
    for day in (YEAR, YEAR + DAY):
        erased, (said,) = purged_after(day)
        assert erased == 0
        assert "until they agree" in said
    assert purged_after(timedelta(0)) == (0, [])
