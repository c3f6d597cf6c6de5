"""« Is it really you? »: the proof that a delicate change asks for once more."""

from datetime import timedelta
from html import unescape

import pytest

from idp.database import db
from idp.lifecycle.step_up import is_recent
from idp.sessions import service as sessions
from tests.factories import PASSWORD
from tests.times import later
from tests.web.places import Place, element

pytestmark = pytest.mark.quick_on("sqlite")


@pytest.fixture
def asked(here: Place) -> Place:
    here.browser.sign_in_at_home("claire")
    here.browser.open("/account/confirm?next=/account/password")
    return here


def cookie(here: Place) -> str:
    found = here.browser.client.get_cookie("idp_session")
    return found.value if found else ""


def test_the_right_password_leads_on_and_renews_the_session(asked: Place) -> None:
    before = cookie(asked)

    page = asked.browser.submit("confirm-form", current_password=PASSWORD)

    assert page.request.path == "/account/password"
    assert cookie(asked) != before
    asked.browser.client.set_cookie("idp_session", before)
    asked.browser.open("/")
    assert asked.browser.shows("login-form")


def test_a_proof_is_recent_for_ten_minutes(asked: Place) -> None:
    (session,) = sessions.live(asked.parent.id)
    assert is_recent(session)
    with later(minutes=11):
        assert not is_recent(session)
        asked.browser.submit("confirm-form", current_password=PASSWORD)
        db.session.rollback()
        db.session.expire_all()
        found = sessions.find(cookie(asked))
        assert found is not None
        assert is_recent(found.session)


def test_a_form_that_came_too_late_is_said_to_have_changed_nothing(here: Place) -> None:
    here.browser.sign_in_at_home("claire")
    here.browser.open("/account/data")
    with later(minutes=11):
        here.browser.press("erasure-ask")
        page = here.browser.submit("confirm-form", current_password=PASSWORD)

    assert page.request.path == "/account/data"
    assert "Rien n'a encore été modifié" in unescape(page.text)
    assert here.browser.shows("erasure-ask")


def test_r5_a_proof_from_the_future_is_not_recent(asked: Place) -> None:
    (session,) = sessions.live(asked.parent.id)
    session.proved_at = session.auth_time + timedelta(hours=1)
    assert not is_recent(session)


@pytest.mark.parametrize("typed", ["", "Not-The-Password-1"])
def test_what_is_wrong_stands_at_the_field(asked: Place, typed: str) -> None:
    page = asked.browser.submit("confirm-form", current_password=typed)

    assert page.status_code == 400
    assert element(page, "current-password")["aria-invalid"] == "true"
    assert element(page, "confirm-form")["action"] == "/account/confirm"
    assert 'name="next" value="/account/password"' in page.text.replace("\n", " ")


def test_e7_guesses_are_slowed_down(asked: Place) -> None:
    for _ in range(7):
        page = asked.browser.submit("confirm-form", current_password="no")
    assert page.status_code == 429
    assert page.headers["Retry-After"]


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/nowhere", "/account/sign-out"]
)
def test_s5_the_way_on_is_a_page_of_ours(asked: Place, target: str) -> None:
    asked.browser.open(f"/account/confirm?next={target}")

    page = asked.browser.submit("confirm-form", current_password=PASSWORD)

    assert page.request.path == "/"


def test_whoever_is_not_signed_in_goes_to_sign_in(here: Place) -> None:
    here.browser.open("/account/confirm")
    assert here.browser.shows("login-form")


def test_the_page_wears_the_face_of_the_only_school(asked: Place) -> None:
    assert asked.browser.page is not None
    assert asked.school.name in asked.browser.page.text
