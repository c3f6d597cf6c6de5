"""Apache with mod_auth_openidc, as docs/integrate/ prints it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from idp.clients import recipes, registration
from idp.oidc import discovery
from tests.clients.documented import Application, free_port, started
from tests.clients.test_authlib_client import issuer
from tests.installs.stacks import WHO, printed, registered, signs_in

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

APACHE = os.environ.get("APACHE", "/usr/sbin/apache2")
MODULES = os.environ.get("APACHE_MODULES", "/usr/lib/apache2/modules")
SITE = """
ServerRoot {folder}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/error.log
Mutex file:{folder} default
{modules}
DocumentRoot {folder}/pages
AddOutputFilter INCLUDES .html
Options +Includes
"""
PAGE = """<!--#echo var="REMOTE_USER" --> <!--#echo var="OIDC_CLAIM_child_given_name" -->"""
NEEDED = ("mpm_event", "authn_core", "authz_core", "authz_user", "mime", "dir", "include",
          "auth_openidc")  # fmt: skip


@contextmanager
def apache(issuer: str, folder: Path, desk: bool = False, **metadata: object) -> Iterator[str]:
    """An Apache whose only page says who it is and which child; yields its address.

    ``desk``: with the desk's settings, rather than those of the page.
    """
    if not shutil.which(APACHE) or not Path(MODULES, "mod_auth_openidc.so").exists():
        pytest.skip("Apache with mod_auth_openidc is not installed")
    port = free_port()
    (folder / "pages").mkdir()
    (folder / "pages" / "index.html").write_text(PAGE)
    modules = [f"LoadModule {each}_module {MODULES}/mod_{each}.so" for each in NEEDED]
    site = SITE.format(folder=folder, port=port, modules="\n".join(modules))
    more = {"ISSUER": issuer, "APP_SECRET": "of-the-application"}
    more |= registered(port, "/oidc/back", child_claim_profile="flat", **metadata)
    conf = of_the_desk(more) if desk else printed("mod_auth_openidc", "oidc.conf")
    (folder / "httpd.conf").write_text(site + conf)
    (folder / "mime.types").write_text("text/html html\n")
    serve = [
        APACHE,
        "-X",
        "-f",
        str(folder / "httpd.conf"),
        "-c",
        f"TypesConfig {folder}/mime.types",
    ]
    with started(serve, folder, port, more):
        yield f"http://127.0.0.1:{port}/"


def of_the_desk(more: dict[str, str]) -> str:
    client = registration.find(more["CLIENT_ID"])
    assert client is not None
    provider = discovery.metadata()
    made = recipes.recipes_of(client.id, client.metadata_, provider, more["CLIENT_SECRET"])
    recipe = next(each for each in made if each.key == "apache")
    assert recipe.notes == ()
    return next(block.text for block in recipe.blocks if block.where == "oidc.conf")


def text(browser: Application) -> str:
    assert browser.page is not None
    return browser.page.text


def test_three_people_with_their_child_another_person_and_a_way_out(
    issuer: str, tmp_path: Path
) -> None:
    with apache(issuer, tmp_path, omit_iss=True) as home:
        browsers = [Application(home, requests.Session()) for _ in WHO]
        for browser, (username, _email) in zip(browsers, WHO, strict=True):
            browser.open("/")
            signs_in(browser, username)
        people = [text(browser).split() for browser in browsers]

        asked = {"iss": issuer, "target_link_uri": home}
        asked["auth_request_params"] = "prompt=select_account"
        browsers[0].open(f"/oidc/back?{urlencode(asked)}")
        assert any(form.id == "another-person-form" for form in browsers[0].forms())
        browsers[0].open("/")
        browsers[0].open(f"/oidc/back?{urlencode({'logout': home})}")
        assert any(form.id == "login-form" for form in browsers[0].forms()), "out, and asked anew"

    assert len({who for who, _child in people}) == 3
    assert {child for _who, child in people} == {"Lina"}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_desks_settings(issuer: str, tmp_path: Path, method: str) -> None:
    manners = {"omit_iss": True, "token_endpoint_auth_method": method}
    with apache(issuer, tmp_path, desk=True, **manners) as home:
        browser = Application(home, requests.Session())
        browser.open("/")
        signs_in(browser, "claire")

    assert text(browser).endswith("Lina")


def test_cancelling_ends_on_a_page_that_says_so(issuer: str, tmp_path: Path) -> None:
    with apache(issuer, tmp_path, omit_iss=True) as home:
        browser = Application(home, requests.Session())
        browser.open("/")
        browser.cancel()

    assert "The guardian cancelled" in text(browser)


def test_with_iss_it_goes_round_in_circles(issuer: str, tmp_path: Path) -> None:
    """Why the registration leaves ``iss`` out; once this fails, the page may say less."""
    with apache(issuer, tmp_path) as home:
        browser = Application(home, requests.Session())
        browser.open("/")
        browser.cancel()

    assert any(form.id == "login-form" for form in browser.forms())
