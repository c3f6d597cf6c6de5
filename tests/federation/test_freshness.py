"""F9 and O17: max_age, prompt=login and step-up reach the provider, and are met or not claimed."""

import time
from typing import Any

import pytest

from idp.credentials.models import Password
from idp.database import db, transaction
from tests.federation.rogue import Rogue
from tests.federation.worlds import Walker, address_of, asked_of, linked
from tests.relying_party import answer, claims_of
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")


def id_token_of(here: Walker, fields: dict[str, str]) -> dict[str, Any]:
    tokens = here.portal.redeem(here.browser.client, fields["code"]).json or {}
    return claims_of(here.browser.client, tokens["id_token"])


def without_password(here: Walker) -> None:
    with transaction() as writes:
        writes.query(Password).filter_by(account_id=here.parent.id).delete()


def proved(here: Walker, seconds_ago: int) -> int:
    told = int(time.time()) - seconds_ago
    here.provider.claims["auth_time"] = told
    return told


@pytest.mark.parametrize(
    ("asked", "max_age"), [({"prompt": "login"}, "0"), ({"max_age": "0"}, "0")]
)
def test_o17_the_provider_is_asked_to_ask_again(
    here: Walker, asked: dict[str, str], max_age: str
) -> None:
    here.at_sign_in(**asked)
    sent = asked_of(here.leave())
    assert sent["max_age"] == max_age
    assert sent["prompt"] == "login"


def test_o17_max_age_is_carried_and_met_by_the_providers_auth_time(here: Walker) -> None:
    here.linked()
    here.at_sign_in(max_age="300")
    assert asked_of(here.leave())["max_age"] == "300"
    here.at_sign_in(max_age="300")
    told = proved(here, 100)

    fields = answer(here.walk())

    assert id_token_of(here, fields)["auth_time"] == told


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "300"}, {"max_age": "0"}])
@pytest.mark.parametrize("seconds_ago", [None, 4000])
def test_o17_an_old_or_unknown_sign_in_there_is_not_claimed(
    here: Walker, asked: dict[str, str], seconds_ago: int | None
) -> None:
    here.linked()
    here.at_sign_in(**asked)
    if seconds_ago is not None:
        proved(here, seconds_ago)

    page = here.walk()

    assert page.request.path.endswith("/login")
    assert "a pas confirmé que vous venez de prouver" in page.text
    assert "code" in answer(here.browser.sign_in("claire")), "the password still can"


def test_prompt_login_is_met_by_a_sign_in_that_came_after_the_question(here: Walker) -> None:
    here.linked()
    here.at_sign_in(prompt="login")
    proved(here, 0)
    assert "code" in answer(here.walk())


def test_f9_an_unknown_auth_time_is_told_to_nobody_and_meets_no_max_age(here: Walker) -> None:
    here.linked()
    here.at_sign_in()
    claims = id_token_of(here, answer(here.walk()))
    assert "auth_time" not in claims
    assert claims["amr"] == ["fed"]

    here.at_sign_in(max_age="86400")

    assert here.browser.shows("login-form")


def test_f9_an_auth_time_to_come_makes_nothing_younger(here: Walker) -> None:
    here.linked()
    here.at_sign_in()
    proved(here, -100_000)
    claims = id_token_of(here, answer(here.walk()))
    assert claims["auth_time"] <= int(time.time()) + 1


@pytest.mark.parametrize("value", ["yesterday", True, None, [], 1e300])
def test_a_malformed_auth_time_is_none(here: Walker, value: object) -> None:
    here.linked()
    here.at_sign_in(max_age="300")
    here.provider.claims["auth_time"] = value
    page = here.walk()
    assert page.request.path.endswith("/login")


def test_f9_what_the_provider_says_of_its_methods_is_not_passed_on(here: Walker) -> None:
    here.linked()
    here.provider.claims |= {"amr": ["mfa", "hwk", "user"], "acr": "phr"}
    here.at_sign_in()
    claims = id_token_of(here, answer(here.walk()))
    assert (claims["amr"], claims["acr"]) == (["fed"], "urn:school-idp:acr:single-factor")


class TestStepUp:
    def test_a_guardian_without_a_password_proves_again_at_the_provider(self, here: Walker) -> None:
        link = here.linked()
        linked(here.parent, "https://www.facebook.com", "77", "facebook")
        without_password(here)
        here.browser.open("/")
        proved(here, 3600)
        here.walk()
        here.browser.open("/account/connections")
        here.browser.press("unlink-2")
        assert here.browser.shows("confirm-without-password")
        assert not here.browser.shows("confirm-form")

        address = address_of(here.browser.press("confirm-provider-google"))
        sent = asked_of(address)
        assert (sent["max_age"], sent["prompt"]) == ("0", "login")
        proved(here, 0)
        page = here.come_back(address)

        assert page.request.path == "/account/connections"
        here.browser.press("unlink-2")
        db.session.expire_all()
        from idp.federation import links

        assert [each.id for each in links.of_account(here.parent.id)] == [link.id]

    def test_a_provider_that_does_not_prove_it_steps_nobody_up(self, here: Walker) -> None:
        here.linked()
        here.browser.sign_in_at_home("claire")
        with later(minutes=11):
            here.browser.open("/account/confirm?next=/account/connections")
            address = address_of(here.browser.press("confirm-provider-google"))
            page = here.come_back(address)
            assert "a pas confirmé que vous venez de prouver" in page.text
            here.browser.open("/account/connections")
            here.browser.press("unlink-1")
            assert here.browser.shows("confirm-form")

    def test_the_identity_of_somebody_else_steps_nobody_up(self, here: Walker) -> None:
        from tests import factories

        here.linked()
        linked(factories.account("second"), here.provider.address, "2002")
        here.browser.sign_in_at_home("claire")
        with later(minutes=11):
            here.browser.open("/account/confirm?next=/account/connections")
            address = address_of(here.browser.press("confirm-provider-google"))
            here.provider.person = "2002"
            proved(here, 0)
            page = here.come_back(address)
            assert "pas le compte Google" in page.text
            here.browser.open("/account/connections")
            here.browser.press("unlink-1")
            assert here.browser.shows("confirm-form")

    def test_s5_the_way_back_is_one_of_our_own_pages(self, here: Walker) -> None:
        here.linked()
        here.browser.sign_in_at_home("claire")
        page = here.browser.open("/account/confirm")
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
        fields = {"provider": "google", "next": "https://evil.example/", "csrf_token": token}
        here.browser.page = here.browser.client.post("/account/confirm/with", data=fields)
        proved(here, 0)
        answered = here.browser.client.get(here.provider.answer(address_of(here.browser.page)))
        assert answered.headers["Location"] == "/"

    def test_facebook_is_not_offered_because_it_could_not_prove_it(self, here: Walker) -> None:
        linked(here.parent, "https://www.facebook.com", "77", "facebook")
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/confirm")
        assert not here.browser.shows("confirm-provider-facebook")


def test_the_providers_own_domain_is_asked_and_checked(here: Walker, google: Rogue) -> None:
    from dataclasses import replace

    provider = here.app.extensions["idp.federation"]["google"]
    provider.settings = replace(provider.settings, hosted_domain="ecole.example")
    here.linked()
    here.at_sign_in()
    assert asked_of(here.leave())["hd"] == "ecole.example"
    for told in ({}, {"hd": "other.example"}):
        here.provider.claims = dict(told)
        here.at_sign_in()
        assert here.walk().request.path.endswith("/login")
    here.provider.claims = {"hd": "ecole.example"}
    here.at_sign_in()
    assert "code" in answer(here.walk())
