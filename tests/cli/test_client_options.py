"""Every field of an application's metadata has an option, when it is registered and later."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from joserfc.jwk import ECKey, KeySet

from idp.cli import client, client_options
from idp.clients.metadata import DEVICE_CODE, FIELDS, TOKEN_EXCHANGE
from tests import factories
from tests.cli.conftest import Run, refused

pytestmark = pytest.mark.quick_on("sqlite")
JsonOf = Callable[..., Any]
CALLBACK = "https://portal.example/callback"
HERE = "https://portal.example"


def options_of(verb: str) -> dict[str, str]:
    """The options of a command, by the field that each is about."""
    command = client.command.commands[verb]
    return {
        str(each.name): each.opts[-1] for each in command.params if isinstance(each, click.Option)
    }


@pytest.mark.parametrize("verb", ["create", "edit"])
def test_every_field_has_an_option_or_a_reason(verb: str) -> None:
    has = options_of(verb)
    composed, none = client_options.COMPOSED, client_options.NO_OPTION
    named = {"client_name"}  # an argument, or --name
    assert set(FIELDS) - named - set(composed) - set(none) <= set(has)
    assert {each for options in composed.values() for each in options} <= set(has.values())
    assert set(composed) | set(none) <= set(FIELDS)
    assert all(none.values())


def test_the_guide_names_the_option_of_each_field() -> None:
    rows = Path("docs/clients.md").read_text().splitlines()
    has = options_of("edit")
    short = {field for field in FIELDS if field.endswith("_enc") or "_san_" in field}  # « …_enc »
    for field in set(FIELDS) - set(client_options.NO_OPTION) - short - {"client_name"}:
        option = client_options.COMPOSED.get(field, (has.get(field, ""),))[0]
        row = next((row for row in rows if re.match(rf"\| [^|]*`{field}`", row)), None)
        assert row is not None, field
        shown = option.replace("--pkce", "--no-pkce")
        assert shown in row.split("|")[2], (field, option)


def test_what_was_in_files_only_is_said_by_options(json_of: JsonOf, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(KeySet([ECKey.generate_key("P-256")]).as_dict(private=False)))

    made = json_of(
        *("client", "create", "Portail", "--school", factories.school().id),
        *("--redirect-uri", CALLBACK, "--jwks-file", str(keys), "--auth-method", "private_key_jwt"),
        *("--auth-signing-alg", "ES256", "--request-object-alg", "ES256", "--signed-requests"),
        *("--request-uri", f"{HERE}/a", "--request-uri", f"{HERE}/b", "--pushed-requests"),
        *("--id-token-encryption-alg", "ECDH-ES", "--userinfo-alg", "ES256", "--max-age", "0"),
        *("--acr", "phr", "--token-exchange", "--contact", "dev@portal.example"),
    )

    expected = {
        "token_endpoint_auth_signing_alg": "ES256",
        "request_object_signing_alg": "ES256",
        "require_signed_request_object": True,
        "request_uris": [f"{HERE}/a", f"{HERE}/b"],
        "require_pushed_authorization_requests": True,
        "id_token_encrypted_response_alg": "ECDH-ES",
        "id_token_encrypted_response_enc": "A128CBC-HS256",
        "userinfo_signed_response_alg": "ES256",
        "default_max_age": 0,
        "default_acr_values": ["phr"],
        "grant_types": ["authorization_code", "refresh_token", TOKEN_EXCHANGE],
        "contacts": ["dev@portal.example"],
    }
    assert {name: made[name] for name in expected} == expected


def test_an_edit_changes_what_it_says_and_takes_away_what_is_empty(json_of: JsonOf) -> None:
    made = json_of(
        *("client", "create", "Portail", "--school", factories.school().id, "--dpop"),
        *("--redirect-uri", CALLBACK, "--policy-uri", f"{HERE}/p", "--origin", HERE, "--device"),
    )
    before = json_of("client", "show", made["client_id"])

    json_of(
        *("client", "edit", made["client_id"], "--name", "Devoirs", "--no-dpop", "--no-device"),
        *("--policy-uri", "", "--origin", "", "--post-logout-uri", HERE, "--no-pkce"),
    )

    after = json_of("client", "show", made["client_id"])
    assert DEVICE_CODE in before["grant_types"]
    assert after == {
        **{name: value for name, value in before.items() if name != "policy_uri"},
        "client_name": "Devoirs",
        "dpop_bound_access_tokens": False,
        "grant_types": ["authorization_code", "refresh_token"],
        "origins": [],
        "post_logout_redirect_uris": [HERE],
        "require_pkce": False,
    }


def test_keys_by_address_take_the_place_of_keys_by_value(json_of: JsonOf, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(KeySet([ECKey.generate_key("P-256")]).as_dict(private=False)))
    made = json_of(
        *("client", "create", "Portail", "--school", factories.school().id),
        *("--redirect-uri", CALLBACK, "--jwks-file", str(keys)),
    )

    edited = json_of("client", "edit", made["client_id"], "--jwks-uri", f"{HERE}/keys")

    assert edited["jwks_uri"] == f"{HERE}/keys"
    assert "jwks" not in edited


def test_an_edit_that_says_nothing_is_told_so(run: Run, json_of: JsonOf) -> None:
    made = json_of(
        *("client", "create", "Portail", "--school", factories.school().id),
        *("--redirect-uri", CALLBACK),
    )

    assert "what is to change" in refused(run("client", "edit", made["client_id"]))
