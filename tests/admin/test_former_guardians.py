"""A former guardian comes back into a school's scope by their own yes (security rule N4)."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from idp import clock
from idp.database import db, transaction
from idp.lifecycle import endings, file_requests, link_requests
from idp.lifecycle.mails import desk as desk_mails
from idp.mail.models import OutboxMessage
from idp.people import linking
from idp.people.models import Account, Child, Guardianship
from tests import factories
from tests.admin.places import Desk
from tests.admin.test_person_acts import claire_of, fresh, live, mails, post
from tests.relying_party import Browser, form_of
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

YES, NO = "guardianship-yes", "guardianship-no"


def former(desk: Desk, *, days: int = 100, code: str = "moved") -> tuple[Account, Child]:
    """Claire, who was Lina's guardian until so many days ago; and Tom, whom she never had."""
    claire, lina = claire_of(desk)
    endings.end_guardianship(claire.id, lina.id, "", code)
    with transaction() as writes:
        endings.close_accounts([claire.id])
        ended = clock.now() - timedelta(days=days)
        writes.execute(update(Guardianship).values(ended_at=ended))
    return claire, factories.child(desk.here, "Tom")


def ways(claire: Account, tom: Child) -> dict[str, dict[str, str]]:
    """Every address by which a manager may link them, with its fields."""
    return {
        f"/admin/pupils/{tom.id}/known-guardian": {
            "username": claire.username,
            "relationship": "parent",
        },
        f"/admin/people/{claire.id}/link": {"child_id": tom.id, "relationship": "parent"},
        f"/admin/pupils/{tom.id}/guardians/{claire.id}/link": {"relationship": "parent"},
    }


def letter_of(kind: str) -> str:
    with transaction():
        query = select(OutboxMessage).where(OutboxMessage.kind == kind)
        message = db.session.scalars(query).one()
        (letter,) = desk_mails.COMPOSERS[kind](message)
    return letter.text


def link_of(letter: str) -> str:
    return "/account/guardianship#" + letter.partition("/account/guardianship#")[2].split()[0]


@pytest.mark.parametrize("way", range(3))
def test_n4_who_left_long_ago_is_asked_first(desk: Desk, way: int) -> None:
    claire, tom = former(desk)
    path, fields = list(ways(claire, tom).items())[way]
    manager = desk.browser("manager")

    assert post(manager, path, **fields) == 303

    assert live(claire) == set()
    assert fresh(claire).status == "disabled"
    assert mails(claire) == ["guardianship_asked"]
    page = manager.open(f"/admin/people/{claire.id}").text
    assert "claire@x.example" not in page
    assert "Tom" not in letter_of("guardianship_asked")


@pytest.mark.parametrize("code", ["court", "request"])
def test_n4_who_was_separated_by_another_is_asked_however_lately(desk: Desk, code: str) -> None:
    claire, tom = former(desk, days=1, code=code)
    post(
        desk.browser("manager"),
        f"/admin/people/{claire.id}/link",
        child_id=tom.id,
        relationship="parent",
    )
    assert live(claire) == set()


def test_who_left_lately_is_linked_at_once_and_told(desk: Desk) -> None:
    claire, tom = former(desk, days=10)
    post(
        desk.browser("manager"),
        f"/admin/people/{claire.id}/link",
        child_id=tom.id,
        relationship="parent",
    )
    assert live(claire) == {"Tom"}
    assert mails(claire) == ["guardianship_made"]
    assert desk.here.name in letter_of("guardianship_made")


def test_an_operator_links_and_ends_the_question(desk: Desk) -> None:
    claire, tom = former(desk)
    fields = {"child_id": tom.id, "relationship": "parent"}
    post(desk.browser("manager"), f"/admin/people/{claire.id}/link", **fields)
    link = link_of(letter_of("guardianship_asked"))
    post(desk.browser("operator"), f"/admin/people/{claire.id}/link", **fields)
    assert live(claire) == {"Tom"}
    reader = Browser(desk.app.test_client())
    assert reader.follow(link).status_code == 404


@pytest.mark.parametrize(("button", "children"), [(YES, {"Tom"}), (NO, set())])
def test_n4_the_mails_link_takes_one_answer(desk: Desk, button: str, children: set[str]) -> None:
    claire, tom = former(desk)
    manager = desk.browser("manager")
    post(manager, f"/admin/people/{claire.id}/link", child_id=tom.id, relationship="mother")
    manager.open(f"/admin/pupils/{tom.id}")
    assert manager.shows("asked-1")
    link = link_of(letter_of("guardianship_asked"))
    reader = Browser(desk.app.test_client())
    page = reader.follow(link)
    assert link.partition("#")[2] not in page.request.path
    assert live(claire) == set()

    reader.press(button)

    assert reader.shows("guardianship-answered")
    assert live(claire) == children
    assert fresh(claire).status == ("active" if children else "disabled")
    assert reader.follow(link).status_code == 404


def test_n4_a_mail_about_several_pupils_takes_an_answer_for_each(desk: Desk) -> None:
    claire, tom = former(desk)
    pupils = [tom, factories.child(desk.here, "Ada"), factories.child(desk.here, "Zoé")]
    other = factories.child(desk.here, "Noé")
    with transaction():
        pairs = [(claire.id, each.id, "parent") for each in pupils]
        file_requests.ask_once(pairs, clock.now(), per_hour=1000)
    letter = letter_of("guardianship_asked")
    assert not any(each.given_name in letter for each in pupils)  # a mailbox may be shared
    with transaction():
        link_requests.request_link(claire.id, other, "parent")  # with a mail of its own
    reader = Browser(desk.app.test_client())
    page = reader.follow(link_of(letter))
    assert all(each.given_name in page.text for each in pupils)
    assert "Noé" not in page.text
    _action, hidden = form_of(page.text, "guardianship-form-2")
    second = next(
        each for each in link_requests.waiting(claire.id) if each.request.id == hidden["request"]
    )

    reader.press("guardianship-yes-2")

    assert live(claire) == {second.child.given_name}
    assert reader.shows("guardianship-asked")
    assert not reader.shows("pupil-3")
    reader.press("guardianship-no-2")
    reader.press(NO)
    assert reader.shows("guardianship-answered")
    assert live(claire) == {second.child.given_name}
    assert [each.child.given_name for each in link_requests.waiting(claire.id)] == ["Noé"]
    assert reader.follow(link_of(letter)).status_code == 404


def test_n4_a_mails_link_answers_no_other_question(desk: Desk) -> None:
    claire, tom = former(desk)
    with transaction():
        link_requests.request_link(claire.id, tom, "parent")
    reader = Browser(desk.app.test_client())
    reader.follow(link_of(letter_of("guardianship_asked")))
    with transaction():
        link_requests.request_link(claire.id, factories.child(desk.here, "Noé"), "parent")
    other = next(each for each in link_requests.waiting(claire.id) if each.child.id != tom.id)

    reader.press(YES, request=other.request.id)

    assert reader.shows("guardianship-gone")
    assert live(claire) == set()


def test_n4_a_question_ends_after_a_fortnight_and_a_forged_link_is_nothing(desk: Desk) -> None:
    claire, tom = former(desk)
    post(
        desk.browser("manager"),
        f"/admin/people/{claire.id}/link",
        child_id=tom.id,
        relationship="parent",
    )
    link = link_of(letter_of("guardianship_asked"))
    reader = Browser(desk.app.test_client())
    assert reader.follow(link[:-1] + ("A" if link[-1] != "A" else "B")).status_code == 404
    with later(days=14, minutes=1):
        assert reader.follow(link).status_code == 404


def test_n4_it_is_answered_on_the_own_page(desk: Desk) -> None:
    claire, tom = former(desk)
    other = factories.child(desk.elsewhere, "Noé")
    with transaction():
        endings.open_again(claire.id)
        linking.link_guardian(claire.id, other.id, "parent")
    post(
        desk.browser("manager"),
        f"/admin/people/{claire.id}/link",
        child_id=tom.id,
        relationship="parent",
    )
    browser = Browser(desk.app.test_client())
    browser.sign_in_at_home("claire")
    browser.press("asked-1-yes")
    assert live(claire) == {"Noé", "Tom"}


def test_n4_asking_twice_asks_once(desk: Desk) -> None:
    claire, tom = former(desk)
    manager = desk.browser("manager")
    for _ in range(2):
        post(manager, f"/admin/people/{claire.id}/link", child_id=tom.id, relationship="parent")
    assert mails(claire) == ["guardianship_asked"]


@pytest.mark.parametrize("way", range(3))
def test_a3_linking_wants_a_fresh_proof(
    desk: Desk, way: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    claire, tom = former(desk, days=10)
    path, fields = list(ways(claire, tom).items())[way]
    manager = desk.browser("manager")
    with later(minutes=11):
        post(manager, path, **fields)
    assert live(claire) == set()
