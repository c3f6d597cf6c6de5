"""N5: the second of two equal forms gets the answer of the first, cookies included."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from idp import clock
from idp.audit.models import AuditEvent
from idp.credentials import one_time_tokens
from idp.database import db
from idp.lifecycle import passwords
from idp.sessions import submissions
from idp.sessions.models import BrowserSession, FormSubmission
from idp.web import once
from tests import factories
from tests.apart import ApartClient
from tests.factories import PASSWORD
from tests.journey.walk import NEW
from tests.relying_party import Browser, RelyingParty, forms_of
from tests.times import later
from tests.twice import at_once, cookies, sent, session_cookie
from tests.web.places import Place, place


@pytest.fixture
def here(app: Flask) -> Place:
    return place(app)


def count(model: Any) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def at_new_password(here: Place) -> Browser:
    parent = factories.account("neu", password=None, status="invited")
    token = one_time_tokens.mint(parent.id, "first_sign_in")
    here.browser.open(f"/welcome?token={token}")
    here.browser.submit("token-form", token=token)
    return here.browser


def test_n5_two_taps_on_change_sign_in_once_and_both_know_it(here: Place) -> None:
    browser = at_new_password(here)
    action, data = sent(browser, "password-form", new_password=NEW, repeat_password=NEW)

    first, second = at_once(here.app, browser, action, data)

    assert first.headers["Location"] == second.headers["Location"] == "/"
    assert session_cookie(first) == session_cookie(second) != ""
    assert count(BrowserSession) == 1
    browser.client.set_cookie("idp_session", session_cookie(second).partition("=")[2])
    assert "neu" in browser.open("/").text
    assert passwords.prove_password("neu", NEW, address="127.0.0.1", device_secret=None)


def test_n5_a_second_tap_after_the_first_answer_gets_it_too(here: Place) -> None:
    browser = at_new_password(here)
    action, data = sent(browser, "password-form", new_password=NEW, repeat_password=NEW)
    before = cookies(browser)

    first = browser.client.open_once(action, method="POST", data=data)
    lost = ApartClient(here.app, here.app.response_class, use_cookies=False)
    second = lost.open_once(action, method="POST", data=data, headers={"Cookie": before})

    assert session_cookie(first) == session_cookie(second) != ""


def test_n5_many_equal_wrong_passwords_are_one_guess(here: Place) -> None:
    here.at_sign_in()
    action, data = sent(here.browser, "login-form", username="claire", password="Not-It-1")

    answers = at_once(here.app, here.browser, action, data, times=4)

    assert len({answer.headers["Location"] for answer in answers}) == 1
    db.session.rollback()
    refused = select(func.count()).where(AuditEvent.event == "sign_in_refused")
    assert db.session.scalar(refused) == 1


def test_n5_a_correction_under_the_same_key_is_another_form(here: Place) -> None:
    here.at_sign_in()
    action, data = sent(here.browser, "login-form", username="claire", password="Not-It-1")
    here.browser.client.post(action, data=data)

    answer = here.browser.client.open_once(
        action, method="POST", data={**data, "password": PASSWORD}
    )

    assert session_cookie(answer)


def test_n5_a_refusal_is_judged_again_when_its_reason_may_be_over(here: Place) -> None:
    here.at_sign_in()
    action, data = sent(here.browser, "login-form", username="late", password=PASSWORD)
    assert here.browser.client.post(action, data=data).status_code == 400
    factories.account("late")
    assert here.browser.client.post(action, data=data).status_code == 400

    with later(seconds=11):
        answer = here.browser.client.open_once(action, method="POST", data=data)

    assert session_cookie(answer)


def test_n5_the_key_is_worth_nothing_in_another_browser(here: Place) -> None:
    here.at_sign_in()
    action, data = sent(here.browser, "login-form", username="claire", password=PASSWORD)
    here.browser.client.post(action, data=data)
    thief = here.another_browser()
    thief.open("/")

    answer = thief.client.post(action, data=data)

    assert not session_cookie(answer)
    assert answer.status_code in {400, 404}


def test_n5_the_second_does_not_wait_for_ever(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "LOOKS", 2)
    here.at_sign_in()
    action, data = sent(here.browser, "login-form", username="claire", password=PASSWORD)
    claim = submissions.claim
    monkeypatch.setattr(submissions, "claim", lambda key, who: claim(key, who) and None)

    answer = here.browser.client.open_once(action, method="POST", data=data)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    monkeypatch.undo()
    with later(seconds=submissions.ABANDONED.total_seconds() + 1):
        assert session_cookie(here.browser.client.open_once(action, method="POST", data=data))


def test_n5_what_failed_on_our_side_may_be_sent_again(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.app.testing = False
    here.app.config["PROPAGATE_EXCEPTIONS"] = False
    here.at_sign_in()
    action, data = sent(here.browser, "login-form", username="claire", password=PASSWORD)
    monkeypatch.setattr(passwords, "prove_password", lambda *_a, **_k: 1 / 0)
    assert here.browser.client.open_once(action, method="POST", data=data).status_code == 500
    monkeypatch.undo()

    assert session_cookie(here.browser.client.open_once(action, method="POST", data=data))


def test_n5_the_database_alone_yields_neither_answers_nor_texts(here: Place) -> None:
    here.at_sign_in()
    here.browser.sign_in("claire-typed", "Not-The-Password-1")
    action, data = sent(here.browser, "login-form", username="claire", password=PASSWORD)
    answer = here.browser.client.open_once(action, method="POST", data=data)
    secret = session_cookie(answer).partition("=")[2]
    db.session.rollback()

    rows = db.session.scalars(select(FormSubmission)).all()

    assert len(rows) == 2
    stored = " ".join(f"{row.key_hash} {row.answer} {row.typed}" for row in rows)
    for clear in (secret, PASSWORD, "claire", data["once"], "Not-The-Password-1"):
        assert clear not in stored
    for row in rows:
        assert submissions.kept(row.id, "another browser") is None
    here.browser.client.get(answer.headers["Location"])


def test_n5_signing_out_forgets_what_was_answered(here: Place) -> None:
    here.browser.sign_in_at_home("claire")
    page = here.browser.open("/account/password")
    refused = here.browser.submit(
        "password-form", current_password="no", new_password=NEW, repeat_password=NEW
    )
    assert page.request.path == refused.request.path
    kept = f"{refused.request.path}?{refused.request.query_string.decode()}"
    assert "kept=" in kept

    here.browser.sign_out()

    assert here.browser.open(kept).request.path.endswith("/login")
    assert all(row.expires_at > clock.now() for row in db.session.scalars(select(FormSubmission)))


def test_n5_a_kept_page_is_not_for_the_next_person(here: Place) -> None:
    factories.account("paul")
    here.browser.sign_in_at_home("claire")
    here.browser.open("/account/email")
    refused = here.browser.submit("email-form", new_email="not an address of claire")
    kept = f"{refused.request.path}?{refused.request.query_string.decode()}"
    here.browser.client.delete_cookie("idp_session")  # the session ended; the browser's id stays

    here.browser.open(kept)
    page = here.browser.sign_in("paul")

    assert page.request.path == "/account/email"
    assert "not an address of claire" not in page.text


def test_n5_child_card_and_consent_and_sign_out(here: Place) -> None:
    foreign = RelyingParty.of(here.school, first_party=False)
    here.browser.open(foreign.authorize_path(scope="openid child"))
    here.browser.sign_in("claire")
    for button in ("child-submit-1", "consent-allow"):
        form, pressed = here.browser._button(button)
        data = {**form.hidden, **pressed}
        action = form.action or here.browser.page.request.path  # type: ignore[union-attr]
        first, second = at_once(here.app, here.browser, action, data)
        assert first.headers["Location"] == second.headers["Location"]
        here.browser.page = here.browser._follow(first)
    here.browser.open("/")
    form, pressed = here.browser._button("sign-out")
    answers = at_once(here.app, here.browser, form.action, {**form.hidden, **pressed})
    assert len({answer.headers["Location"] for answer in answers}) == 1


def test_n5_rows_that_are_over_leave_when_others_come(here: Place) -> None:
    here.at_sign_in()
    here.browser.sign_in("claire", "Not-The-Password-1")
    assert count(FormSubmission) == 1
    with later(hours=2):
        here.at_sign_in()
        here.browser.sign_in("claire", "Not-The-Password-1")
        assert count(FormSubmission) == 1


def test_n5_every_form_of_ours_carries_a_key_of_its_page(here: Place) -> None:
    page = here.at_sign_in()
    keys = [form.hidden.get("once") for form in forms_of(page.text) if form.id != "language-form"]
    assert keys
    assert all(keys)
    assert keys != [
        form.hidden.get("once")
        for form in forms_of(here.at_sign_in().text)
        if form.id != "language-form"
    ]


def test_n5_an_answer_with_a_session_is_not_given_for_long(here: Place) -> None:
    here.at_sign_in()
    action, data = sent(here.browser, "login-form", username="claire", password=PASSWORD)
    first = here.browser.client.open_once(action, method="POST", data=data)

    with later(minutes=once.SAME_COOKIES.total_seconds() / 60 + 1):
        second = here.browser.client.open_once(action, method="POST", data=data)

    assert session_cookie(first) != session_cookie(second)
