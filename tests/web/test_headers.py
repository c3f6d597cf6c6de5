"""What every answer says to the browser (security rules S4, S6, S8, S9)."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.conftest import settings_for_tests
from tests.web.places import Place, provider

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_sqlite
@pytest.mark.parametrize(
    "path", ["/", "/account/signed-out", "/nowhere", "/oauth2/authorize", "/oauth2/token"]
)
def test_s4_every_answer_is_guarded(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == "no-store"


@on_sqlite
def test_s4_hsts_stands_only_behind_tls(
    client: FlaskClient, database_url: str, keys_folder: Path
) -> None:
    behind_tls = settings_for_tests(database_url, keys_folder, issuer="https://id.example")
    with provider(behind_tls) as other:
        secure = other.get("/account/signed-out", base_url="https://id.example")

    assert "max-age=" in secure.headers["Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in client.get("/").headers


@on_sqlite
def test_s4_forms_end_with_us_and_nowhere_else(here: Place) -> None:
    page = here.at_sign_in()

    (directive,) = [
        each
        for each in page.headers["Content-Security-Policy"].split("; ")
        if each.startswith("form-action")
    ]
    assert directive == "form-action 'self'"


@on_sqlite
def test_s8_personal_pages_vary_with_the_cookie(here: Place) -> None:
    here.browser.sign_in_at_home("claire")

    assert "Cookie" in here.browser.open("/").headers["Vary"]


@on_sqlite
def test_static_files_are_cached_by_their_content(client: FlaskClient) -> None:
    page = client.get("/", follow_redirects=True).text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]

    versioned, bare = (
        client.get(address, buffered=True),
        client.get("/static/idp.css", buffered=True),
    )

    assert "immutable" in versioned.headers["Cache-Control"]
    assert "Set-Cookie" not in versioned.headers
    assert bare.headers["Cache-Control"] == "no-cache"
    assert client.get("/static/nothing.css?v=1").headers["Cache-Control"] == "no-store"


@on_sqlite
def test_s9_public_documents_keep_their_own_headers(client: FlaskClient) -> None:
    headers = client.get("/.well-known/openid-configuration").headers

    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers
    assert "public" in headers["Cache-Control"]
    assert "Cross-Origin-Resource-Policy" not in headers


@on_sqlite
def test_s6_signing_out_clears_what_the_back_button_would_show(here: Place) -> None:
    here.browser.sign_in_at_home("claire")
    form, _button = here.browser._button("sign-out")

    answer = here.browser.client.post(form.action, data=form.hidden)

    assert answer.status_code == 303
    assert '"cache"' in answer.headers["Clear-Site-Data"]
    assert "login-form" in here.browser.open("/").text
