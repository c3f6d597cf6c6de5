"""Request objects by reference (RFC 9101 §5.2; OpenID Connect Core 1.0 §6.2)."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.clients import registration
from idp.clients.metadata import checked
from idp.database import base64url
from idp.errors import Invalid
from idp.oidc import diagnosis, request_uris
from tests.outgoing import servers
from tests.outgoing.conftest import change
from tests.outgoing.servers import Server, reply
from tests.relying_party import CALLBACK, answer, form_of, leads_to, world
from tests.request_objects import Signer, signing, unsigned

pytestmark = pytest.mark.quick_on("sqlite")


@pytest.fixture
def server() -> Iterator[Server]:
    """The application's server, and a worker that has just begun."""
    request_uris._kept.clear()
    with servers.running() as made:
        yield made


def signer(client: FlaskClient, server: Server, fragment: str = "", **more: Any) -> Signer:
    key, metadata = signing(request_uris=[server.address(path="/request.jwt") + fragment], **more)
    return Signer(world(client, **metadata), key)


def publish(server: Server, text: str, **headers: str) -> str:
    """Let the application's server tell this object; returns the fragment that names it."""
    content_type = {"Content_Type": "application/oauth-authz-req+jwt"}
    server.answer = reply(text.encode(), **{**content_type, **headers})
    return "#" + base64url(hashlib.sha256(text.encode()).digest())


def refer(portal: Signer, uri: str, **outside: str) -> TestResponse:
    """Send the browser with the address of an object."""
    there = portal.there
    return there.browser.open(
        there.portal.authorize_path(request_uri=uri, state=None, redirect_uri=None, **outside)
    )


def test_a_request_is_read_where_it_is_registered(client: FlaskClient, server: Server) -> None:
    """RFC 9101 §5.2: the request_uri parameter names where the object stands."""
    portal = signer(client, server)
    publish(server, portal.text())

    fields = answer(refer(portal, server.address(path="/request.jwt")))

    assert fields["state"] == "inside"
    assert portal.there.tokens_of(fields)["id_token"]
    assert b"GET /request.jwt HTTP/1.1" in server.requests[0]
    assert b"application/oauth-authz-req+jwt" in server.requests[0]


def test_an_unsigned_object_is_read_where_operator_and_registration_say_so(
    client: FlaskClient, server: Server
) -> None:
    """OpenID Connect Core §6.2: an object by reference need not be signed."""
    change(client.application, unsigned_request_objects=True)
    portal = signer(client, server, request_object_signing_alg="none")
    publish(server, unsigned(portal.claims()))

    fields = answer(refer(portal, server.address(path="/request.jwt")))

    assert fields["state"] == "inside"
    assert portal.there.tokens_of(fields)["id_token"]


@pytest.mark.parametrize("path", ["/other", "/request.jwt?x=1", "/request.jwt/", "/../request.jwt"])
def test_any_other_address_is_refused_unread(
    client: FlaskClient, server: Server, path: str
) -> None:
    """OpenID Connect Registration §2: request_uris are registered, and compared to the letter."""
    portal = signer(client, server)
    publish(server, portal.text())

    fields = answer(
        portal.there.browser.open(
            portal.there.portal.authorize_path(request_uri=server.address(path=path))
        )
    )

    assert fields["error"] == "invalid_request_uri"
    assert server.requests == []


def test_an_address_of_another_client_is_refused_unread(
    client: FlaskClient, server: Server
) -> None:
    """RFC 9101 §10.3: nobody makes us ask for what is not theirs."""
    portal = signer(client, server)
    _key, metadata = signing(request_uris=["https://other.example/r"])
    other = portal.there.other_portal(**metadata)
    uri = server.address(path="/request.jwt")

    fields = answer(portal.there.browser.open(other.authorize_path(request_uri=uri)))

    assert fields["error"] == "invalid_request_uri"
    assert server.requests == []


def test_a_client_without_registered_addresses_is_told_so(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.6: request_uri_not_supported."""
    there = world(client)

    fields = there.answer(request_uri="https://portal.example/r")

    assert fields["error"] == "request_uri_not_supported"


def test_what_is_named_by_its_hash_is_asked_for_once(client: FlaskClient, server: Server) -> None:
    """OpenID Connect Core §6.2: the fragment is the hash, and a cached copy may be used."""
    portal = signer(client, server)
    address = server.address(path="/request.jwt")
    fragment = publish(server, portal.text(state="first"))

    assert answer(refer(portal, address + fragment))["state"] == "first"
    publish(server, portal.text(state="second"))
    assert answer(refer(portal, address + fragment))["state"] == "first"
    assert len(server.requests) == 1

    assert answer(refer(portal, address))["state"] == "second", "without a hash it is asked again"
    assert len(server.requests) == 2


def test_a_hash_that_does_not_fit_is_not_kept(client: FlaskClient, server: Server) -> None:
    """OpenID Connect Core §6.2: only what has that hash is kept under it."""
    portal = signer(client, server)
    uri = server.address(path="/request.jwt") + "#" + "x" * 43
    publish(server, portal.text(state="first"))
    assert answer(refer(portal, uri))["state"] == "first"
    publish(server, portal.text(state="second"))

    assert answer(refer(portal, uri))["state"] == "second"


def test_an_address_with_its_hash_may_be_registered(client: FlaskClient, server: Server) -> None:
    """OpenID Connect Registration §2: the registered value may hold the fragment."""
    portal = signer(client, server, fragment="#" + "h" * 43)
    publish(server, portal.text())
    address = server.address(path="/request.jwt")

    assert "code" in answer(refer(portal, f"{address}#{'h' * 43}"))
    page = refer(portal, f"{address}#{'i' * 43}")
    assert page.status_code == 400
    assert not leads_to(page)


@pytest.mark.parametrize(
    "answered",
    [
        reply(b"gone", "404 Not Found"),
        reply(b"", "302 Found", Location="http://127.0.0.1:1/"),
        reply(b"", "500 Internal Server Error"),
        reply(b"x" * 70_000),
        b"",
        b"garbage",
    ],
    ids=["404", "redirect", "500", "oversize", "nothing", "garbage"],
)
def test_what_can_not_be_read_is_invalid_request_uri(
    client: FlaskClient, server: Server, answered: bytes
) -> None:
    """RFC 9101 §7, §10.4.1: the fetch is bounded, follows no redirect, and fails with a code."""
    portal = signer(client, server)
    server.answer = answered
    uri = server.address(path="/request.jwt")

    page = portal.there.browser.open(portal.there.portal.authorize_path(request_uri=uri))

    fields = answer(page)
    assert fields["error"] == "invalid_request_uri"
    assert fields["state"] == "st4te"


@pytest.mark.parametrize("body", [b"", b"x", b"\xff\xfe", b"a.b.c", b"[]"])
def test_what_is_no_object_is_invalid_request_object(
    client: FlaskClient, server: Server, body: bytes
) -> None:
    """RFC 9101 §7: invalid_request_object."""
    portal = signer(client, server)
    server.answer = reply(body)
    uri = server.address(path="/request.jwt")

    page = portal.there.browser.open(portal.there.portal.authorize_path(request_uri=uri))

    assert answer(page)["error"] == "invalid_request_object"


def test_its_errors_are_shaped_as_it_says(client: FlaskClient, server: Server) -> None:
    """RFC 9101 §7; Form Post Response Mode §2: by form, with the state inside."""
    portal = signer(client, server)
    publish(server, portal.text(exp=1, response_mode="form_post", state="s"))

    page = refer(portal, server.address(path="/request.jwt"))

    fields = form_of(page.text, "form-post")[1]
    assert (fields["error"], fields["state"]) == ("invalid_request_object", "s")


@pytest.mark.parametrize(
    "uri",
    [
        "http://portal.example/r",
        "https://10.0.0.7/r",
        "https://169.254.169.254/latest",
        "https://[::1]/r",
        "file:///etc/passwd",
        "urn:ietf:params:oauth:request_uri:x",
        "https://user:secret@portal.example/r",
        "",
    ],
)
def test_dangerous_addresses_are_not_registered(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    """RFC 9101 §10.4.1: https and public addresses, or what the operator lists."""
    from dataclasses import replace

    from idp import settings

    known = client.application.extensions
    monkeypatch.setitem(known, "idp.settings", replace(settings.current(), demo=False))
    document = {"client_name": "x", "redirect_uris": [CALLBACK]}

    with pytest.raises(Invalid) as refused:
        checked({**document, "request_uris": [uri]})

    assert refused.value.field == "request_uris"


def test_the_desk_asks_the_application_for_nothing(client: FlaskClient, server: Server) -> None:
    """RFC 9101 §10.4: who looks at a request makes no other request."""
    portal = signer(client, server)
    path = portal.there.portal.authorize_path(request_uri=server.address(path="/request.jwt"))

    found = diagnosis.diagnose(
        registration.get_client(portal.there.portal.client_id), f"http://127.0.0.1:8000{path}"
    )

    assert found.error.startswith("invalid_request_uri")
    assert server.requests == []


def test_discovery_says_that_addresses_are_registered(client: FlaskClient) -> None:
    """OpenID Connect Discovery §3: by reference, where it is registered."""
    told = client.get("/.well-known/openid-configuration").json or {}

    assert told["request_uri_parameter_supported"] is True
    assert told["require_request_uri_registration"] is True
