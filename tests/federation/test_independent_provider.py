"""The whole walk against a provider that others wrote: PyPI's ``oidc-provider-mock``."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from idp import create_app
from idp.database import db
from idp.settings.providers import ProviderSettings
from tests.apart import ApartClient
from tests.conftest import settings_for_tests
from tests.examples.running import wait_until
from tests.federation.worlds import address_of, links_of
from tests.relying_party import Browser, World, answer, world

pytestmark = pytest.mark.quick_on("postgresql")

PEOPLE = {
    "claire-at-mock": {"email": "claire@dubois.example", "name": "Claire D."},
    "somebody-else": {"email": "other@mail.example"},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The mock in a process of its own, with its people."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, "--require-nonce", "true"], **quiet) as process:
        address = f"http://127.0.0.1:{port}"
        assert wait_until(lambda: answers(address), 30), "the mock does not start"
        for subject, claims in PEOPLE.items():
            requests.put(f"{address}/users/{subject}", json=claims, timeout=10)
        yield address
        process.terminate()


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/jwks", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.fixture(params=["client_secret_basic", "client_secret_post"])
def here(
    request: pytest.FixtureRequest, database_url: str, keys_folder: Path, issuer: str
) -> Iterator[World]:
    # Registered as any client is (RFC 7591), so that its secret counts.
    registered = requests.post(
        f"{issuer}/oauth2/clients",
        json={
            "redirect_uris": ["http://127.0.0.1:8000/federation/mock/callback"],
            "token_endpoint_auth_method": request.param,
        },
        timeout=10,
    ).json()
    provider = ProviderSettings(
        key="mock",
        issuer=issuer,
        client_id=registered["client_id"],
        client_secret=registered["client_secret"],
        auth_method=request.param,
        label_fr="Le simulacre",
    )
    app = create_app(settings_for_tests(database_url, keys_folder, providers=(provider,)))
    app.test_client_class = ApartClient
    with app.app_context():
        yield world(app.test_client(), "Lina", signed_in=False)
        db.session.remove()
        db.engine.dispose()


def at_the_provider(browser: Browser, **choice: str) -> str:
    """Press the button, choose at the provider; the path that the browser comes back to."""
    address = address_of(browser.press("provider-mock"))
    page = requests.get(address, timeout=10)
    assert page.status_code == 200, page.text
    back = requests.post(address, data=choice, timeout=10, allow_redirects=False)
    parts = urlsplit(back.headers["Location"])
    return f"{parts.path}?{parts.query}"


def test_link_once_then_the_button_is_enough(here: World) -> None:
    here.ask(scope="openid child")
    assert "Le simulacre" in (here.browser.page.text if here.browser.page else "")
    page = here.browser.open(at_the_provider(here.browser, sub="claire-at-mock"))
    assert "claire@dubois.example" in page.text.replace("<wbr>", "")
    here.browser.sign_in("claire")
    assert "code" in answer(here.browser.press("join-yes"))
    assert links_of(here.guardian) == [("mock", "claire-at-mock")]

    here.browser.sign_out()
    here.ask(scope="openid child")
    fields = answer(here.browser.open(at_the_provider(here.browser, sub="claire-at-mock")))

    assert here.tokens_of(fields)["id_token"]


def test_another_person_there_is_not_this_guardian(here: World) -> None:
    here.ask()
    here.browser.open(at_the_provider(here.browser, sub="claire-at-mock"))
    here.browser.sign_in("claire")
    here.browser.sign_out()
    here.ask()
    page = here.browser.open(at_the_provider(here.browser, sub="somebody-else"))
    assert "/connect" in page.request.path


def test_cancelling_there_comes_back_with_a_sentence(here: World) -> None:
    here.ask()
    page = here.browser.open(at_the_provider(here.browser, action="deny"))
    # This provider forgets the state of an error, so that nobody knows whose walk it was.
    assert page.status_code in {200, 400}
    here.ask()
    assert here.browser.shows("login-form")


def test_a_code_works_once(here: World) -> None:
    here.ask()
    path = at_the_provider(here.browser, sub="claire-at-mock")
    here.browser.open(path)
    here.browser.press("waiting-forget")
    page = here.browser.open(path)
    assert "/connect" not in page.request.path
