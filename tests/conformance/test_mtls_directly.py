"""Mutual TLS (RFC 8705) at our own door, ``idp mtls serve``: no proxy stands before it."""

import contextlib
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from idp import create_app
from idp.database import db
from tests import databases
from tests.apart import ApartClient
from tests.certificates import Holder, holder
from tests.cli.conftest import finished, refused, start
from tests.conftest import environment_for_tests, settings_for_tests
from tests.protocol.assertions import TYPE, Assertion, jwks, key_for
from tests.protocol.proofs import Prover
from tests.relying_party import World, answer, world
from tests.security.outages import eventually
from tests.smtp import free_port

SUBJECT = "CN=portal,O=École"
CERTIFICATE = {
    "token_endpoint_auth_method": "tls_client_auth",
    "tls_client_auth_subject_dn": SUBJECT,
}
Answer = tuple[int, dict[str, Any]]


@dataclass
class Door:
    """Our own door in a process of its own, and the same provider in this one, for browsers."""

    guardian: World
    folder: Path
    port: int
    authority: Holder
    process: subprocess.Popen[str]
    environment: dict[str, str]

    @property
    def address(self) -> str:
        return f"https://mtls.id.example:{self.port}"

    def world(self, **metadata: Any) -> World:
        """An application of its own, before the one guardian."""
        return replace(self.guardian, portal=self.guardian.other_portal(**metadata))

    def redeem(self, there: World, shown: Holder | None, **headers: str) -> Answer:
        """Redeem a code at the door; ``shown``: the certificate of this connection."""
        form = {
            "grant_type": "authorization_code",
            "code": there.answer()["code"],
            "redirect_uri": there.portal.redirect_uri,
            "client_id": there.portal.client_id,
        }
        return self.ask("POST", "/oauth2/token", shown, urlencode(form), **headers)

    def ask(
        self,
        method: str,
        path: str,
        shown: Holder | None = None,
        body: str | None = None,
        **headers: str,
    ) -> Answer:
        connection = HTTPSConnection("127.0.0.1", self.port, timeout=10)
        connection.sock = self.connect(shown)
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request(method, path, body, {**form, **headers})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, json.loads(text) if text.startswith("{") else {}

    def connect(self, shown: Holder | None = None) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.folder / "server.pem"))
        if shown is not None:
            context.load_cert_chain(written(self.folder / "client.pem", shown))
        raw = socket.create_connection(("127.0.0.1", self.port), 10)
        return context.wrap_socket(raw, server_hostname="mtls.id.example")

    def shows(self) -> bytes | None:
        """Our certificate, whoever made it."""
        unverified = ssl._create_unverified_context()
        with socket.create_connection(("127.0.0.1", self.port)) as raw:
            return unverified.wrap_socket(raw, server_hostname="x").getpeercert(binary_form=True)


def written(file: Path, holder: Holder) -> Path:
    key = holder.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(holder.pem + key)
    return file


def server_certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=mtls.id.example", "-addext", "subjectAltName=DNS:mtls.id.example",
         "-keyout", folder / "server.key", "-out", folder / "server.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def door(keys_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder, port = tmp_path_factory.mktemp("door"), free_port()
    server_certificate(folder)
    authority = holder("CN=Authority", authority=True)
    (folder / "authorities.pem").write_bytes(authority.pem)
    with databases.fresh("sqlite") as url:
        environment = environment_for_tests(
            url,
            keys_folder,
            IDP_CLIENT_CERTIFICATE_HEADER="X-Client-Cert",
            IDP_CLIENT_CERTIFICATE_AUTHORITIES=str(folder / "authorities.pem"),
            IDP_TRUSTED_PROXIES="127.0.0.1/32",
            IDP_MTLS_ADDRESS=f"https://mtls.id.example:{port}",
        )
        app = create_app(
            settings_for_tests(
                url, keys_folder, mtls_address=environment["IDP_MTLS_ADDRESS"],
                client_certificate_authorities=folder / "authorities.pem",
            )
        )  # fmt: skip
        told = (folder / "log").open("w")
        process = start(environment, *serve(folder, port), stdout=told, stderr=subprocess.STDOUT)
        try:
            assert eventually(lambda: not socket.socket().connect_ex(("127.0.0.1", port)), 90), (
                folder / "log"
            ).read_text()
            app.test_client_class = ApartClient
            with app.app_context():
                yield Door(world(app.test_client()), folder, port, authority, process, environment)
                db.session.remove()
                db.engine.dispose()
        finally:
            process.terminate()
            assert process.wait(40) == 0, (folder / "log").read_text()
            told.close()
        assert "Traceback" not in (folder / "log").read_text()


def serve(folder: Path, port: int) -> list[str]:
    files = ("--certificate", str(folder / "server.pem"), "--key", str(folder / "server.key"))
    return ["mtls", "serve", "--port", str(port), *files]


@pytest.fixture
def mine(door: Door) -> Holder:
    return holder(SUBJECT, door.authority)


def test_a_certificate_proves_the_client_and_binds_its_tokens(door: Door, mine: Holder) -> None:
    """RFC 8705 §2.1, §3: directly, the certificate of the connection is what counts."""
    there = door.world(**CERTIFICATE, tls_client_certificate_bound_access_tokens=True)

    status, told = door.redeem(there, mine)

    assert status == 200, told
    bearer = {"Authorization": f"Bearer {told['access_token']}"}
    for shown, expected in ((mine, 200), (holder(SUBJECT, door.authority), 401), (None, 401)):
        assert door.ask("GET", "/oauth2/userinfo", shown, **bearer)[0] == expected


def test_a_registered_certificate_of_its_own_making_is_let_in(door: Door) -> None:
    """RFC 8705 §2.2: the TLS layer asks for no chain; the registered certificate is what counts."""
    own = holder()
    there = door.world(token_endpoint_auth_method="self_signed_tls_client_auth", jwks=own.jwks)

    assert door.redeem(there, own)[0] == 200
    assert door.redeem(there, holder())[0] == 401


@pytest.mark.parametrize("wrong", ["none", "of its own making", "of another authority", "expired"])
def test_without_the_right_certificate_nobody_is_let_in(door: Door, wrong: str) -> None:
    """RFC 8705 §2.1: the chain is verified, and the certificate is valid now."""
    shown = {
        "none": None,
        "of its own making": holder(SUBJECT),
        "of another authority": holder(SUBJECT, holder("CN=Authority", authority=True)),
        "expired": holder(SUBJECT, door.authority, days=-1),
    }[wrong]

    status, told = door.redeem(door.world(**CERTIFICATE), shown)

    assert (status, told["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("name", ["X-Client-Cert", "X_Client_Cert", "Client-Cert"])
@pytest.mark.parametrize("holds_another", [True, False])
def test_no_header_speaks_of_certificates(
    door: Door, mine: Holder, name: str, holds_another: bool
) -> None:
    """RFC 9440 §4: where no proxy is, whoever writes the header wrote it himself, though the
    connection comes from the address of a trusted proxy.
    """
    there = door.world(**CERTIFICATE)
    shown = holder() if holds_another else None

    for text in (mine.escaped, mine.byte_sequence):
        status, told = door.redeem(there, shown, **{name: text})
        assert (status, told["error"]) == (401, "invalid_client")


def test_the_whole_of_fapi_by_certificate_and_dpop_at_the_alias(door: Door, mine: Holder) -> None:
    """RFC 8705 §5, RFC 9449 §4.3: a proof names the alias that it is sent to."""
    there = door.world(profile="fapi2", **CERTIFICATE)
    key = Prover()
    portal = there.portal

    def post(path: str, address: str, **form: str) -> Answer:
        proof = key.proof("POST", path, htu=address + path)
        named = {"client_id": portal.client_id, **form}
        return door.ask("POST", path, mine, urlencode(named), DPoP=proof)

    status, pushed = post("/oauth2/par", door.address, **portal.request(**portal.pkce()))
    assert status == 201, pushed
    asked = f"/oauth2/authorize?client_id={portal.client_id}&request_uri={pushed['request_uri']}"
    code = answer(there.browser.open(asked))["code"]
    redeemed = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": portal.redirect_uri,
        "code_verifier": portal.verifier,
    }
    elsewhere = post("/oauth2/token", "https://mtls.evil.example", **redeemed)
    status, told = post("/oauth2/token", door.address, **redeemed)

    assert elsewhere[1]["error"] == "invalid_dpop_proof"
    assert (status, told["token_type"]) == (200, "DPoP"), told
    path = "/oauth2/userinfo"
    proof = key.proof("GET", path, token=told["access_token"], htu=door.address + path)
    authorization = f"DPoP {told['access_token']}"
    assert door.ask("GET", path, Authorization=authorization, DPoP=proof)[0] == 200


@pytest.mark.parametrize("aud", ["/oauth2/token", "/oauth2/par"])
def test_an_assertion_may_name_the_alias_where_it_may_name_an_endpoint(
    door: Door, aud: str
) -> None:
    """RFC 8705 §5, RFC 9126 §2: the endpoint's address is the alias for who comes by it."""
    key = key_for("ES256")
    lenient = {"token_endpoint_auth_audience": "issuer_or_endpoint", "jwks": jwks(key)}
    portal = door.world(token_endpoint_auth_method="private_key_jwt", **lenient).portal
    assertion = Assertion(portal.client_id, key, "ES256").text(aud=door.address + aud)
    form = {"client_assertion_type": TYPE, "client_assertion": assertion}

    assert door.ask("POST", "/oauth2/par", None, urlencode({**portal.request(), **form}))[0] == 201


def test_discovery_names_the_door_without_any_header(door: Door) -> None:
    """RFC 8705 §5: mtls_endpoint_aliases; each alias answers, and nothing else does."""
    told = door.guardian.http.get("/.well-known/openid-configuration").json or {}

    assert "tls_client_auth" in told["token_endpoint_auth_methods_supported"]
    assert told["tls_client_certificate_bound_access_tokens"] is True
    for address in told["mtls_endpoint_aliases"].values():
        assert door.ask("GET", address.removeprefix(door.address))[0] in {401, 405}
    for path in ("/", "/oauth2/authorize", "/admin/", "/health/ready", "/oauth2/token/", "/%2e/"):
        assert door.ask("GET", path)[0] == 404


def test_one_connection_serves_several_requests(door: Door) -> None:
    """RFC 9112 §9.3: connections stay open; the certificate was proved once for all of them."""
    connection = HTTPSConnection("127.0.0.1", door.port, timeout=10)
    connection.sock = door.connect()

    for _ in range(3):
        connection.request("GET", "/oauth2/userinfo")
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (401, True)
    connection.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_tls_and_no_tls_are_refused(door: Door) -> None:
    """FAPI 2.0 §5.2.1: TLS 1.2 or later."""
    old = ssl._create_unverified_context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

    refused_by_us = pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION")
    with refused_by_us, socket.create_connection(("127.0.0.1", door.port)) as raw:
        old.wrap_socket(raw, server_hostname="mtls.id.example")
    with socket.create_connection(("127.0.0.1", door.port), 5) as plain:
        plain.sendall(b"GET /oauth2/userinfo HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/" not in plain.recv(1000)


def test_a_body_that_is_too_long_is_not_kept(door: Door) -> None:
    """RFC 9110 §15.5.14: 413."""
    with door.connect() as connection:
        head = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
        connection.sendall(head)
        with contextlib.suppress(OSError):
            for _ in range(64):
                connection.sendall(b"x" * 4096)
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.long
@pytest.mark.slow
def test_who_sends_a_byte_at_a_time_is_cut_off(door: Door) -> None:
    """RFC 9110 §15.5.9: no request takes for ever, however often a byte of it comes."""
    begun = time.monotonic()
    with door.connect() as connection:
        connection.settimeout(0.5)
        connection.sendall(b"POST /oauth2/token HTTP/1.1\r\nX: ")
        while time.monotonic() < begun + 20:
            try:
                connection.sendall(b"x")
                if connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break

    assert 8 < time.monotonic() - begun < 16


def test_a_renewed_certificate_counts_with_the_next_connection(door: Door) -> None:
    """RFC 8705 §6.3: certificates are renewed; ours too, and nobody is cut off for it."""
    before = door.shows()

    (door.folder / "server.pem").write_text("half")  # in the midst of a renewal
    half = door.shows()
    server_certificate(door.folder)

    assert half == before
    assert eventually(lambda: door.shows() != before, 10)


@pytest.mark.long
def test_it_says_in_one_line_why_it_does_not_start(door: Door) -> None:
    """RFC 8705 §5: nobody would find a door without an address."""
    unnamed = {name: each for name, each in door.environment.items() if name != "IDP_MTLS_ADDRESS"}
    wrong = serve(door.folder, free_port())
    wrong[wrong.index("--key") + 1] = str(door.folder / "client.pem")
    (door.folder / "client.pem").write_text("no key")

    assert "IDP_MTLS_ADDRESS" in refused(finished(unnamed, *serve(door.folder, free_port())))
    assert "its key can't be used" in refused(finished(door.environment, *wrong))
