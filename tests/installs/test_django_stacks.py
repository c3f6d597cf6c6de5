"""Django's libraries, as docs/integrate/ prints them: the whole walk, people by ``sub``."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from idp.clients import recipes, registration
from idp.oidc import discovery
from tests.installs.program import TOLD as TOLD_AT
from tests.installs.program import goes_the_walk, is_certified, issuer, running
from tests.installs.stacks import command, printed, python_with

__all__ = ["issuer"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(600),  # a registry is another's machine
]

SITE = '''
import os

from django.contrib.auth import logout
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import include, path

FORM = """<form method="post" action="{}"><input type="hidden" name="csrfmiddlewaretoken"
value="{}"><button>{}</button></form>"""

def home(request):
    def form(action, text):
        return FORM.format(action, get_token(request), text)
    begin = form(os.environ["BEGIN"], "Sign in") + form(os.environ["OTHER"], "Another child")
    if not request.user.is_authenticated:
        return HttpResponse(begin)
    try:
        from school_login import is_still_guardian
    except ImportError:
        pass
    else:
        if not is_still_guardian(request):
            logout(request)
            return redirect("/")
    name, child = request.user.get_full_name(), request.session["child"]["given_name"]
    return HttpResponse(
        f"<p>Hello {name}, this is about {child}.</p>"
        f"<p>Your key here is <code>{request.user.get_username()}</code>.</p>"
        + begin + form(os.environ["LOGOUT"], "Sign out")
    )

LEAVE = os.environ["ISSUER"] + "/oauth2/logout?client_id=" + os.environ["CLIENT_ID"]
LEAVE += "&post_logout_redirect_uri=" + os.environ["APP_URL"] + "/"

def leave(request):
    """What the page of a library without a way out says: end your own, then go there."""
    logout(request)
    return redirect(LEAVE)

urlpatterns = [path("", home), path("leave/logout", leave)]
'''
SETTINGS = """
SECRET_KEY = "of-the-application"
DEBUG = False
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
TOLD = "django-told"
Texts = Callable[[str], str]


def walks(
    name: str,
    page: str,
    python: str,
    texts: Callable[[dict[str, str]], Texts],
    *files: str,
    issuer: str,
    folder: Path,
    login: str,
    another: str,
    **ways: str,
) -> None:
    """A Django site with these files, and what lets it be told, on the walk of this client.

    ``ways``: to which of these addresses the site has buttons.
    """
    python_has = [python, "-m", "pip", "install", "--quiet", *command(TOLD, "pip install")[2:]]
    subprocess.run(python_has, check=True, timeout=170)
    posted = {key.upper(): value for key, value in ways.items()}
    site = {
        "BEGIN": "/nowhere",
        "OTHER": "/nowhere",
        **posted,
        "DJANGO_SETTINGS_MODULE": "settings",
        "PYTHONPATH": str(folder),
    }

    def prepare(more: dict[str, str]) -> None:
        more |= site
        site.update(more)
        text = texts(more)
        told = {each: printed(TOLD, each) for each in ("settings.py", "urls.py", "school_told.py")}
        (folder / "settings.py").write_text(SETTINGS + text("settings.py") + told["settings.py"])
        (folder / "urls.py").write_text(SITE + text("urls.py") + told["urls.py"])
        (folder / "school_told.py").write_text(told["school_told.py"])
        for file in files:
            (folder / file).write_text(text(file))
        migrate = [python, "-m", "django", "migrate", "-v0"]
        subprocess.run(migrate, cwd=folder, env=more, check=True, timeout=170)

    serve = [python, "-m", "django", "runserver", "--noreload", "127.0.0.1:PORT"]
    with running(
        page,
        issuer,
        folder,
        serve,
        login=login,
        another=another,
        prepare=prepare,
    ) as program:
        goes_the_walk(name, program)

    before = {key: site[key] for key in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "APP_URL")}

    def prepare_anew(more: dict[str, str]) -> None:
        for file in folder.glob("*.py"):
            changed = file.read_text()
            for key, value in before.items():
                changed = changed.replace(value, more[key])
            file.write_text(changed)
        more |= site | more

    options = ["--login", login, "--switch", another, "--logout", posted["LOGOUT"]]
    options += [*TOLD_AT, "--security-events", "/security-events"]
    is_certified(name, page, folder, serve, ways=options, prepare=prepare_anew)


def test_django_allauth(issuer: str, tmp_path: Path) -> None:
    begin = "/accounts/oidc/school/login/"
    another = f"{begin}?auth_params=prompt%3Dselect_account"
    walks(
        "django-allauth",
        "django-allauth",
        python_with(tmp_path / "python", "django-allauth"),
        lambda _: lambda file: printed("django-allauth", file),
        "school_login.py",
        issuer=issuer,
        folder=tmp_path,
        login=begin,
        another=another,
        begin=begin,
        other=another,
        logout="/accounts/logout/",
    )


def test_python_social_auth(issuer: str, tmp_path: Path) -> None:
    begin = "/login/oidc/"
    another = f"{begin}?prompt=select_account"
    walks(
        "python-social-auth",
        "python-social-auth",
        python_with(tmp_path / "python", "python-social-auth"),
        lambda _: lambda file: printed("python-social-auth", file),
        "school_login.py",
        issuer=issuer,
        folder=tmp_path,
        login=begin,
        another=another,
        begin=begin,
        other=another,
        logout="/leave/logout",
    )


def test_mozilla_django_oidc(issuer: str, tmp_path: Path) -> None:
    """With the desk's settings, and what the page adds to them."""
    begin = "/oidc/authenticate/"
    page = "mozilla-django-oidc"

    def texts(more: dict[str, str]) -> Texts:
        client = registration.get_client(more["CLIENT_ID"])
        provider = discovery.metadata()
        made = recipes.recipes_of(client.id, client.metadata_, provider, more["CLIENT_SECRET"])
        recipe = next(each for each in made if each.key == "django")
        blocks = {block.where: block.text for block in recipe.blocks}
        added = {"settings.py", "school_session.py"}

        def text(file: str) -> str:
            return blocks.get(file, "") + (printed(page, file) if file in added else "")

        return text

    walks(
        "mozilla-django-oidc",
        page,
        python_with(tmp_path / "python", page),
        texts,
        "school_login.py",
        "school_session.py",
        issuer=issuer,
        folder=tmp_path,
        login=begin,
        another=f"{begin}?prompt=select_account",
        logout="/oidc/logout/",
    )
