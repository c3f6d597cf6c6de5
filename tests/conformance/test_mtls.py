"""Mutual TLS (RFC 8705, RFC 9440): what the specifications ask of the server, over HTTP."""

import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.clients.metadata import checked
from idp.errors import Invalid
from idp.settings import safety
from tests.certificates import ALIAS, HEADER, Holder, holder, trusted_proxy
from tests.relying_party import World, error_of, world

pytestmark = pytest.mark.quick_on("sqlite")
REFUSED = {(400, "invalid_client"), (401, "invalid_client")}


@pytest.fixture
def authority(app: Flask, tmp_path: Path) -> Holder:
    """The operator's authority; a trusted proxy tells certificates."""
    return trusted_proxy(app, tmp_path)


def redeem(there: World, header: str | None, **environ: str) -> TestResponse:
    """Redeem a code as a proxy passes it on."""
    return there.http.application.test_client(use_cookies=False).post(
        "/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "code": there.answer()["code"],
            "redirect_uri": there.portal.redirect_uri,
            "client_id": there.portal.client_id,
        },
        headers={HEADER: header} if header is not None else {},
        environ_overrides=environ,
    )


def self_signed(client: FlaskClient, mine: Holder, **metadata: Any) -> World:
    method = {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": mine.jwks}
    return world(client, **{**method, **metadata})


def of_authority(client: FlaskClient, **name: str) -> World:
    names = name or {"tls_client_auth_subject_dn": "CN=portal,O=École"}
    return world(client, token_endpoint_auth_method="tls_client_auth", **names)


# Which header is believed


def test_both_forms_of_the_header_are_read(client: FlaskClient, authority: Holder) -> None:
    """RFC 9440 §2.1: a byte sequence; and percent-encoded PEM, as nginx writes it."""
    mine = holder()
    there = self_signed(client, mine)

    assert redeem(there, mine.byte_sequence).status_code == 200
    assert redeem(there, mine.escaped).status_code == 200


@pytest.mark.parametrize("address", ["203.0.113.7", "::1", ""])
def test_only_a_trusted_proxy_is_believed(
    client: FlaskClient, authority: Holder, address: str
) -> None:
    """RFC 9440 §4: the header counts where only the proxy can have written it."""
    mine = holder()
    there = self_signed(client, mine)

    assert error_of(redeem(there, mine.escaped, REMOTE_ADDR=address)) in REFUSED


def test_without_the_setting_no_header_is_believed(client: FlaskClient) -> None:
    """RFC 9440 §4: a deployment that expects no certificate ignores the header."""
    mine = holder()
    there = self_signed(client, mine)

    assert error_of(redeem(there, mine.escaped)) in REFUSED
    document = client.get("/.well-known/openid-configuration").json or {}
    assert "self_signed_tls_client_auth" not in document["token_endpoint_auth_methods_supported"]
    assert "tls_client_certificate_bound_access_tokens" not in document


@pytest.mark.parametrize(
    "header", ["", "x", "::", ":AAAA:", "%", "-----BEGIN", ":!!!:", "x" * 20000]
)
def test_garbage_is_no_certificate(client: FlaskClient, authority: Holder, header: str) -> None:
    """RFC 9440 §2.1: what can't be read is no certificate."""
    there = self_signed(client, holder())

    assert error_of(redeem(there, header)) in REFUSED


def test_two_certificates_are_none(client: FlaskClient, authority: Holder) -> None:
    """RFC 9440 §2.2: a proxy sends one Client-Cert; a second one is somebody else's."""
    mine = holder()
    there = self_signed(client, mine)

    assert error_of(redeem(there, f"{mine.byte_sequence}, {mine.byte_sequence}")) in REFUSED


# self_signed_tls_client_auth


def test_a_self_signed_certificate_is_the_registered_one(
    client: FlaskClient, authority: Holder
) -> None:
    """RFC 8705 §2.2: the certificate is one of those in the registered key set."""
    mine = holder()
    there = self_signed(client, mine)

    assert error_of(redeem(there, holder().escaped)) in REFUSED
    assert error_of(redeem(there, None)) in REFUSED
    assert redeem(there, mine.escaped).status_code == 200


def test_an_expired_certificate_is_refused(client: FlaskClient, authority: Holder) -> None:
    """RFC 8705 §2: the certificate is valid when it is used."""
    mine = holder(days=-1)

    assert error_of(redeem(self_signed(client, mine), mine.escaped)) in REFUSED


# tls_client_auth


def test_a_certificate_of_the_authority_is_known_by_its_subject(
    client: FlaskClient, authority: Holder
) -> None:
    """RFC 8705 §2.1: the subject is the registered one, and an accepted authority issued it."""
    there = of_authority(client)

    assert redeem(there, holder(issuer=authority).escaped).status_code == 200
    assert error_of(redeem(there, holder("CN=other,O=École", authority).escaped)) in REFUSED


@pytest.mark.changed_elsewhere("oidc/client_certificate.py")
def test_authorities_that_the_operator_replaces_count_at_once_and_the_former_no_more(
    client: FlaskClient, authority: Holder, tmp_path: Path
) -> None:
    """RFC 8705 §2.1: what the operator's file says now counts, whoever on the machine wrote it."""
    there, mine = of_authority(client), holder(issuer=authority)
    assert redeem(there, mine.escaped).status_code == 200
    newer = holder("CN=Authority", authority=True)
    (tmp_path / "newer.pem").write_bytes(newer.pem)

    subprocess.run(["mv", tmp_path / "newer.pem", tmp_path / "authorities.pem"], check=True)

    assert error_of(redeem(there, mine.escaped)) in REFUSED
    assert redeem(there, holder(issuer=newer).escaped).status_code == 200


def test_a_certificate_that_anybody_made_is_refused(client: FlaskClient, authority: Holder) -> None:
    """RFC 8705 §2.1: the chain is verified; a name alone proves nothing."""
    there = of_authority(client)
    false_authority = holder("CN=Authority", authority=True)
    no_authority = holder("CN=leaf", authority)

    for forged in (holder(), holder(issuer=false_authority), holder(issuer=no_authority)):
        assert error_of(redeem(there, forged.escaped)) in REFUSED
    assert error_of(redeem(there, holder(issuer=authority, days=-1).escaped)) in REFUSED


@pytest.mark.parametrize(
    ("name", "value", "alternative"),
    [
        ("san_dns", "Portal.example", x509.DNSName("portal.example")),
        ("san_uri", "urn:portal:1", x509.UniformResourceIdentifier("urn:portal:1")),
        ("san_ip", "2001:db8::1", x509.IPAddress(ip_address("2001:db8:0::1"))),
        ("san_email", "it@portal.example", x509.RFC822Name("it@portal.example")),
    ],
)
def test_a_certificate_may_be_known_by_another_name(
    client: FlaskClient, authority: Holder, name: str, value: str, alternative: Any
) -> None:
    """RFC 8705 §2.1.2: one of the subject's alternative names."""
    there = of_authority(client, **{f"tls_client_auth_{name}": value})

    good = holder(issuer=authority, alternatives=[alternative])

    assert redeem(there, good.escaped).status_code == 200
    assert error_of(redeem(there, holder(issuer=authority).escaped)) in REFUSED


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"tls_client_auth_san_dns": "a.example", "tls_client_auth_san_uri": "urn:a"},
        {"tls_client_auth_subject_dn": "portal"},
        {"tls_client_auth_san_ip": "portal.example"},
        {"tls_client_auth_san_dns": ""},
        {"tls_client_auth_san_dns": 3},
    ],
    ids=str,
)
def test_exactly_one_name_is_registered(names: dict[str, Any]) -> None:
    """RFC 8705 §2.1.2: exactly one of the subject's names."""
    base = {"client_name": "x", "redirect_uris": ["https://x.example/"]}

    with pytest.raises(Invalid):
        checked({**base, "token_endpoint_auth_method": "tls_client_auth", **names})


# Bound tokens


def test_a_bound_token_works_over_its_own_certificate_alone(
    client: FlaskClient, authority: Holder
) -> None:
    """RFC 8705 §3: invalid_token where the certificate is another one, or missing."""
    mine = holder()
    there = self_signed(client, mine, tls_client_certificate_bound_access_tokens=True)
    answer = redeem(there, mine.escaped).json or {}
    http = client.application.test_client(use_cookies=False)

    def asked(header: str | None, scheme: str = "Bearer") -> TestResponse:
        headers = {"Authorization": f"{scheme} {answer['access_token']}"}
        return http.get("/oauth2/userinfo", headers=headers | ({HEADER: header} if header else {}))

    assert answer["token_type"] == "Bearer"
    assert asked(mine.escaped).status_code == asked(mine.byte_sequence).status_code == 200
    for response in (asked(None), asked(holder().escaped), asked(mine.escaped, "DPoP")):
        assert error_of(response) == (401, "invalid_token")


def test_introspection_tells_the_certificate(client: FlaskClient, authority: Holder) -> None:
    """RFC 8705 §3.2: cnf with x5t#S256."""
    mine = holder()
    there = self_signed(client, mine, tls_client_certificate_bound_access_tokens=True)
    token = (redeem(there, mine.escaped).json or {})["access_token"]

    told = client.application.test_client(use_cookies=False).post(
        "/oauth2/introspect",
        data={"token": token, "client_id": there.portal.client_id},
        headers={HEADER: mine.escaped},
    )

    assert (told.json or {})["cnf"] == {"x5t#S256": mine.thumbprint}


def test_a_registration_that_binds_needs_a_certificate(
    client: FlaskClient, authority: Holder
) -> None:
    """RFC 8705 §3.4: tls_client_certificate_bound_access_tokens, with any authentication."""
    there = world(client, tls_client_certificate_bound_access_tokens=True)
    code = there.answer()["code"]

    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_request")


def test_a_token_is_bound_to_one_key() -> None:
    """RFC 7800 §3: a token has one confirmation: a certificate or a DPoP key."""
    with pytest.raises(Invalid):
        checked(
            {
                "client_name": "x",
                "redirect_uris": ["https://x.example/"],
                "dpop_bound_access_tokens": True,
                "tls_client_certificate_bound_access_tokens": True,
            }
        )


# Metadata


def test_discovery_tells_methods_and_aliases(client: FlaskClient, authority: Holder) -> None:
    """RFC 8705 §3.3, §5: bound tokens, and where the proxy asks for a certificate."""
    told = client.get("/.well-known/openid-configuration").json or {}

    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(
        told["token_endpoint_auth_methods_supported"]
    )
    assert told["tls_client_certificate_bound_access_tokens"] is True
    assert told["mtls_endpoint_aliases"]["token_endpoint"] == f"{ALIAS}/oauth2/token"
    assert told["mtls_endpoint_aliases"]["userinfo_endpoint"] == f"{ALIAS}/oauth2/userinfo"
    assert "authorization_endpoint" not in told["mtls_endpoint_aliases"]


def test_a_header_without_trusted_proxies_is_refused(app: Flask) -> None:
    """RFC 9440 §4: a header that anybody could write is no proof."""
    wrong = replace(app.extensions["idp.settings"], client_certificate_header=HEADER)

    assert any("IDP_TRUSTED_PROXIES" in each for each in safety.problems(wrong))
