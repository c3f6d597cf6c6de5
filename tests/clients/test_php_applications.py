"""Four applications in PHP, which no registry here has: the requests that their sources send, made
with the settings of their recipes, through to the claims that they read and the way they sign out.

Each class names the source that it follows. Where a source changes, so must its class.
"""

import base64
import hashlib
import json
import re
import secrets
import shlex
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
import requests

from idp.clients import recipes
from idp.clients.recipes import Recipe
from idp.oidc import discovery
from tests import factories
from tests.clients.test_authlib_client import Walker, issuer
from tests.relying_party import form_of, way_on

__all__ = ["issuer"]

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]
SHARED = "famille@dubois.example"
"""The mailbox of two guardians."""
SITE = "https://portal.example"


class Application:
    """One of the four, registered as its recipe wants it."""

    key = ""
    callback = f"{SITE}/callback"
    registered: dict[str, Any] = {}

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.school = factories.school()
        made = factories.client_app(
            self.school,
            redirect_uris=[self.callback],
            post_logout_redirect_uris=[f"{SITE}/"],
            scope="openid profile email child",
            child_fields=["sub", "given_name", "school.name", "class"],
            **self.registered,
        )
        self.client, self.secret = made.client, made.secret
        found = recipes.recipes_of(
            self.client.id, self.client.metadata_, discovery.metadata(), self.secret
        )
        self.recipe: Recipe = next(each for each in found if each.key == self.key)
        assert self.recipe.notes == (), "the registration is not what the recipe wants"
        self.discovered = requests.get(
            f"{provider}/.well-known/openid-configuration", timeout=30
        ).json()

    def family(self, username: str, email: str | None = SHARED) -> None:
        """A guardian of a child of their own."""
        factories.family(self.school, "Lina", username=username, email=email)

    def rows(self, where: str) -> dict[str, str]:
        """The fields of a form, as the recipe says them."""
        return dict(next(block.rows for block in self.recipe.blocks if block.where == where))

    def text(self, where: str) -> str:
        """A text to paste."""
        return next(block.text for block in self.recipe.blocks if block.where == where)

    def signed_in(self, username: str) -> dict[str, Any]:
        """What the application knows of the guardian who signs in; the walk of one browser."""
        self.walker = Walker()
        self.asked = self.request()
        self.walker.open(f"{self.discovered['authorization_endpoint']}?{urlencode(self.asked)}")
        back = self.walker.submit("login-form", username=username, password=factories.PASSWORD)
        answer = dict(parse_qsl(urlsplit(back).query))
        assert answer.get("state") == self.asked["state"], back
        return self.redeemed(answer["code"])

    def request(self) -> dict[str, str]:
        raise NotImplementedError

    def redeemed(self, code: str) -> dict[str, Any]:
        raise NotImplementedError

    def token(self, data: dict[str, str], **more: Any) -> dict[str, Any]:
        response = requests.post(self.discovered["token_endpoint"], data=data, timeout=30, **more)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def userinfo(self, access_token: str) -> dict[str, Any]:
        response = requests.get(
            self.discovered["userinfo_endpoint"],
            headers={"Authorization": f"Bearer {access_token}"},
            timeout=30,
        )
        assert response.status_code == 200, response.text
        return dict(response.json())

    def is_signed_in_here(self) -> bool:
        """Whether a further request of any application would be answered without a page."""
        parameters = {**self.request(), "prompt": "none"}
        address = f"{self.discovered['authorization_endpoint']}?{urlencode(parameters)}"
        return "code" in parse_qs(urlsplit(self.walker.open(address)).query)

    def leaves_by(self, address: str) -> requests.Response:
        """The browser goes to an address for signing out."""
        page = self.walker.http.get(address, allow_redirects=False, timeout=30)
        self.walker.page = page
        return page


def challenge_of(verifier: str) -> str:
    """The S256 challenge of PKCE (RFC 7636 §4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def payload_of(id_token: str) -> dict[str, Any]:
    """The claims as the four read them: over the back channel, the middle part decoded."""
    middle = id_token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "==")))


class Laravel(Application):
    """kovah/laravel-socialite-oidc, ``Provider::redirect``, ``getCodeFields``, ``user`` and
    ``getUserByToken`` (in its releases so far), over Socialite's ``AbstractProvider``.
    """

    key = "laravel"
    registered = {
        "token_endpoint_auth_method": "client_secret_post",
        "require_pkce": True,
        "id_token_claims": ["name", "email"],
        "email_claim": "unique",
    }

    def request(self) -> dict[str, str]:
        settings = dict(re.findall(r"^(\w+)='?(.*?)'?$", self.text(".env"), re.MULTILINE))
        assert settings["OIDC_BASE_URL"] == self.provider
        self.verifier, self.nonce = secrets.token_urlsafe(72), secrets.token_hex(20)
        return {
            "client_id": settings["OIDC_CLIENT_ID"],
            "redirect_uri": settings["OIDC_REDIRECT_URI"],
            # The provider's own three, and those of the settings once more
            "scope": f"openid email profile {settings['OIDC_SCOPES']}",
            "response_type": "code",
            "state": secrets.token_hex(20),
            "nonce": self.nonce,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }

    def redeemed(self, code: str) -> dict[str, Any]:
        tokens = self.token(
            {
                "grant_type": "authorization_code",
                "client_id": self.client.id,
                "client_secret": self.secret,
                "code": code,
                "redirect_uri": self.callback,
                "code_verifier": self.verifier,
            },
            headers={"Accept": "application/json"},
        )
        claims = payload_of(tokens["id_token"])
        assert claims["nonce"] == self.nonce
        if not claims.get("email"):  # asks UserInfo with the token in the query
            answer = requests.get(
                f"{self.discovered['userinfo_endpoint']}?access_token={tokens['access_token']}",
                timeout=30,
            )
            pytest.fail(f"UserInfo was asked, and said {answer.status_code}")
        return claims

    def logout(self) -> str:
        """The address to which the recipe's route goes; the library keeps no ID token."""
        route = self.text("routes/web.php").split("Route::post('/logout/school'")[1]
        endpoint = re.search(r"redirect\('([^']+)'", route)
        home = re.search(r"'post_logout_redirect_uri' => '([^']+)'", route)
        assert endpoint
        assert home
        query = {"client_id": self.client.id, "post_logout_redirect_uri": home[1]}
        return f"{endpoint[1]}?{urlencode(query)}"


class Moodle(Application):
    """Moodle's main branch: ``oauth2_client::get_login_url`` and ``upgrade_token``,
    ``core\\oauth2\\client::get_userinfo`` and ``map_userinfo_to_fields``, and
    ``auth_oauth2\\auth::complete_login``.
    """

    key = "moodle"
    callback = f"{SITE}/admin/oauth2callback.php"
    registered = {
        "token_endpoint_auth_method": "client_secret_basic",
        "child_claim_profile": "flat",
        "email_claim": "unique",
    }

    def request(self) -> dict[str, str]:
        service = self.rows("Site administration > Server > OAuth 2 services > Custom")
        assert service["Service base URL"] == self.provider
        # No mail that it would send could be answered
        assert service["Require email verification"] == "No"
        return {
            "client_id": service["Client ID"],
            "response_type": "code",
            "redirect_uri": self.callback,
            "state": secrets.token_hex(5),
            "scope": service["Scopes included in a login request."],
        }

    def redeemed(self, code: str) -> dict[str, Any]:
        tokens = self.token(
            {"code": code, "grant_type": "authorization_code", "redirect_uri": self.callback},
            auth=(self.client.id, self.secret),
            headers={"Accept": "application/json"},
        )
        claims = payload_of(tokens["id_token"]) | self.userinfo(tokens["access_token"])
        mapping = self.rows("Configure user field mappings")
        user = {to: claims[name] for name, to in mapping.items() if claims.get(name)}
        assert user.get("username"), "Moodle: loginerror_userincomplete"
        assert user.get("email"), "Moodle: loginerror_userincomplete"
        user["username"] = user["username"].strip().lower()
        assert re.fullmatch(r"[-\.@_a-z0-9]+", user["username"])  # core_user, PARAM_USERNAME
        return user


class Nextcloud(Application):
    """nextcloud/user_oidc 8.11: ``LoginController::login``, ``code`` and
    ``singleLogoutService``.
    """

    key = "nextcloud"
    callback = f"{SITE}/apps/user_oidc/code"
    registered = {
        "token_endpoint_auth_method": "client_secret_post",
        "require_pkce": True,
        "child_claim_profile": "flat",
    }

    def options(self) -> dict[str, str]:
        words = shlex.split(self.text("sh").replace("\\\n", " "))
        return dict(word[2:].split("=", 1) for word in words if word.startswith("--"))

    def request(self) -> dict[str, str]:
        self.given = self.options()
        self.verifier, self.nonce = secrets.token_hex(64), secrets.token_hex(16)
        names = [self.given["mapping-email"], self.given["mapping-display-name"]]
        wanted = dict.fromkeys([*names, "quota", "groups"])
        assert "S256" in self.discovered["code_challenge_methods_supported"]
        assert "client_secret_post" in self.discovered["token_endpoint_auth_methods_supported"]
        return {
            "client_id": self.given["clientid"],
            "response_type": "code",
            "scope": self.given["scope"],
            "redirect_uri": self.callback,
            "claims": json.dumps({"id_token": wanted, "userinfo": wanted}),
            "state": secrets.token_hex(16),
            "nonce": self.nonce,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }

    def redeemed(self, code: str) -> dict[str, Any]:
        tokens = self.token(
            {
                "code": code,
                "redirect_uri": self.callback,
                "grant_type": "authorization_code",
                "code_verifier": self.verifier,
                "client_id": self.given["clientid"],
                "client_secret": self.given["clientsecret"],
            }
        )
        self.id_token = tokens["id_token"]
        claims = payload_of(self.id_token)
        assert claims["nonce"] == self.nonce
        mapped = {
            name.removeprefix("mapping-"): claims.get(claim)
            for name, claim in self.given.items()
            if name.startswith("mapping-")
        }
        assert mapped["uid"], "Nextcloud: Failed to provision the user"
        return mapped

    def logout(self, *, hint: bool) -> str:
        """As it is joined there: nothing in it is encoded."""
        address = f"{self.discovered['end_session_endpoint']}?post_logout_redirect_uri="
        address += f"{self.given['postlogouturi']}&client_id={self.given['clientid']}"
        return address + (f"&id_token_hint={self.id_token}" if hint else "")


class WordPress(Application):
    """OpenID Connect Generic 3.10.3: ``get_authentication_url``, ``request_authentication_token``,
    ``request_userinfo``, ``create_new_user`` and ``get_end_session_logout_redirect_url``.
    """

    key = "wordpress"
    callback = f"{SITE}/wp-admin/admin-ajax.php?action=openid-connect-authorize"
    registered = {"token_endpoint_auth_method": "client_secret_post", "email_claim": "unique"}

    def defined(self) -> dict[str, str]:
        lines = re.findall(r"define\( '(\w+)', '?(.*?)'? \);", self.text("wp-config.php"))
        return dict(lines)

    def request(self) -> dict[str, str]:
        self.given = self.defined()
        assert self.given["OIDC_LINK_EXISTING_USERS"] == "false"
        return {
            "response_type": "code",
            "scope": self.given["OIDC_CLIENT_SCOPE"],
            "client_id": self.given["OIDC_CLIENT_ID"],
            "state": secrets.token_hex(16),
            "redirect_uri": self.callback,
        }

    def redeemed(self, code: str) -> dict[str, Any]:
        tokens = self.token(
            {
                "code": code,
                "client_id": self.given["OIDC_CLIENT_ID"],
                "client_secret": self.given["OIDC_CLIENT_SECRET"],
                "redirect_uri": self.callback,
                "grant_type": "authorization_code",
                "scope": self.given["OIDC_CLIENT_SCOPE"],
            }
        )
        self.id_token = tokens["id_token"]
        claims = self.userinfo(tokens["access_token"])
        assert claims["sub"] == payload_of(self.id_token)["sub"]
        form = self.rows("Settings > OpenID Connect Client")
        formats = {"email": form["Email Formatting"], "name": form["Display Name Formatting"]}
        filled = {key: text.format_map(claims) for key, text in formats.items()}
        return {
            "identity": claims["sub"],
            "login": claims[form["Identity Key"]].split("@")[0],
            "nickname": claims[form["Nickname Key"]],
            **filled,
        }

    def logout(self) -> str:
        """The address after signing out comes from the plugin's filter, for it runs before."""
        filtered = re.search(r"return '([^']+)';", self.text("wp-content/mu-plugins/school.php"))
        assert filtered
        query = f"id_token_hint={self.id_token}&" + urlencode(
            {"post_logout_redirect_uri": filtered[1]}
        )
        return f"{self.given['OIDC_ENDPOINT_LOGOUT_URL']}?{query}"


@pytest.fixture
def started(issuer: str) -> Callable[[type[Application]], Application]:
    def start(application: type[Application]) -> Application:
        return application(issuer)

    return start


def test_laravel_reads_name_and_address_in_the_id_token(started: Any) -> None:
    laravel: Laravel = started(Laravel)
    laravel.family("claire")
    laravel.family("sans", email=None)

    claims = laravel.signed_in("claire")

    assert claims["name"] == "Claire Dubois"
    assert claims["child"]["given_name"] == "Lina"
    assert laravel.signed_in("sans")["email"] != claims["email"]


def test_laravel_goes_home_where_its_session_knows_nothing_of_the_answer(started: Any) -> None:
    """Back, another tab or a session that is over: ``user`` raises the package's own exception."""
    laravel: Laravel = started(Laravel)
    routes = laravel.text("routes/web.php")

    assert r"use SocialiteProviders\OIDC\InvalidStateException;" in routes
    assert re.search(
        r"try \{\s+\$person = [^;]+->user\(\);\s+\} catch \(InvalidStateException\) \{\s+"
        r"return redirect\('/'\);",
        routes,
    )


def test_laravel_signs_out_without_a_hint_and_comes_back(started: Any) -> None:
    laravel: Laravel = started(Laravel)
    laravel.family("claire")
    laravel.signed_in("claire")

    asked = laravel.leaves_by(laravel.logout())
    assert 'id="logout-confirm"' in asked.text
    form = {"decision": "sign-out"}
    action, hidden = form_of(asked.text, "logout-confirm")
    done = laravel.walker.http.post(f"{laravel.provider}{action}", {**hidden, **form}, timeout=30)

    assert way_on(done.text) == f"{SITE}/"
    assert not laravel.is_signed_in_here()


def test_moodle_makes_two_accounts_of_two_guardians_of_one_mailbox(started: Any) -> None:
    moodle: Moodle = started(Moodle)
    for username, email in (("claire", SHARED), ("paul", SHARED), ("sans", None)):
        moodle.family(username, email)

    users = [moodle.signed_in(username) for username in ("claire", "paul", "sans")]

    assert len({user["username"] for user in users}) == 3
    assert len({user["email"].lower() for user in users}) == 3
    assert SHARED not in {user["email"] for user in users}
    assert users[0]["profile_field_child"] == "Lina"
    assert users[0]["department"] == "3B"
    assert users[0]["institution"] == "Collège des Tilleuls"
    assert users[0]["idnumber"].startswith("c_")


def test_moodle_asks_for_a_confirmation_of_real_addresses(issuer: str) -> None:
    class Real(Moodle):
        registered = {**Moodle.registered, "email_claim": "real"}

    with pytest.raises(AssertionError, match="not what the recipe wants"):
        Real(issuer)
    client = factories.client_app(factories.school(), redirect_uris=[Moodle.callback]).client
    made = recipes.recipes_of(client.id, client.metadata_, discovery.metadata())
    rows = [block.rows for each in made if each.key == "moodle" for block in each.blocks]
    assert ("Require email verification", "Yes") in [row for block in rows for row in block]


def test_nextcloud_reads_everything_in_the_id_token(started: Any) -> None:
    nextcloud: Nextcloud = started(Nextcloud)
    nextcloud.family("claire")

    mapped = nextcloud.signed_in("claire")

    assert mapped["display-name"] == "Claire Dubois"
    assert mapped["email"] == SHARED
    assert mapped["headline"] == "Lina"
    assert mapped["role"] == "3B"
    assert mapped["organisation"] == "Collège des Tilleuls"


@pytest.mark.parametrize("session_left", [True, False])
@pytest.mark.parametrize("hint", [True, False])
def test_nextcloud_signs_out_and_comes_back(started: Any, hint: bool, session_left: bool) -> None:
    nextcloud: Nextcloud = started(Nextcloud)
    nextcloud.family("claire")
    nextcloud.signed_in("claire")
    assert nextcloud.given["send-id-token-hint"] == "1"
    if not session_left:
        nextcloud.walker.http.cookies.clear()

    page = nextcloud.leaves_by(nextcloud.logout(hint=hint))
    if session_left and not hint:  # installed from an older recipe
        action, hidden = form_of(page.text, "logout-confirm")
        data = {**hidden, "decision": "sign-out"}
        page = nextcloud.walker.http.post(f"{nextcloud.provider}{action}", data, timeout=30)
        assert way_on(page.text) == f"{SITE}/"
    else:
        assert page.headers["Location"] == f"{SITE}/"
    assert not nextcloud.is_signed_in_here()


def test_wordpress_makes_an_account_for_each_guardian(started: Any) -> None:
    wordpress: WordPress = started(WordPress)
    for username, email in (("claire", SHARED), ("paul", SHARED), ("sans", None)):
        wordpress.family(username, email)

    users = [wordpress.signed_in(username) for username in ("claire", "paul", "sans")]

    assert [user["login"] for user in users] == ["claire", "paul", "sans"]
    assert users[0]["name"] == "Claire Dubois"
    # wp_insert_user: existing_user_email is « failed-user-creation »
    assert len({user["email"].lower() for user in users}) == 3
    assert len({user["identity"] for user in users}) == 3


def test_wordpress_signs_out_and_comes_back(started: Any) -> None:
    wordpress: WordPress = started(WordPress)
    wordpress.family("claire")
    wordpress.signed_in("claire")

    page = wordpress.leaves_by(wordpress.logout())

    assert page.headers["Location"] == f"{SITE}/"
    assert not wordpress.is_signed_in_here()
