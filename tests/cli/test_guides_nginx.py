"""The operator's guide's nginx, run: what it writes down of us when we are down, and port 80."""

import inspect
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest
from flask import Flask

from idp.web.secret_addresses import MAILED_LINKS, SECRET_ADDRESSES
from tests.cli.guide import blocks
from tests.smtp import free_port

pytestmark = pytest.mark.quick_on("postgresql")

NAME = "id.example"
SECRET = "onlyitsreadermayknow"
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


@dataclass
class Proxy:
    """nginx before a provider that is down."""

    folder: Path
    plain: int
    tls: int

    def get(self, path: str, *, plain: bool = False) -> tuple[int, str, bytes]:
        unverified = ssl._create_unverified_context()
        connection = (
            HTTPConnection("127.0.0.1", self.plain, timeout=10)
            if plain
            else HTTPSConnection("127.0.0.1", self.tls, timeout=10, context=unverified)
        )
        if isinstance(connection, HTTPSConnection):
            raw = socket.create_connection(("127.0.0.1", self.tls), 10)
            connection.sock = unverified.wrap_socket(raw, server_hostname=NAME)
        connection.request("GET", path, headers={"Host": NAME})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location") or "", answer.read()

    def written(self) -> str:
        """Every log of it."""
        return "".join(file.read_text() for file in self.folder.glob("*.log"))


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    made = Proxy(tmp_path_factory.mktemp("nginx"), free_port(), free_port())
    folder = made.folder
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}",
         "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    (text,) = (each.text for each in blocks() if each.heading == "nginx" and each.kind == "nginx")
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    for ours, theirs in (
        ("listen 443", f"listen 127.0.0.1:{made.tls}"),
        ("listen 80", f"listen 127.0.0.1:{made.plain}"),
        ("127.0.0.1:8000", f"127.0.0.1:{free_port()}"),
        (f"/etc/letsencrypt/live/{NAME}", str(folder)),
        ("/var/log/nginx", str(folder)),
        ("/var/www/acme", str(folder / "acme")),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    whole = folder / "nginx.conf"
    whole.write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}} http {{ {temporary} {text} }}"
    )
    command = [NGINX, "-e", f"{folder}/error.log", "-c", str(whole)]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    server = subprocess.Popen(command)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", made.tls), 1).close()
                break
            except OSError:
                server.poll()
        yield made
    finally:
        server.terminate()
        server.wait(30)


def paths(app: Flask, endpoint: str) -> list[str]:
    """The addresses of an endpoint, something in the place of each variable part."""
    rules = [rule.rule for rule in app.url_map.iter_rules(endpoint)]
    return [re.sub(r"<[^>]+>", "google", rule) for rule in rules]


@pytest.mark.nginx
def test_n8_no_log_has_the_query_of_a_secret_address_while_we_are_down(
    app: Flask, proxy: Proxy
) -> None:
    addresses = [path for endpoint in SECRET_ADDRESSES for path in paths(app, endpoint)]
    for path in [*addresses, "/admin/people"]:
        assert proxy.get(f"{path}?code={SECRET}")[0] == 502, path

    assert SECRET not in proxy.written()
    for path in addresses:  # what the operator needs to see of it
        assert re.search(rf" GET {re.escape(path)} 502 ", proxy.written()), path

    proxy.get(f"/account/history?before={SECRET}")
    assert SECRET in proxy.written(), "the error log is elsewhere, and nothing was proved"


def test_n8_whatever_takes_a_mails_secret_is_known_as_a_secret_address(app: Flask) -> None:
    taking = {
        endpoint
        for endpoint, view in app.view_functions.items()
        if "take_over(" in inspect.getsource(inspect.unwrap(view))
    }
    assert taking
    assert taking <= set(MAILED_LINKS)
    at_the_protocol = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/oauth2/") or rule.rule.endswith("/callback")
    }
    assert at_the_protocol - {"oauth2.jwks"} <= set(SECRET_ADDRESSES)


@pytest.mark.nginx
def test_a_certificate_is_renewed_by_the_webroot_way(proxy: Proxy) -> None:
    challenge = proxy.folder / "acme/.well-known/acme-challenge/token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("token.thumbprint")
    proxy.folder.chmod(0o755)

    assert proxy.get("/.well-known/acme-challenge/token", plain=True)[::2] == (
        200,
        b"token.thumbprint",
    )
    assert proxy.get("/welcome?x=1", plain=True)[:2] == (301, f"https://{NAME}/welcome?x=1")
