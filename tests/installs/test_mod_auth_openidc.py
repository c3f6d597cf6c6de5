"""Apache with mod_auth_openidc, as docs/integrate/ prints it."""

import json
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
from tests import factories
from tests.clients.documented import Application, free_port, started
from tests.clients.test_authlib_client import issuer
from tests.installs.program import Program, families_of, goes_the_walk, is_certified
from tests.installs.program import issuer as brief_issuer
from tests.installs.stacks import WHO, printed, registered, registered_as_printed, signs_in

__all__ = ["brief_issuer", "issuer"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(600),
]

APACHE = os.environ.get("APACHE", "/usr/sbin/apache2")
MODULES = os.environ.get("APACHE_MODULES", "/usr/lib/apache2/modules")
SITE = """
ServerRoot {folder}
ServerName 127.0.0.1
Listen 127.0.0.1:${{PORT}}
PidFile {folder}/pid
ErrorLog {folder}/error.log
Mutex file:{folder} default
{modules}
DocumentRoot {folder}/pages
AddOutputFilter INCLUDES .html
Options +Includes
AddDefaultCharset UTF-8
"""
PAGE = """<!--#echo var="REMOTE_USER" --> <!--#echo var="OIDC_CLAIM_child_given_name" -->"""
WHOLE_PAGE = """
<p>Hello <!--#echo var="OIDC_CLAIM_name" -->,
this is about <!--#echo var="OIDC_CLAIM_child_given_name" -->.</p>
<p>Your key here is <code><!--#echo var="REMOTE_USER" --></code>.</p>
<a href="/">Start</a>
"""
NEEDED = ("mpm_event", "authn_core", "authz_core", "authz_user", "mime", "dir", "include",
          "auth_openidc")  # fmt: skip


@contextmanager
def apache(issuer: str, folder: Path, desk: bool = False, **metadata: object) -> Iterator[str]:
    """An Apache whose only page says who it is and which child; yields its address.

    ``desk``: with the desk's settings, rather than those of the page.
    """
    port = free_port()
    more = {"ISSUER": issuer}
    more |= registered(port, "/oidc/back", child_claim_profile="flat", **metadata)
    conf = of_the_desk(more) if desk else printed("mod_auth_openidc", "oidc.conf")
    with serving(folder, port, PAGE, conf, more):
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def serving(folder: Path, port: int, page: str, conf: str, more: dict[str, str]) -> Iterator[None]:
    """An Apache with these settings and this page; ``more``: of its environment."""
    serve = configured(folder, page, conf)
    with started(serve, folder, port, {**more, "APP_SECRET": "of-the-application"}):
        yield


def configured(folder: Path, page: str, conf: str) -> list[str]:
    """The command by which an Apache with these settings and this page is started."""
    if not shutil.which(APACHE) or not Path(MODULES, "mod_auth_openidc.so").exists():
        pytest.skip("Apache with mod_auth_openidc is not installed")
    (folder / "pages").mkdir(exist_ok=True)
    (folder / "pages" / "index.html").write_text(page)
    modules = [f"LoadModule {each}_module {MODULES}/mod_{each}.so" for each in NEEDED]
    site = SITE.format(folder=folder, modules="\n".join(modules))
    (folder / "not-signed-in.html").write_text(printed("mod_auth_openidc", "not-signed-in.html"))
    conf = conf.replace("/etc/apache2/", f"{folder}/")
    (folder / "httpd.conf").write_text(site + conf)
    (folder / "mime.types").write_text("text/html html\n")
    kinds = f"TypesConfig {folder}/mime.types"
    return [APACHE, "-X", "-f", str(folder / "httpd.conf"), "-c", kinds]


class Site(Program):
    """A site behind Apache: who is not signed in is led to the provider by each of its pages."""

    def signs_out(self, username: str) -> None:
        """By the link that the page of docs/integrate/ names."""
        self.browsers[username].open(f"/oidc/back?{urlencode({'logout': self.home})}")

    def is_back(self, username: str) -> bool:
        """Whether signing out led back, and so to a new sign-in."""
        page = self.browsers[username].page
        assert page is not None
        return any(each.url == self.home for each in page.history)


def of_the_desk(more: dict[str, str]) -> str:
    client = registration.find(more["CLIENT_ID"])
    assert client is not None
    provider = discovery.metadata()
    made = recipes.recipes_of(client.id, client.metadata_, provider, more["CLIENT_SECRET"])
    recipe = next(each for each in made if each.key == "apache")
    assert recipe.notes == ()
    return next(block.text for block in recipe.blocks if block.where == "oidc.conf")


def somebody_else(issuer: str, home: str) -> str:
    """The link that asks for another child, or another person."""
    asked = {"iss": issuer, "target_link_uri": home}
    asked["auth_request_params"] = "prompt=select_account"
    return f"/oidc/back?{urlencode(asked)}"


def test_it_goes_the_whole_walk(brief_issuer: str, tmp_path: Path) -> None:
    port = free_port()
    home = f"http://127.0.0.1:{port}"
    school = factories.school()
    families = families_of(school)
    more = registered_as_printed("mod_auth_openidc", school.id, home) | {"ISSUER": brief_issuer}
    conf = printed("mod_auth_openidc", "oidc.conf")
    with serving(tmp_path, port, WHOLE_PAGE, conf, more):
        another = somebody_else(brief_issuer, f"{home}/")
        site = Site(f"{home}/", brief_issuer, more["CLIENT_ID"], families, "/", another)
        goes_the_walk("Apache and mod_auth_openidc", site)


def test_it_is_certified(tmp_path: Path, database_url: str) -> None:
    """With tokens that it renews each second; the page of docs/integrate/ says a minute."""
    conf = printed("mod_auth_openidc", "oidc.conf")
    assert " 3540 " in conf
    serve = configured(tmp_path, WHOLE_PAGE, conf.replace(" 3540 ", " 3599 "))
    metadata = {"omit_iss": True, "child_claim_profile": "flat"}
    (tmp_path / "client.json").write_text(json.dumps(metadata))
    ways = ["--login", "/", "--switch", somebody_else("ISSUER", "HOME")]
    ways += ["--logout", "/oidc/back?logout=HOME", "--metadata", "client.json"]
    ways += ["--back-channel-logout", "/oidc/back?logout=backchannel"]
    is_certified("Apache and mod_auth_openidc", "mod_auth_openidc", tmp_path, serve, ways=ways)


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

        browsers[0].open(somebody_else(issuer, home))
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
