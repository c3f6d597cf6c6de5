"""A school's question to a former guardian ends with access, with a link, or at the desk: no older
mail's yes outlives that (security rule N4).
"""

import pytest
from sqlalchemy import select

from idp import clock
from idp.database import db, transaction
from idp.lifecycle import endings, link_requests
from idp.lifecycle.mails import desk as desk_mails
from idp.mail.models import OutboxMessage
from idp.people import linking
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child
from tests import factories
from tests.admin.places import Desk
from tests.admin.test_former_guardians import YES, former, link_of
from tests.admin.test_person_acts import audit_log, claire_of, fresh, live, post
from tests.relying_party import Browser
from tests.wording import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def link(browser: Browser, claire: Account, *pupils: Child) -> None:
    """A manager's wish, which becomes a question."""
    for pupil in pupils:
        fields = {"child_id": pupil.id, "relationship": "parent"}
        assert post(browser, f"/admin/people/{claire.id}/link", **fields) == 303


def letters() -> dict[str, str]:
    """The link of each mail that asks, by the pupil."""
    with transaction():
        kind = OutboxMessage.kind == "guardianship_asked"
        links = {}
        for message in db.session.scalars(select(OutboxMessage).where(kind)):
            (letter,) = desk_mails.COMPOSERS["guardianship_asked"](message)
            request = db.session.get_one(LinkRequest, message.about["request_id"])
            pupil = db.session.get_one(Child, request.child_id)
            links[pupil.given_name] = link_of(letter.text)
        return links


def answers(desk: Desk, mailed: str) -> bool:
    """Open the mail's link and say yes; whether there was anything to answer."""
    reader = Browser(desk.app.test_client())
    if reader.follow(mailed).status_code == 404:
        assert reader.shows("guardianship-gone")
        return False
    reader.press(YES)
    return True


def close(browser: Browser, claire: Account, reason: str) -> int:
    return post(browser, f"/admin/people/{claire.id}/close", reason=reason, text="")


def end(browser: Browser, claire: Account, pupil: Child, reason: str) -> int:
    return post(browser, f"/admin/pupils/{pupil.id}/guardians/{claire.id}/end", reason=reason)


@pytest.mark.parametrize("reason", ["court", "moved"])
def test_n4_no_older_mail_lets_in_again_after_access_was_closed(desk: Desk, reason: str) -> None:
    claire, tom = former(desk)
    ada = factories.child(desk.here, "Ada")
    manager = desk.browser("manager")
    link(manager, claire, ada, tom)
    mailed = letters()
    assert answers(desk, mailed["Ada"])
    assert live(claire) == {"Ada"}

    assert close(manager, claire, reason) == 303

    assert not answers(desk, mailed["Tom"])
    assert live(claire) == set()
    assert fresh(claire).status == "disabled"
    (ended,) = audit_log("guardianship_question_ended")
    assert (ended.account_id, ended.child_id, ended.school_id) == (claire.id, tom.id, desk.here.id)
    assert "a pris fin sans réponse" in words(manager.open(f"/admin/people/{claire.id}").text)


@pytest.mark.parametrize(("reason", "answerable"), [("court", False), ("request", False),
                                                    ("family", True)])  # fmt: skip
def test_n4_a_court_or_the_guardian_ends_all_that_the_school_asks_and_no_other_reason_does(
    desk: Desk, reason: str, answerable: bool
) -> None:
    claire, tom = former(desk)
    ada = factories.child(desk.here, "Ada")
    manager = desk.browser("manager")
    link(manager, claire, ada, tom)
    mailed = letters()
    assert answers(desk, mailed["Ada"])

    assert end(manager, claire, ada, reason) == 303

    assert answers(desk, mailed["Tom"]) is answerable
    assert live(claire) == ({"Tom"} if answerable else set())


def test_c3_what_another_school_asks_goes_on(desk: Desk) -> None:
    claire, tom = former(desk)
    noe = factories.child(desk.elsewhere, "Noé")
    manager = desk.browser("manager")
    link(manager, claire, tom)
    with transaction():
        link_requests.request_link(claire.id, noe, "parent")
    mailed = letters()

    close(manager, claire, "court")

    assert not answers(desk, mailed["Tom"])
    assert answers(desk, mailed["Noé"])
    assert live(claire) == {"Noé"}


@pytest.mark.parametrize("reason", ["court", "mistake"])
@pytest.mark.parametrize("way", ["close", "end"])
def test_n4_a_decision_is_entered_while_a_question_only_waits(
    desk: Desk, way: str, reason: str
) -> None:
    claire, tom = former(desk)
    ada = factories.child(desk.here, "Ada")
    manager = desk.browser("manager")
    link(manager, claire, ada, tom)
    mailed = letters()

    if way == "close":
        manager.open(f"/admin/people/{claire.id}")
        assert manager.shows("person-close-asked")
        page = words(manager.open(f"/admin/people/{claire.id}/close").text)
        assert {"Ada", "Tom"} <= set(page.split())
        manager.submit("close-form", reason=reason, text="")
    else:
        assert end(manager, claire, tom, reason) == 303

    assert not answers(desk, mailed["Tom"])
    assert answers(desk, mailed["Ada"]) is ((way, reason) == ("end", "mistake"))
    if way == "close":
        assert [each.school_id for each in audit_log("access_closed")] == [desk.here.id]
        assert close(manager, claire, reason) == 404, "nothing is left to close"
    else:
        (withdrawn,) = audit_log("guardianship_question_withdrawn")
        assert withdrawn.detail["changes"] == {"ended": [None, reason]}


def test_a2_another_schools_manager_closes_and_withdraws_nothing_of_a_question(desk: Desk) -> None:
    claire, tom = former(desk)
    link(desk.browser("manager"), claire, tom)
    stranger = desk.browser("stranger")

    assert close(stranger, claire, "court") == 404
    assert end(stranger, claire, tom, "court") == 404
    theirs = f"/admin/pupils/{tom.id}/guardians/{claire.id}/withdraw"
    assert post(stranger, theirs) == 404
    assert post(desk.browser("helper"), theirs) == 403

    assert answers(desk, letters()["Tom"])


@pytest.mark.parametrize("way", ["pupil", "person"])
def test_the_desk_withdraws_a_question_on_the_page_that_names_it(desk: Desk, way: str) -> None:
    claire, tom = former(desk)
    manager = desk.browser("manager")
    link(manager, claire, tom)
    (mailed,) = letters().values()
    page = f"/admin/pupils/{tom.id}" if way == "pupil" else f"/admin/people/{claire.id}"
    manager.open(page)
    assert manager.shows("asked-1")

    manager.press("withdraw-1")

    assert manager.page is not None
    assert manager.page.request.path == page
    assert not manager.shows("asked-1")
    assert not answers(desk, mailed)
    assert live(claire) == set()
    (withdrawn,) = audit_log("guardianship_question_withdrawn")
    assert (withdrawn.account_id, withdrawn.school_id) == (claire.id, desk.here.id)
    assert "a été retirée" in words(manager.open(f"/admin/people/{claire.id}").text)
    link(manager, claire, tom)
    assert answers(desk, letters_since(mailed)), "whoever asks anew may be answered"


def letters_since(mailed: str) -> str:
    with transaction():
        request = db.session.scalars(
            select(LinkRequest).where(LinkRequest.answered_at.is_(None))
        ).one()
        secret = link_requests.secret_of(request)
    assert secret not in mailed
    return f"/account/guardianship#{secret}"


def test_a_question_that_was_answered_meanwhile_is_not_withdrawn(desk: Desk) -> None:
    claire, tom = former(desk)
    manager = desk.browser("manager")
    link(manager, claire, tom)
    manager.open(f"/admin/pupils/{tom.id}")
    assert answers(desk, letters()["Tom"])

    manager.press("withdraw-1")

    assert live(claire) == {"Tom"}
    assert audit_log("guardianship_question_withdrawn") == []


def test_a_mail_that_has_not_left_is_not_sent_about_a_question_that_ended(desk: Desk) -> None:
    claire, tom = former(desk)
    manager = desk.browser("manager")
    link(manager, claire, tom)
    close(manager, claire, "court")
    with transaction():
        kind = OutboxMessage.kind == "guardianship_asked"
        message = db.session.scalars(select(OutboxMessage).where(kind)).one()
        assert desk_mails.COMPOSERS["guardianship_asked"](message) == []


def test_n4_the_account_that_a_merge_closes_has_no_question_left(desk: Desk) -> None:
    claire, tom = former(desk)
    manager = desk.browser("manager")
    link(manager, claire, tom)
    (mailed,) = letters().values()
    with transaction():
        endings.open_again(claire.id)
        linking.link_guardian(claire.id, factories.child(desk.here, "Ada").id)
    kept, _children = factories.family(desk.here, "Zoé", username="kept")

    ids = {"keep_id": kept.id, "other_id": claire.id}
    assert post(manager, f"/admin/people/{kept.id}/merge", **ids) == 303

    assert not answers(desk, mailed)
    assert (live(claire), live(kept)) == (set(), {"Ada", "Zoé"})


def test_n4_a_merge_answers_what_the_kept_account_was_asked(desk: Desk) -> None:
    claire, tom = former(desk)
    manager = desk.browser("manager")
    link(manager, claire, tom)
    (mailed,) = letters().values()
    with transaction():
        endings.open_again(claire.id)
        linking.link_guardian(claire.id, factories.child(desk.here, "Ada").id)
    other, _children = factories.family(desk.here, username="other")
    factories.guardianship(other, tom)

    post(manager, f"/admin/people/{claire.id}/merge", keep_id=claire.id, other_id=other.id)

    assert live(claire) == {"Ada", "Tom"}
    assert not answers(desk, mailed)


def test_n4_whatever_links_the_two_answers_the_question(desk: Desk) -> None:
    claire, tom = former(desk)
    manager = desk.browser("manager")
    link(manager, claire, tom)
    (mailed,) = letters().values()
    with transaction():
        endings.open_again(claire.id)
        linking.link_guardian(claire.id, tom.id)
    assert live(claire) == {"Tom"}
    assert not answers(desk, mailed)

    end(manager, claire, tom, "court")

    assert not answers(desk, mailed)
    assert live(claire) == set()


@pytest.mark.parametrize("when", ["after", "before"])
def test_n4_who_was_disabled_by_an_operator_answers_nothing(desk: Desk, when: str) -> None:
    claire, tom = former(desk)
    manager, operator = desk.browser("manager"), desk.browser("operator")
    disable = f"/admin/people/{claire.id}/disable"
    if when == "before":
        post(operator, disable)
    link(manager, claire, tom)
    secret = f"/account/guardianship#{secret_of_the_only_question()}"
    if when == "after":
        post(operator, disable)

    assert not answers(desk, secret)
    assert live(claire) == set()
    post(operator, f"/admin/people/{claire.id}/enable")
    assert answers(desk, secret) is (when == "before"), "what was asked since waits for them"


def secret_of_the_only_question() -> str:
    with transaction():
        return link_requests.secret_of(db.session.scalars(select(LinkRequest)).one())


@pytest.mark.parametrize("code", ["court", "request"])
def test_n4_an_end_by_the_release_before_ends_the_question_too(desk: Desk, code: str) -> None:
    """It marks the guardianship, and leaves the question as it is."""
    claire, lina = claire_of(desk)
    tom = factories.child(desk.here, "Tom")
    with transaction():
        link_requests.request_link(claire.id, tom, "parent")
        link_requests.request_link(claire.id, factories.child(desk.elsewhere, "Noé"), "parent")
    mailed = letters()
    with transaction() as writes:
        guardianship = linking.link_guardian(claire.id, lina.id)
        guardianship.ended_at, guardianship.ended_code = clock.now(), code
        writes.flush()

    assert not answers(desk, mailed["Tom"])
    assert answers(desk, mailed["Noé"])
    assert live(claire) == {"Noé"}
    with transaction():
        assert link_requests.request_link(claire.id, tom, "parent"), "it may be asked anew"
