"""Signing keys in the database: sealed, seen by every worker, changed by one at a time."""

import json
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from joserfc import jwt
from sqlalchemy import select, update

from idp import create_app
from idp.database import db
from idp.oidc.database_store import DatabaseStore
from idp.oidc.key_models import StoredKey
from idp.oidc.keys import Keyring, KeyTrouble
from idp.settings import safety
from idp.settings.secrets import Secrets
from tests.apart import ApartClient
from tests.cli.conftest import refused
from tests.parallel import Queries, at_once
from tests.relying_party import world
from tests.times import later

pytestmark = pytest.mark.long_on("postgresql")

SEAL = sha256(b"seals keys").hexdigest().encode()
NEWER = sha256(b"seals newer keys").hexdigest().encode()


def store(*secrets: bytes, looks_again: float = 0) -> DatabaseStore:
    return DatabaseStore(Secrets.of(secrets or [SEAL]), lambda: db.engine, looks_again)


@pytest.fixture
def ring(app: Flask, keys_folder: Path) -> Keyring:
    """The keys of all tests, put into the database: making them takes long."""
    Keyring(keys_folder).copy_to(store())
    return Keyring(store())


def kid_of(ring: Keyring, alg: str = "ES256") -> str:
    return str(ring.signing_key(alg).kid)


def rows() -> dict[str, str | None]:
    db.session.rollback()
    return dict(db.session.execute(select(StoredKey.kid, StoredKey.private)).all())  # type: ignore[arg-type]


def test_an_empty_database_says_what_to_do(app: Flask) -> None:
    with pytest.raises(KeyTrouble, match="no keys in the database: run idp keys ensure"):
        Keyring(store()).signing_key("ES256")


def test_the_same_keys_sign_there(ring: Keyring, keys_folder: Path) -> None:
    folder = Keyring(keys_folder)
    assert ring.key_set() == folder.key_set()
    for alg in ("RS256", "ES256"):
        key = ring.signing_key(alg)
        token = jwt.encode({"alg": alg, "kid": key.kid}, {"sub": "x"}, key, algorithms=[alg])
        assert jwt.decode(token, folder.verification_keys(), algorithms=[alg]).claims["sub"] == "x"


@pytest.mark.changed_elsewhere("oidc/database_store.py")
def test_another_worker_sees_a_rotation_and_a_key_that_is_retired(ring: Keyring) -> None:
    running = Keyring(store())
    before = kid_of(running)
    ring.rotate(force=True)
    now = kid_of(running)
    assert now == kid_of(ring) != before
    assert rows()[before] is None, "a retired key's private half is gone"
    ring.retire(now)
    assert now not in {key["kid"] for key in running.key_set()["keys"]}
    assert now not in rows()


def test_no_request_asks_for_what_was_asked_a_moment_ago(ring: Keyring) -> None:
    running = Keyring(store(looks_again=60))
    key = running.signing_key("ES256")
    with Queries() as statements:
        for _ in range(100):
            assert running.signing_key("ES256") is key
            running.key_set()
    assert statements == []


def test_while_the_database_is_away_keys_go_on(
    ring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kid_of(ring)
    monkeypatch.setattr(db.engine, "connect", _away)
    assert kid_of(ring) == before
    with pytest.raises(KeyTrouble, match="can't be read"):
        Keyring(store()).signing_key("ES256")


def _away(*_: Any, **__: Any) -> Any:
    from sqlalchemy.exc import OperationalError

    raise OperationalError("", None, Exception("away"))


def test_the_database_alone_holds_no_private_key(ring: Keyring, keys_folder: Path) -> None:
    sealed = {kid: text for kid, text in rows().items() if text}
    for path in keys_folder.glob("*.pem"):
        assert "PRIVATE" not in sealed[path.stem]
    with pytest.raises(KeyTrouble, match="IDP_KEYS_ENCRYPTION_KEY is not the one"):
        Keyring(store(NEWER)).signing_key("ES256")


def test_a_row_that_is_another_ones_opens_nothing(ring: Keyring) -> None:
    kid, other = kid_of(ring), kid_of(ring, "EdDSA")
    moved = rows()[other]
    db.session.execute(update(StoredKey).where(StoredKey.kid == kid).values(private=moved))
    db.session.commit()
    with pytest.raises(KeyTrouble, match=f"{kid} can't be opened"):
        Keyring(store()).signing_key("ES256")


def test_the_secret_that_seals_is_followed_by_another(ring: Keyring) -> None:
    both = Keyring(store(NEWER, SEAL))
    kid = kid_of(both)
    assert both.ensure() == []
    assert kid_of(Keyring(store(NEWER))) == kid, "all are sealed anew"
    with pytest.raises(KeyTrouble):
        Keyring(store(SEAL)).signing_key("ES256")


def test_of_two_rotations_at_once_one_happens(app: Flask, ring: Keyring) -> None:
    with later(hours=2):
        rotated, refused_ = at_once(app, 2, lambda: Keyring(store()).rotate())
    assert len(rotated) == 1
    assert "applications may not know it" in str(refused_[0])
    states = [entry.state for entry in ring.entries() if entry.alg == "ES256"]
    assert sorted(states) == ["current", "next", "retired"]


def test_a_database_with_other_keys_takes_none(ring: Keyring, tmp_path: Path) -> None:
    other = Keyring(tmp_path / "other")
    other.ensure()
    with pytest.raises(KeyTrouble, match="the database holds other keys already"):
        other.copy_to(store())


def test_keys_go_back_into_a_folder(ring: Keyring, tmp_path: Path, keys_folder: Path) -> None:
    from idp.oidc.folder_store import FolderStore

    ring.copy_to(FolderStore(tmp_path / "back"))
    assert Keyring(tmp_path / "back").key_set() == Keyring(keys_folder).key_set()
    assert kid_of(Keyring(tmp_path / "back")) == kid_of(ring)


def test_it_needs_a_secret_to_seal_them(app: Flask) -> None:
    settings = replace(app.extensions["idp.settings"], keys_in="database")
    assert "IDP_KEYS_ENCRYPTION_KEY is missing" in safety.problems(settings)
    weak = replace(settings, keys_encryption_key=Secrets(b"short"))
    assert any("IDP_KEYS_ENCRYPTION_KEY is weak" in each for each in safety.problems(weak))


# The commands


def test_keys_move_while_serving(app: Flask, tmp_path: Path, keys_folder: Path) -> None:
    folder = tmp_path / "keys"
    shutil.copytree(keys_folder, folder, ignore=shutil.ignore_patterns("history*"))
    settings = replace(
        app.extensions["idp.settings"], keys_folder=folder, keys_encryption_key=Secrets(SEAL)
    )
    first = create_app(settings)
    assert refused_by(first, "keys", "move", "--to", "folder")
    moved = printed_by(first, "keys", "move", "--to", "database")
    shutil.rmtree(folder)
    second = create_app(replace(settings, keys_in="database"))
    assert printed_by(second, "keys", "list") == moved
    assert len(printed_by(second, "keys", "rotate", "--force")) > len(moved)


def test_an_application_and_a_balancer_see_no_difference(
    app: Flask, ring: Keyring, tmp_path: Path
) -> None:
    settings = replace(
        app.extensions["idp.settings"],
        keys_in="database",
        keys_folder=tmp_path / "nowhere",
        keys_encryption_key=Secrets(SEAL),
    )
    serving = create_app(settings)
    serving.test_client_class = ApartClient
    there = world(serving.test_client(), "Lina")
    assert there.claims()["iss"] == settings.issuer
    assert there.http.get("/health/ready").status_code == 200
    other = create_app(replace(settings, keys_encryption_key=Secrets(NEWER)))
    assert "IDP_KEYS_ENCRYPTION_KEY is not the one" in refused_by(other, "mail", "work", "--once")


def printed_by(app: Flask, *arguments: str) -> Any:
    result = _run(app, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused_by(app: Flask, *arguments: str) -> str:
    return refused(_run(app, *arguments))


def _run(app: Flask, *arguments: str) -> Any:
    from contextvars import Context

    from click.testing import CliRunner
    from flask.cli import ScriptInfo

    from idp.cli.program import cli

    info = ScriptInfo(create_app=lambda: app, set_debug_flag=False)
    return Context().run(CliRunner().invoke, cli, list(arguments), obj=info)
