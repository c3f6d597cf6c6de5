"""A file links nobody again who left the school long ago, or was separated: they are asked."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from idp import clock
from idp.database import db, transaction
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import account_actions, guardianships
from idp.desk.people.account_actions import Reason
from idp.lifecycle import endings, file_requests, link_requests
from idp.lifecycle.mails import desk as desk_mails
from idp.mail.models import OutboxMessage
from idp.people import accounts
from idp.people.models import Account, Child, Guardianship, School
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import OneRoster
from tests.times import later

pytestmark = pytest.mark.long_on("postgresql")


def a_file(
    *, guardian: bool = True, email: str = "claire@x.example", newcomer: bool = False
) -> OneRoster:
    made = OneRoster()
    made.school()
    made.pupil("p1", "Lina", "Dubois", *(["g1"] if guardian else []))
    if newcomer:
        made.pupil("p2", "Rose", "Dubois", "g1")
    made.pupil("p9", "Tom", "Maes", "g9")
    made.guardian("g1", "Claire", "Dubois", email)
    made.guardian("g9", "Marc", "Maes", "marc@x.example")
    return made


def claire() -> Account:
    db.session.rollback()
    account = accounts.find_by_username("claire.dubois")
    assert account is not None
    return account


def live() -> set[str]:
    db.session.rollback()
    query = select(Child.given_name).join(Guardianship, Guardianship.child_id == Child.id)
    query = query.where(Guardianship.account_id == claire().id, Guardianship.ended_at.is_(None))
    return set(db.session.scalars(query))


def accounts_asked() -> list[str]:
    db.session.rollback()
    kind = OutboxMessage.kind == "guardianship_asked"
    return [m.account_id or "" for m in db.session.scalars(select(OutboxMessage).where(kind))]


@pytest.fixture
def former(imported: Import, tmp_path: Path) -> Import:
    """Claire was Lina's guardian until 100 days ago, by the school's own file."""
    imported(a_file().zip(tmp_path / "1.zip"))
    imported(a_file(guardian=False).zip(tmp_path / "2.zip"), "--confirm-large-change")
    assert live() == set()
    with transaction() as writes:
        long_ago = clock.now() - timedelta(days=100)
        writes.execute(
            update(Guardianship)
            .where(Guardianship.account_id == claire().id)
            .values(ended_at=long_ago)
        )
    return imported


def test_n4_a_file_asks_a_former_guardian_and_their_yes_links_them(
    former: Import, checked: Import, tmp_path: Path
) -> None:
    path = a_file(email="thief@x.example").zip(tmp_path / "3.zip")
    report = checked(path)
    assert report["findings"]["former_guardians"]["samples"] == ["Claire Dubois, Lina Dubois"]
    assert "guardianship_made" not in report["counts"]
    assert accounts_asked() == []

    former(path)

    assert live() == set()
    assert accounts_asked() == [claire().id]
    assert claire().email == "claire@x.example"  # the question goes where they were known
    (waiting,) = link_requests.waiting(claire().id)
    link_requests.answer(link_requests.secret_of(waiting.request), yes=True)
    assert live() == {"Lina"}
    assert "former_guardians" not in checked(path)["findings"]


def test_n4_a_pupil_made_by_the_same_file_brings_nobody_back_either(
    former: Import, tmp_path: Path
) -> None:
    former(a_file(guardian=False, newcomer=True).zip(tmp_path / "3.zip"))

    assert live() == set()
    assert [each.child.given_name for each in link_requests.waiting(claire().id)] == ["Rose"]


@pytest.mark.parametrize("code", ["court", "request"])
def test_n4_who_was_separated_is_asked_about_another_pupil_however_lately(
    imported: Import, tmp_path: Path, code: str
) -> None:
    imported(a_file().zip(tmp_path / "1.zip"))
    lina = db.session.scalars(select(Child).where(Child.given_name == "Lina")).one()
    endings.end_guardianship(claire().id, lina.id, "", code)
    second = a_file()
    second.pupil("p3", "Zoé", "Dubois", "g1")

    imported(second.zip(tmp_path / "2.zip"))

    assert live() == set()
    assert [each.child.given_name for each in link_requests.waiting(claire().id)] == ["Zoé"]


def test_who_left_lately_is_linked_at_once(imported: Import, tmp_path: Path) -> None:
    imported(a_file().zip(tmp_path / "1.zip"))
    imported(a_file(guardian=False).zip(tmp_path / "2.zip"), "--confirm-large-change")
    with later(days=80):
        imported(a_file().zip(tmp_path / "3.zip"))
        assert live() == {"Lina"}
        assert accounts_asked() == []


def test_who_said_no_or_nothing_is_not_asked_by_every_file(former: Import, tmp_path: Path) -> None:
    former(a_file().zip(tmp_path / "3.zip"))
    (waiting,) = link_requests.waiting(claire().id)
    link_requests.answer(link_requests.secret_of(waiting.request), yes=False)
    again = a_file()
    again.pupil("p8", "Hugo", "Maes", "g9")

    former(again.zip(tmp_path / "4.zip"))

    assert live() == set()
    assert len(accounts_asked()) == 1


def test_an_undo_takes_the_question_back(
    former: Import, json_of: JsonOf, school: School, tmp_path: Path
) -> None:
    run = former(a_file().zip(tmp_path / "3.zip"))["run"]
    assert link_requests.waiting(claire().id)

    json_of("roster", "undo", run)

    assert link_requests.waiting(claire().id) == []
    assert live() == set()


@pytest.mark.parametrize("newcomer", [False, True])
def test_e3_import_and_undo_over_and_over_mail_once(
    former: Import, json_of: JsonOf, tmp_path: Path, *, newcomer: bool
) -> None:
    path = a_file(guardian=not newcomer, newcomer=newcomer).zip(tmp_path / "3.zip")
    links = set()
    for _ in range(4):
        run = former(path)["run"]
        (waiting,) = link_requests.waiting(claire().id)
        links.add(link_requests.secret_of(waiting.request))
        json_of("roster", "undo", run)
        assert link_requests.waiting(claire().id) == []
        assert isinstance(link_requests.find_open(links.copy().pop()), link_requests.Gone)

    former(path)

    assert accounts_asked() == [claire().id]
    (link,) = links  # the one mail that was sent leads to the question that is open again
    link_requests.answer(link, yes=True)
    assert live() == ({"Rose"} if newcomer else {"Lina"})


def test_a_question_taken_back_before_its_mail_left_is_mailed_when_it_is_asked_again(
    former: Import, json_of: JsonOf, tmp_path: Path
) -> None:
    path = a_file().zip(tmp_path / "3.zip")
    json_of("roster", "undo", former(path)["run"])
    (message,) = db.session.scalars(
        select(OutboxMessage).where(OutboxMessage.kind == "guardianship_asked")
    )
    assert desk_mails.guardianship_asked(message) == []
    with transaction():
        message.status = "dropped"

    former(path)

    assert len(accounts_asked()) == 2


def test_e3_a_file_with_many_pupils_is_one_mail_that_leads_to_all(
    former: Import, tmp_path: Path
) -> None:
    many = a_file(guardian=False)
    for number in range(31):
        many.pupil(f"n{number}", f"Ada{number}", "Dubois", "g1")

    former(many.zip(tmp_path / "3.zip"))

    assert accounts_asked() == [claire().id]
    (message,) = db.session.scalars(
        select(OutboxMessage).where(OutboxMessage.kind == "guardianship_asked")
    )
    (letter,) = desk_mails.guardianship_asked(message)
    secret = letter.text.partition("/account/guardianship#")[2].split()[0]
    listed = link_requests.asked_with(secret)
    assert len(listed) == 31
    first, second = (each.request.id for each in listed[:2])
    link_requests.answer_with(secret, first, yes=True)
    assert len(link_requests.asked_with(secret)) == 30, "the link outlives its own question"
    link_requests.answer_with(secret, second, yes=True)
    assert isinstance(link_requests.answer_with(secret, first, yes=True), link_requests.Gone)
    assert len(live()) == 2


def test_e3_a_mailbox_gets_a_few_of_these_mails_a_day(former: Import, tmp_path: Path) -> None:
    growing = a_file(guardian=False)
    for number in range(file_requests.MAILS_A_DAY + 2):
        growing.pupil(f"n{number}", f"Ada{number}", "Dubois", "g1")
        former(growing.zip(tmp_path / f"{number}.zip"))

    assert len(accounts_asked()) == file_requests.MAILS_A_DAY
    assert len(link_requests.waiting(claire().id)) == file_requests.MAILS_A_DAY + 2
    growing.pupil("later", "Zoé", "Dubois", "g1")
    with later(days=1, minutes=5):
        former(growing.zip(tmp_path / "later.zip"))
    assert len(accounts_asked()) == file_requests.MAILS_A_DAY + 1


def test_n4_a_link_that_a_file_makes_answers_the_question_about_it(
    former: Import, tmp_path: Path
) -> None:
    path = a_file(newcomer=True).zip(tmp_path / "3.zip")
    former(path)
    links = {
        each.child.given_name: link_requests.secret_of(each.request)
        for each in link_requests.waiting(claire().id)
    }
    link_requests.answer(links["Lina"], yes=True)
    more = a_file(newcomer=True)
    more.pupil("p8", "Hugo", "Maes", "g9")
    former(more.zip(tmp_path / "4.zip"))
    assert live() == {"Lina", "Rose"}

    assert link_requests.waiting(claire().id) == []
    rose = db.session.scalars(select(Child).where(Child.given_name == "Rose")).one()
    endings.end_guardianship(claire().id, rose.id, "", "court")
    assert isinstance(link_requests.answer(links["Rose"], yes=True), link_requests.Gone)
    assert live() == {"Lina"}


@pytest.mark.parametrize("undone", [False, True])
def test_n4_a_file_opens_no_question_again_that_ended_at_the_desk(
    former: Import, json_of: JsonOf, tmp_path: Path, *, undone: bool
) -> None:
    path = a_file().zip(tmp_path / "3.zip")
    run = former(path)["run"]
    (waiting,) = link_requests.waiting(claire().id)
    mailed = link_requests.secret_of(waiting.request)
    account, pupil = claire().id, waiting.child.id
    if undone:
        json_of("roster", "undo", run)
        assert guardianships.end(AT_TERMINAL, account, pupil, Reason("court"))
    else:
        account_actions.close_access(AT_TERMINAL, account, Reason("court"))
    again = a_file()
    again.pupil("p8", "Hugo", "Maes", "g9")

    former(again.zip(tmp_path / "4.zip"))

    assert link_requests.waiting(account) == []
    assert isinstance(link_requests.answer(mailed, yes=True), link_requests.Gone)
    assert live() == set()
    assert len(accounts_asked()) == 1
