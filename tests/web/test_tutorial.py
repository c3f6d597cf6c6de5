"""The French pages say the words of the parents' tutorial, figure by figure, to the letter.

A parent who holds the tutorial beside the phone must find each word on the screen.
"""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from werkzeug.test import TestResponse

from idp.credentials import one_time_tokens
from idp.settings import Settings
from idp.settings.providers import ProviderSettings
from tests import factories
from tests.factories import PASSWORD
from tests.relying_party import Browser, answer
from tests.web.places import Place, element, provider

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

VOID = {"img", "input", "link", "meta", "br", "path", "hr"}


class _Texts(HTMLParser):
    """The text of each element, with its tag and id: `read(page)`."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.found: list[tuple[str, dict[str, str | None], str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or not self.open:
            return
        name, attributes, texts = self.open.pop()
        words = re.sub(r"\s+", " ", "".join(texts)).strip()
        self.found.append((name, attributes, words))
        if self.open:
            self.open[-1][2].append(f" {words} ")

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1][2].append(data)


def words(page: TestResponse, tag: str, **attributes: str) -> list[str]:
    """What stands in the elements of this kind, in the page's order."""
    reader = _Texts()
    reader.feed(page.text)
    return [
        said
        for name, given, said in reader.found
        if name == tag
        and all(given.get(key.rstrip("_")) == value for key, value in attributes.items())
    ]


@pytest.fixture
def here(here: Place) -> Place:
    here.speaks("fr")
    return here


def at_a_new_password(here: Place) -> TestResponse:
    token = one_time_tokens.mint(here.parent.id, "first_sign_in")
    here.browser.open(f"/welcome?token={token}")
    return here.browser.submit("token-form", token=token)


def test_figures_1_and_4_the_sign_in(here: Place) -> None:
    page = here.at_sign_in()

    assert words(page, "h2") == ["Première connexion", "Connexions suivantes"]
    assert "pour définir votre mot de passe personnel" in words(page, "p")
    assert words(page, "a", id="token-link") == ["JETON DE CONNEXION"]
    assert words(page, "a", id="forgotten-link") == [
        "Mot de passe oublié ? Pas de panique, cliquez ici pour redéfinir votre mot de passe."
    ]
    assert words(page, "label", for_="username") == ["Nom d'utilisateur"]
    assert words(page, "label", for_="password") == ["Mot de passe"]
    assert words(page, "button", id="login-submit") == ["CONNEXION"]


def test_figure_4_the_other_providers(here: Place, settings: Settings) -> None:
    keys = ("google", "facebook", "cabanga")
    offered = tuple(
        ProviderSettings(key=key, issuer=f"https://{key}.example", client_id="c", client_secret="s")
        for key in keys
    )
    with provider(replace(settings, providers=offered)) as client:
        here.browser = Browser(client)
        here.speaks("fr")
        page = here.at_sign_in()

    assert words(page, "p", id="provider-form-title") == ["Ou connectez-vous avec"]
    assert [words(page, "button", value=key) for key in keys] == [
        ["Google"],
        ["Facebook"],
        ["Cabanga"],
    ]


def test_figure_2_the_token(here: Place) -> None:
    here.at_sign_in()

    page = here.browser.open(f"{here.interaction()}/token")

    assert words(page, "h1") == ["Jeton de connexion"]
    assert words(page, "button", id="token-submit") == ["CONNEXION"]


def test_figure_3_the_new_password(here: Place) -> None:
    page = at_a_new_password(here)

    assert any("votre mot de passe personnel" in said for said in words(page, "p"))
    assert [element(page, each)["type"] for each in ("new-password", "repeat-password")] == [
        "password",
        "password",
    ]
    assert words(page, "button", id="password-submit") == ["MODIFIER"]


def test_figure_5_the_forgotten_password(here: Place) -> None:
    here.at_sign_in()

    page = here.browser.open(f"{here.interaction()}/forgotten")

    assert words(page, "h1") == ["Mot de passe oublié"]
    assert (
        "Afin de redéfinir votre mot de passe, veuillez entrer votre adresse email."
        " Vous allez recevoir des instructions dans votre boîte mail."
    ) in words(page, "p")
    assert words(page, "label", for_="email") == ["email"]
    assert words(page, "button", id="forgotten-submit") == ["SOUMETTRE"]


def test_figure_6_the_choice_of_the_child(here: Place) -> None:
    here.at_sign_in(scope="openid child")

    page = here.browser.sign_in("claire")

    assert len(words(page, "h2")) == 2
    for number in (1, 2):
        said = words(page, "button", id=f"child-submit-{number}")
        assert [each.partition(" – ")[0] for each in said] == ["Se connecter avec ce compte"]


def test_figure_7_who_has_one_child_is_at_the_application_at_once(here: Place) -> None:
    factories.family(here.school, "Tom", username="ines")
    here.at_sign_in(scope="openid child")

    assert "code" in answer(here.browser.sign_in("ines", PASSWORD))


def test_the_platform_has_the_tutorials_name_where_no_school_gives_its_own(here: Place) -> None:
    page = here.browser.open("/")

    assert words(page, "span", class_="brand-name") == ["iT.SCHOOL"]
