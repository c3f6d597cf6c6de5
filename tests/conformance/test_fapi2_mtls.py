"""FAPI 2.0 with client certificates: each way to prove the client, with each way to bind tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.clients.metadata import checked
from idp.errors import Invalid
from tests.certificates import HEADER, Holder, holder, trusted_proxy
from tests.conformance.test_fapi2 import BASE, Bank, tokens
from tests.protocol.assertions import TYPE, Assertion, jwks, key_for
from tests.relying_party import error_of, world

pytestmark = pytest.mark.quick_on("sqlite")
METHODS = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
SUBJECT = "CN=portal,O=École"
REFUSED = {(400, "invalid_client"), (401, "invalid_client")}


@dataclass
class Vault(Bank):
    """An application of the profile that opens each connection with a certificate."""

    mine: Holder | None = None
    by_certificate: bool = False
    """Whether the certificate proves the client; else it binds its tokens at most."""
    dpop: bool = True

    def post(self, path: str, proof: str | None = None, **data: Any) -> TestResponse:
        headers = {"DPoP": proof} if proof and self.dpop else {}
        if self.mine is not None:
            headers[HEADER] = self.mine.escaped
        form = {"client_assertion_type": TYPE, "client_assertion": self.assertion.text()}
        if self.by_certificate:
            form = {"client_id": self.assertion.client_id}
        http = self.there.http.application.test_client(use_cookies=False)
        return http.post(path, data={**form, **data}, headers=headers)

    def use(self, token: str, shown: Holder | None, proof: str | None = None) -> TestResponse:
        """Ask UserInfo over a connection with a certificate, or without one."""
        scheme = "DPoP" if proof else "Bearer"
        headers = {"Authorization": f"{scheme} {token}", **({"DPoP": proof} if proof else {})}
        if shown is not None:
            headers[HEADER] = shown.escaped
        http = self.there.http.application.test_client(use_cookies=False)
        return http.get("/oauth2/userinfo", headers=headers)


@pytest.fixture
def authority(app: Flask, tmp_path: Path) -> Holder:
    return trusted_proxy(app, tmp_path)


def vault(client: FlaskClient, authority: Holder, method: str, *, dpop: bool) -> Vault:
    mine, key = holder(SUBJECT, authority), key_for("ES256")
    proof = {
        "private_key_jwt": {"jwks": jwks(key)},
        "tls_client_auth": {"tls_client_auth_subject_dn": SUBJECT},
        "self_signed_tls_client_auth": {"jwks": mine.jwks},
    }[method]
    there = world(
        client,
        profile="fapi2",
        token_endpoint_auth_method=method,
        tls_client_certificate_bound_access_tokens=not dpop,
        **proof,
    )
    return Vault(
        there,
        Assertion(there.portal.client_id, key, "ES256"),
        mine=mine,
        by_certificate=method != "private_key_jwt",
        dpop=dpop,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dpop", [True, False], ids=["DPoP", "certificate"])
def test_each_way_to_prove_the_client_goes_with_each_way_to_bind_tokens(
    client: FlaskClient, authority: Holder, method: str, dpop: bool
) -> None:
    """FAPI 2.0 §5.3.2.1: clients prove themselves by MTLS or private_key_jwt, and tokens are
    sender-constrained by MTLS or DPoP.
    """
    there = vault(client, authority, method, dpop=dpop)

    told = tokens(there)
    token = told["access_token"]

    assert told["token_type"] == ("DPoP" if dpop else "Bearer")
    if dpop:
        good = there.key.proof("GET", "/oauth2/userinfo", token=token)
        assert there.use(token, None, good).status_code == 200
        assert error_of(there.use(token, there.mine)) == (401, "invalid_token")
    else:
        assert there.use(token, there.mine).status_code == 200
        for other in (None, holder(SUBJECT, authority)):
            assert error_of(there.use(token, other)) == (401, "invalid_token")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dpop", [True, False], ids=["DPoP", "certificate"])
def test_tokens_that_nothing_binds_are_never_given(
    client: FlaskClient, authority: Holder, method: str, dpop: bool
) -> None:
    """FAPI 2.0 §5.3.2.1: only sender-constrained access tokens, at the code and at the refresh."""
    there = vault(client, authority, method, dpop=dpop)
    told = tokens(there)
    redeemed = {
        "grant_type": "authorization_code",
        "code": there.code(),
        "redirect_uri": there.there.portal.redirect_uri,
        "code_verifier": there.there.portal.verifier,
    }
    refreshed = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    if not there.by_certificate:
        there.mine = None

    for grant in (redeemed, refreshed):
        answer = there.post("/oauth2/token", **grant)
        if dpop:
            assert error_of(answer) == (400, "invalid_dpop_proof")
        elif there.by_certificate:  # what proves the client also binds
            token = (answer.json or {})["access_token"]
            assert error_of(there.use(token, None)) == (401, "invalid_token")
        else:
            assert error_of(answer) == (400, "invalid_request")


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("endpoint", ["par", "token", "revoke", "introspect"])
def test_each_endpoint_asks_for_the_certificate(
    client: FlaskClient, authority: Holder, method: str, endpoint: str
) -> None:
    """FAPI 2.0 §5.3.2.1: confidential clients authenticate, at the PAR endpoint as at others."""
    there = vault(client, authority, method, dpop=True)
    right = there.mine

    for wrong in (None, holder(SUBJECT), holder("CN=other", authority)):
        there.mine = wrong
        answer = there.push() if endpoint == "par" else there.post(
            f"/oauth2/{endpoint}", token="x", grant_type="refresh_token", refresh_token="x"
        )  # fmt: skip
        assert error_of(answer) in REFUSED
    there.mine = right
    assert there.push().status_code == 201


@pytest.mark.parametrize("dpop", [True, False], ids=["DPoP", "certificate"])
def test_a_refresh_token_stays_with_a_client_that_its_certificate_proves(
    client: FlaskClient, authority: Holder, dpop: bool
) -> None:
    """FAPI 2.0 §5.3.2.1: no rotation; RFC 8705 §4: it hangs on the client's authentication."""
    there = vault(client, authority, "tls_client_auth", dpop=dpop)
    token = tokens(there)["refresh_token"]

    there.mine = holder(SUBJECT, authority)  # renewed, as certificates are
    for _ in range(2):
        again = there.refresh(token)
        assert again.status_code == 200, again.text
        assert (again.json or {})["refresh_token"] == token
    there.mine = holder("CN=other", authority)
    assert error_of(there.refresh(token)) in REFUSED


def test_a_registration_binds_by_a_certificate_or_by_a_key() -> None:
    """FAPI 2.0 §5.3.2.1: one of MTLS and DPoP; DPoP where nothing is said."""
    by_certificate = checked({**BASE, "tls_client_certificate_bound_access_tokens": True})

    assert by_certificate["dpop_bound_access_tokens"] is False
    assert checked(BASE)["dpop_bound_access_tokens"] is True
    with pytest.raises(Invalid):
        checked(
            {
                **BASE,
                "tls_client_certificate_bound_access_tokens": True,
                "dpop_bound_access_tokens": True,
            }
        )


@pytest.mark.parametrize("method", METHODS)
def test_the_same_methods_are_offered_by_discovery(
    client: FlaskClient, authority: Holder, method: str
) -> None:
    """RFC 8414 §2: what the profile allows is what the metadata names."""
    told = client.get("/.well-known/openid-configuration").json or {}

    for endpoint in ("token", "revocation", "introspection"):
        assert method in told[f"{endpoint}_endpoint_auth_methods_supported"]
    assert told["tls_client_certificate_bound_access_tokens"] is True
