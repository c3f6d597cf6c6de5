"""The walk that sees every page about other providers. None of them is asked anything."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from werkzeug.test import TestResponse

from idp import clock
from idp.database import keyed_hash, transaction
from idp.federation import links, providers
from idp.federation.identity import ForeignIdentity
from idp.federation.models import DeletionRequest
from idp.sessions import interactions
from idp.settings.providers import ProviderSettings
from tests import factories
from tests.factories import PASSWORD
from tests.web.places import Place

ISSUER = "https://accounts.example"
IDENTITY = ForeignIdentity("google", ISSUER, "1001", "claire@mail.example")
CODE = "abcdefghijklmnopqrstuv"


def walk_with_other_providers(here: Place) -> Iterator[TestResponse]:
    offer_providers(here)
    yield here.at_sign_in()
    at = here.interaction()
    yield here.browser.press("provider-google")
    yield here.browser.open("/federation/google/callback?state=foreign&code=c")
    _identity_waits(here, at)
    yield here.browser.open(f"{at}/connect")
    yield here.browser.open(f"{at}/login")
    with transaction():
        links.make(factories.account("other").id, IDENTITY)
    yield here.browser.sign_in("claire", PASSWORD)
    yield here.browser.press("join-yes")
    assert here.browser.shows("link-refused")
    yield here.browser.open("/account/connections")
    with transaction():
        links.make(here.parent.id, replace(IDENTITY, subject="1002"))
    yield here.browser.open("/account/connections")
    yield here.browser.open("/account/confirm")
    yield from _about_deletions(here)


def _about_deletions(here: Place) -> Iterator[TestResponse]:
    for ended in (True, False):
        code = f"{CODE}{ended:d}"
        with transaction() as writes:
            hashed = keyed_hash("deletion code", code)
            writes.add(DeletionRequest(code_hash=hashed, provider="google", link_ended=ended))
        yield here.browser.open(f"/federation/deletion/{code}")


def offer_providers(here: Place) -> None:
    google = ProviderSettings(
        key="google",
        client_id="c",
        client_secret="s",
        issuer=ISSUER,
        authorization_endpoint=f"{ISSUER}/authorize",
        token_endpoint=f"{ISSUER}/token",
        jwks_uri=f"{ISSUER}/keys",
    )
    settings = replace(here.app.extensions["idp.settings"], providers=(google,))
    here.app.extensions["idp.settings"] = settings
    providers.init_app(here.app, settings)


def _identity_waits(here: Place, at: str) -> None:
    with here.browser.client.session_transaction() as session:
        browser = session["b"]
    until = clock.now() + timedelta(hours=1)
    kept = interactions.find(at.split("/")[2], browser)
    assert kept is not None
    links.wait(IDENTITY, interaction_id=kept.id, browser=browser, until=until)
