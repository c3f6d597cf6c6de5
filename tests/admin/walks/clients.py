"""Applications: the list, one of them, registering, secrets, settings, and trying it."""

from collections.abc import Iterator

from werkzeug.test import TestResponse

from idp.clients import registration_tokens
from tests import factories
from tests.admin.client_forms import LIST, edit, register, send
from tests.admin.places import Desk
from tests.admin.test_client_certify import report
from tests.relying_party import Browser, RelyingParty


def walk(desk: Desk) -> Iterator[TestResponse]:
    operator = desk.browser("operator")
    yield operator.open(LIST)
    yield operator.open(f"{LIST}/new")
    yield send(operator, redirect_uris="http://app.example/callback", jwks="-")
    yield send(operator, redirect_uris="https://a*b", default_max_age="soon", client_uri="x")
    yield register(desk, operator)
    portal = RelyingParty.of(desk.here, scope="openid child profile email offline_access")
    factories.family(desk.here, "Lina", username="claire")
    portal.sign_in(Browser(desk.app.test_client()), "claire")
    here = f"{LIST}/{portal.client_id}"
    yield desk.browser("manager").open(here)
    yield operator.open(f"{here}/secret")
    yield operator.submit("client-rotate-form")
    yield operator.submit("client-rotate-form", overlap="7")
    yield operator.open(here)
    yield operator.press("client-secret-end")
    yield operator.open(f"{here}/settings")
    yield operator.open(f"{here}/test")
    yield operator.submit("client-diagnose-form", address="")
    asked = portal.authorize_path(scope="openid x", client_id="other", redirect_uri="https://x/")
    yield operator.submit("client-diagnose-form", address=f"https://id.example{asked}")
    yield operator.submit("client-diagnose-form", address=portal.redirect_uri)
    yield operator.open(f"{here}/certify")
    yield operator.submit("client-certify-form", report="{}")
    yield operator.submit("client-certify-form", report=report())
    operator.open(here)
    yield operator.press("client-disable")
    yield operator.press("client-enable")
    yield operator.open(f"{LIST}/tokens")
    yield operator.open(f"{LIST}/tokens/new")
    yield operator.submit("token-form", label="", uses="0")
    filled_in = {"label": "Devoirs SA", "uses": "1", "days": "7", "schools": desk.here.id}
    yield operator.submit("token-form", **filled_in)
    yield operator.open(f"{LIST}/tokens")
    (token,) = registration_tokens.list_tokens()
    yield operator.press(f"end-{token.id}")
    client = portal.registered.client
    yield edit(operator, client, schools=None)
    yield edit(operator, client, kind="native", redirect_uris="com.example.app:/callback")
