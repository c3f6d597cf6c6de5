"""What people paste and type is read with good will."""

from collections.abc import Iterator

import pytest
import time_machine

from idp import clock
from idp.credentials import one_time_tokens
from idp.people.names import as_meant
from tests import factories
from tests.factories import PASSWORD
from tests.relying_party import leads_to
from tests.web.places import Place, element

pytestmark = pytest.mark.quick_on("sqlite")

TOKEN = "ABCD-EFGH-JKMN-PQRS-TVWX-YZ01-2345"
PLAIN = TOKEN.replace("-", "")


@pytest.fixture(autouse=True)
def still() -> Iterator[None]:
    with time_machine.travel(clock.now(), tick=False):
        yield


@pytest.mark.parametrize(
    "pasted",
    [
        TOKEN,
        f"{TOKEN}.",
        f"{TOKEN},",
        f"<{TOKEN}>",
        f"« {TOKEN} »",
        f'"{TOKEN}"',
        f"Jeton : {TOKEN}",
        f"Votre jeton : {TOKEN.replace('-', ' ')}.",
        f"Code {TOKEN}",
        f"code {TOKEN.replace('-', ' ')}",
        f"https://id.example/welcome?token={TOKEN}",
        f"https://id.example/welcome?token={PLAIN}&x=1",
        f"https://id.example/welcome?token=3D{PLAIN}",
        f"https://id.example/welcome#{TOKEN}",
        f"https://id.example/welcome#token={PLAIN.lower()}",
        TOKEN.replace("-", "\u2011"),
        f"\u200b{TOKEN[:12]}\u200e{TOKEN[12:]}",
        TOKEN.replace("0", "O").replace("1", "l").lower(),
    ],
)
def test_a_token_is_found_in_what_was_pasted(pasted: str) -> None:
    assert one_time_tokens.normalise(pasted) == PLAIN


@pytest.mark.parametrize("pasted", ["", "claire.dubois", TOKEN[:-1], f"{TOKEN}{TOKEN}", "x" * 700])
def test_nothing_else_is_a_token(pasted: str) -> None:
    assert one_time_tokens.normalise(pasted) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("zoé.d\u2019hoekelaere", "zoé.d'hoekelaere"),
        ("claire .dubois", "claire.dubois"),
        ("cla\u200bire@example.org\u00a0", "claire@example.org"),
        ("marie\u2013anne", "marie-anne"),
        ("claire@example.org\u2028", "claire@example.org"),
        ("claire@example.org\u2028b", "claire@example.org\u2028b"),
    ],
)
def test_names_and_addresses_mean_what_was_meant(typed: str, meant: str) -> None:
    assert as_meant(typed) == meant


@pytest.mark.parametrize(
    "typed", ["zoé.d\u2019hoek", "zoé.d'hoek ", "Zoé .d'hoek", "zoé\u200b.d'hoek"]
)
def test_a_user_name_from_a_phone_signs_in(here: Place, typed: str) -> None:
    factories.account("zoé.d'hoek")
    here.at_sign_in()
    assert leads_to(here.browser.sign_in(typed)).startswith("https://portal.example")


def test_an_address_with_a_space_signs_in(here: Place) -> None:
    here.at_sign_in()
    page = here.browser.sign_in("claire @example.org")
    assert leads_to(page).startswith("https://portal.example")


class TestHelp:
    def token_page(self, here: Place, typed: str) -> str:
        here.at_sign_in()
        here.browser.open(f"{here.interaction()}/token")
        page = here.browser.submit("token-form", token=typed)
        assert page.status_code == 400
        return page.text.replace("&#39;", "'")

    def test_it_says_that_a_group_is_missing(self, here: Place) -> None:
        assert "il manque 1 groupe" in self.token_page(here, TOKEN[:-5])
        assert "il manque 2 caractères" in self.token_page(here, TOKEN[:-2])

    def test_it_knows_a_user_name(self, here: Place) -> None:
        assert "ressemble à un nom d'utilisateur" in self.token_page(here, "claire.dubois")

    def test_a_token_in_the_password_field_is_recognised(self, here: Place) -> None:
        here.at_sign_in()
        page = here.browser.sign_in("claire", TOKEN)
        assert page.status_code == 400
        assert "jeton de connexion, pas un mot de passe" in page.text
        assert TOKEN not in page.text
        assert element(page, "username")["value"] == "claire"


class TestSpentTokens:
    def spent(self, here: Place) -> str:
        token = one_time_tokens.mint(here.parent.id, "password_reset")
        found = one_time_tokens.find(token)
        assert isinstance(found, one_time_tokens.Live)
        one_time_tokens.spend(found.token.id)
        return token

    def test_its_holder_is_led_to_the_password(self, here: Place) -> None:
        here.at_sign_in()
        here.browser.open(f"{here.interaction()}/token")
        page = here.browser.submit("token-form", token=self.spent(here))

        assert "Ce jeton a déjà servi" in page.text
        assert here.parent.username not in page.text
        assert here.browser.sign_in("claire", PASSWORD).status_code in {200, 302, 303}

    def test_in_the_browser_that_is_signed_in_by_it_the_way_goes_on(self, here: Place) -> None:
        here.browser.sign_in_at_home("claire")
        token = self.spent(here)
        here.browser.open(f"/welcome?token={token}")
        here.browser.submit("token-form", token=token)
        assert here.browser.shows("sign-out")

    def test_of_a_closed_account_nothing_is_said(self, here: Place) -> None:
        token = self.spent(here)
        here.parent.status = "disabled"
        from idp.database import db

        db.session.commit()
        here.at_sign_in()
        here.browser.open(f"{here.interaction()}/token")
        page = here.browser.submit("token-form", token=token)
        assert "déjà servi" not in page.text
        assert page.status_code == 400
