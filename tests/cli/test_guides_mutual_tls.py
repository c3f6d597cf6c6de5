"""The operator's guide's mutual TLS: its nginx, run, asks for certificates and tells of them."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from idp import create_app
from tests.apart import ApartClient
from tests.certificates import Holder, holder
from tests.cli.guide import blocks
from tests.conftest import settings_for_tests
from tests.relying_party import World, world
from tests.security.outages import eventually
from tests.smtp import free_port

pytestmark = pytest.mark.quick_on("sqlite")

NAME = "id.example"
MTLS = f"mtls.{NAME}"
SUBJECT = {"tls_client_auth_subject_dn": "CN=portal,O=École"}
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


@dataclass
class Proxy:
    """The guide's nginx with both hosts, before a provider that is set up as the guide says."""

    folder: Path
    tls: int
    client: FlaskClient
    authority: Holder

    def redeem(
        self, there: World, host: str = MTLS, shown: Holder | None = None, **headers: str
    ) -> tuple[int, dict[str, object]]:
        """Redeem a code at a host; ``shown``: the client's certificate on this connection."""
        form = {
            "grant_type": "authorization_code",
            "code": there.answer()["code"],
            "redirect_uri": there.portal.redirect_uri,
            "client_id": there.portal.client_id,
        }
        return self.ask("POST", "/oauth2/token", host, shown, urlencode(form), headers)

    def ask(
        self,
        method: str,
        path: str,
        host: str,
        shown: Holder | None = None,
        body: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, object]]:
        unverified = ssl._create_unverified_context()
        if shown:
            unverified.load_cert_chain(self._file_of(shown))
        connection = HTTPSConnection("127.0.0.1", self.tls, timeout=10, context=unverified)
        raw = socket.create_connection(("127.0.0.1", self.tls), 10)
        connection.sock = unverified.wrap_socket(raw, server_hostname=host)
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request(method, path, body, {"Host": host, **form, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text.startswith("{") else {}

    def _file_of(self, shown: Holder) -> Path:
        file = self.folder / "client.pem"
        key = shown.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(shown.pem + key)
        return file


def configuration(folder: Path, tls: int, upstream: int) -> str:
    """Both blocks of the guide in one file, with this test's ports and folders."""
    text = "\n".join(
        each.text
        for each in blocks()
        if each.kind == "nginx" and each.heading in {"nginx", "Mutual TLS"}
    )
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    for theirs, ours in (
        ("listen 443", f"listen 127.0.0.1:{tls}"),
        ("listen 80", f"listen 127.0.0.1:{free_port()}"),
        ("127.0.0.1:8000", f"127.0.0.1:{upstream}"),
        (f"/etc/letsencrypt/live/{NAME}", str(folder)),
        ("/var/log/nginx", str(folder)),
    ):
        assert theirs in text
        text = text.replace(theirs, ours)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    return (
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}} http {{ {temporary} {text} }}"
    )


@pytest.fixture
def proxy(database_url: str, keys_folder: Path, tmp_path: Path) -> Iterator[Proxy]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    authority = holder("CN=Authority", authority=True)
    (tmp_path / "authorities.pem").write_bytes(authority.pem)
    (told,) = (
        each.text for each in blocks() if each.heading == "Mutual TLS" and each.kind == "ini"
    )
    lines = dict(line.split("=", 1) for line in told.splitlines())
    app = create_app(
        settings_for_tests(
            database_url,
            keys_folder,
            issuer=f"https://{NAME}",
            trusted_proxies=(ip_network("127.0.0.1/32"),),
            client_certificate_header=lines["IDP_CLIENT_CERTIFICATE_HEADER"],
            client_certificate_authorities=tmp_path / "authorities.pem",
            mtls_address=lines["IDP_MTLS_ADDRESS"],
        )
    )
    app.test_client_class = ApartClient
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with app.app_context(), _nginx(tmp_path, server.port) as tls:
        yield Proxy(tmp_path, tls, app.test_client(), authority)
        from idp.database import db

        server.shutdown()
        thread.join(10)
        server.server_close()
        db.session.remove()
        db.engine.dispose()


@contextmanager
def _nginx(folder: Path, upstream: int) -> Iterator[int]:
    tls = free_port()
    names = f"subjectAltName=DNS:{NAME},DNS:{MTLS}"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", f"/CN={NAME}", "-addext", names,
         "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    whole = folder / "nginx.conf"
    whole.write_text(configuration(folder, tls, upstream))
    command = [str(NGINX), "-e", f"{folder}/error.log", "-c", str(whole)]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    server = subprocess.Popen(command)
    try:
        assert eventually(lambda: not socket.socket().connect_ex(("127.0.0.1", tls)), 10)
        yield tls
    finally:
        server.terminate()
        server.wait(30)


def of_authority(proxy: Proxy, **metadata: object) -> World:
    return world(
        proxy.client, token_endpoint_auth_method="tls_client_auth", **{**SUBJECT, **metadata}
    )


def the_right_one(proxy: Proxy) -> Holder:
    return holder("CN=portal,O=École", proxy.authority)


def test_the_certificate_of_the_application_is_let_in_and_binds_its_tokens(proxy: Proxy) -> None:
    there = of_authority(proxy, tls_client_certificate_bound_access_tokens=True)
    mine = the_right_one(proxy)

    status, tokens = proxy.redeem(there, shown=mine)

    assert status == 200, tokens
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    for shown, answer in (
        (mine, 200),
        (holder("CN=portal,O=École", proxy.authority), 401),
        (None, 401),
    ):
        assert proxy.ask("GET", "/oauth2/userinfo", MTLS, shown, headers=bearer)[0] == answer
    assert proxy.ask("GET", "/oauth2/userinfo", NAME, mine, headers=bearer)[0] == 401


def test_a_registered_certificate_of_its_own_making_is_let_in(proxy: Proxy) -> None:
    mine = holder()
    method = {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": mine.jwks}
    there = world(proxy.client, **method)

    assert proxy.redeem(there, shown=mine)[0] == 200
    assert proxy.redeem(there, shown=holder())[0] == 401


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        holder("CN=portal,O=École"),
        holder("CN=portal,O=École", holder("CN=Authority", authority=True)),
    ],
    ids=["none", "of its own making", "of an authority of the same name"],
)
def test_without_the_right_certificate_nobody_is_let_in(proxy: Proxy, wrong: Holder | None) -> None:
    status, answer = proxy.redeem(of_authority(proxy), shown=wrong)

    assert (status, answer["error"]) == (401, "invalid_client")


def test_another_name_of_the_same_authority_is_not_let_in(proxy: Proxy) -> None:
    status, answer = proxy.redeem(of_authority(proxy), shown=holder("CN=other", proxy.authority))

    assert (status, answer["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("host", [NAME, MTLS])
@pytest.mark.parametrize(
    "name",
    [
        "X-Client-Cert",
        pytest.param("X_Client_Cert", marks=pytest.mark.long),
        pytest.param("x-client-cert", marks=pytest.mark.long),
    ],
)
def test_a_header_that_the_client_wrote_is_thrown_away(proxy: Proxy, host: str, name: str) -> None:
    """Whoever knows the certificate, which is no secret, and does not hold its key."""
    there = of_authority(proxy)
    copied = the_right_one(proxy).escaped

    for shown in (None, holder()):
        status, answer = proxy.redeem(there, host, shown, **{name: copied})
        assert (status, answer["error"]) == (401, "invalid_client")


def test_the_other_host_knows_no_certificate_and_shows_parents_none(proxy: Proxy) -> None:
    there = of_authority(proxy)

    assert proxy.redeem(there, NAME, the_right_one(proxy))[0] == 401
    assert proxy.ask("GET", "/", MTLS)[0] == 404
    _status, document = proxy.ask("GET", "/.well-known/openid-configuration", NAME)
    assert document["mtls_endpoint_aliases"]["token_endpoint"] == f"https://{MTLS}/oauth2/token"
