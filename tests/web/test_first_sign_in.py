"""Figures 2, 3 and 5: token, new password, forgotten password."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import db
from idp.lifecycle import endings
from idp.mail.models import OutboxMessage
from idp.people.models import Account
from tests import factories
from tests.factories import PASSWORD
from tests.relying_party import Browser, answer
from tests.times import later, standing_still
from tests.web.places import Place, element

pytestmark = pytest.mark.quick_on("sqlite")

NEW = "Violette-Ardoise-Cerceau-9"


@pytest.fixture
def invited(here: Place) -> Account:
    account = factories.account("ines", status="invited", email="ines@example.org")
    factories.guardianship(account, factories.child(here.school, "Tom"))
    return account


def token_of(account: Account, **options: str) -> str:
    return one_time_tokens.mint(account.id, "first_sign_in", **options)


def letters(app: Flask) -> list[OutboxMessage]:
    db.session.expire_all()
    return list(db.session.scalars(select(OutboxMessage)))


def test_a_first_sign_in_from_the_portal_ends_at_the_portal(here: Place, invited: Account) -> None:
    token = token_of(invited)
    here.at_sign_in(scope="openid child")
    here.browser.open(f"{here.interaction()}/token")

    here.browser.submit("token-form", token=token.lower().replace("-", " "))
    arrived = here.browser.submit("password-form", new_password=NEW, repeat_password=NEW)

    assert "code" in answer(arrived)


def test_the_mails_link_fills_the_token_in_and_spends_nothing(
    here: Place, invited: Account
) -> None:
    token = token_of(invited)
    scanner = here.another_browser()
    scanner.open(f"/welcome?token={token}")
    here.browser.client.head(f"/welcome?token={token}")

    page = here.browser.open(f"/welcome?token={token}")

    assert element(page, "token")["value"] == token
    assert token not in page.request.url
    assert here.browser.submit("token-form", token=token).status_code == 200
    assert here.browser.shows("password-form")


def test_the_school_sees_when_the_holder_sent_the_token_not_when_a_scanner_opened_the_link(
    here: Place, invited: Account
) -> None:
    token = token_of(invited)
    kept = db.session.scalars(select(OneTimeToken)).one()

    here.browser.open(f"/welcome?token={token}")
    db.session.rollback()
    db.session.refresh(kept)
    assert kept.opened_at is None

    here.browser.submit("token-form", token=token)
    db.session.rollback()
    db.session.refresh(kept)
    assert kept.opened_at is not None


def test_the_mails_link_continues_the_request_that_waits_in_this_browser(
    here: Place, invited: Account
) -> None:
    here.at_sign_in(state="an older tab")
    here.at_sign_in(state="the last one seen")
    token = token_of(invited)
    here.browser.open(f"/welcome?token={token}")
    here.browser.submit("token-form", token=token)

    page = here.browser.submit("password-form", new_password=NEW, repeat_password=NEW)

    assert answer(page)["state"] == "the last one seen"


@pytest.mark.parametrize("token", ["", "x" * 101])
def test_a_link_without_a_usable_token_opens_an_empty_page(client: FlaskClient, token: str) -> None:
    browser = Browser(client)

    page = browser.open(f"/welcome?token={token}")

    assert element(page, "token")["value"] == ""


def test_p13_in_another_browser_the_start_page_is_offered(here: Place, invited: Account) -> None:
    here.at_sign_in()
    other = here.another_browser()
    token = token_of(invited, client_id=here.portal.client_id)
    other.open(f"/welcome?token={token}")

    page = other.submit("token-form", token=token)
    assert "Collège des Tilleuls" in page.text
    page = other.submit("password-form", new_password=NEW, repeat_password=NEW)

    assert page.request.path == "/"
    assert element(page, "start-application")["href"] == "https://portal.example/"
    assert "Votre mot de passe est enregistré" in page.text


def test_p11_the_new_password_is_reached_only_through_a_proved_token(
    here: Place, invited: Account
) -> None:
    here.at_sign_in()
    address = f"{here.interaction()}/password"

    here.browser.open(address)
    assert here.browser.shows("token-form")
    form = here.browser._form("token-form")
    here.browser.client.post(
        address, data={**form.hidden, "new_password": NEW, "repeat_password": NEW}
    )

    here.browser.open("/")
    assert here.browser.shows("login-form")


def test_p11_a_token_that_ended_meanwhile_leads_back_to_the_token(
    here: Place, invited: Account
) -> None:
    token = token_of(invited)
    here.browser.open(f"/welcome?token={token}")
    here.browser.submit("token-form", token=token)
    token_of(invited)

    here.browser.submit("password-form", new_password=NEW, repeat_password=NEW)

    assert here.browser.shows("token-form")


def test_a_second_submission_finds_the_parent_signed_in(here: Place, invited: Account) -> None:
    token = token_of(invited)
    here.browser.open(f"/welcome?token={token}")
    here.browser.submit("token-form", token=token)
    form = here.browser._form("password-form")
    typed = {**form.hidden, "new_password": NEW, "repeat_password": NEW}
    here.browser.submit("password-form", new_password=NEW, repeat_password=NEW)

    again = here.browser.client.post(form.action, data=typed)

    assert again.status_code == 303
    assert here.browser.open(again.headers["Location"]).status_code == 200
    assert here.browser.shows("sign-out")


@pytest.mark.parametrize(
    ("first", "again", "field", "sentence"),
    [
        ("", "", "new-password", "Tapez un nouveau mot de passe."),
        (NEW, "", "repeat-password", "une deuxième fois"),
        (NEW, NEW + "!", "repeat-password", "différents"),
        ("court", "court", "new-password", "au moins 12 caractères"),
        ("x" * 129, "x" * 129, "new-password", "au plus 128 caractères"),
        ("motdepasse123", "motdepasse123", "new-password", "Choisissez-en un autre"),
        ("ines-ines-ines", "ines-ines-ines", "new-password", "lié"),
        ("abcabcabcabcabc", "abcabcabcabcabc", "new-password", "mots"),
    ],
)
def test_a_password_that_will_not_do_is_refused_at_its_field(
    here: Place, invited: Account, first: str, again: str, field: str, sentence: str
) -> None:
    token = token_of(invited)
    here.browser.open(f"/welcome?token={token}")
    here.browser.submit("token-form", token=token)

    page = here.browser.submit("password-form", new_password=first, repeat_password=again)

    assert page.status_code == 400
    assert element(page, field)["aria-invalid"] == "true"
    assert element(page, field)["value"] == ""
    assert sentence in page.text.replace("&#39;", "'")


def test_an_expired_tokens_holder_is_told_and_gets_a_new_mail_at_one_click(
    here: Place, invited: Account
) -> None:
    token = token_of(invited)
    with later(days=15):
        here.at_sign_in()
        here.browser.open(f"{here.interaction()}/token")

        expired = here.browser.submit("token-form", token=token)
        assert expired.status_code == 400
        assert "Votre jeton a expiré" in expired.text
        assert token not in expired.text
        page = here.browser.press("token-renew")

    assert page.status_code == 200
    assert here.browser.shows("token-renewed")
    (letter,) = letters(here.app)
    assert (letter.kind, letter.account_id) == ("fresh_token", invited.id)


def test_a_fresh_token_is_mailed_only_for_an_expired_one(here: Place, invited: Account) -> None:
    here.browser.open(f"/welcome?token={token_of(invited)}")
    renew = f"{here.interaction()}/token/renew"
    form = here.browser._form("token-form")

    live = here.browser.client.post(renew, data=form.hidden)
    here.at_sign_in()
    fresh = here.another_browser()
    fresh.open("/")
    empty = fresh.client.post(
        fresh.page.request.path.replace("/login", "/token/renew"),  # type: ignore[union-attr]
        data=fresh._form("login-form").hidden,
    )

    assert [live.status_code, empty.status_code] == [303, 303]
    assert letters(here.app) == []


def test_unknown_dead_and_malformed_tokens_get_one_answer(here: Place, invited: Account) -> None:
    used, other = token_of(invited), factories.account("weg", status="invited")
    of_disabled = token_of(other)
    endings.disable_account(other.id)
    here.browser.open(f"/welcome?token={used}")
    here.browser.submit("token-form", token=used)
    here.browser.submit("password-form", new_password=NEW, repeat_password=NEW)
    stranger = here.another_browser()

    def answer_to(token: str) -> tuple[int, bool]:
        stranger.open("/")
        stranger.open(stranger.page.request.path.replace("/login", "/token"))  # type: ignore[union-attr]
        page = stranger.submit("token-form", token=token)
        return page.status_code, "Ce jeton ne fonctionne pas" in page.text

    assert answer_to(used) == (200, False), "its holder is told that it has done its work"
    endings.disable_account(invited.id)
    answers = set()
    for token in (used, of_disabled, "0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV", "oups", "\0", "x" * 300):
        answers.add(answer_to(token))

    assert answers == {(400, True)}


def test_an_empty_token_is_asked_for(here: Place) -> None:
    here.browser.open("/welcome")

    page = here.browser.submit("token-form", token="  ")

    assert page.status_code == 400
    assert element(page, "token")["aria-describedby"] == "token-hint token-problem"


@pytest.mark.long
def test_guesses_of_tokens_are_slowed_down_by_address(here: Place) -> None:
    here.browser.open("/welcome")
    with standing_still():
        pages = [here.browser.submit("token-form", token=f"guess {n}") for n in range(110)]

    assert pages[0].status_code == 400
    assert pages[-1].status_code == 429
    assert int(pages[-1].headers["Retry-After"]) >= 1
    assert "trop de tentatives" in pages[-1].text


class TestForgotten:
    def test_one_answer_for_every_address_which_names_the_schools_contact(
        self, here: Place
    ) -> None:
        pages = []
        for email in ("claire@example.org", "nobody@example.org"):
            here.at_sign_in()
            here.browser.open(f"{here.interaction()}/forgotten")
            pages.append(here.browser.submit("forgotten-form", email=email))

        assert {page.status_code for page in pages} == {200}
        assert all("bureau@tilleuls.example" in page.text for page in pages)
        assert here.browser.shows("forgotten-done")
        assert [letter.kind for letter in letters(here.app)] == ["password_reset"] * 2

    def test_the_answer_is_a_page_of_its_own_that_can_be_reloaded(self, here: Place) -> None:
        here.at_sign_in()
        here.browser.open(f"{here.interaction()}/forgotten")
        page = here.browser.submit("forgotten-form", email="claire@example.org")

        here.browser.open(page.request.path)

        assert here.browser.shows("forgotten-done")
        assert len(letters(here.app)) == 1

    @pytest.mark.parametrize("email", ["", "claire", "a@" + "x" * 300, "a\x07b@example.org"])
    def test_what_is_no_address_is_said_at_the_field(self, here: Place, email: str) -> None:
        here.at_sign_in()
        here.browser.open(f"{here.interaction()}/forgotten")

        page = here.browser.submit("forgotten-form", email=email)

        assert page.status_code == 400
        assert element(page, "email")["aria-invalid"] == "true"
        assert letters(here.app) == []


def test_p14_after_a_reset_only_the_new_password_works(here: Place) -> None:
    token = one_time_tokens.mint(here.parent.id, "password_reset")
    here.browser.open(f"/welcome?token={token}")
    here.browser.submit("token-form", token=token)
    here.browser.submit("password-form", new_password=NEW, repeat_password=NEW)
    other = here.another_browser()
    other.open("/")

    assert other.sign_in("claire", PASSWORD).status_code == 400
    assert other.sign_in("claire", NEW).status_code == 200
    assert other.shows("sign-out")


def test_a_page_left_open_past_its_interaction_says_so(here: Place, invited: Account) -> None:
    here.at_sign_in()
    interaction = here.interaction()
    with later(hours=2):
        page = here.browser.open(f"{interaction}/login")

    assert page.status_code == 404
    assert element(page, "oauth-error") is not None
    assert "Cette page a expiré" in page.text
