"""The pages of the journey: labels to the letter, ids, titles, languages."""

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from idp.credentials import one_time_tokens
from tests import factories
from tests.relying_party import Browser, RelyingParty
from tests.web.places import Place, element, elements, title

FORGOTTEN = (
    "Mot de passe oublié\u00a0? Pas de panique, cliquez ici pour redéfinir votre mot de passe."
)
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What stands on a page does not depend on the kind of database."""


def open_login(here: Place) -> TestResponse:
    return here.at_sign_in(scope="openid child")


def open_token(here: Place) -> TestResponse:
    open_login(here)
    return here.browser.open(f"{here.interaction()}/token")


def open_forgotten(here: Place) -> TestResponse:
    open_login(here)
    return here.browser.open(f"{here.interaction()}/forgotten")


def open_password(here: Place) -> TestResponse:
    token = one_time_tokens.mint(here.parent.id, "password_reset")
    here.browser.open(f"/welcome?token={token}")
    return here.browser.submit("token-form", token=token)


def open_children(here: Place) -> TestResponse:
    open_login(here)
    return here.browser.sign_in("claire")


def open_home(here: Place) -> TestResponse:
    here.browser.sign_in_at_home("claire")
    assert here.browser.page is not None
    return here.browser.page


def open_no_child(here: Place) -> TestResponse:
    factories.account("sans")
    open_login(here)
    return here.browser.sign_in("sans")


def open_consent(here: Place) -> TestResponse:
    foreign = RelyingParty.of(here.school, client_name="Cantine", first_party=False)
    here.browser.open(foreign.authorize_path(scope="openid profile email"))
    return here.browser.sign_in("claire")


def open_logout(here: Place) -> TestResponse:
    here.browser.sign_in_at_home("claire")
    return here.browser.open("/oauth2/logout")


PAGES = [
    open_login,
    open_token,
    open_forgotten,
    open_password,
    open_children,
    open_home,
    open_no_child,
    open_consent,
    open_logout,
]


@pytest.mark.parametrize(
    ("opened", "labels"),
    [
        (
            open_login,
            [
                "Première connexion",
                "pour définir votre mot de passe personnel",
                "JETON DE CONNEXION",
                FORGOTTEN,
                "Connexions suivantes",
                "Nom d'utilisateur",
                "Mot de passe",
                "CONNEXION",
                "Annuler",
            ],
        ),
        (open_token, ["Jeton de connexion", "CONNEXION"]),
        (open_password, ["Nouveau mot de passe", "MODIFIER", "claire"]),
        (open_forgotten, ["Mot de passe oublié", "SOUMETTRE"]),
        (open_children, ["Se connecter avec ce compte", "Lina Dubois", "Noé Dubois", "3B"]),
        (open_home, ["Changer d'enfant", "Se déconnecter", "claire@example.org"]),
    ],
)
def test_the_french_labels_are_the_tutorials_own(
    here: Place, opened: Callable[[Place], TestResponse], labels: list[str]
) -> None:
    page = opened(here)

    assert page.status_code == 200
    assert [label for label in labels if label not in page.text] == []


@pytest.mark.parametrize(
    ("opened", "ids"),
    [
        (open_login, "login-form username password login-submit login-cancel token-link"),
        (open_login, "forgotten-link language-form"),
        (open_token, "token-form token token-submit"),
        (open_password, "password-form new-password repeat-password password-submit"),
        (open_forgotten, "forgotten-form email forgotten-submit"),
        (open_children, "child-list child-card-1 child-submit-1 child-card-2 child-submit-2"),
        (open_consent, "consent-form consent-allow consent-cancel"),
        (open_logout, "logout-confirm logout-submit logout-stay"),
        (open_home, "sign-out account-children account-menu change-password-link"),
        (open_no_child, "no-child"),
    ],
)
def test_forms_and_buttons_have_stable_ids(
    here: Place, opened: Callable[[Place], TestResponse], ids: str
) -> None:
    page = opened(here)

    for each in ids.split():
        element(page, each)


def test_every_page_has_a_title_of_its_own_and_the_schools_name(here: Place) -> None:
    titles = []
    for opened in PAGES:
        here.browser = here.another_browser()
        titles.append(title(opened(here)))

    assert len(set(titles)) == len(PAGES)
    branded = [each for each in titles if each.endswith("– Collège des Tilleuls")]
    assert len(branded) >= len(PAGES) - 2, titles


@pytest.mark.parametrize("opened", PAGES)
def test_pages_hold_no_inline_style_or_script_and_nothing_of_others(
    here: Place, opened: Callable[[Place], TestResponse]
) -> None:
    for tag, attributes in elements(opened(here)):
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes.get("src")
        if tag in {"img", "link", "script"}:
            address = attributes.get("src") or attributes.get("href") or ""
            assert address.startswith(("/static/", "/branding/")), address


@pytest.mark.parametrize("opened", PAGES)
def test_every_form_carries_a_form_token_and_every_id_is_unique(
    here: Place, opened: Callable[[Place], TestResponse]
) -> None:
    found = elements(opened(here))

    forms = [attributes for tag, attributes in found if tag == "form"]
    tokens = [attributes for _tag, attributes in found if attributes.get("name") == "csrf_token"]
    ids = [attributes["id"] for _tag, attributes in found if attributes.get("id")]
    assert len(forms) == len(tokens) >= 1
    assert all(form["method"] == "post" for form in forms)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("opened", "field", "purpose"),
    [
        (open_login, "username", "username"),
        (open_login, "password", "current-password"),
        (open_token, "token", "one-time-code"),
        (open_password, "username", "username"),
        (open_password, "new-password", "new-password"),
        (open_password, "repeat-password", "new-password"),
        (open_forgotten, "email", "email"),
    ],
)
def test_fields_tell_password_managers_what_they_are(
    here: Place, opened: Callable[[Place], TestResponse], field: str, purpose: str
) -> None:
    assert element(opened(here), field)["autocomplete"] == purpose


def test_no_provider_is_shown_that_is_not_configured(here: Place) -> None:
    assert "Ou connectez-vous avec" not in open_login(here).text


def test_cancel_stands_only_where_an_application_waits(here: Place) -> None:
    page = here.browser.open("/")

    assert here.browser.shows("login-form")
    assert "login-cancel" not in page.text


def test_login_hint_fills_the_user_name_in(here: Place) -> None:
    page = here.at_sign_in(login_hint="claire")

    assert element(page, "username")["value"] == "claire"


class TestLanguage:
    def test_french_is_the_default(self, here: Place) -> None:
        page = open_login(here)

        assert '<html lang="fr">' in page.text

    def test_the_browsers_language_comes_before_the_default(self, here: Place) -> None:
        here.speaks("en-GB,en;q=0.9,fr;q=0.5")

        page = here.browser.open("/")

        assert '<html lang="en">' in page.text
        assert "First sign-in" in page.text

    def test_a_language_that_we_do_not_speak_falls_back_to_french(self, here: Place) -> None:
        here.speaks("ja,ko;q=0.5")

        page = here.browser.open("/")

        assert '<html lang="fr">' in page.text

    def test_ui_locales_comes_before_the_browsers_language(self, here: Place) -> None:
        here.speaks("fr")

        page = here.at_sign_in(ui_locales="xx en-US fr")

        assert '<html lang="en">' in page.text

    def test_the_visitors_choice_is_kept_and_wins(self, here: Place) -> None:
        here.at_sign_in(ui_locales="nl")
        page = here.browser.press("language-en")

        assert page.status_code == 200
        assert '<html lang="en">' in page.text
        assert element(page, "language-en")["aria-current"] == "true"
        assert '<html lang="en">' in here.at_sign_in(ui_locales="nl").text

    def test_the_accounts_language_counts_on_the_own_page(self, here: Place) -> None:
        factories.account("anna", locale="en")
        here.browser.sign_in_at_home("anna")

        assert '<html lang="en">' in here.browser.open("/").text

    @pytest.mark.parametrize(
        "target",
        [
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example",
            "javascript:alert(1)",
            "/nowhere",
            "/logout/confirm",
            "/" + "x" * 5000,
            "/account\r\nSet-Cookie: a=b",
            "",
        ],
    )
    def test_s5_the_way_back_is_one_of_our_own_pages(self, here: Place, target: str) -> None:
        here.browser.open("/")
        form = here.browser._form("language-form")

        answer = here.browser.client.post(
            "/language", data={**form.hidden, "next": target, "locale": "en"}
        )

        assert answer.status_code == 303
        assert answer.headers["Location"] == "/"

    def test_an_unknown_language_changes_nothing(self, here: Place) -> None:
        here.browser.open("/")

        page = here.browser.submit("language-form", locale="tlh")

        assert '<html lang="fr">' in page.text

    def test_after_a_refused_form_the_way_back_is_its_page(self, here: Place) -> None:
        open_login(here)
        refused = here.browser.sign_in("claire", "wrong")
        assert refused.status_code == 400

        page = here.browser.press("language-en")

        assert page.status_code == 200
        assert here.browser.shows("login-form")


def test_form_post_answers_with_a_button_and_escapes_what_it_sends(here: Place) -> None:
    here.at_sign_in(response_mode="form_post", state='"><script>x')

    page = here.browser.sign_in("claire")

    assert here.browser.shows("form-post")
    assert element(page, "form-post")["action"] == "https://portal.example/callback"
    state = [a for _t, a in elements(page) if a.get("name") == "state"]
    assert state[0]["value"] == '"><script>x'
    policy = page.headers["Content-Security-Policy"]
    assert "form-action" not in policy  # else browsers would check where the portal goes on to
    assert "default-src 'none'" in policy


def test_a_double_click_meets_a_page_that_says_it_is_done(here: Place) -> None:
    here.at_sign_in()
    interaction = here.interaction()
    here.browser.sign_in("claire")

    page = here.browser.open(f"{interaction}/login")

    assert here.browser.shows("interaction-done")
    assert element(page, "start-application")["href"] == "https://portal.example/"


def test_a_signed_in_parent_is_not_asked_to_sign_in_again(here: Place) -> None:
    here.browser.sign_in_at_home("claire")
    login = here.browser.client.get(here.portal.authorize_path(prompt="login"))
    fresh = Browser(here.browser.client)

    assert fresh.open(login.headers["Location"]).status_code == 200
    assert fresh.shows("login-form"), "prompt=login asks although somebody is signed in"
    plain = here.browser.client.get(here.portal.authorize_path())
    assert plain.headers["Location"].startswith("https://portal.example/callback?code=")
