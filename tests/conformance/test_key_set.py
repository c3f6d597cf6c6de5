"""The key set: which keys it shows, and when."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jws

from idp import create_app
from idp.clients import algorithms, registration
from idp.database import db
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.applications import service
from idp.errors import Invalid
from idp.oidc.keys import Keyring
from idp.web import ready_documents
from tests import factories
from tests.conftest import settings_for_tests
from tests.relying_party import claims_of, world

pytestmark = [
    pytest.mark.quick_on("sqlite"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
]


def published(client: FlaskClient) -> dict[str, dict[str, Any]]:
    return {key["kid"]: key for key in (client.get("/oauth2/jwks").json or {})["keys"]}


def kinds(client: FlaskClient) -> set[str]:
    return {key["kty"] for key in published(client).values()}


def test_a_kind_of_key_is_published_only_while_a_client_uses_it(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 7517 §5: a set may hold keys that a client does not understand; ours holds none."""
    there = world(client)
    assert kinds(client) == {"RSA"}

    modern = there.other_portal(id_token_signed_response_alg="EdDSA")
    assert kinds(client) == {"RSA", "OKP"}

    registration.disable(modern.client_id)
    a_second_later = ready_documents.monotonic() + algorithms.SHOWN_WITHIN
    monkeypatch.setattr(ready_documents, "monotonic", lambda: a_second_later)
    assert kinds(client) == {"RSA"}


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
def test_the_key_is_published_before_its_first_token(client: FlaskClient, alg: str) -> None:
    """OpenID Connect Core §10.1.1: keys are published before they sign, and the next ones too."""
    there = world(client, id_token_signed_response_alg=alg)
    before = published(client)

    token = there.redeem()["id_token"]

    header = jws.extract_compact(token.encode()).headers()
    assert header["alg"] == alg
    assert before[header["kid"]]["alg"] == alg
    assert len([key for key in before.values() if key["alg"] == alg]) == 2
    assert claims_of(client, token)["aud"] == there.portal.client_id


def test_a_key_is_for_one_algorithm(client: FlaskClient) -> None:
    """RFC 7517 §4.4: alg says what the key is for; RS256 and PS256 share none."""
    world(client, id_token_signed_response_alg="PS256")

    by_alg: dict[str, set[str]] = {}
    for key in published(client).values():
        by_alg.setdefault(key["alg"], set()).add(key["n"])

    assert set(by_alg) == {"RS256", "PS256"}
    assert not by_alg["RS256"] & by_alg["PS256"]


@pytest.fixture
def without_ps256(
    database_url: str, tmp_path: Path, keys_folder: Path
) -> Iterator[tuple[Flask, Keyring]]:
    """An installation from before PS256."""
    folder = tmp_path / "keys"
    shutil.copytree(keys_folder, folder)
    index = folder / "keyring.json"
    whole = json.loads(index.read_text())
    assert {entry["alg"] for entry in whole["keys"]} == {"RS256", "ES256", "EdDSA"}
    index.write_text(json.dumps({"keys": whole["keys"]}))
    app = create_app(settings_for_tests(database_url, folder))
    yield app, Keyring(folder)
    with app.app_context():
        db.engine.dispose()


def test_discovery_offers_what_there_are_keys_for(without_ps256: tuple[Flask, Keyring]) -> None:
    """OpenID Connect Discovery §3: the algorithms that the provider supports, and no other."""
    app, keyring = without_ps256
    http = app.test_client()
    name = "id_token_signing_alg_values_supported"

    def offered() -> set[str]:
        return set((http.get("/.well-known/openid-configuration").json or {})[name])

    assert offered() == {"RS256", "ES256", "EdDSA"}
    keyring.ensure()
    assert offered() == {"RS256", "PS256", "ES256", "EdDSA"}


def test_nobody_is_registered_for_what_can_not_be_signed(
    without_ps256: tuple[Flask, Keyring],
) -> None:
    """OpenID Connect Registration §2: an algorithm that is not supported is refused."""
    app, keyring = without_ps256
    asked = {
        "client_name": "x",
        "redirect_uris": ["https://x.example/"],
        "id_token_signed_response_alg": "PS256",
    }
    with app.app_context():
        ids = [factories.school().id]
        with pytest.raises(Invalid) as refused:
            service.register(AT_TERMINAL, asked, school_ids=ids)
        assert refused.value.field == "id_token_signed_response_alg"

        keyring.ensure()
        assert service.register(AT_TERMINAL, asked, school_ids=ids)


def test_a_rotation_makes_the_keys_that_are_missing(without_ps256: tuple[Flask, Keyring]) -> None:
    """OpenID Connect Core §10.1.1: after a rotation each algorithm has a key and a next one."""
    _app, keyring = without_ps256

    keyring.rotate(force=True)

    assert keyring.signs("PS256")
    states = sorted(entry.state for entry in keyring.entries() if entry.alg == "PS256")
    assert states == ["current", "next"]
