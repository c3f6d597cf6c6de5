"""An application's callback that sends the browser on: to another origin, to an app's own scheme.

Browsers check every redirect that follows a form against ``form-action`` (CSP Level 3 §6.4.2).
A form of ours ends with us, and a page of ours goes on (docs/decisions/leaving-by-a-page.md).
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import NewPage, World

APP = "com.example.school:/done"


@dataclass
class Callback:
    """An application that answers its callback by a redirect to ``onward``, or by a page."""

    servers: list[ThreadingHTTPServer]
    onward: str = ""
    called: list[dict[str, str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.servers[0].server_port}"

    @property
    def elsewhere(self) -> str:
        return f"http://127.0.0.1:{self.servers[1].server_port}/app"


@pytest.fixture
def callback() -> Iterator[Callback]:
    here = Callback([])

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/callback":
                fields = parse_qs(parts.query)
                here.called.append({name: value[0] for name, value in fields.items()})
                self.send_response(302)
                self.send_header("Location", here.onward)
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b'<p id="arrived">here</p>')

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self.path = f"/callback?{self.rfile.read(length).decode()}"
            self.do_GET()

        def log_message(self, *_arguments: object) -> None:
            pass

    here.servers += [ThreadingHTTPServer(("127.0.0.1", 0), Answers) for _ in range(2)]
    for server in here.servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield here
    for server in here.servers:
        server.shutdown()
        server.server_close()


@dataclass
class Walk:
    """A parent's browser on its way to an application with such a callback."""

    world: World
    callback: Callback
    page: Page
    client_id: str = ""
    secret: str = ""
    asked_for_the_app: int = 0
    refused: list[str] = field(default_factory=list)

    def register(self, *options: str) -> None:
        made = self.world.run(
            *("client", "create", "Onward", "--school", self._school(), "--no-pkce", "--json"),
            *("--redirect-uri", f"{self.callback.address}/callback"),
            *("--post-logout-uri", f"{self.callback.address}/callback"),
            *("--scope", "openid child", *options),
        )
        self.client_id = json.loads(made)["client_id"]
        self.secret = json.loads(made)["client_secret"]
        self.watch()

    def watch(self) -> None:
        """Note what the browser asks for, and what it refuses."""
        self.page.on("request", self._note)
        self.page.on(
            "console",
            lambda message: (
                self.refused.append(message.text) if "form-action" in message.text else None
            ),
        )

    def go(self, path: str, asked: dict[str, str]) -> None:
        """In a tab of its own: an app that was opened leaves its tab behind."""
        self.page = self.page.context.new_page()
        self.watch()
        self.page.goto(f"{self.world.provider}{path}?{urlencode(asked)}")

    def begin(self, **parameters: str) -> None:
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": f"{self.callback.address}/callback",
            "scope": "openid child",
            "state": "s",
            **parameters,
        }
        self.go("/oauth2/authorize", asked)

    def arrives(self) -> None:
        """Wherever the callback sends: nothing was refused, no form stays open."""
        if self.callback.onward == APP:
            # No such app here: the browser asked for it, and stays on the page that goes on.
            for _ in range(200):
                if self.asked_for_the_app == len(self.callback.called) > 0:
                    break
                self.page.wait_for_timeout(100)
            assert self.asked_for_the_app == len(self.callback.called) > 0
            expect(self.page.locator("#leaving")).to_be_visible(timeout=20_000)
        else:
            expect(self.page.locator("#arrived")).to_be_visible(timeout=20_000)
        assert self.refused == []

    def sign_in(self, case: str) -> None:
        account = self.world.account(case)
        self.page.fill("#username", account["username"])
        self.page.fill("#password", account["password"])
        self.page.click("#login-submit")

    def id_token(self) -> str:
        """Of the guardian for whom the callback was called last."""
        fields = {
            "grant_type": "authorization_code",
            "code": self.callback.called[-1]["code"],
            "redirect_uri": f"{self.callback.address}/callback",
        }
        told = requests.post(
            f"{self.world.provider}/oauth2/token",
            data=fields,
            auth=(self.client_id, self.secret),
            timeout=20,
        )
        return str(told.json()["id_token"])

    def _note(self, asked: Request) -> None:
        self.asked_for_the_app += asked.url == APP

    def _school(self) -> str:
        listed = json.loads(self.world.run("school", "list", "--json"))
        wanted = self.world.account("several-children")["children"][0]["school"]
        return str(next(each["id"] for each in listed if each["name"] == wanted))


@pytest.fixture(params=[pytest.param("another origin", marks=pytest.mark.long), "an app"])
def walk(
    request: pytest.FixtureRequest, world: World, new_page: NewPage, callback: Callback
) -> Walk:
    callback.onward = APP if request.param == "an app" else callback.elsewhere
    return Walk(world, callback, new_page())


def test_from_sign_in_child_consent_and_cancel_the_callback_leads_on(walk: Walk) -> None:
    walk.register()
    walk.begin()
    walk.sign_in("several-children")
    walk.page.click("#child-submit-1")
    walk.page.click("#consent-allow")
    walk.arrives()
    walk.begin(prompt="select_account")
    walk.page.click("#child-submit-1")
    walk.arrives()
    walk.begin(prompt="login", scope="openid")
    walk.sign_in("several-children")
    walk.arrives()
    walk.begin(prompt="select_account")
    walk.page.click("#child-cancel")
    walk.arrives()
    walk.begin(prompt="select_account", response_mode="form_post")
    walk.page.click("#child-submit-1")
    if walk.callback.onward == APP:  # the form's page is another, and stays
        walk.page.wait_for_selector("#form-post")
        walk.page.wait_for_timeout(1000)
    else:
        walk.arrives()

    assert walk.refused == []
    outcomes = ["code" if "code" in each else each["error"] for each in walk.callback.called]
    assert outcomes == ["code", "code", "code", "access_denied", "code"]


def test_from_the_page_of_signing_out_the_callback_leads_on(walk: Walk) -> None:
    walk.register("--first-party")
    walk.begin(scope="openid")
    walk.sign_in("one-child")
    walk.arrives()
    hint = walk.id_token()
    walk.page.context.clear_cookies()
    back = {
        "id_token_hint": hint,  # of somebody else: so we ask
        "post_logout_redirect_uri": f"{walk.callback.address}/callback",
    }
    walk.go("/", {})
    walk.sign_in("several-children")
    walk.page.wait_for_selector("#sign-out")
    walk.go("/oauth2/logout", back)

    walk.page.click("#logout-submit")

    walk.arrives()
    assert walk.callback.called[1:] == [{}]


def test_without_scripts_a_link_leads_on_and_back_does_not_resend(
    world: World, new_page: NewPage, callback: Callback
) -> None:
    callback.onward = callback.elsewhere
    walk = Walk(world, callback, new_page(java_script_enabled=False))
    walk.register("--first-party")
    walk.begin(scope="openid")
    walk.sign_in("one-child")
    walk.page.wait_for_url(f"{callback.elsewhere}*")

    walk.page.go_back()

    assert walk.page.locator("#arrived").count() == 0
    assert len(callback.called) == 1
