"""The keys with which an application signs: registered, or published at its ``jwks_uri``."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp import create_app
from idp.clients import key_sets, registration
from idp.database import db
from idp.errors import Invalid
from idp.outgoing.documents import Documents
from idp.settings import Settings
from tests import factories
from tests.outgoing import servers
from tests.outgoing.conftest import change
from tests.outgoing.servers import Server, reply
from tests.protocol.assertions import TYPE, Assertion, Key, jwks, key_for
from tests.relying_party import World, error_of, world
from tests.times import later

pytestmark = [
    pytest.mark.quick_on("sqlite"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
    pytest.mark.filterwarnings("ignore:Key size should be"),
]
REFUSED = (400, "invalid_client")
OLD, NEW = key_for("ES256", "old"), key_for("ES256", "new")


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The application's server, which tells its keys to a worker that has just begun."""
    monkeypatch.setattr(key_sets, "_published", Documents("jwks_uri", key_sets._of_answer))
    with servers.running() as server:
        publish(server, OLD)
        yield server


def publish(server: Server, *keys: Key, **headers: str) -> None:
    server.answer = reply(json.dumps(jwks(*keys)).encode(), **headers)


def signing(client: FlaskClient, server: Server, **metadata: Any) -> World:
    return world(
        client,
        token_endpoint_auth_method="private_key_jwt",
        jwks_uri=server.address(),
        **metadata,
    )


def proves_itself(there: World, key: Key, path: str = "/oauth2/introspect") -> TestResponse:
    """The answer to a request that the application has signed with this key."""
    assertion = Assertion(there.portal.client_id, key, "ES256")
    data = {"token": "none", "client_assertion_type": TYPE, "client_assertion": assertion.text()}
    server = there.http.application.test_client(use_cookies=False)
    return server.post(path, data=data)


def test_keys_at_a_jwks_uri_prove_the_client(client: FlaskClient, published: Server) -> None:
    """OpenID Connect Registration 1.0 §2: jwks_uri is where the client's keys are read."""
    there = signing(client, published)

    assertion = Assertion(there.portal.client_id, OLD, "ES256")
    assert assertion.post(client, there.answer()["code"], assertion.text()).json["id_token"]
    assert proves_itself(there, OLD).status_code == 200

    assert len(published.requests) == 1, "kept as its headers say"


def test_a_rotated_key_is_read_at_once(client: FlaskClient, published: Server) -> None:
    """OpenID Connect Core §10.1.1: an unknown kid has the keys read again."""
    there = signing(client, published)
    assert proves_itself(there, OLD).status_code == 200
    publish(published, OLD, NEW)

    with later(seconds=61):
        assert proves_itself(there, NEW).status_code == 200
        assert proves_itself(there, OLD).status_code == 200

    assert len(published.requests) == 2


def test_unknown_keys_are_looked_for_once_a_minute(client: FlaskClient, published: Server) -> None:
    """OpenID Connect Core §10.1.1: the signer says by kid which key; a stranger asks for no more
    than one request a minute of us.
    """
    there = signing(client, published)
    assert proves_itself(there, OLD).status_code == 200

    with later(seconds=61):
        for _ in range(4):
            assert error_of(proves_itself(there, NEW)) == REFUSED

    assert len(published.requests) == 2


@pytest.mark.changed_elsewhere("outgoing/documents.py")
def test_a_key_that_is_published_no_more_proves_nothing(
    client: FlaskClient, published: Server
) -> None:
    """OpenID Connect Core §10.1.1: what left the key set is used no longer than it was cached."""
    publish(published, OLD, Cache_Control="max-age=60")
    there = signing(client, published)
    assert proves_itself(there, OLD).status_code == 200
    publish(published, NEW)

    with later(seconds=61):
        assert error_of(proves_itself(there, OLD)) == REFUSED
        assert proves_itself(there, NEW).status_code == 200


def test_the_last_good_keys_serve_while_the_address_is_away(
    client: FlaskClient, published: Server
) -> None:
    """RFC 7591 §2: jwks_uri; an outage of the client's web server of a day locks it not out."""
    there = signing(client, published)
    assert proves_itself(there, OLD).status_code == 200
    published.answer = reply(b"", "503 Later")

    with later(hours=20):
        assert proves_itself(there, OLD).status_code == 200
    with later(hours=26):
        assert error_of(proves_itself(there, OLD)) == REFUSED


def test_keys_of_a_client_are_another_clients_never(client: FlaskClient, published: Server) -> None:
    """RFC 7523 §3: the signature is by a key of the client that the assertion names."""
    there = signing(client, published)
    with servers.running() as server:
        publish(server, NEW)
        there.portal = there.other_portal(
            token_endpoint_auth_method="private_key_jwt", jwks_uri=server.address()
        )
        assert error_of(proves_itself(there, OLD)) == REFUSED
        assert proves_itself(there, NEW).status_code == 200


@pytest.mark.parametrize("path", ["/oauth2/revoke", "/oauth2/introspect"])
def test_the_keys_are_read_before_a_transaction(
    client: FlaskClient, published: Server, path: str
) -> None:
    """RFC 7009 §2.1 and RFC 7662 §2.1: the same client authentication, for the first time too."""
    there = signing(client, published)
    assert proves_itself(there, OLD, path).status_code == 200
    publish(published, NEW)
    with later(seconds=61):
        assert proves_itself(there, NEW, path).status_code == 200


def test_no_key_is_parsed_for_a_request(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7591 §2: jwks by value are parsed once, and anew when the registration changes."""
    there = world(client, token_endpoint_auth_method="private_key_jwt", jwks=jwks(OLD))
    parsed: list[Any] = []
    real = key_sets.import_key
    monkeypatch.setattr(key_sets, "import_key", lambda each: (parsed.append(each), real(each))[1])

    for _ in range(3):
        assert proves_itself(there, OLD).status_code == 200
    assert len(parsed) == 1

    registered = there.portal.registered.client
    registration.change(registered.id, {**registered.metadata_, "jwks": jwks(NEW)})
    assert error_of(proves_itself(there, OLD)) == REFUSED
    assert proves_itself(there, NEW).status_code == 200
    assert len(parsed) == 2


@pytest.mark.changed_elsewhere("clients/key_sets.py")
def test_keys_that_another_worker_registers_prove_it_here_and_the_former_ones_no_more(
    client: FlaskClient, published: Server, settings: Settings
) -> None:
    """RFC 7591 §2: by value or by address, what is registered now counts, in every worker."""
    there = world(client, token_endpoint_auth_method="private_key_jwt", jwks=jwks(OLD))
    assert proves_itself(there, OLD).status_code == 200

    _register_elsewhere(settings, there, jwks=jwks(NEW))
    assert proves_itself(there, NEW).status_code == 200
    assert error_of(proves_itself(there, OLD)) == REFUSED

    _register_elsewhere(settings, there, jwks_uri=published.address())
    assert proves_itself(there, OLD).status_code == 200
    assert error_of(proves_itself(there, NEW)) == REFUSED


def _register_elsewhere(settings: Settings, there: World, **keys: Any) -> None:
    """Another worker on the same database gives the application these keys alone."""
    with create_app(settings).app_context():
        registered = registration.get_client(there.portal.client_id).metadata_
        others = {name: registered[name] for name in registered.keys() - {"jwks", "jwks_uri"}}
        registration.change(there.portal.client_id, {**others, **keys})
        db.session.remove()
        db.engine.dispose()


def test_keys_that_sign_nothing_are_passed_over(client: FlaskClient, published: Server) -> None:
    """RFC 7517 §5: unknown kinds are ignored; §4.2: a key for encryption verifies nothing."""
    encrypting = {**OLD.as_dict(private=False), "use": "enc"}
    strange = [{"kty": "AKP", "alg": "ML-DSA-44", "pub": "x"}, {"kty": "oct", "k": "AAAA"}, 7]
    published.answer = reply(json.dumps({"keys": [*strange, encrypting]}).encode())
    there = signing(client, published)
    assert error_of(proves_itself(there, OLD)) == REFUSED

    usable = {**OLD.as_dict(private=False), "use": "sig"}
    published.answer = reply(json.dumps({"keys": [*strange, usable]}).encode())
    with later(seconds=61):
        assert proves_itself(there, OLD).status_code == 200


@pytest.mark.parametrize("answered", ["garbage", "private", "short", "redirect", "large"])
def test_what_is_no_key_set_proves_nothing_and_says_why(
    app: Flask, client: FlaskClient, published: Server, answered: str
) -> None:
    """OpenID Connect Registration 1.0 §2: the jwks_uri is a key set of public keys."""
    published.answer = {
        "garbage": reply(b"<html>"),
        "private": reply(json.dumps({"keys": [OLD.as_dict(private=True)]}).encode()),
        "short": reply(b'{"keys": [{"kty":"RSA","n":"wJM5r7cV","e":"AQAB"}]}'),
        "redirect": reply(b"", "302 Found", Location="http://127.0.0.1:1/"),
        "large": reply(b" " * 70_000),
    }[answered]
    there = signing(client, published)

    response = proves_itself(there, OLD)

    assert error_of(response) == REFUSED
    assert response.json["error_description"].startswith("The keys at the jwks_uri can't be read")


def test_jwks_and_jwks_uri_exclude_each_other(app: Flask) -> None:
    """RFC 7591 §2: jwks_uri and jwks MUST NOT both be present."""
    with pytest.raises(Invalid, match="keys_twice"):
        factories.client_app(
            factories.school(), jwks=jwks(OLD), jwks_uri="https://app.example/keys"
        )


@pytest.mark.parametrize(
    "address",
    [
        "http://app.example/keys",
        "http://127.0.0.1/keys",
        "https://127.0.0.1/keys",
        "https://localhost/keys",
        "https://10.0.0.1/keys",
        "https://[::1]/keys",
        "https://[::ffff:10.0.0.1]/keys",
        "ftp://app.example/keys",
        "https://user@app.example/keys",
        "javascript:alert(1)",
    ],
)
def test_r14_an_address_that_we_would_not_call_is_not_registered(app: Flask, address: str) -> None:
    """RFC 7591 §5: URIs of a registration are checked before the server dereferences them."""
    change(app, demo=False)
    with pytest.raises(Invalid) as refused:
        factories.client_app(factories.school(), jwks_uri=address)
    assert refused.value.field == "jwks_uri"


def test_twenty_first_requests_at_once_read_the_keys_once(
    app: Flask, client: FlaskClient, published: Server
) -> None:
    """OpenID Connect Core §10.1.1: and all of them are answered."""
    there = signing(client, published)
    db.session.remove()
    released = threading.Event()
    published.before = lambda: (released.wait(5), None)[1]
    statuses: list[int] = []

    def introspect() -> None:
        assertion = Assertion(there.portal.client_id, OLD, "ES256")
        data = {"client_assertion_type": TYPE, "client_assertion": assertion.text()}
        answered = app.test_client(use_cookies=False).post(
            "/oauth2/introspect", data={"token": "none", **data}
        )
        statuses.append(answered.status_code)

    threads = [threading.Thread(target=introspect) for _ in range(20)]
    for each in threads:
        each.start()
    released.set()
    for each in threads:
        each.join()

    assert statuses == [200] * 20
    assert len(published.requests) == 1
