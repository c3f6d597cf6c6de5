"""R16: an import and an erasure at the same instant: nobody is half there, and nobody else ends."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from idp.database import db
from idp.errors import Invalid
from idp.people.models import Account, Child, Guardianship, School
from idp.purge import erasing
from idp.roster import carrying_out, runs, service
from idp.roster.reading import Choice, Wish
from tests import factories
from tests.roster.files import OneRoster

pytestmark = pytest.mark.quick_on("postgresql")


@pytest.fixture
def school(app: Flask) -> School:
    return factories.school()


def listed(*names: str) -> OneRoster:
    made = OneRoster()
    made.school()
    for number, name in enumerate(names):
        made.pupil(f"p{number}", name, "Dubois", f"g{number}")
        made.guardian(f"g{number}", "Claire", f"Of{name}", f"c{number}@x.example")
    return made


def staged(school: School, file: OneRoster, path: Path) -> str:
    return service.stage(file.zip(path / "list.zip"), Wish(schools=(Choice(school.id),))).id


def begun(app: Flask, act: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        with app.app_context():
            act()
            db.session.remove()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def done(thread: threading.Thread) -> bool:
    thread.join(30)
    return not thread.is_alive()


def live(school: School) -> list[str]:
    db.session.rollback()
    db.session.expire_all()
    query = (
        select(Child.given_name)
        .join(Guardianship, Guardianship.child_id == Child.id)
        .where(Child.school_id == school.id, Child.left_at.is_(None))
        .where(Guardianship.ended_at.is_(None))
    )
    return sorted(db.session.scalars(query))


def test_who_is_erased_between_plan_and_deed_is_erased_whole_and_nobody_else_ends(
    school: School, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.apply(staged(school, listed("Lina", "Tom"), tmp_path))
    before = db.session.scalars(select(Child).where(Child.given_name == "Lina")).one().id
    left = OneRoster()
    left.school()
    left.pupil("p1", "Tom", "Dubois", "g1")
    left.guardian("g1", "Claire", "OfTom", "c1@x.example")
    service.apply(staged(school, left, tmp_path), confirm_large_change=True)
    assert live(school) == ["Tom"]
    run_id = staged(school, listed("Lina", "Tom", "Mia"), tmp_path)
    runs.set_status(runs.get_run(run_id), "applying")
    plan, erasure = carrying_out.planning.plan, list[threading.Thread]()

    def and_erased(scope: Any) -> Any:
        made = plan(scope)
        if not erasure:
            erasure.append(begun(app, lambda: erasing.erase(children=[before], why="asked")))
            erasure[0].join(0.3)  # it waits for the plan, or the deed for it
        return made

    monkeypatch.setattr(carrying_out.planning, "plan", and_erased)
    service.apply(run_id)
    assert done(erasure[0])
    assert {"Mia", "Tom"} <= set(live(school))
    assert db.session.get(Child, before) is None
    monkeypatch.undo()
    service.apply(staged(school, listed("Lina", "Tom", "Mia"), tmp_path))
    assert live(school) == ["Lina", "Mia", "Tom"]


def test_a_run_that_is_discarded_as_it_begins_ends_nobody(
    school: School, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are forgotten: a plan of what is left would say that everybody has left."""
    service.apply(staged(school, listed("Lina", "Tom"), tmp_path))
    run_id = staged(school, listed("Lina", "Tom", "Mia"), tmp_path)
    status = runs.set_status

    def and_discarded(run: Any, to: str) -> None:
        assert done(begun(app, lambda: service.discard(run_id)))
        status(run, to)

    monkeypatch.setattr(runs, "set_status", and_discarded)
    with pytest.raises(Invalid):
        service.apply(run_id, confirm_large_change=True)
    assert live(school) == ["Lina", "Tom"]


def test_an_account_that_is_erased_is_made_anew_by_a_list_that_names_it(
    school: School, tmp_path: Path
) -> None:
    service.apply(staged(school, listed("Lina"), tmp_path))
    account = db.session.scalars(select(Account)).one()
    erasing.erase(accounts=[account.id], why="asked")
    service.apply(staged(school, listed("Lina", "Tom"), tmp_path))
    assert live(school) == ["Lina", "Tom"]
    assert db.session.get(Account, account.id) is None
