"""Django's libraries, as docs/integrate/ prints them: people by ``sub``, the child by sign-in."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.clients.documented import Application, free_port, started
from tests.clients.test_authlib_client import issuer
from tests.installs.stacks import WHO, printed, python_with, registered, signs_in, signs_out

__all__ = ["issuer"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(600),  # a registry is another's machine
]

SITE = """
from django.http import JsonResponse
from django.middleware.csrf import get_token
from django.urls import include, path

def home(request):
    child = request.session.get("child") or {}
    said = {"who": request.user.get_username(), "child": child.get("given_name")}
    return JsonResponse({**said, "token": get_token(request)})

urlpatterns = [path("", home)]
"""
SETTINGS = """
SECRET_KEY = "of-the-application"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.db"}}
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
"""


@contextmanager
def site(
    page: str, issuer: str, folder: Path, callback: str, python: str, **metadata: object
) -> Iterator[str]:
    """A Django site with what the page prints; yields its address."""
    port = free_port()
    more = {"ISSUER": issuer, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(folder)}
    more |= registered(port, callback, **metadata)
    (folder / "settings.py").write_text(SETTINGS + printed(page, "settings.py"))
    (folder / "school_login.py").write_text(printed(page, "school_login.py"))
    (folder / "urls.py").write_text(SITE + printed(page, "urls.py"))
    manage = [python, "-m", "django"]
    subprocess.run([*manage, "migrate", "-v0"], cwd=folder, env=more, check=True, timeout=100)
    serve = [*manage, "runserver", "--noreload", f"127.0.0.1:{port}"]
    with started(serve, folder, port, more):
        yield f"http://127.0.0.1:{port}/"


def who(browser: Application) -> dict[str, str]:
    browser.open("/")
    assert browser.page is not None
    return dict(browser.page.json())


def posted(browser: Application, path: str) -> None:
    """A form of the site that goes to ``path``."""
    token = who(browser)["token"]
    address = browser.home.rstrip("/") + path
    browser.page = browser.http.post(address, data={"csrfmiddlewaretoken": token}, timeout=30)


def test_django_allauth_makes_three_people_of_three(issuer: str, tmp_path: Path) -> None:
    python = python_with(tmp_path / "python", "django-allauth")
    callback = "/accounts/oidc/school/login/callback/"
    begin = "/accounts/oidc/school/login/"
    with site("django-allauth", issuer, tmp_path, callback, python) as home:
        browsers = [Application(home, requests.Session()) for _ in WHO]
        for browser, (username, _email) in zip(browsers, WHO, strict=True):
            posted(browser, begin)
            signs_in(browser, username)
        people = [who(browser) for browser in browsers]

        posted(browsers[0], f"{begin}?auth_params=prompt%3Dselect_account")
        assert any(form.id == "another-person-form" for form in browsers[0].forms())
        cards = next(form for form in browsers[0].forms() if form.id == "child-form")
        browsers[0].send(cards, child=cards.buttons["child-submit-1"][1])
        again = who(browsers[0])

        posted(browsers[0], "/accounts/logout/")
        signs_out(browsers[0])
        assert who(browsers[0])["who"] == ""

    assert len({each["who"] for each in people}) == 3
    assert {each["child"] for each in people} == {"Lina"}
    assert again["who"] == people[0]["who"]


def test_python_social_auth_makes_three_people_of_three(issuer: str, tmp_path: Path) -> None:
    python = python_with(tmp_path / "python", "python-social-auth")
    with site("python-social-auth", issuer, tmp_path, "/complete/oidc/", python) as home:
        browsers = [Application(home, requests.Session()) for _ in WHO]
        for browser, (username, _email) in zip(browsers, WHO, strict=True):
            posted(browser, "/login/oidc/")
            signs_in(browser, username)
        people = [who(browser) for browser in browsers]

        posted(browsers[0], "/login/oidc/?prompt=select_account")
        assert any(form.id == "another-person-form" for form in browsers[0].forms())
        browsers[0].cancel()
        kept = who(browsers[0])

    assert len({each["who"] for each in people}) == 3
    assert {each["child"] for each in people} == {"Lina"}
    assert kept["who"] == people[0]["who"]
