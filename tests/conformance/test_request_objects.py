"""Request objects (RFC 9101; OpenID Connect Core 1.0 §6)."""

import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp import create_app
from idp.clients import registration
from idp.clients.metadata import checked
from idp.database import base64url
from idp.errors import Invalid
from tests.conftest import settings_for_tests
from tests.protocol.assertions import TYPE, Assertion, jwks, key_for
from tests.relying_party import CALLBACK, answer, form_of, leads_to, world
from tests.request_objects import Signer, signing, unsigned

pytestmark = [
    pytest.mark.quick_on("sqlite"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
]


def signer(
    client: FlaskClient, alg: str = "ES256", *, signed_in: bool = True, **more: Any
) -> Signer:
    key, metadata = signing(alg, **more)
    return Signer(world(client, signed_in=signed_in, **metadata), key, alg)


@pytest.fixture
def unsigned_allowed(database_url: str, keys_folder: Path) -> Iterator[FlaskClient]:
    """A browser of a provider whose operator lets applications send unsigned objects."""
    app = create_app(settings_for_tests(database_url, keys_folder, unsigned_request_objects=True))
    with app.app_context():
        yield app.test_client()


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_signed_request_by_value_is_answered(client: FlaskClient, alg: str) -> None:
    """RFC 9101 §5.1: the request parameter carries the request object."""
    portal = signer(client, alg)

    fields = answer(portal.ask(portal.text()))

    assert fields["state"] == "inside"
    assert portal.there.tokens_of(fields)["id_token"]


def test_the_signed_parameters_alone_count(client: FlaskClient) -> None:
    """RFC 9101 §6.3: the parameters inside are used even if the same ones stand outside."""
    portal = signer(client)
    outside = {"state": "outside", "scope": "openid profile", "prompt": "none login"}

    fields = answer(portal.ask(portal.text(), **outside))

    assert fields["state"] == "inside"
    assert portal.there.tokens_of(fields)["scope"] == "openid"


def test_a_parameter_outside_does_not_fill_what_is_missing_inside(client: FlaskClient) -> None:
    """RFC 9101 §5: a client that signs sends every parameter within the object."""
    portal = signer(client)

    fields = answer(portal.ask(portal.text(state=None, nonce=None), state="outside", nonce="o"))

    assert "state" not in fields


def test_parameters_outside_count_where_the_registration_says_so(client: FlaskClient) -> None:
    """OpenID Connect Core §6.1: parameters outside count where the object has none."""
    portal = signer(client, parameters_beside_request_object=True)
    inside = portal.text(client_id=None, response_type=None, scope=None, redirect_uri=None)

    outside = {"scope": "openid profile", "redirect_uri": CALLBACK, "state": "outside"}
    fields = answer(portal.ask(inside, **outside))

    assert fields["state"] == "inside", "the object's word comes first"
    assert portal.there.tokens_of(fields)["scope"] == "openid profile"


def test_claims_and_numbers_may_be_json(client: FlaskClient) -> None:
    """RFC 9101 §4: numbers are JSON numbers, and the claims parameter is a JSON object."""
    portal = signer(client)
    claims = {"id_token": {"auth_time": {"essential": True}}}

    fields = answer(portal.ask(portal.text(max_age=3600, claims=claims)))
    too_old = answer(portal.ask(portal.text(max_age=1.5)))

    assert "code" in fields
    assert too_old["error"] == "invalid_request"


@pytest.mark.parametrize(
    "typ", ["oauth-authz-req+jwt", "application/oauth-authz-req+jwt", "JWT", None]
)
def test_the_type_of_request_objects_and_none_at_all_are_taken(
    client: FlaskClient, typ: str | None
) -> None:
    """RFC 9101 §10.8: explicit typing is recommended, and objects without it are in use."""
    portal = signer(client)
    portal.header = {"typ": typ}

    assert "code" in answer(portal.ask(portal.text()))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"aud": "https://evil.example"},
        {"aud": ["https://evil.example"]},
        {"aud": {}},
        {"aud": 7},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"nbf": 4_000_000_000},
        {"nbf": {}},
        {"client_id": "somebody"},
        {"client_id": None},
        {"client_id": ["x"]},
        {"request": "eyJhbGciOiJub25lIn0.e30."},
        {"request_uri": "https://portal.example/request"},
    ],
    ids=str,
)
def test_an_object_that_breaks_one_rule_is_invalid(
    client: FlaskClient, changes: dict[str, Any]
) -> None:
    """RFC 9101 §6.2, §4: iss, aud, exp, nbf and client_id are checked; no object in an object."""
    portal = signer(client)

    fields = answer(portal.ask(portal.text(**changes)))

    assert fields["error"] == "invalid_request_object"
    assert fields["state"] == "inside"
    assert "code" not in fields


def test_an_audience_of_several_with_the_issuer_is_taken(client: FlaskClient) -> None:
    """OpenID Connect Core §6.1: the aud is or includes the issuer."""
    portal = signer(client)

    assert "code" in answer(
        portal.ask(portal.text(aud=["https://x.example", "http://127.0.0.1:8000"]))
    )
    assert "code" in answer(
        portal.ask(portal.text(aud=None, iss=None, exp=None, nbf=None, iat=None))
    )


def test_a_response_type_that_differs_outside_is_refused(client: FlaskClient) -> None:
    """OpenID Connect Core §6.1: response_type outside must match the one inside."""
    portal = signer(client)

    fields = answer(portal.ask(portal.text(), response_type="id_token"))

    assert fields["error"] == "invalid_request"
    assert fields["state"] == "inside"


def test_an_object_of_another_client_is_refused(client: FlaskClient) -> None:
    """RFC 9101 §5: the client_id outside is identical to the one inside, whose keys verify."""
    portal = signer(client)
    key, metadata = signing()
    other = portal.there.other_portal(**metadata)
    foreign = Signer(portal.there, key)

    stolen = portal.there.browser.open(portal.path(portal.text(), client_id=other.client_id))
    forged = portal.ask(foreign.text())

    assert answer(stolen)["error"] == "invalid_request_object"
    assert answer(forged)["error"] == "invalid_request_object"


def test_the_client_id_has_to_stand_outside(client: FlaskClient) -> None:
    """RFC 9101 §5: client_id is required outside of the request object."""
    portal = signer(client)

    page = portal.there.browser.open(f"/oauth2/authorize?request={portal.text()}")

    assert page.status_code == 400
    assert not leads_to(page)


def test_either_by_value_or_by_reference(client: FlaskClient) -> None:
    """RFC 9101 §5: request and request_uri are not used together."""
    portal = signer(client)

    fields = answer(portal.ask(portal.text(), request_uri="https://portal.example/r"))

    assert fields["error"] == "invalid_request"


def test_a_public_key_is_no_secret_for_hs256(client: FlaskClient) -> None:
    """RFC 8725 §3.1: an object that is signed with the public key as an HMAC secret is refused."""
    portal = signer(client)
    public = portal.key.as_dict(private=False)

    for secret in (portal.key.as_pem(private=False), json.dumps(public).encode()):
        start = unsigned(portal.claims(), {"alg": "HS256", "kid": portal.key.kid})
        digest = hmac.digest(secret, start.rstrip(".").encode(), "sha256")
        forged = start + base64url(digest)
        assert answer(portal.ask(forged))["error"] == "invalid_request_object"


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "None"}, {"alg": "nOnE", "typ": "JWT"}, {}]
)
def test_nobody_leaves_the_signature_out(client: FlaskClient, header: dict[str, Any]) -> None:
    """RFC 9101 §10.5: an unsigned object is refused where signatures are registered."""
    portal = signer(client)

    fields = answer(portal.ask(unsigned(portal.claims(), header)))

    assert fields["error"] == "invalid_request_object"
    assert fields["state"] == "inside"


def test_keys_that_the_object_brings_along_are_not_believed(client: FlaskClient) -> None:
    """RFC 8725 §3.10: jwk, jku and x5u in the header are nobody's word."""
    portal = signer(client)
    stranger = key_for("ES256")
    brought = {"jwk": stranger.as_dict(private=False), "jku": "https://evil.example/jwks"}

    for header in ({"jwk": brought["jwk"]}, {"jku": brought["jku"]}, brought):
        forged = Signer(portal.there, stranger, header=header)
        assert answer(portal.ask(forged.text()))["error"] == "invalid_request_object"


def test_another_algorithm_than_the_registered_one_is_refused(client: FlaskClient) -> None:
    """OpenID Connect Registration §2: request_object_signing_alg names the only one."""
    key = key_for("RS256")
    there = world(client, jwks=jwks(key), request_object_signing_alg="PS256")

    right, wrong = (Signer(there, key, alg) for alg in ("PS256", "RS256"))

    assert "code" in answer(right.ask(right.text()))
    assert answer(wrong.ask(wrong.text()))["error"] == "invalid_request_object"


def test_a_client_assertion_is_no_request_object(client: FlaskClient) -> None:
    """RFC 9101 §10.8: a JWT that was made for something else is refused."""
    portal = signer(client)
    assertion = Assertion(portal.there.portal.client_id, portal.key, "ES256")

    for typ in ("JWT", "client-authentication+jwt", "at+jwt", "logout+jwt", 3):
        assertion.header = {"typ": typ} if isinstance(typ, str) else {}
        text = assertion.text(client_id=portal.there.portal.client_id, redirect_uri=CALLBACK)
        assert answer(portal.ask(text))["error"] == "invalid_request_object", typ


def test_a_client_without_keys_is_told_that_objects_are_not_supported(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.6: request_not_supported."""
    there = world(client)
    portal = Signer(there, key_for("ES256"))

    for text in (portal.text(), unsigned(portal.claims())):
        assert answer(portal.ask(text, redirect_uri=CALLBACK))["error"] == "request_not_supported"


def test_what_is_registered_to_be_signed_is_not_taken_plain(client: FlaskClient) -> None:
    """RFC 9101 §10.5: with require_signed_request_object plain parameters are refused."""
    portal = signer(client, require_signed_request_object=True)

    assert portal.there.answer()["error"] == "invalid_request"
    assert "code" in answer(portal.ask(portal.text()))


def test_unsigned_objects_cannot_be_registered_unless_the_operator_lets_them(app: Flask) -> None:
    """OpenID Connect Registration §2: unsigned objects are registered by name."""
    document = {
        "client_name": "x",
        "redirect_uris": [CALLBACK],
        "request_object_signing_alg": "none",
    }

    with pytest.raises(Invalid) as refused:
        checked(document)

    assert refused.value.field == "request_object_signing_alg"


def test_an_unsigned_object_is_read_where_it_is_registered(unsigned_allowed: FlaskClient) -> None:
    """OpenID Connect Core §6.1: an unsigned request object has alg none and no signature."""
    there = world(unsigned_allowed, request_object_signing_alg="none")
    portal = Signer(there, key_for("ES256"))

    assert answer(portal.ask(unsigned(portal.claims())))["state"] == "inside"
    with_signature = unsigned(portal.claims()) + "c2lnbmF0dXJl"
    for text in (with_signature, portal.text()):
        assert answer(portal.ask(text))["error"] == "invalid_request_object"
    told = unsigned_allowed.get("/.well-known/openid-configuration").json or {}
    assert "none" in told["request_object_signing_alg_values_supported"]


def test_unsigned_and_required_to_be_signed_contradict_each_other(
    unsigned_allowed: FlaskClient,
) -> None:
    """RFC 9101 §10.5: require_signed_request_object and none exclude each other."""
    document = {"client_name": "x", "redirect_uris": [CALLBACK], "jwks": jwks(key_for("ES256"))}
    wanted = {"request_object_signing_alg": "none", "require_signed_request_object": True}

    with pytest.raises(Invalid):
        checked({**document, **wanted})


def test_signing_needs_keys(app: Flask) -> None:
    """RFC 9101 §6.2: there is nothing to verify an object with but registered keys."""
    document = {"client_name": "x", "redirect_uris": [CALLBACK]}

    for wanted in (
        {"request_object_signing_alg": "ES256"},
        {"require_signed_request_object": True},
    ):
        with pytest.raises(Invalid) as refused:
            checked({**document, **wanted})
        assert refused.value.field == "jwks"


def test_discovery_names_what_we_take(client: FlaskClient) -> None:
    """RFC 9101 §10.5; OpenID Connect Discovery §3: request objects are announced."""
    told = client.get("/.well-known/openid-configuration").json or {}

    assert told["request_parameter_supported"] is True
    assert set(told["request_object_signing_alg_values_supported"]) == {
        "RS256",
        "PS256",
        "ES256",
        "EdDSA",
    }


class TestTheShapeOfAnError:
    """How the client wants its answer may stand inside the object alone."""

    def test_an_unsupported_object_is_refused_as_it_says_itself(self, client: FlaskClient) -> None:
        """OAuth 2.0 Form Post Response Mode §2: an error goes by form too, with its state."""
        there = world(client)
        portal = Signer(there, key_for("ES256"))
        claims = portal.claims(response_mode="form_post", state="only inside")

        page = portal.ask(unsigned(claims), redirect_uri=CALLBACK)

        action, fields = form_of(page.text, "form-post")
        assert action == CALLBACK
        assert fields["error"] == "request_not_supported"
        assert fields["state"] == "only inside"

    def test_a_redirect_uri_inside_counts_if_it_is_registered(self, client: FlaskClient) -> None:
        """RFC 6749 §4.1.2.1: no error is sent to an address that is not registered."""
        there = world(client)
        portal = Signer(there, key_for("ES256"))

        fine = portal.ask(unsigned(portal.claims()))
        evil = portal.ask(unsigned(portal.claims(redirect_uri="https://evil.example/")))
        outside = portal.ask(
            unsigned(portal.claims(redirect_uri="https://evil.example/")), redirect_uri=CALLBACK
        )

        assert answer(fine)["error"] == "request_not_supported"
        for page in (evil, outside):
            assert page.status_code == 400
            assert not leads_to(page)

    def test_an_invalid_signed_object_too(self, client: FlaskClient) -> None:
        """RFC 9101 §7: an error that can be sent to the client is sent as it asked."""
        portal = signer(client)

        page = portal.ask(portal.text(exp=1, response_mode="form_post", state="s"))

        assert form_of(page.text, "form-post")[1]["error"] == "invalid_request_object"
        assert form_of(page.text, "form-post")[1]["state"] == "s"


class TestHostileObjects:
    """What no honest client sends."""

    def test_garbage_is_an_error_and_never_a_fault(self, client: FlaskClient) -> None:
        """RFC 9101 §7: what can't be read is invalid_request_object."""
        portal = signer(client)
        whole = portal.text()
        payloads = [
            b"",
            b"[]",
            b"7",
            b'"x"',
            b"{",
            b"\xff",
            b"[" * 5000,
            b'{"a":' * 900 + b"1" + b"}" * 900,
        ]
        payloads += [b'{"exp":' + b"9" * 5000 + b"}"]
        garbage = ["x", "a.b.c", "...", whole[:-2], whole + ".x", "é.é.é", "e30.e30.", "W10.W10.AA"]

        for text in [*garbage, *map(portal.signed, payloads)]:
            fields = answer(portal.ask(text, redirect_uri=CALLBACK))
            assert fields["error"] == "invalid_request_object", text[:50]

    def test_a_novel_is_too_long(self, client: FlaskClient) -> None:
        """RFC 9101 §10.4: what is received is bounded."""
        portal = signer(client)

        fields = answer(portal.ask(portal.text(login_hint="x" * 7000), redirect_uri=CALLBACK))

        assert fields["error"] == "invalid_request"

    @pytest.mark.parametrize("name", ["nonce", "login_hint", "claims", "x\0y"])
    def test_control_characters_inside_are_refused(self, client: FlaskClient, name: str) -> None:
        """RFC 6749 §3.1: what stands inside is checked like what stands outside."""
        portal = signer(client)

        assert answer(portal.ask(portal.text(**{name: "a\0b"})))["error"] == "invalid_request"

    def test_letters_of_any_script_come_back(self, client: FlaskClient) -> None:
        """OpenID Connect Core §3.1.2.5: the state comes back to the letter."""
        portal = signer(client)

        for state in ("é€漢🙂", "\"'><script>", " ", "%2B+"):
            assert answer(portal.ask(portal.text(state=state)))["state"] == state

    def test_a_lone_surrogate_is_refused(self, client: FlaskClient) -> None:
        """RFC 8259 §8.2: half of a character is none."""
        portal = signer(client)
        payload = json.dumps(portal.claims(state="x")).replace('"x"', '"\\ud800"').encode()

        assert answer(portal.ask(portal.signed(payload), redirect_uri=CALLBACK))["error"]

    def test_a_repeated_object_is_refused(self, client: FlaskClient) -> None:
        """RFC 6749 §3.1: parameters are not included more than once."""
        portal = signer(client)

        path = portal.path(portal.text(), redirect_uri=CALLBACK) + f"&request={portal.text()}"

        assert answer(portal.there.browser.open(path))["error"] == "invalid_request"


def test_a_replayed_object_gives_no_second_answer_to_one_code(client: FlaskClient) -> None:
    """RFC 9101 §10.2: an object is good until it expires; what it leads to works once each."""
    portal = signer(client)
    text = portal.text()

    first, second = answer(portal.ask(text)), answer(portal.ask(text))

    assert first["code"] != second["code"]
    assert portal.there.tokens_of(first)["id_token"] != portal.there.tokens_of(second)["id_token"]


def test_two_tabs_with_two_objects_are_both_answered(client: FlaskClient) -> None:
    """RFC 9101 §5.1: each request is answered with its own state."""
    portal = signer(client, signed_in=False)
    first = portal.ask(portal.text(state="one")).request.path
    portal.ask(portal.text(state="two"))

    assert answer(portal.there.browser.sign_in("claire"))["state"] == "two"
    assert answer(portal.there.browser.open(first))["state"] == "one"


def test_a_posted_object_crosses_sites_without_its_hint(app: Flask, client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: a request by POST from another site finds the session."""
    portal = signer(client, id_token_claims=["name", "email"], require_signed_request_object=True)
    plain = answer(portal.ask(portal.text(scope="openid profile email")))
    hint = portal.there.tokens_of(plain)["id_token"]
    stranger = app.test_client(use_cookies=False)
    text = portal.text(id_token_hint=hint, prompt="none")

    data = {"client_id": portal.there.portal.client_id, "request": text}
    place = stranger.post("/oauth2/authorize", data=data).headers["Location"]

    assert place.startswith("/oauth2/authorize?understood=")
    assert not any(part in unquote(place) for part in [*hint.split("."), *text.split(".")])
    assert answer(client.get(place))["state"] == "inside"
    assert client.get(place + "x").status_code == 400


class TestFapi2:
    """FAPI 2.0 Message Signing: what a registration of the profile fapi2 may sign."""

    def push(self, portal: Signer, text: str) -> tuple[int, str]:
        """What becomes of this object, pushed by its application with private_key_jwt."""
        there = portal.there
        server = there.http.application.test_client(use_cookies=False)
        assertion = Assertion(there.portal.client_id, portal.key, "ES256").text()
        data = {"client_assertion_type": TYPE, "client_assertion": assertion, "request": text}
        response = server.post("/oauth2/par", data=data)
        return response.status_code, str((response.json or {}).get("error"))

    def portal(self, client: FlaskClient, **more: Any) -> Signer:
        key, metadata = signing(require_signed_request_object=True, **more)
        method = {"token_endpoint_auth_method": "private_key_jwt"}
        return Signer(world(client, profile="fapi2", **method, **metadata), key)

    def test_an_object_for_us_and_an_hour_is_taken(self, client: FlaskClient) -> None:
        """FAPI 2.0 Message Signing §5.3.1: aud, nbf and exp within an hour."""
        portal = self.portal(client)

        assert self.push(portal, portal.text(**portal.there.portal.pkce()))[0] == 201

    @pytest.mark.parametrize("changes", [{"aud": None}, {"exp": None}, {"nbf": None}, {"nbf": 1}])
    def test_anything_less_is_refused(
        self, client: FlaskClient, changes: dict[str, int | None]
    ) -> None:
        """FAPI 2.0 Message Signing §5.3.1: exp no later than 60 minutes after nbf."""
        portal = self.portal(client)
        text = portal.text(**portal.there.portal.pkce(), **changes)

        assert self.push(portal, text) == (400, "invalid_request_object")

    def test_an_object_for_a_day_is_refused(self, client: FlaskClient) -> None:
        """FAPI 2.0 Message Signing §5.3.1: a lifetime of no longer than 60 minutes."""
        portal = self.portal(client)
        claims = portal.claims()
        text = portal.text(**portal.there.portal.pkce(), exp=claims["nbf"] + 86400)

        assert self.push(portal, text) == (400, "invalid_request_object")

    def test_rs256_and_none_are_refused(self, client: FlaskClient) -> None:
        """FAPI 2.0 Security Profile §5.4.1: PS256, ES256 or EdDSA."""
        old = key_for("RS256", "old")
        portal = self.portal(client)
        document = portal.there.portal.registered.client.metadata_
        registration.change(
            portal.there.portal.client_id, {**document, "jwks": jwks(portal.key, old)}
        )
        weak = Signer(portal.there, old, "RS256")

        for text in (weak.text(), unsigned(portal.claims())):
            assert self.push(portal, text) == (400, "invalid_request_object")
