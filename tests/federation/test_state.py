"""F1: the state of a walk belongs to one browser, one provider, once, for ten minutes."""

from html import unescape

import pytest
from sqlalchemy import select

from idp.database import db
from idp.federation.models import FederationState
from tests.federation.rogue import Rogue
from tests.federation.worlds import Walker, address_of, asked_of, events_named, links_of
from tests.relying_party import answer
from tests.times import later

pytestmark = pytest.mark.quick_on("postgresql")

FOREIGN = "n'a pas commencé ici"


def is_refused(here: Walker, page_text: str, status: int) -> None:
    assert status == 400
    assert FOREIGN in unescape(page_text), unescape(page_text)[-2500:]
    assert here.provider.count("/token") == 0
    assert events_named("sign_in") == []


@pytest.mark.parametrize("state", ["", "forged", None])
def test_f1_a_wrong_state_is_refused(here: Walker, state: str | None) -> None:
    here.linked()
    here.at_sign_in()

    page = here.walk(state=state)

    is_refused(here, page.text, page.status_code)


def test_f1_login_csrf_a_foreign_answer_signs_in_nobody(here: Walker) -> None:
    """An attacker walks to Google as themselves and sends the victim their callback address."""
    here.linked()
    attacker = here.another_browser()
    attacker.open("/")
    address = here.leave(browser=attacker)
    here.at_sign_in()

    page = here.browser.open(here.provider.answer(address))

    is_refused(here, page.text, page.status_code)


def test_f1_without_any_cookie_it_is_refused(here: Walker) -> None:
    here.at_sign_in()
    address = here.leave()
    page = here.another_browser().open(here.provider.answer(address))
    is_refused(here, page.text, page.status_code)


def test_f1_a_state_works_once_and_a_reload_goes_on_where_it_led(here: Walker) -> None:
    here.linked()
    here.at_sign_in()
    address = here.leave()
    assert "code" in answer(here.come_back(address))

    again = here.come_back(address)

    assert "est terminée" in again.text or "interaction-done" in again.text
    assert here.provider.count("/token") == 1
    assert len(events_named("sign_in")) == 1


def test_f1_a_state_dies_after_ten_minutes(here: Walker) -> None:
    here.linked()
    here.at_sign_in()
    address = here.leave()

    with later(minutes=10, seconds=1):
        page = here.come_back(address)

    assert "plus de dix minutes" in page.text
    assert page.request.path.endswith("/login")
    assert here.provider.count("/token") == 0


def test_f1_the_answer_of_one_provider_at_anothers_callback_is_refused(
    here: Walker, other: Rogue
) -> None:
    here.linked()
    here.at_sign_in()
    path = here.provider.answer(here.leave())

    page = here.browser.open(path.replace("/google/", "/cabanga/"))

    is_refused(here, page.text, page.status_code)
    assert other.count("/token") == 0


@pytest.mark.parametrize("iss", ["https://evil.example", None, ""])
def test_mix_up_an_answer_with_the_iss_of_another_is_not_redeemed(
    here: Walker, iss: str | None
) -> None:
    """RFC 9207: Google announces iss, so its absence is as wrong as another's."""
    here.linked()
    here.at_sign_in()

    page = here.walk(iss=iss)

    assert page.request.path.endswith("/login")
    assert "n&#39;était pas valable" in page.text
    assert here.provider.count("/token") == 0


def test_mix_up_an_error_with_the_iss_of_another_is_no_cancellation(here: Walker) -> None:
    here.at_sign_in()
    page = here.walk(iss="https://evil.example", error="access_denied", code=None)
    assert "n&#39;était pas valable" in page.text


def test_a_cancelled_sign_in_comes_back_with_a_sentence(here: Walker) -> None:
    here.at_sign_in()

    page = here.walk(error="access_denied", code=None)

    assert page.request.path.endswith("/login")
    assert "Vous vous êtes arrêté chez Google" in page.text
    assert "code" in answer(here.browser.sign_in("claire")), "and the application still waits"


def test_repeated_parameters_prove_nothing(here: Walker) -> None:
    here.linked()
    here.at_sign_in()
    path = here.provider.answer(here.leave())

    page = here.browser.open(path + "&code=another")

    assert "n&#39;était pas valable" in page.text
    assert here.provider.count("/token") == 0


def test_the_table_holds_nothing_that_completes_a_walk(here: Walker) -> None:
    here.at_sign_in()
    asked = asked_of(here.leave())
    rows = str(db.session.execute(select(FederationState.__table__)).all())
    for secret in (asked["state"], asked["nonce"], asked["code_challenge"]):
        assert secret not in rows


def test_pkce_the_verifier_belongs_to_the_challenge(here: Walker) -> None:
    import base64
    import hashlib

    here.linked()
    here.at_sign_in()
    address = here.leave()
    here.come_back(address)

    sent = here.provider.last("/token").form
    digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert challenge == asked_of(address)["code_challenge"]
    assert sent["redirect_uri"] == asked_of(address)["redirect_uri"]
    assert "client_secret" not in sent, "client_secret_basic"


def test_two_tabs_at_once_each_come_to_their_own_end(here: Walker) -> None:
    here.linked()
    here.at_sign_in(state="one")
    first = here.leave()
    here.at_sign_in(state="two")
    second = here.leave()

    assert answer(here.come_back(first))["state"] == "one"
    assert answer(here.come_back(second))["state"] == "two"


@pytest.mark.long
def test_walks_of_one_browser_are_bounded(here: Walker) -> None:
    for _ in range(25):
        here.at_sign_in()
        here.leave()
    assert db.session.query(FederationState).count() == 20


def test_a_parent_who_is_signed_in_already_is_not_sent_away(here: Walker) -> None:
    here.at_sign_in()
    page = here.browser.page
    here.another_browser()
    here.browser.sign_in("claire")
    here.browser.page = page

    gone = here.browser.press("provider-google")

    assert "provider-continue" not in gone.text


def test_the_page_of_leaving_needs_no_script_and_ends_the_form(here: Walker) -> None:
    here.at_sign_in()
    page = here.browser.press("provider-google")
    address = address_of(page).replace("&", "&amp;")
    assert f'http-equiv="refresh" content="0;url={address}"' in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert links_of(here.parent) == []
