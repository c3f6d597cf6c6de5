"""Trying an application from the desk: a real run that is worth nothing to anybody."""

import re
from html import unescape

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import func, select

from idp.audit.models import AuditEvent
from idp.database import db
from idp.desk.access.rights import AT_TERMINAL, staff_of
from idp.desk.applications import service
from idp.desk.applications.service import Trial
from idp.oidc import diagnosis
from idp.oidc.models import Consent, Grant
from tests import factories
from tests.admin.client_forms import LIST
from tests.admin.places import Desk
from tests.relying_party import CALLBACK, Browser, RelyingParty, claims_of, error_of, leads_to

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

MADE_ANEW = {"iat", "exp", "auth_time", "nonce", "at_hash", "sid", "aud", "amr", "acr"}


def run(desk: Desk, portal: RelyingParty) -> Trial:
    staff = staff_of(desk.staff("operator").id)
    assert staff is not None
    return service.run(staff, portal.client_id)


def rows() -> list[int | None]:
    db.session.rollback()
    return [db.session.scalar(select(func.count()).select_from(each)) for each in (Grant, Consent)]


class TestTheRun:
    def test_about_oneself_it_says_what_a_real_sign_in_says(self, desk: Desk) -> None:
        portal = RelyingParty.of(
            desk.here, scope="openid profile email child", child_claim_profile="flat"
        )
        factories.guardianship(desk.staff("operator"), factories.child(desk.here, "Lina"))
        browser = desk.browser("operator")

        trial = run(desk, portal)
        browser.open(portal.authorize_path(scope="openid profile email child"))
        code = dict(re.findall(r"(\w+)=([^&]+)", browser.page.headers["Location"]))["code"]  # type: ignore[union-attr]
        tokens = portal.redeem(browser.client, code).json or {}
        real = claims_of(browser.client, tokens["id_token"])
        told = portal.userinfo(browser.client, tokens["access_token"]).json or {}

        assert trial.own
        assert real["child_given_name"] == "Lina"
        same = {k: v for k, v in real.items() if k not in MADE_ANEW and "selected" not in k}
        assert same.items() <= trial.sample_token.claims.items()
        assert told.keys() == trial.sample_token.userinfo.keys()
        assert told["sub"] == trial.sample_token.userinfo["sub"]

    def test_without_a_child_it_speaks_of_people_who_do_not_exist(self, desk: Desk) -> None:
        portal = RelyingParty.of(
            desk.here, scope="openid child", child_fields=["given_name", "sourced_id"],
            first_party=False,
        )  # fmt: skip
        before = rows()

        page = desk.browser("operator").open(f"{LIST}/{portal.client_id}/test")
        trial = run(desk, portal)

        assert not trial.own
        assert "n'existent pas" in unescape(page.text)
        assert trial.sample_token.claims["child"].keys() == {"sub", "given_name"}
        assert trial.sample_token.userinfo["child"]["sourced_id"] == "SPECIMEN-1"
        assert rows() == before

    def test_c3_a_child_at_a_school_that_the_application_does_not_serve_is_not_named(
        self, desk: Desk
    ) -> None:
        portal = RelyingParty.of(desk.here, scope="openid child")
        factories.guardianship(desk.staff("operator"), factories.child(desk.elsewhere, "Noah"))

        assert not run(desk, portal).own

    def test_the_request_is_one_that_the_provider_accepts(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here, scope="openid child")
        factories.family(desk.here, "Lina", username="claire")
        guardian = Browser(desk.app.test_client())
        address = run(desk, portal).address

        guardian.open(address[address.index("/oauth2/") :])
        page = guardian.sign_in("claire")

        assert leads_to(page).startswith(CALLBACK)
        assert "code=" in leads_to(page)

    def test_the_trail_stays_as_it_was(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)
        operator = desk.browser("operator")
        count = select(func.count()).select_from(AuditEvent)
        before = db.session.scalar(count)

        operator.open(f"{LIST}/{portal.client_id}/test")
        db.session.rollback()

        assert db.session.scalar(count) == before


class TestTheSampleTokenIsWorthNothing:
    @pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
    @pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
    def test_its_key_is_not_ours_and_it_has_expired_for_nobody(self, desk: Desk, alg: str) -> None:
        portal = RelyingParty.of(desk.here, id_token_signed_response_alg=alg)
        made = run(desk, portal).sample_token
        ours = KeySet.import_key_set(desk.app.test_client().get("/oauth2/jwks").json)  # type: ignore[arg-type]

        with pytest.raises((JoseError, ValueError)):
            jwt.decode(made.token, ours, algorithms=[alg])
        assert made.header["alg"] == alg
        assert made.claims["exp"] < made.claims["iat"]
        assert portal.client_id != made.claims["aud"]

    def test_nothing_accepts_it(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here, post_logout_redirect_uris=["https://portal.example/"])
        token = run(desk, portal).sample_token.token
        http = desk.app.test_client()

        bearer = portal.userinfo(http, token).status_code
        code = error_of(portal.redeem(http, token))
        refresh = error_of(portal.refresh(http, token))
        introspected = portal.introspect(http, token)
        hinted = http.get(
            "/oauth2/logout",
            query_string={
                "id_token_hint": token,
                "post_logout_redirect_uri": "https://portal.example/",
            },
        )
        asserted = http.post(
            "/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "code": "x",
                "client_assertion": token,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            },
        )

        assert bearer == 401
        assert code == refresh == (400, "invalid_grant")
        assert introspected == {"active": False}
        assert "portal.example" not in hinted.headers.get("Location", "")
        assert asserted.status_code in {400, 401}
        assert (asserted.json or {})["error"] in {"invalid_request", "invalid_client"}


DIFFERENT = [
    ("https://portal.example/callback/", "slash", 32),
    ("http://portal.example/callback", "scheme", 5),
    ("https://www.portal.example/callback", "host", 9),
    ("https://portal.example:8443/callback", "port", 23),
    ("https://portal.example/Callback", "case", 24),
    ("https://portal.example/call%62ack", "encoding", 28),
    ("https://portal.example/return", "path", 24),
    ("https://portal.example/callback?x=1", "query", 32),
    ("https://portal.example/callback#done", "fragment", 32),
    ("[::1", "scheme", 1),
]


def test_a_redirect_uri_that_failed_is_compared_letter_by_letter(desk: Desk) -> None:
    portal = RelyingParty.of(desk.here)

    for address, kind, at in DIFFERENT:
        found = service.diagnose(AT_TERMINAL, portal.client_id, address)

        assert found.difference, address
        assert (found.difference.kind, found.difference.at) == (kind, at), address
        assert ["".join(each) for each in found.difference.parts] == [CALLBACK, address]


def diagnosed(portal: RelyingParty, **parameters: str | None) -> diagnosis.Diagnosis:
    address = f"https://id.example{portal.authorize_path(**parameters)}"
    return service.diagnose(AT_TERMINAL, portal.client_id, address)


class TestARequestThatFailed:
    def test_is_judged_as_the_endpoint_judges_it(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here, require_pkce=True, scope="openid child")

        assert diagnosed(portal, **portal.pkce()).fine
        assert "PKCE" in diagnosed(portal).error
        assert diagnosed(portal, scope="profile", **portal.pkce()).error.startswith("invalid_scope")
        assert diagnosed(portal, scope="openid email", **portal.pkce()).left_out == ("email",)
        assert diagnosed(portal, client_id="app_x", **portal.pkce()).other_client == "app_x"
        assert diagnosed(portal, response_type="token").error == "unsupported_response_type"

    def test_the_answer_behind_a_redirect_uri_does_not_count(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)
        address = f"{CALLBACK}?code=abc&state=x&iss=https%3A%2F%2Fid.example"

        assert service.diagnose(AT_TERMINAL, portal.client_id, address).fine

    def test_what_was_pasted_is_shown_as_text(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)
        operator = desk.browser("operator")
        operator.open(f"{LIST}/{portal.client_id}/test")

        page = operator.submit("client-diagnose-form", address="https://x.example/<script>alert(1)")

        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<mark>" in page.text
