"""oauth2-proxy, which goes by addresses by itself, with the desk's settings and the page's."""

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from time import sleep
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from idp.certify.provider import CLIENT_ID
from tests import factories
from tests.clients.documented import free_port, started
from tests.installs import traefik
from tests.installs import walk as walks
from tests.installs.compilers import go_program
from tests.installs.program import Program, families_of, goes_the_walk, is_certified
from tests.installs.program import issuer as brief_issuer
from tests.installs.stacks import command, printed, registered_as_printed
from tests.installs.test_by_address import WHO, issuer, leaves, recipe_for, signed_in, text_of

__all__ = ["brief_issuer", "issuer"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(900),  # it is built first
]


@pytest.fixture(scope="module")
def proxy() -> str:
    """The program, built as the page says."""
    module, _, version = command("oauth2-proxy", "go install")[-1].partition("@")
    return go_program(module, version)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_oauth2_proxy_makes_three_people_of_three(
    issuer: str, proxy: str, tmp_path: Path, method: str
) -> None:
    port, behind = free_port(), free_port()
    recipe, secret = recipe_for("oauth2-proxy", port, "/oauth2/callback", method)
    settings = text_of(recipe, "oauth2-proxy.cfg").replace("127.0.0.1:8080", f"127.0.0.1:{behind}")
    settings += f'http_address = "127.0.0.1:{port}"\ncookie_secure = false\n'
    (tmp_path / "oauth2-proxy.cfg").write_text(settings)
    (tmp_path / "application.py").write_text(BEHIND)
    more = {"OAUTH2_PROXY_CLIENT_SECRET": secret, "OAUTH2_PROXY_COOKIE_SECRET": "0" * 32}
    home = f"http://127.0.0.1:{port}/"

    with (
        started([sys.executable, "application.py"], tmp_path, behind, {}),
        started([proxy, "--config", "oauth2-proxy.cfg"], tmp_path, port, more),
    ):
        browsers = [signed_in(home, "/oauth2/start?rd=/", who) for who, _email in WHO]
        people = [browser.open("/") for browser in browsers]
        browsers[0].open(dict(recipe.blocks[-1].rows)["sign out"])
        leaves(browsers[0])
        assert browsers[0].page is not None
        assert browsers[0].page.url == home
        assert people[0] not in browsers[0].page.text

    assert len(set(people)) == 3
    assert not any("@" in person for person in people)


class Proxied(Program):
    """An application behind the proxy: each page of it leads to the provider."""

    def page(self, username: str) -> str:
        """When it is time to renew the tokens again."""
        sleep(2.5)
        return super().page(username)

    def signs_out(self, username: str) -> None:
        """By the address that the page of docs/integrate/ names."""
        back = {"client_id": self.client_id, "post_logout_redirect_uri": self.home}
        leave = f"{self.issuer}/oauth2/logout?{urlencode(back)}"
        browser = self.browsers[username]
        browser.open(f"/oauth2/sign_out?{urlencode({'rd': leave})}")
        assert browser.page is not None
        # The answer may renew the session's cookies before it takes them away; a browser goes by
        # the order, which requests does not
        for line in browser.page.history[0].raw.headers.getlist("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            for cookie in [each for each in browser.http.cookies if each.name == name]:
                if not value:
                    browser.http.cookies.clear(cookie.domain, cookie.path, name)
        leaves(browser)

    def is_back(self, username: str) -> bool:
        """Whether signing out led back, and so to a new sign-in."""
        page = self.browsers[username].page
        return page is not None and any(each.url == self.home for each in page.history)


def variables(made: dict[str, str]) -> dict[str, str]:
    """What it reads from its environment."""
    return {
        "OAUTH2_PROXY_CLIENT_ID": made["CLIENT_ID"],
        "OAUTH2_PROXY_CLIENT_SECRET": made["CLIENT_SECRET"],
        "OAUTH2_PROXY_COOKIE_SECRET": "0" * 32,
    }


def write_settings(
    folder: Path, issuer: str, home: str, behind: int, port: int | None = None, **changes: str
) -> Path:
    """The page's settings; ``port``: where it listens, if not at the application's address."""
    settings = printed("oauth2-proxy", "oauth2-proxy.cfg")
    for theirs, ours in {
        "https://app.example": home,
        "https://id.example": issuer,
        "id.example": urlsplit(issuer).netloc,
        "127.0.0.1:8080": f"127.0.0.1:{behind}",
        **changes,
    }.items():
        assert theirs in settings
        settings = settings.replace(theirs, ours)
    own = port or urlsplit(home).port
    file = folder / "oauth2-proxy.cfg"
    file.write_text(f'http_address = "127.0.0.1:{own}"\ncookie_secure = false\n{settings}')
    return file


@contextmanager
def as_printed(
    issuer: str, proxy: str, folder: Path, *, behind_traefik: bool = False, **changes: str
) -> Iterator[Program]:
    """The page's settings for the application that it registers; ``changes``: of its lines.

    ``behind_traefik``: it stands beside Traefik, not before the application.
    """
    port, behind, beside = free_port(), free_port(), free_port()
    home = f"http://127.0.0.1:{port}"
    school = factories.school()
    families = families_of(school)
    made = registered_as_printed("oauth2-proxy", school.id, home)
    own = beside if behind_traefik else port
    file = write_settings(folder, issuer, home, behind, own, **changes)
    if behind_traefik:
        file.write_text(traefik.changed(file.read_text()))
    program = BEHIND_IT
    if behind_traefik:
        program = re.sub(r"X-Forwarded-(Email|User)", "X-Auth-Request-User", program)
        program = program.replace("X-Forwarded-Access", "X-Auth-Request-Access")
    (folder / "application.py").write_text(program)
    more = variables(made)
    with (
        started([sys.executable, "application.py"], folder, behind, {"ISSUER": issuer}),
        started([proxy, "--config", "oauth2-proxy.cfg"], folder, own, more),
        traefik.routing(port, *(f"http://127.0.0.1:{each}" for each in (beside, behind)))
        if behind_traefik
        else nullcontext(),
    ):
        yield Proxied(f"{home}/", issuer, made["CLIENT_ID"], families, "/", "/oauth2/start?rd=/")


AT_ONCE = {'"1m"': '"1s"'}
"""Renews at the next page; the page of docs/integrate/ says a minute."""


def test_it_goes_the_walk(brief_issuer: str, proxy: str, tmp_path: Path) -> None:
    with as_printed(brief_issuer, proxy, tmp_path, **AT_ONCE) as application:
        goes_the_walk("oauth2-proxy", application)


def test_it_is_certified(proxy: str, tmp_path: Path, database_url: str) -> None:
    behind = free_port()
    leave = urlencode({"client_id": CLIENT_ID, "post_logout_redirect_uri": "HOME"})
    with ExitStack() as running:

        def prepare(more: dict[str, str]) -> None:
            own = {"ISSUER": more["ISSUER"]}
            running.enter_context(
                started([sys.executable, "application.py"], tmp_path, behind, own)
            )
            write_settings(tmp_path, more["ISSUER"], more["APP_URL"], behind, **AT_ONCE)
            more |= variables(more)

        (tmp_path / "application.py").write_text(BEHIND_IT)
        ways = ["--login", "/oauth2/start?rd=/", "--switch", "/oauth2/start?rd=/"]
        ways += [
            "--logout",
            f"/oauth2/sign_out?{urlencode({'rd': f'ISSUER/oauth2/logout?{leave}'})}",
        ]
        serve = [proxy, "--config", "oauth2-proxy.cfg"]
        is_certified("oauth2-proxy", "oauth2-proxy", tmp_path, serve, ways=ways, prepare=prepare)


def test_who_may_not_renew_is_out_and_who_signed_out_elsewhere_is_not(
    issuer: str, proxy: str, tmp_path: Path
) -> None:
    """What the page says of being told; once this fails, it may promise more."""
    from idp.lifecycle import endings

    with as_printed(issuer, proxy, tmp_path, **AT_ONCE) as application:
        application.signs_in("claire")
        application.signs_in("sans")
        walks.signs_out_at_the_provider(application.browsers["claire"], issuer)
        guardian, children = application.families["sans"]
        endings.end_guardianship(guardian.id, children[0].id, "court")

        assert application.is_in("claire"), "offline_access outlives the session"
        application.page("sans")
        led_to = application.browsers["sans"].page
        assert led_to is not None
        assert led_to.url.startswith(issuer), "the proxy has ended its own session"


def test_without_offline_access_a_sign_out_elsewhere_is_found_out_by_what_is_behind(
    issuer: str, proxy: str, tmp_path: Path
) -> None:
    with as_printed(issuer, proxy, tmp_path, **{" offline_access": ""}) as application:
        application.signs_in("paul")
        assert application.is_in("paul")
        walks.signs_out_at_the_provider(application.browsers["paul"], issuer)

        assert application.page("paul") == "UserInfo refuses"


def test_behind_traefik_it_is_asked_about_each_request(
    brief_issuer: str, proxy: str, tmp_path: Path
) -> None:
    """docs/integrate/traefik.md: its settings, and the requests that Traefik makes of them."""
    with as_printed(brief_issuer, proxy, tmp_path, behind_traefik=True) as application:
        application.signs_in("claire")
        application.signs_in("paul")
        keys = application.key("claire"), application.key("paul")
        assert application.is_about("claire", "Lina")
        application.switches_to("claire", "Noé")

        assert application.is_about("claire", "Noé")
        assert len(set(keys)) == 2
        stranger = {"X-Auth-Request-User": keys[0], "Authorization": "Bearer e30.e30."}
        page = requests.get(application.home, headers=stranger, timeout=30)
        assert page.url.startswith(brief_issuer), "who writes the headers is asked to sign in"


BEHIND_IT = """
import base64, html, json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import Request, urlopen

USERINFO = os.environ["ISSUER"] + "/oauth2/userinfo"

class Application(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.page().encode())

    def page(self):
        claims = self.headers["Authorization"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(claims + "=="))
        bearer = {"Authorization": "Bearer " + self.headers["X-Forwarded-Access-Token"]}
        try:
            person = json.load(urlopen(Request(USERINFO, headers=bearer)))
        except HTTPError as error:
            assert error.code == 401
            return "UserInfo refuses"
        assert person["sub"] == claims["sub"] == self.headers["X-Forwarded-Email"]
        name, child = html.escape(person["name"]), claims["child"]["given_name"]
        key = self.headers["X-Forwarded-User"]
        return f"<p>Hello {name}, this is about {child}.</p>Your key here is <code>{key}</code>"

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Application).serve_forever()
"""
BEHIND = """
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

class Behind(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers.get("X-Forwarded-Email", "nobody").encode())

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Behind).serve_forever()
"""
