"""oauth2-proxy, which goes by e-mail addresses by itself, run with the desk's settings.

Collected where ``oauth2-proxy`` is on the path: it has to be built first, which takes minutes
(``go install github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.6``).
"""

import sys
from pathlib import Path

import pytest

from tests.clients.documented import free_port, started
from tests.installs.test_by_address import WHO, issuer, leaves, recipe_for, signed_in, text_of

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_oauth2_proxy_makes_three_people_of_three(issuer: str, tmp_path: Path, method: str) -> None:
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
        started(["oauth2-proxy", "--config", "oauth2-proxy.cfg"], tmp_path, port, more),
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
