"""Software that by itself goes by e-mail addresses, run with the desk's settings: two guardians of
one mailbox are two people there, and one without an address is a third.
"""

import subprocess
import venv
from pathlib import Path

import pytest
import requests

from idp.clients import recipes
from idp.clients.recipes import Recipe
from idp.oidc import discovery
from tests import factories
from tests.clients.documented import Application, free_port, started
from tests.clients.test_authlib_client import issuer

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WHO = (("claire", "famille@dubois.example"), ("paul", "famille@dubois.example"), ("sans", None))

SITE = '''
from django.http import HttpResponse
from django.urls import include, path

def home(request):
    page = request.user.get_username() or "nobody"
    if page != "nobody":
        from django.middleware.csrf import get_token
        page += f"""<form id="leave" method="post" action="/oidc/logout/">
        <input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}"></form>"""
    return HttpResponse(page)

urlpatterns = [path("", home)]
'''
SETTINGS = """
SECRET_KEY = "of-the-application"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.db"}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
"""


def recipe_for(key: str, port: int, callback: str, method: str) -> tuple[Recipe, str]:
    """The recipe for a newly registered application at this port, and the secret."""
    school = factories.school()
    for username, email in WHO:
        factories.family(school, "Lina", username=username, email=email)
    registered = factories.client_app(
        school,
        redirect_uris=[f"http://127.0.0.1:{port}{callback}"],
        post_logout_redirect_uris=[f"http://127.0.0.1:{port}/"],
        scope="openid profile email child",
        require_pkce=True,
        token_endpoint_auth_method=method,
    )
    client = registered.client
    made = recipes.recipes_of(client.id, client.metadata_, discovery.metadata(), registered.secret)
    recipe = next(each for each in made if each.key == key)
    assert recipe.notes == ()
    return recipe, registered.secret


def text_of(recipe: Recipe, where: str) -> str:
    return next(block.text for block in recipe.blocks if block.where == where)


def signed_in(home: str, path: str, username: str) -> Application:
    """A guardian's browser, after the application has sent it to the provider and back."""
    browser = Application(home, requests.Session())
    browser.open(path)
    login = next(form for form in browser.forms() if form.id == "login-form")
    browser.send(login, username=username, password=factories.PASSWORD)
    return browser


def leaves(browser: Application) -> None:
    """Press « sign out » on the provider's question."""
    question = next(form for form in browser.forms() if form.id == "logout-confirm")
    browser.send(question, decision="sign-out")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with what the recipe's command installs."""
    made = tmp_path_factory.mktemp("python")
    venv.create(made, with_pip=True)
    command = [str(made / "bin" / "pip"), "install", "--quiet", "--retries=5"]
    subprocess.run([*command, "mozilla-django-oidc"], check=True, timeout=170)
    return str(made / "bin" / "python")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_django_makes_three_people_of_three(
    issuer: str, python: str, tmp_path: Path, method: str
) -> None:
    port = free_port()
    recipe, secret = recipe_for("django", port, "/oidc/callback/", method)
    (tmp_path / "settings.py").write_text(SETTINGS + text_of(recipe, "settings.py"))
    (tmp_path / "school_login.py").write_text(text_of(recipe, "school_login.py"))
    (tmp_path / "urls.py").write_text(SITE + text_of(recipe, "urls.py"))
    more = {"CLIENT_SECRET": secret, "DJANGO_SETTINGS_MODULE": "settings"}
    manage = [python, "-m", "django"]
    subprocess.run([*manage, "migrate"], cwd=tmp_path, env=more, check=True, timeout=100)
    home = f"http://127.0.0.1:{port}/"

    serve = [*manage, "runserver", "--noreload", f"127.0.0.1:{port}"]
    with started(serve, tmp_path, port, {**more, "PYTHONPATH": str(tmp_path)}):
        browsers = [signed_in(home, "/oidc/authenticate/", who) for who, _email in WHO]
        people = [browser.open("/").split("<")[0] for browser in browsers]
        again = signed_in(home, "/oidc/authenticate/", "claire").open("/").split("<")[0]
        last = browsers[0]
        last.open("/")
        last.send(next(form for form in last.forms() if form.id == "leave"))
        leaves(last)
        assert last.page is not None
        assert (last.page.url, last.page.text) == (home, "nobody")

    assert len(set(people)) == 3
    assert again == people[0]
