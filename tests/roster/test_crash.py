"""R1: an import that is killed anywhere is finished by the same command; races have one winner."""

import random
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from idp.audit.models import AuditEvent
from idp.credentials import one_time_tokens, passwords
from idp.database import db, transaction
from idp.lifecycle import endings
from idp.people import accounts, guardianships
from idp.people.models import Account, Child, Guardianship, School
from idp.roster import service
from idp.roster.models import RosterPupil, RosterRunSchool
from idp.settings import Settings
from tests import factories, parallel
from tests.cli.conftest import finished, start
from tests.conftest import environment_for_tests
from tests.roster.files import OneRoster
from tests.roster.test_oneroster import whole

SCHOOLS = 4
PUPILS = 150


def district(schools: int = SCHOOLS, pupils: int = PUPILS) -> OneRoster:
    made = OneRoster()
    made.district()
    for number in range(schools):
        made.school(f"o{number}", f"School {number}", parent="district")
        for each in range(pupils):
            pupil = f"p{number}-{each}"
            made.pupil(pupil, "Lina", "Dubois", f"g{number}-{each}", f"g{each}", org=f"o{number}")
            made.guardian(f"g{number}-{each}", "Claire", "Dubois", f"{pupil}@a.example")
    for each in range(pupils):  # in every school: one account
        made.guardian(f"g{each}", "Marc", "Maes", f"m{each}@a.example")
    return made


@pytest.fixture
def environment(app: Flask, settings: Settings) -> dict[str, str]:
    """The environment of a real ``idp`` on the test's own database."""
    return environment_for_tests(settings.database_url, settings.keys_folder)


def counted(model: object) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0  # type: ignore[arg-type]


def assert_whole_schools() -> None:
    """Each school is applied whole or not at all, whatever stands in its state."""
    db.session.rollback()
    for row in db.session.scalars(select(RosterRunSchool)):
        children = select(func.count()).select_from(Child).where(Child.school_id == row.school_id)
        links = (
            select(func.count())
            .select_from(Guardianship)
            .join(Child, Child.id == Guardianship.child_id)
            .where(Child.school_id == row.school_id)
        )
        counts = (db.session.scalar(children), db.session.scalar(links))
        assert counts in {(0, 0), (PUPILS, 2 * PUPILS)}
        if row.state == "applied":
            assert counts[0] == PUPILS
    db.session.rollback()


@pytest.mark.long
@pytest.mark.timeout(400)
def test_r1_killed_at_random_moments_and_run_again_it_is_whole(
    app: Flask, environment: dict[str, str], tmp_path: Path
) -> None:
    path = district().zip(tmp_path / "district.zip")
    schools = [factories.school(f"School {number}") for number in range(SCHOOLS)]
    command = ["roster", "import", str(path), "--json", "--invite"]
    command += [word for each in schools for word in ("--school", each.id)]
    db.session.rollback()
    chance = random.Random(7)
    for _ in range(5):
        process = start(environment, *command)
        time.sleep(chance.uniform(0.8, 4.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert_whole_schools()

    done = finished(environment, *command)

    assert done.returncode == 0, done.stderr
    assert_whole_schools()
    assert counted(Child) == SCHOOLS * PUPILS
    assert counted(Account) == (SCHOOLS + 1) * PUPILS
    assert counted(Guardianship) == 2 * SCHOOLS * PUPILS
    made = select(func.count()).where(AuditEvent.event == "account_created")
    assert db.session.scalar(made) == (SCHOOLS + 1) * PUPILS  # nobody twice
    from idp.mail.models import OutboxMessage

    assert counted(OutboxMessage) == (SCHOOLS + 1) * PUPILS


class Killed(BaseException):
    """What a kill looks like from inside."""


@pytest.mark.parametrize("school", [0, 1, 2])
def test_r1_an_import_that_stopped_between_schools_goes_on_without_the_file_read_again(
    app: Flask, tmp_path: Path, school: int
) -> None:
    path = district(3, 5).zip(tmp_path / "district.zip")
    schools = [factories.school(f"School {number}") for number in range(3)]
    wish = service.Wish(tuple(service.Choice(each.id) for each in schools))
    run = service.stage(path, wish)

    def stop(_: int) -> None:
        nonlocal school
        school -= 1
        if school < 0:
            raise Killed

    with pytest.raises(Killed):
        service.apply(run.id, progress=stop)
    again = service.stage(path, wish)
    reports = service.apply(again.id)

    assert again.id == run.id
    assert {each.state for each in reports} == {"applied"}
    assert counted(Child) == 15
    assert counted(RosterPupil) == 0


def test_r4_two_imports_of_one_school_at_once_make_everybody_once(
    app: Flask, school: School, tmp_path: Path
) -> None:
    first = whole().zip(tmp_path / "1.zip")
    second = Path(shutil.copy(first, tmp_path / "2.zip"))
    paths = [first, second]

    def run() -> dict[str, int]:
        staged = service.stage(paths.pop(), service.Wish((service.Choice(school.id),)))
        (report,) = service.apply(staged.id)
        return report.counts

    _, errors = parallel.at_once(app, 2, run)

    assert errors == []
    assert (counted(Child), counted(Account), counted(Guardianship)) == (3, 3, 5)


def test_r4_imports_of_two_schools_of_a_district_at_once_share_their_people(
    app: Flask, tmp_path: Path
) -> None:
    made = district(2, 20)
    path = made.zip(tmp_path / "district.zip")
    schools = [factories.school(f"School {number}") for number in range(2)]
    wish = service.Wish(tuple(service.Choice(each.id) for each in schools), by_operator=True)
    empty = OneRoster()
    empty.district()
    for number in range(2):
        empty.school(f"o{number}", f"School {number}", parent="district")
    begun = service.stage(empty.zip(tmp_path / "empty.zip"), wish)  # the operator names a district
    service.apply(begun.id)
    waiting = [each.id for each in schools]

    def run() -> None:
        one = service.Wish((service.Choice(waiting.pop()),), by_operator=True)
        staged = service.stage(path, one)
        service.apply(staged.id)

    _, errors = parallel.at_once(app, 2, run)

    assert errors == []
    assert counted(Account) == 3 * 20


def test_a_sign_in_that_happens_meanwhile_is_not_undone_by_the_file(
    app: Flask, school: School, tmp_path: Path
) -> None:
    """The guardian claims the account while a file with another address is applied."""
    wish = service.Wish((service.Choice(school.id),))
    service.apply(service.stage(whole().zip(tmp_path / "1.zip"), wish).id)
    account = accounts.find_by_username("claire.dubois")
    assert account is not None
    token = one_time_tokens.mint(account.id, "first_sign_in")
    changed = whole()
    changed.users[3]["email"] = "other@dubois.example"
    run = service.stage(changed.zip(tmp_path / "2.zip"), wish)
    turns = iter((True, False))
    lock = threading.Lock()
    hashed = passwords.hashed(factories.PASSWORD)

    def act() -> str:
        with lock:
            first = next(turns)
        if first:
            service.apply(run.id)
            return "applied"
        token_row = one_time_tokens.find(token)
        if not isinstance(token_row, one_time_tokens.Live):
            return "too late"
        with transaction():
            held = accounts.lock_account(account.id)
            assert held is not None
            if not one_time_tokens.spend(token_row.token.id):
                return "too late"
            passwords.store(held.id, hashed)
            accounts.activate(held)
        return "claimed"

    results, errors = parallel.at_once(app, 2, act)

    assert errors == []
    db.session.expire_all()
    if "claimed" in results:  # whoever claimed it owns the address that the token went to
        assert account.email == "claire@dubois.example" or account.status == "active"
    else:
        assert account.email == "other@dubois.example"


def test_c2_the_end_by_a_file_ends_choices_grants_and_tokens_at_once(
    app: Flask, school: School, tmp_path: Path
) -> None:
    from idp import clock
    from idp.oidc.models import Grant
    from idp.sessions import service as sessions
    from idp.sessions.models import ChildChoice

    wish = service.Wish((service.Choice(school.id),))
    service.apply(service.stage(whole().zip(tmp_path / "1.zip"), wish).id)
    account = accounts.find_by_username("claire.dubois")
    assert account is not None
    client = factories.client_app(school).client
    session, _ = sessions.begin(account.id, amr=("pwd",), acr="1")
    children = [child for child, _ in guardianships.live_children(account.id)]
    grants = []
    for child in children:
        sessions.choose_child(session.id, child, "app")
        grants.append(
            Grant(
                account_id=account.id,
                client_id=client.id,
                session_id=session.id,
                child_id=child.id,
                scope="openid child",
                auth_time=clock.now(),
                amr="pwd",
                acr="1",
            )
        )
    with transaction() as writes:
        writes.add_all(grants)
    second = whole()
    second.users[1]["agentSourcedIds"] = "g2"  # Tom, the later choice, is Claire's no more
    run = service.stage(second.zip(tmp_path / "2.zip"), wish)
    service.apply(run.id, confirm_large_change=True)

    db.session.expire_all()
    ended = {grant.child_id for grant in grants if grant.ended_at is not None}
    tom = next(child.id for child in children if child.given_name == "Tom")
    assert ended == {tom}
    assert db.session.scalars(select(ChildChoice.child_id)).all() == []
    assert not endings.end_guardianship(account.id, tom, "again")  # it has ended already
