"""Software that can't run here: each registered by the line that its page prints, and sent what its
source or its documentation says that it sends – scope, mode of answer, proof, PKCE, sign-out.

Each class names what it follows. Where that changes, so must the class and the page.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
import requests

from idp import clock
from idp.database import db, update_all
from idp.people.models import Account
from tests import factories
from tests.clients.test_authlib_client import issuer
from tests.installs.stacks import PAGES, registered_as_printed
from tests.relying_party import forms_of, way_on

__all__ = ["issuer"]

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

Fields = dict[str, str]
SHARED: Final = "famille@dubois.example"


@dataclass(frozen=True)
class Answer:
    """Where the browser took the provider's answer, and what stood in it."""

    address: str
    fields: Fields
    posted: bool


class Software:
    """One of them, for a parent « claire » of a proved address; ``page`` is its page's name."""

    page = ""
    redirect_uri = ""
    scope = ""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        school = factories.school()
        for username, email in (("claire", SHARED), ("paul", SHARED), ("sans", None)):
            factories.family(school, "Lina", username=username, email=email)
        made = registered_as_printed(self.page, school.id)
        self.client_id, self.secret = made["CLIENT_ID"], made["CLIENT_SECRET"]
        found = f"{provider}/.well-known/openid-configuration"
        self.discovered: dict[str, Any] = requests.get(found, timeout=30).json()
        self.http = requests.Session()
        self.verifier = secrets.token_urlsafe(32)
        self.state, self.nonce = secrets.token_urlsafe(24), secrets.token_urlsafe(24)

    def request(self, **more: str) -> Fields:
        """What all of them send."""
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": self.state,
            **more,
        }

    def pkce(self) -> Fields:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return {"code_challenge": challenge, "code_challenge_method": "S256"}

    def signs_in(self, username: str, parameters: Fields) -> Answer:
        """The parent's way from the request to the software."""
        address = f"{self.discovered['authorization_endpoint']}?{urlencode(parameters)}"
        page = self.http.get(address, timeout=30)
        page = self.sends(page, "login-form", username=username, password=factories.PASSWORD)
        if 'id="consent-form"' in page.text:
            page = self.sends(page, "consent-form", decision="allow")
        answer = answer_on(page)
        assert answer.address == self.redirect_uri
        assert answer.fields["state"] == self.state
        assert answer.fields["iss"] == self.provider
        return answer

    def sends(self, page: requests.Response, form_id: str, **fields: str) -> requests.Response:
        form = next((each for each in forms_of(page.text) if each.id == form_id), None)
        assert form, page.text[:2000]
        address = urljoin(page.url, form.action)
        return self.http.post(address, data={**form.hidden, **fields}, timeout=30)

    def redeemed(self, answer: Answer, more: Fields, **how: Any) -> Fields:
        """The tokens for a code; ``how``: of ``requests.post``."""
        form = {
            "grant_type": "authorization_code",
            "code": answer.fields["code"],
            "redirect_uri": self.redirect_uri,
            **more,
        }
        response = requests.post(
            self.discovered["token_endpoint"],
            data=form,
            headers={"Accept": "application/json", **how.pop("headers", {})},
            timeout=30,
            **how,
        )
        assert response.status_code == 200, response.text
        self.response = response
        return dict(response.json())

    def in_body(self) -> Fields:
        """``client_secret_post``."""
        return {"client_id": self.client_id, "client_secret": self.secret}

    def userinfo(self, tokens: Fields) -> dict[str, Any]:
        response = requests.get(
            self.discovered["userinfo_endpoint"],
            headers={"Authorization": f"Bearer {tokens['access_token']}"},
            timeout=30,
        )
        assert response.status_code == 200, response.text
        return dict(response.json())

    def leaves(self, parameters: Fields) -> str:
        """Where signing out leads the browser, as soon as it asked nothing any more."""
        address = f"{self.discovered['end_session_endpoint']}?{urlencode(parameters)}"
        page = self.http.get(address, allow_redirects=False, timeout=30)
        return page.headers.get("Location") or way_on(page.text)


def answer_on(page: requests.Response) -> Answer:
    """The provider's answer on its last page: an address, or a form that sends itself."""
    posted = next((each for each in forms_of(page.text) if each.id == "form-post"), None)
    if posted:
        return Answer(posted.action, posted.hidden, posted=True)
    parts = urlsplit(way_on(page.text))
    assert parts.netloc, page.text[:2000]
    return Answer(parts._replace(query="").geturl(), dict(parse_qsl(parts.query)), posted=False)


def claims_of(id_token: str) -> dict[str, Any]:
    body = id_token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


Start = Callable[[type[Software]], Any]


@pytest.fixture
def started(issuer: str) -> Start:
    return lambda software: software(issuer)


class Canvas(Software):
    """instructure/canvas-lms: ``AuthenticationProvider::OpenIDConnect``,
    ``generate_authorize_url`` with and without full validation, ``claims`` and
    ``user_logout_redirect``; its ``state`` is a JWT.
    """

    page = "canvas"
    redirect_uri = "https://canvas.example/login/oauth2/callback"
    scope = "openid profile"

    def __init__(self, provider: str) -> None:
        super().__init__(provider)
        self.state = ".".join(secrets.token_urlsafe(size) for size in (24, 180, 32))


@pytest.mark.parametrize("full", [True, False])
def test_canvas_knows_the_parent_by_sub_and_asks_userinfo_for_names(
    full: bool, started: Start
) -> None:
    canvas: Canvas = started(Canvas)
    asked = canvas.request(**({"nonce": canvas.nonce} if full else {}))

    tokens = canvas.redeemed(canvas.signs_in("claire", asked), canvas.in_body())

    claims = claims_of(tokens["id_token"])
    assert claims["aud"] == canvas.client_id
    assert claims["iss"] == canvas.provider
    assert claims.get("nonce") == (canvas.nonce if full else None)
    person = canvas.userinfo(tokens)
    assert person["sub"] == claims["sub"]
    assert (person["given_name"], person["family_name"]) == ("Claire", "Dubois")


def test_canvas_signs_out_and_comes_back_to_its_login(started: Start) -> None:
    canvas: Canvas = started(Canvas)
    tokens = canvas.redeemed(canvas.signs_in("claire", canvas.request()), canvas.in_body())
    login = "https://canvas.example/login"

    back = canvas.leaves(
        {
            "client_id": canvas.client_id,
            "post_logout_redirect_uri": login,
            "id_token_hint": tokens["id_token"],
        }
    )

    assert back == login


class RocketChat(Software):
    """RocketChat/Rocket.Chat: ``CustomOAuth.getAccessToken`` and ``getIdentity`` of release 7;
    ``CustomOAuthStrategy`` since, which is passport-oauth2's.
    """

    page = "rocket-chat"
    redirect_uri = "https://chat.example/_oauth/school"
    scope = "openid profile email"

    def __init__(self, provider: str) -> None:
        super().__init__(provider)
        way = {"loginStyle": "redirect", "credentialToken": secrets.token_urlsafe(30)}
        self.state = base64.b64encode(json.dumps(way).encode()).decode()


def test_rocket_chat_takes_two_of_one_mailbox_for_two(started: Start) -> None:
    chat: RocketChat = started(RocketChat)
    people = []
    for username in ("claire", "paul", "sans"):
        chat.http = requests.Session()
        answer = chat.signs_in(username, chat.request())
        tokens = chat.redeemed(answer, {"state": chat.state, **chat.in_body()})
        people.append(chat.userinfo(tokens))

    assert [each["preferred_username"] for each in people] == ["claire", "paul", "sans"]
    assert len({each["email"] for each in people}) == 3
    assert len({each["sub"] for each in people}) == 3
    assert people[0]["name"] == "Claire Dubois"


def test_rocket_chat_since_release_7_sends_pkce(started: Start) -> None:
    chat: RocketChat = started(RocketChat)
    answer = chat.signs_in("claire", {**chat.request(), **chat.pkce()})

    tokens = chat.redeemed(answer, {"code_verifier": chat.verifier, **chat.in_body()})

    assert chat.userinfo(tokens)["preferred_username"] == "claire"


def test_rocket_chats_secret_in_the_address_is_refused(started: Start) -> None:
    chat: RocketChat = started(RocketChat)
    answer = chat.signs_in("claire", chat.request())
    query = {
        "grant_type": "authorization_code",
        "code": answer.fields["code"],
        "redirect_uri": chat.redirect_uri,
        **chat.in_body(),
    }

    response = requests.post(chat.discovered["token_endpoint"], params=query, timeout=30)

    assert response.status_code in {400, 401}
    assert response.json()["error"] in {"invalid_request", "invalid_client"}
    token = chat.redeemed(answer, chat.in_body())["access_token"]
    asked = requests.get(
        chat.discovered["userinfo_endpoint"], params={"access_token": token}, timeout=30
    )
    assert asked.status_code in {400, 401}


class Mattermost(Software):
    """mattermost/mattermost: ``GetAuthorizationCode`` and ``AuthorizeOAuthUser``; the claims are
    read as its documentation says, for that part of it is not published.
    """

    page = "mattermost"
    redirect_uri = "https://chat.example/signup/openid/complete"
    scope = "openid profile email"

    def __init__(self, provider: str) -> None:
        super().__init__(provider)
        said = {"action": "signup", "redirect_to": "", "token": secrets.token_hex(32)}
        self.state = base64.b64encode(json.dumps(said).encode()).decode()

    def who(self, username: str) -> dict[str, Any]:
        """The person that an account is made of: UserInfo, asked with the headers of a form."""
        self.http = requests.Session()
        tokens = self.redeemed(self.signs_in(username, self.request()), self.in_body())
        assert tokens["token_type"].lower() == "bearer"
        headers = {
            "Authorization": f"Bearer {tokens['access_token']}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        asked = self.discovered["userinfo_endpoint"]
        response = requests.get(asked, headers=headers, data="", timeout=30)
        assert response.status_code == 200, response.text
        return dict(response.json())


def test_mattermost_makes_three_people_of_three(started: Start) -> None:
    chat: Mattermost = started(Mattermost)

    people = [chat.who(username) for username in ("claire", "paul", "sans")]

    assert len({each["sub"] for each in people}) == 3
    assert len({each["email"] for each in people}) == 3, "an account needs one of its own"
    assert [each["preferred_username"] for each in people] == ["claire", "paul", "sans"]
    assert (people[0]["given_name"], people[0]["family_name"]) == ("Claire", "Dubois")
    assert "child" not in people[0]


class AspNetCore(Software):
    """dotnet/aspnetcore: ``OpenIdConnectHandler.HandleChallengeAsyncInternal``,
    ``PushAuthorizationRequest``, ``RedeemAuthorizationCodeAsync`` and ``SignOutAsync``.
    """

    page = "aspnet-core"
    redirect_uri = "https://app.example/signin-oidc"
    scope = "openid profile child"
    telemetry: Final = {"x-client-SKU": "ID_NET9_0", "x-client-ver": "8.0.1.0"}

    def asked(self) -> Fields:
        request = self.request(response_mode="form_post", nonce=self.nonce)
        return {**request, **self.pkce()}

    def pushed(self, parameters: Fields) -> Fields:
        """What goes by the browser once the request was pushed."""
        response = requests.post(
            self.discovered["pushed_authorization_request_endpoint"],
            data={**parameters, "client_secret": self.secret},
            timeout=30,
        )
        assert response.status_code == 201, response.text
        assert response.headers["Content-Type"].startswith("application/json")
        return {"client_id": self.client_id, "request_uri": response.json()["request_uri"]}


@pytest.mark.parametrize("pushes", [True, False])
def test_aspnet_core_gets_its_answer_by_a_form_and_signs_out(pushes: bool, started: Start) -> None:
    app: AspNetCore = started(AspNetCore)
    asked = app.pushed(app.asked()) if pushes else app.asked()

    answer = app.signs_in("claire", {**asked, **app.telemetry})

    assert answer.posted
    tokens = app.redeemed(answer, {"code_verifier": app.verifier, **app.in_body()})
    claims = claims_of(tokens["id_token"])
    assert claims["nonce"] == app.nonce
    assert claims["child"]["given_name"] == "Lina"
    assert app.userinfo(tokens)["name"] == "Claire Dubois"
    callback = "https://app.example/signout-callback-oidc"
    back = app.leaves(
        {
            "post_logout_redirect_uri": callback,
            "id_token_hint": tokens["id_token"],
            "state": app.state,
            **app.telemetry,
        }
    )
    assert back == f"{callback}?{urlencode({'state': app.state})}"


class OpenCloud(Software):
    """opencloud-eu/web: ``userManager.ts``, whose requests are oidc-client-ts's; what stands behind
    it asks UserInfo (``PROXY_OIDC_ACCESS_TOKEN_VERIFY_METHOD=none``).
    """

    page = "opencloud"
    redirect_uri = "https://cloud.example/oidc-callback.html"
    scope = "openid profile email offline_access"
    origin: Final = {"Origin": "https://cloud.example"}


def test_opencloud_redeems_and_renews_in_the_browser_and_asks_userinfo_behind_it(
    started: Start,
) -> None:
    cloud: OpenCloud = started(OpenCloud)
    asked = {**cloud.request(response_mode="query"), **cloud.pkce()}
    public = {"client_id": cloud.client_id}

    answer = cloud.signs_in("claire", asked)
    tokens = cloud.redeemed(
        answer, {**public, "code_verifier": cloud.verifier}, headers=cloud.origin
    )

    allowed = cloud.response.headers["Access-Control-Allow-Origin"]
    assert allowed == cloud.origin["Origin"]
    person = cloud.userinfo(tokens)
    assert person["sub"] == claims_of(tokens["id_token"])["sub"]
    assert person["email"] == SHARED
    renewed = requests.post(
        cloud.discovered["token_endpoint"],
        data={**public, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        headers=cloud.origin,
        timeout=30,
    )
    assert renewed.status_code == 200, renewed.text
    home = "https://cloud.example/"
    out = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": home}
    assert cloud.leaves(out) == home


class Federation(Software):
    """A service that takes another provider's sign-in, and does not say how: every way is sent."""

    def signed_in(self, username: str, *, pkce: bool, by_form: bool) -> dict[str, Any]:
        asked = self.request(
            nonce=self.nonce, **({"response_mode": "form_post"} if by_form else {})
        )
        answer = self.signs_in(username, {**asked, **(self.pkce() if pkce else {})})
        assert answer.posted is by_form
        verifier = {"code_verifier": self.verifier} if pkce else {}
        claims = claims_of(self.redeemed(answer, {**verifier, **self.in_body()})["id_token"])
        assert claims["nonce"] == self.nonce
        return claims


class GoogleWorkspace(Federation):
    """The reference of ``inboundOidcSsoProfiles``."""

    page = "google-workspace"
    redirect_uri = "https://accounts.google.com/as-the-console-shows-it"
    scope = "openid profile email"


class Entra(Federation):
    """MicrosoftDocs/entra-docs: ``how-to-custom-oidc-federation-customers`` and
    ``reference-oidc-claims-mapping-customers``.
    """

    page = "entra"
    redirect_uri = "https://school.ciamlogin.com/school.onmicrosoft.com/federation/oauth2"
    scope = "openid profile email"


@pytest.mark.parametrize("by_form", [True, False])
@pytest.mark.parametrize("pkce", [True, False])
@pytest.mark.parametrize("software", [GoogleWorkspace, Entra])
def test_a_federation_reads_the_address_in_the_id_token(
    software: type[Federation], pkce: bool, by_form: bool, started: Start
) -> None:
    service: Federation = started(software)

    claims = service.signed_in("claire", pkce=pkce, by_form=by_form)

    assert claims["email"] == SHARED
    assert claims["email_verified"] is False, "nobody has answered from it yet"
    if software is Entra:
        names = claims["name"], claims["given_name"], claims["family_name"]
        assert names == ("Claire Dubois", "Claire", "Dubois")


@pytest.mark.parametrize("software", [GoogleWorkspace, Entra])
def test_a_federation_gets_no_address_of_who_has_none(
    software: type[Federation], started: Start
) -> None:
    claims = started(software).signed_in("sans", pkce=False, by_form=False)
    assert "email" not in claims


def test_an_address_that_was_proved_is_told_so(started: Start) -> None:
    entra: Entra = started(Entra)
    update_all(Account, Account.username == "claire", email_verified_at=clock.now())
    db.session.commit()
    assert entra.signed_in("claire", pkce=False, by_form=False)["email_verified"] is True


class SchoolPortal(Software):
    """What an OpenID Connect client sends that does what it must, and no more."""

    page = "school-portals"
    redirect_uri = "https://portal.example/oidc/callback"
    scope = "openid profile email child"


def test_a_school_portal_reads_parent_and_child_as_the_table_says(started: Start) -> None:
    portal: SchoolPortal = started(SchoolPortal)

    tokens = portal.redeemed(portal.signs_in("claire", portal.request()), portal.in_body())

    claims = claims_of(tokens["id_token"])
    assert claims["child_given_name"] == "Lina"
    assert claims["child_sub"].startswith("c_")
    assert claims["child_school_id"]
    person = portal.userinfo(tokens)
    assert person["sub"] == claims["sub"]
    assert person["family_name"] == "Dubois"
    home = "https://portal.example/"
    leaving = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": home}
    assert portal.leaves(leaving) == home


@pytest.mark.parametrize("page", ["rocket-chat", "school-portals"])
def test_the_printed_addresses_are_those_of_the_provider(page: str, issuer: str) -> None:
    found = f"{issuer}/.well-known/openid-configuration"
    document = requests.get(found, timeout=30).json()
    ours = {
        urlsplit(each).path
        for name, each in document.items()
        if name.endswith(("_endpoint", "_uri"))
    }
    printed = set(re.findall(r"/oauth2/\w+", (PAGES / f"{page}.md").read_text()))
    assert printed
    assert printed <= ours
