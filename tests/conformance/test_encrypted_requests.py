"""Encrypted request objects: OpenID Connect Core 1.0 §6.1, RFC 9101 §6.1."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from joserfc import jwe
from joserfc.jwk import KeySet

from idp.clients.metadata import checked
from idp.errors import Invalid
from idp.oidc.keys import Keyring
from tests.protocol.assertions import jwks, key_for
from tests.relying_party import CALLBACK, World, answer, world
from tests.request_objects import Signer

pytestmark = pytest.mark.quick_on("sqlite")

ALGORITHMS = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW")
CONTENTS = ("A128CBC-HS256", "A256GCM")
UNREADABLE = "The request object can't be decrypted"


class Encrypting(Signer):
    """Makes objects that are signed and then encrypted with the key that we publish."""

    def __init__(self, there: World, **header: Any) -> None:
        super().__init__(there, KEY)
        self.encryption = header

    def encrypted(self, inner: str, alg: str = "ECDH-ES", enc: str = CONTENTS[0]) -> str:
        key = next(k for k in published(self.there.http) if k.key_type == KINDS[alg])
        header = {"alg": alg, "enc": enc, "kid": key.kid, "cty": "JWT", **self.encryption}
        header = {name: value for name, value in header.items() if value is not None}
        registry = jwe.JWERegistry(algorithms=[alg, enc, "DEF"])
        return jwe.encrypt_compact(header, inner, key, registry=registry)


KEY = key_for("ES256")
KINDS = {"RSA-OAEP-256": "RSA", "ECDH-ES": "EC", "ECDH-ES+A256KW": "EC"}


def published(http: FlaskClient) -> list[Any]:
    """The keys of ours that are for encryption."""
    keys = KeySet.import_key_set(http.get("/oauth2/jwks").json).keys  # type: ignore[arg-type]
    return [key for key in keys if key.get("use") == "enc"]


def there_with(client: FlaskClient, **metadata: Any) -> World:
    registered = {"jwks": jwks(KEY), "request_object_encryption_alg": "ECDH-ES", **metadata}
    return world(client, **registered)


@pytest.mark.parametrize("enc", CONTENTS)
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_is_signed_and_encrypted_is_read(client: FlaskClient, alg: str, enc: str) -> None:
    """OpenID Connect Core §6.1: signed, then encrypted with a key of the provider."""
    there = there_with(client, request_object_encryption_alg=alg, request_object_encryption_enc=enc)
    portal = Encrypting(there)

    fields = answer(portal.ask(portal.encrypted(portal.text(), alg, enc)))

    assert "code" in fields
    assert fields["state"] == "inside"


def test_without_a_kid_our_keys_are_tried(client: FlaskClient) -> None:
    """RFC 7516 §5.2: kid is optional."""
    portal = Encrypting(there_with(client), kid=None)

    assert "code" in answer(portal.ask(portal.encrypted(portal.text())))


def test_one_that_is_signed_alone_is_still_read(client: FlaskClient) -> None:
    """OpenID Connect Registration §2: the RP may send unencrypted request objects as well."""
    portal = Encrypting(there_with(client))

    assert "code" in answer(portal.ask(portal.text()))


def test_one_may_be_pushed(client: FlaskClient) -> None:
    """RFC 9126 §3: a request object in the pushed request."""
    there = there_with(client)
    portal = Encrypting(there)
    pushed = {"request": portal.encrypted(portal.text())}

    named = there.portal.post(client, "/oauth2/par", pushed).json or {}
    asked = urlencode({"client_id": there.portal.client_id, "request_uri": named["request_uri"]})

    assert answer(there.browser.open(f"/oauth2/authorize?{asked}"))["state"] == "inside"


def refused(portal: Encrypting, text: str, **outside: str) -> dict[str, str]:
    outside = {"redirect_uri": CALLBACK, "state": "outside", **outside}
    return answer(portal.ask(text, **outside))


def parts(text: str, number: int, part: str) -> str:
    """The object with another part in a place."""
    five = text.split(".")
    five[number] = part
    return ".".join(five)


@pytest.mark.parametrize(
    "wrong", ["key", "iv", "text", "tag", "header", "empty", "kid", "zip", "alg", "enc", "none"]
)
def test_whatever_is_wrong_with_the_encryption_is_told_alike(
    client: FlaskClient, wrong: str
) -> None:
    """RFC 7516 §11.5: nobody learns what our key makes of a text; RFC 9101 §7: the error."""
    there = there_with(client, request_object_encryption_alg="RSA-OAEP-256")
    header = {"kid": "nobody's"} if wrong == "kid" else {"zip": "DEF"} if wrong == "zip" else {}
    portal = Encrypting(there, **header)
    there.other_portal(jwks=jwks(KEY), request_object_encryption_alg="ECDH-ES")
    alg = "ECDH-ES" if wrong == "alg" else "RSA-OAEP-256"
    text = portal.encrypted(portal.text(), alg, CONTENTS[wrong == "enc"])
    places = {"header": 0, "key": 1, "iv": 2, "text": 3, "tag": 4}
    if wrong in places:
        text = parts(text, places[wrong], "AAAA")
    text = {"empty": "....", "none": "e30...."}.get(wrong, text)

    fields = refused(portal, text)

    assert fields["error"] == "invalid_request_object"
    assert fields["error_description"] == UNREADABLE
    assert fields["state"] == "outside"


def test_what_is_not_signed_is_refused_encrypted_too(client: FlaskClient) -> None:
    """OpenID Connect Core §6.1: signed, then encrypted; never encrypted alone."""
    portal = Encrypting(there_with(client))
    plain = json.dumps(portal.claims(state="inside"))

    for inner in (plain, portal.encrypted(portal.text()), "x", ""):
        fields = refused(portal, portal.encrypted(inner))
        assert fields["error"] == "invalid_request_object"
        assert fields["state"] == "outside"


def test_another_applications_object_tells_nothing_of_itself(client: FlaskClient) -> None:
    """RFC 9101 §10.2: who found an encrypted object has neither its state nor its nonce shown."""
    there = there_with(client)
    portal = Encrypting(there)
    found = portal.encrypted(portal.text(state="secret", redirect_uri=None))
    other = there.other_portal(
        jwks=jwks(key_for("ES256")),
        request_object_encryption_alg="ECDH-ES",
        parameters_beside_request_object=True,
    )

    page = there.browser.open(
        "/oauth2/authorize?" + urlencode({**other.request(state="own"), "request": found})
    )

    fields = answer(page)
    assert fields["error"] == "invalid_request_object"
    assert fields["state"] == "own"


def test_a_signed_object_says_how_its_error_goes_back(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.6: redirect_uri and state are those of the request."""
    portal = Encrypting(there_with(client))

    fields = answer(portal.ask(portal.encrypted(portal.text(scope="profile"))))
    expired = answer(portal.ask(portal.encrypted(portal.text(exp=1_000_000))))

    assert (fields["error"], fields["state"]) == ("invalid_scope", "inside")
    assert (expired["error"], expired["state"]) == ("invalid_request_object", "inside")


def test_who_is_not_registered_for_it_is_refused(client: FlaskClient) -> None:
    """RFC 9101 §6.1: what a registration does not say is not decrypted."""
    there = there_with(client)
    portal = Encrypting(there)
    plain = there.other_portal(jwks=jwks(KEY))
    portal.there.portal, registered = plain, portal.there.portal

    fields = refused(portal, portal.encrypted(portal.text()))

    assert fields["error"] == "invalid_request_object"
    assert fields["error_description"] != UNREADABLE
    assert registered.client_id != plain.client_id


def test_the_key_is_published_once_an_application_uses_it(client: FlaskClient) -> None:
    """OpenID Connect Discovery §3: jwks_uri may hold encryption keys, each with its use."""
    there = world(client)
    assert not published(client)

    there.other_portal(jwks=jwks(KEY), request_object_encryption_alg="ECDH-ES+A256KW")

    assert [key.key_type for key in published(client)] == ["EC"]
    assert not published(client)[0].is_private


def test_discovery_tells_what_may_be_used(client: FlaskClient) -> None:
    """OpenID Connect Discovery §3: request_object_encryption_alg and enc_values_supported."""
    told = client.get("/.well-known/openid-configuration").json or {}

    assert told["request_object_encryption_alg_values_supported"] == list(ALGORITHMS)
    assert told["request_object_encryption_enc_values_supported"] == list(CONTENTS)


def test_a_rotated_key_opens_what_was_encrypted_before(
    client: FlaskClient, own_keys: Keyring
) -> None:
    """OpenID Connect Core §10.2.1: rotation; the former key decrypts for a while."""
    portal = Encrypting(there_with(client))
    before, text = published(client)[0].kid, portal.encrypted(portal.text())
    own_keys.rotate(force=True)

    now = published(client)[0].kid

    assert now != before
    assert "code" in answer(portal.ask(text))
    assert "code" in answer(portal.ask(portal.encrypted(portal.text(state="now"))))


def test_a_key_that_was_taken_out_opens_nothing(client: FlaskClient, own_keys: Keyring) -> None:
    """RFC 7517 §5: a key that was disclosed is gone at once, and another one is there."""
    portal = Encrypting(there_with(client))
    before, text = published(client)[0].kid, portal.encrypted(portal.text())
    own_keys.retire(str(before))

    assert refused(portal, text)["error_description"] == UNREADABLE
    assert "code" in answer(portal.ask(portal.encrypted(portal.text())))


@pytest.mark.parametrize(
    ("registered", "field"),
    [
        ({"request_object_encryption_enc": "A256GCM"}, "request_object_encryption_alg"),
        ({"request_object_encryption_alg": "RSA1_5", "jwks": jwks(KEY)}, None),
        ({"request_object_encryption_alg": "ECDH-ES"}, "jwks"),
        (
            {
                "request_object_encryption_alg": "ECDH-ES",
                "request_object_signing_alg": "none",
                "jwks": jwks(KEY),
            },
            "request_object_signing_alg",
        ),
    ],
    ids=["no algorithm", "a former algorithm", "no keys", "not signed"],
)
def test_what_does_not_go_together_is_not_registered(
    client: FlaskClient, registered: dict[str, Any], field: str | None
) -> None:
    """OpenID Connect Registration §2: enc needs alg; what is encrypted is signed first."""
    with pytest.raises(Invalid) as refusal:
        checked({"client_name": "x", "redirect_uris": [CALLBACK], **registered})
    assert refusal.value.field == (field or "request_object_encryption_alg")


def test_the_content_encryption_has_its_default(client: FlaskClient) -> None:
    """OpenID Connect Registration §2: A128CBC-HS256 where alg stands alone."""
    made = there_with(client).portal.registered.client.metadata_

    assert made["request_object_encryption_enc"] == "A128CBC-HS256"
