"""Settings to paste: the values are this client's, quoted for where they stand, and they work."""

import ast
import json
import re
import shlex
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest

from idp.clients import recipes
from idp.clients.recipes import PLACEHOLDER, Recipe
from idp.oidc import discovery
from tests import factories
from tests.admin.client_forms import LIST
from tests.admin.places import Desk
from tests.clients.test_authlib_client import Walker, issuer
from tests.relying_party import CALLBACK, RelyingParty

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HOSTILE = "https://portal.example/it's/$HOME/%24(id)"


def recipes_of(portal: RelyingParty, secret: str | None = None) -> dict[str, Recipe]:
    client = portal.registered.client
    made = recipes.recipes_of(client.id, client.metadata_, discovery.metadata(), secret)
    return {each.key: each for each in made}


def text_of(recipe: Recipe, where: str) -> str:
    return next(block.text for block in recipe.blocks if block.where == where)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_flask_program_signs_a_guardian_in(
    issuer: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = factories.school()
    factories.family(school, "Lina", username="claire")
    portal = RelyingParty.of(
        school, require_pkce=True, scope="openid child", token_endpoint_auth_method=method
    )
    recipe = recipes_of(portal, portal.registered.secret)["flask"]
    shell = text_of(recipe, "sh")
    secret = re.search(r"CLIENT_SECRET=(\S+)", shell)
    assert secret
    monkeypatch.setenv("CLIENT_SECRET", shlex.split(secret[1])[0])
    monkeypatch.setenv("APP_SECRET", "of-the-application")
    program: dict[str, Any] = {"__name__": "pasted"}
    exec(compile(text_of(recipe, "app.py"), "app.py", "exec"), program)
    pasted = program["app"].test_client()

    begun = pasted.get("/login/school", base_url="https://portal.example")
    walker = Walker()
    walker.open(begun.headers["Location"])
    callback = walker.submit("login-form", username="claire", password=factories.PASSWORD)
    back = f"{urlsplit(callback).path}?{urlsplit(callback).query}"
    done = pasted.get(back, base_url="https://portal.example")
    page = pasted.get("/me", base_url="https://portal.example")

    assert callback.startswith(CALLBACK)
    assert done.headers["Location"] == "/me"
    claims = ast.literal_eval(unescape(re.sub("</?pre>", "", page.text)))
    assert claims["aud"] == portal.client_id
    assert claims["child"]["given_name"] == "Lina"


def test_a_page_that_shows_no_secret_has_a_placeholder_in_its_place(desk: Desk) -> None:
    portal = RelyingParty.of(desk.here)

    page = desk.browser("operator").open(f"{LIST}/{portal.client_id}/settings")

    assert portal.registered.secret not in page.text
    assert PLACEHOLDER in page.text
    for recipe in recipes_of(portal).values():
        for block in recipe.blocks:
            assert block.text in unescape(page.text)


def test_values_are_quoted_for_the_language_that_they_stand_in(desk: Desk) -> None:
    portal = RelyingParty.of(desk.here, redirect_uris=[HOSTILE])
    made = recipes_of(portal)

    flask = ast.unparse(ast.parse(text_of(made["flask"], "app.py")))
    assert repr(HOSTILE) in flask
    assert json.dumps(HOSTILE) in text_of(made["express"], "app.mjs")
    assert "'/it\\'s/$HOME/%24(id)'" in text_of(made["laravel"], "routes/web.php")
    assert r"'https://portal.example/it\'s/$HOME/%24(id)'" in text_of(made["laravel"], ".env")
    words = shlex.split(text_of(made["nextcloud"], "sh").replace("\\\n", " "))
    assert "--scope=openid" in words[words.index("school") :][4]


@pytest.mark.parametrize(
    ("method", "said"), [("client_secret_basic", "True"), ("client_secret_post", "False")]
)
def test_django_is_told_plainly_how_the_secret_goes(desk: Desk, method: str, said: str) -> None:
    portal = RelyingParty.of(desk.here, token_endpoint_auth_method=method)

    pasted = text_of(recipes_of(portal)["django"], "settings.py")

    assert f"OIDC_TOKEN_USE_BASIC_AUTH = {said}\n" in pasted


def test_the_settings_say_what_does_not_fit_the_registration(desk: Desk) -> None:
    portal = RelyingParty.of(desk.here, scope="openid child", require_pkce=True)
    notes = {
        key: [note.code for note in recipe.notes] for key, recipe in recipes_of(portal).items()
    }

    assert notes["plain"] == notes["flask"] == notes["express"] == []
    assert notes["django"] == ["callback", "scopes"]
    assert notes["oauth2-proxy"] == ["callback"]
    assert notes["apache"] == ["iss", "flat"]
    assert notes["laravel"] == ["method", "scopes", "claims", "needed"]
    assert notes["moodle"] == ["callback", "pkce", "flat", "scopes", "keyed"]
    assert notes["nextcloud"] == ["callback", "method", "flat", "scopes"]
    assert notes["wordpress"] == ["callback", "method", "pkce", "scopes", "keyed"]


def test_the_address_after_signing_out_is_named_where_none_is_registered(desk: Desk) -> None:
    sites = {
        "nextcloud": "https://cloud.example/files/index.php/apps/user_oidc/code",
        "wordpress": "https://blog.example/wp-admin/admin-ajax.php?action=openid-connect-authorize",
        "laravel": "https://app.example/callback",
    }
    homes = {
        "nextcloud": "https://cloud.example/files/",
        "wordpress": "https://blog.example/",
        "laravel": "https://app.example/",
    }
    for key, callback in sites.items():
        portal = RelyingParty.of(desk.here, redirect_uris=[callback], post_logout_redirect_uris=[])
        recipe = recipes_of(portal)[key]
        assert [note.value for note in recipe.notes if note.code == "logout"] == [homes[key]]
        assert any(homes[key] in block.text for block in recipe.blocks), key


def test_each_recipe_says_whether_its_software_was_run(desk: Desk) -> None:
    portal = RelyingParty.of(desk.here, scope="openid child")

    page = desk.browser("operator").open(f"{LIST}/{portal.client_id}/settings")

    made = recipes_of(portal).values()
    assert all(bool(each.run) != bool(each.read) for each in made if each.key != "plain")
    for each in made:
        shown = page.text.split(f'id="recipe-{each.key}"')[1].split("</details>")[0]
        assert (each.run or each.read) in shown


def test_a_registration_that_fits_has_nothing_to_change(desk: Desk) -> None:
    portal = RelyingParty.of(
        desk.here,
        redirect_uris=["https://moodle.example/admin/oauth2callback.php"],
        scope="openid profile email child",
        require_pkce=False,
        child_claim_profile="flat",
        email_claim="unique",
    )

    assert recipes_of(portal)["moodle"].notes == ()
