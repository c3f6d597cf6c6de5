"""A sign-in in a window of its own: the window that opened it learns when it is done, if the
application is registered for that (docs/decisions/popups.md).
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import World

OPENER = b"""<!doctype html><title>opener</title>
<button id="open">Sign in</button><output id="told"></output>
<script>
  let popup
  document.getElementById("open").onclick = () => { popup = window.open(location.hash.slice(1)) }
  window.onmessage = (message) => { document.getElementById("told").textContent = message.data }
</script>"""
CALLBACK = b"""<!doctype html><title>callback</title>
<script>
  if (window.opener) { window.opener.postMessage(location.search, location.origin); window.close() }
</script>
<p id="alone">Nobody waits for this window.</p>"""


@pytest.fixture
def application() -> Iterator[str]:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(CALLBACK if self.path.startswith("/callback") else OPENER)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@dataclass
class Popup:
    """An application's page, and the window that it opened."""

    opener: Page
    window: Page


def opened(world: World, page: Page, application: str, *options: str) -> Popup:
    listed = json.loads(world.run("school", "list", "--json"))
    family = world.account("several-children")
    school = next(e["id"] for e in listed if e["name"] == family["children"][0]["school"])
    made = world.run(
        *("client", "create", "Popup", "--school", school, "--no-pkce", "--json"),
        *("--redirect-uri", f"{application}/callback", "--scope", "openid child", *options),
    )
    asked = {
        "response_type": "code",
        "client_id": json.loads(made)["client_id"],
        "redirect_uri": f"{application}/callback",
        "scope": "openid child",
        "state": "of-the-opener",
    }
    page.goto(f"{application}/#{world.provider}/oauth2/authorize?{urlencode(asked)}")
    with page.expect_popup() as window:
        page.click("#open")
    window.value.wait_for_selector("#login-form")
    return Popup(page, window.value)


def signs_in(world: World, window: Page) -> None:
    account = world.account("several-children")
    window.fill("#username", account["username"])
    window.fill("#password", "certainly wrong")
    window.click("#login-submit")
    window.wait_for_selector("#error-summary")
    window.click("#language-nl")
    window.wait_for_selector("html[lang=nl]")
    window.fill("#username", account["username"])
    window.fill("#password", account["password"])
    window.click("#login-submit")
    window.click("#child-submit-1")
    window.click("#consent-allow")


def test_the_opener_is_told_of_the_answer_after_a_whole_walk(
    world: World, page: Page, application: str
) -> None:
    popup = opened(world, page, application, "--popups")
    assert page.evaluate("popup.closed") is False

    signs_in(world, popup.window)

    expect(page.locator("#told")).to_contain_text("code=", timeout=20_000)
    told = parse_qs(page.locator("#told").inner_text().lstrip("?"))
    assert told["state"] == ["of-the-opener"]
    assert told["iss"] == [world.provider]


def test_without_that_registration_the_opener_has_no_hold_of_our_pages(
    world: World, page: Page, application: str
) -> None:
    popup = opened(world, page, application)

    assert page.evaluate("popup.closed") is True, "as it looks to the opener"
    signs_in(world, popup.window)

    expect(popup.window.locator("#alone")).to_be_visible(timeout=20_000)
    assert page.locator("#told").inner_text() == ""
