"""Walks of a parent that together see every hosted page, its errors and its notices."""

from collections.abc import Callable, Iterator

from werkzeug.test import TestResponse

from idp import clock
from idp.clients.metadata import DEVICE_CODE
from idp.credentials import email_changes, one_time_tokens
from idp.database import transaction
from idp.lifecycle import factor_changes, factor_undo, link_requests
from idp.privacy import erasure
from tests import factories
from tests.factories import PASSWORD
from tests.relying_party import RelyingParty
from tests.second_factors import begin_app, code_now, key_on, switch_on
from tests.times import later
from tests.web.foreign_walk import walk_with_other_providers
from tests.web.places import Place

Walk = Callable[[Place], Iterator[TestResponse]]


def walk_of_a_first_sign_in(here: Place) -> Iterator[TestResponse]:
    yield here.at_sign_in(scope="openid child")
    yield here.browser.submit("login-form", username="", password="")
    yield here.browser.submit("login-form", username="nobody", password="wrong")
    at = here.interaction()
    yield here.browser.open(f"{at}/token")
    yield here.browser.submit("token-form", token="")
    yield here.browser.submit("token-form", token="AAAA-BBBB")
    yield here.browser.open(f"{at}/forgotten")
    yield here.browser.submit("forgotten-form", email="")
    yield here.browser.submit("forgotten-form", email="claire@example.org")
    token = one_time_tokens.mint(here.parent.id, "password_reset")
    with later(days=2):
        here.at_sign_in(scope="openid child")
        here.browser.open(f"{here.interaction()}/token")
        yield here.browser.submit("token-form", token=token)
        yield here.browser.press("token-renew")
    token = one_time_tokens.mint(here.parent.id, "password_reset")
    here.browser.open(f"/welcome?token={token}")
    yield here.browser.submit("token-form", token=token)
    for password in ("", "kurz", "x" * 200, "password1234", "Claire Dubois", "abcdefghijkl"):
        yield here.browser.submit("password-form", new_password=password, repeat_password=password)
    yield here.browser.submit("password-form", new_password=PASSWORD, repeat_password="other")
    here.browser.submit("password-form", new_password=PASSWORD, repeat_password=PASSWORD)
    yield here.browser.open("/")


def walk_to_an_application(here: Place) -> Iterator[TestResponse]:
    here.at_sign_in(scope="openid child", response_mode="form_post")
    yield here.browser.sign_in("claire")
    at = here.interaction()
    yield here.browser.open(f"{at}/passkey-offer")
    here.browser.open(at)
    yield here.browser.press("child-submit-1")
    yield here.browser.open(f"{at}/login")
    yield here.browser.open(here.portal.authorize_path(prompt="select_account"))
    yield here.browser.press("another-person")
    fields = ["sub", "given_name", "family_name", "class", "school.id"]
    foreign = RelyingParty.of(here.school, first_party=False, child_fields=fields)
    scope = "openid profile email child offline_access"
    yield here.browser.open(foreign.authorize_path(scope=scope, prompt="consent"))
    # The choice for the portal is none for a third party
    yield here.browser.press("child-submit-1")
    here.browser.press("consent-allow")
    another = here.another_browser()
    another.client.environ_base.update(here.browser.client.environ_base)
    factories.account("sans")
    another.open(here.portal.authorize_path(scope="openid child"))
    yield another.sign_in("sans")
    yield another.open("/")


def walk_past_another_person(here: Place) -> Iterator[TestResponse]:
    """Somebody else has used the browser for an application that is told in it (front-channel)."""
    told = "https://portal.example/left"
    portal = RelyingParty.of(here.school, client_name="Cantine", frontchannel_logout_uri=told)
    portal.tokens(here.browser, "claire")
    factories.account("suivant")
    here.browser.open(portal.authorize_path(prompt="select_account"))
    here.browser.press("another-person")
    yield here.browser.sign_in("suivant")
    assert here.browser.shows("person-left")


def walk_at_home(here: Place) -> Iterator[TestResponse]:
    for browser in (here.another_browser(), here.browser):
        browser.sign_in_at_home("claire")
    yield here.browser.press("change-child")
    yield here.browser.open("/account/sessions")
    yield here.browser.press("end-session-2")
    yield here.browser.open("/account/password")
    yield here.browser.submit(
        "password-form", current_password="no", new_password=PASSWORD, repeat_password=PASSWORD
    )
    yield here.browser.open("/account/confirm?next=/account/password")
    yield here.browser.submit("confirm-form", current_password="no")
    yield here.browser.open("/oauth2/logout")
    yield here.browser.press("logout-submit")


def walk_of_an_accounts_life(here: Place) -> Iterator[TestResponse]:
    browser = here.browser
    foreign = RelyingParty.of(here.school, first_party=False, client_name="Cantine")
    with transaction():
        here.parent.email_verified_at = clock.now()  # what nobody proved is not undone
    browser.sign_in_at_home("claire")
    browser.open(foreign.authorize_path(scope="openid profile email child offline_access"))
    browser.press("child-submit-1")
    browser.press("consent-allow")
    for page in ("profile", "applications", "sessions", "history", "data", "email"):
        yield browser.open(f"/account/{page}")
    for typed in ("", "not an address", "claire@example.org", "claire@new.example"):
        yield browser.submit("email-form", new_email=typed)
    yield from _links_of_mails(here)


def _links_of_mails(here: Place) -> Iterator[TestResponse]:
    browser, change = here.browser, email_changes.waiting(here.parent.id)
    assert change is not None
    confirm, undo = (email_changes.mint_link(change, each, "m") for each in ("confirm", "undo"))
    yield browser.open(f"/account/email/undo?token={undo}")
    yield browser.open(f"/account/email/confirm?token={confirm}")
    yield browser.submit("confirm-email-form")
    yield browser.open(f"/account/email/confirm?token={confirm}")
    yield browser.open("/account/email")
    browser.submit("email-form", new_email="claire@third.example")
    yield browser.press("email-cancel")
    yield browser.open("/account/data")
    yield browser.press("erasure-ask")
    yield browser.press("erasure-take-back")
    yield browser.press("erasure-ask")
    for outcome in ("declined", "done"):
        erasure.request_erasure(here.parent.id)
        erasure.close(here.parent.id, outcome)
        yield browser.open("/account/data")
    yield browser.open("/account/applications")
    yield browser.press("withdraw-1")
    yield browser.open("/account/history")
    yield browser.open(f"/account/email/undo?token={undo}")
    yield browser.submit("undo-email-form")


def walk_into_errors(here: Place) -> Iterator[TestResponse]:
    browser = here.browser
    yield browser.open("/interaction/i_none/login")  # no cookies yet
    here.at_sign_in()
    yield browser.open("/nowhere")
    yield browser.open("/oauth2/authorize?client_id=unknown")
    yield browser.open(here.portal.authorize_path(redirect_uri="https://elsewhere.example/"))
    foreign = RelyingParty.of(here.school, first_party=False)
    yield browser.open(foreign.authorize_path(max_age="x"))
    yield browser.open("/interaction/i_none/login")
    yield browser.client.post(f"{here.interaction()}/login", data={"username": "x"})
    yield browser.client.post("/account/sign-out")
    yield browser.client.post("/account/sign-out", headers={"Origin": "https://other.example"})
    yield browser.client.get("/account/sign-out")
    yield browser.client.post("/language", data={"next": "x" * 100_000})


def walk_with_a_second_factor(here: Place) -> Iterator[TestResponse]:
    guardian = factories.account("deux.etapes")
    here.browser.sign_in_at_home("deux.etapes")
    yield here.browser.open("/account/passkeys")
    here.browser.open("/account/two-factor")
    yield begin_app(here.browser)
    yield here.browser.submit("totp-form", code="1")
    yield here.browser.submit("totp-form", code=code_now(key_on(here.browser.page)))
    yield here.browser.open("/account/two-factor")
    yield here.browser.open("/account/confirm")
    yield here.browser.submit("confirm-code-form", code="1")
    here.browser.sign_out()
    here.at_sign_in()
    here.browser.sign_in("deux.etapes")
    yield here.browser.submit("second-factor-form", code="1")
    factor_changes.reset(guardian.id)
    factor_changes.grant_role(guardian.id, "operator", None)
    here.at_sign_in()
    yield here.browser.sign_in("deux.etapes")
    yield here.browser.press("enrol-app")
    yield here.browser.submit("totp-form", code="1")
    yield here.browser.submit("totp-form", code=code_now(key_on(here.browser.page)))


def walk_by_links_of_mails(here: Place) -> Iterator[TestResponse]:
    """A school's question about a pupil, and something added that is taken back."""
    guardian = factories.account("retour", email="retour@example.org", locale=here.parent.locale)
    child = factories.child(here.school, "Tom")
    with transaction():
        link_requests.request_link(guardian.id, child, "parent")
    (asked,) = link_requests.waiting(guardian.id)
    yield here.browser.open("/account/guardianship")
    yield here.browser.submit("mailed-link-form", link="")
    yield here.browser.submit("mailed-link-form", link="half a link")
    question = f"/account/guardianship#{link_requests.secret_of(asked.request)}"
    yield here.browser.follow(question)
    yield here.browser.press("guardianship-yes")
    yield here.browser.follow(question)
    switch_on(guardian.id)
    added = factor_undo.find("app", guardian.id)
    assert added is not None
    undo = f"/account/factor/undo#{added.secret}"
    yield here.browser.follow(undo)
    yield here.browser.submit("factor-undo-form", current_password="wrong")
    yield here.browser.submit("factor-undo-form", current_password=PASSWORD)
    yield here.browser.follow(undo)


def walk_for_a_screen(here: Place) -> Iterator[TestResponse]:
    """A screen without a keyboard: codes that are wrong, refused, too old, and right."""
    grants = [DEVICE_CODE, "refresh_token"]
    screen = RelyingParty.of(here.school, client_name="Borne", grant_types=grants)

    def code() -> str:
        data = {"scope": "openid child"}
        answered = screen.post(here.browser.client, "/oauth2/device_authorization", data)
        return str((answered.json or {})["user_code"])

    yield here.browser.open("/device")
    for typed in ("", "1234", "BBBB-BBBB"):
        yield here.browser.submit("device-form", user_code=typed)
    yield here.browser.open(f"/device?user_code={code()}")
    yield here.browser.press("device-submit")
    yield here.browser.press("device-refuse")
    here.browser.open(f"/device?user_code={code()}")
    here.browser.press("device-submit")
    here.browser.press("device-continue")
    here.browser.sign_in("claire")
    yield here.browser.press("child-submit-1")
    here.browser.open(f"/device?user_code={code()}")
    here.browser.press("device-submit")
    here.browser.press("device-continue")
    with later(minutes=16):
        yield here.browser.press("child-submit-1")


WALKS = [
    walk_for_a_screen,
    walk_by_links_of_mails,
    walk_of_a_first_sign_in,
    walk_to_an_application,
    walk_past_another_person,
    walk_at_home,
    walk_into_errors,
    walk_with_other_providers,
    walk_of_an_accounts_life,
    walk_with_a_second_factor,
]
