"""Signing keys: rotation, modes, trouble that names its file, and what running processes see."""

import json
import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from idp.oidc import key_files
from idp.oidc.keys import ALGORITHMS, ENCRYPTION, Keyring, KeyTrouble
from tests.times import later

HOUR = timedelta(hours=1)


@pytest.fixture
def folder(tmp_path: Path, keys_folder: Path) -> Path:
    """A copy of the keys that were made once: making them takes long."""
    copy = tmp_path / "keys"
    copy.mkdir(mode=0o700)
    for file in keys_folder.iterdir():
        if file.is_dir():  # what a server of another test put beside its history
            continue
        (copy / file.name).write_bytes(file.read_bytes())
        (copy / file.name).chmod(0o600)
    return copy


def states(ring: Keyring, alg: str = "ES256") -> dict[str, str]:
    return {entry.kid: entry.state for entry in ring.entries() if entry.alg == alg}


def shown(ring: Keyring) -> set[str]:
    return {key["kid"] for key in ring.key_set()["keys"]}


def kid_of(ring: Keyring, alg: str = "ES256") -> str:
    return str(ring.signing_key(alg).kid)


def test_keys_are_made_once_for_every_algorithm(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "new")

    made = ring.ensure()

    assert sorted((entry.alg, entry.state) for entry in made) == sorted(
        (alg, state) for alg in (*ALGORITHMS, *ENCRYPTION) for state in ("current", "next")
    )
    assert ring.ensure() == []


def test_private_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Keyring(tmp_path / "new").ensure()
    finally:
        os.umask(before)

    files = [path for path in (tmp_path / "new").iterdir() if path.suffix in {".pem", ".json"}]
    assert len(files) == 13
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_index_holds_no_private_half(folder: Path) -> None:
    index = json.loads((folder / "keyring.json").read_text())

    for entry in index["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi"} & set(entry["public"])


def test_a_key_is_published_before_it_signs_and_after(folder: Path) -> None:
    ring = Keyring(folder)
    before, published = kid_of(ring), shown(ring)

    ring.rotate(force=True)

    assert kid_of(ring) != before
    assert kid_of(ring) in published
    assert before in shown(ring)
    assert states(ring)[before] == "retired"


def test_a_rotation_waits_until_applications_can_know_the_next_key(folder: Path) -> None:
    ring = Keyring(folder, cache_time=HOUR)
    ring.rotate(force=True)  # its next keys are new

    with pytest.raises(KeyTrouble, match="applications may not know it"):
        ring.rotate()
    with later(minutes=61):
        ring.rotate()


def test_a_retired_key_is_shown_until_its_last_token_has_expired(folder: Path) -> None:
    ring = Keyring(folder, token_lifetime=HOUR)
    old = kid_of(ring)
    ring.rotate(force=True)

    with later(minutes=60):
        assert old in shown(ring)
    with later(minutes=66):
        assert old not in shown(ring)


def test_a_retired_key_signs_nothing_but_its_hints_are_understood(folder: Path) -> None:
    ring = Keyring(folder)
    old = ring.signing_key("RS256")
    token = jwt.encode({"alg": "RS256", "kid": old.kid}, {"sub": "x"}, old)
    ring.rotate(force=True)

    assert not (folder / f"{old.kid}.pem").exists()
    with later(days=2):
        assert jwt.decode(token, ring.verification_keys(), algorithms=["RS256"]).claims["sub"]


def test_a_disclosed_key_is_taken_out_at_once_and_the_next_one_signs(folder: Path) -> None:
    ring = Keyring(folder)
    old = kid_of(ring)
    following = next(kid for kid, state in states(ring).items() if state == "next")

    ring.retire(old)

    assert kid_of(ring) == following
    assert old not in shown(ring)
    assert old not in states(ring)
    assert sorted(states(ring).values()) == ["current", "next"]
    assert not (folder / f"{old}.pem").exists()


def test_a_next_key_that_is_retired_is_replaced(folder: Path) -> None:
    ring = Keyring(folder)
    current = kid_of(ring)
    following = next(kid for kid, state in states(ring).items() if state == "next")

    ring.retire(following)

    assert kid_of(ring) == current
    assert following not in states(ring)
    assert sorted(states(ring).values()) == ["current", "next"]


def test_an_unknown_key_can_not_be_retired(folder: Path) -> None:
    with pytest.raises(KeyTrouble, match="no key nobody"):
        Keyring(folder).retire("nobody")


@pytest.mark.changed_elsewhere("oidc/keys.py")
def test_a_running_process_notices_what_another_one_changed(folder: Path) -> None:
    running, operator = Keyring(folder), Keyring(folder)
    before = kid_of(running)

    operator.rotate(force=True)

    assert kid_of(running) == kid_of(operator) != before
    assert shown(running) == shown(operator)


def test_a_key_is_parsed_once(folder: Path) -> None:
    ring = Keyring(folder)

    assert ring.signing_key("RS256") is ring.signing_key("RS256")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyTrouble, match=str(tmp_path / "nowhere")):
        Keyring(tmp_path / "nowhere").signing_key("RS256")


def test_a_private_key_that_others_may_read_is_refused_by_name(folder: Path) -> None:
    path = folder / f"{kid_of(Keyring(folder))}.pem"
    path.chmod(0o640)

    with pytest.raises(KeyTrouble, match=path.name):
        Keyring(folder).signing_key("ES256")


def test_a_missing_private_key_is_named(folder: Path) -> None:
    path = folder / f"{kid_of(Keyring(folder))}.pem"
    path.unlink()

    with pytest.raises(KeyTrouble, match=path.name):
        Keyring(folder).signing_key("ES256")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----"])
def test_a_broken_private_key_is_named(folder: Path, content: bytes) -> None:
    path = folder / f"{kid_of(Keyring(folder))}.pem"
    path.write_bytes(content)

    with pytest.raises(KeyTrouble, match=path.name):
        Keyring(folder).signing_key("ES256")


def test_a_key_of_another_kind_in_the_file_is_named(folder: Path) -> None:
    path = folder / f"{kid_of(Keyring(folder))}.pem"
    path.write_bytes(RSAKey.generate_key(2048).as_pem(private=True))

    with pytest.raises(KeyTrouble, match=path.name):
        Keyring(folder).signing_key("ES256")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"keys": [{}]}', b"\xff"])
def test_a_broken_index_is_named(folder: Path, content: bytes) -> None:
    (folder / "keyring.json").write_bytes(content)

    with pytest.raises(KeyTrouble, match=r"keyring\.json"):
        Keyring(folder).key_set()


@pytest.mark.parametrize("change", ["rotate", "retire"])
def test_a_change_that_dies_half_way_leaves_a_key_that_signs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    ring = Keyring(folder)
    before = kid_of(ring)

    def killed(_folder: Path, _entries: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(key_files, "write_index", killed)
        with pytest.raises(KeyboardInterrupt):
            ring.rotate(force=True) if change == "rotate" else ring.retire(before)

    assert kid_of(Keyring(folder)) == before  # security rule R1


def test_a_process_that_runs_is_not_stopped_by_a_file_that_goes(folder: Path) -> None:
    ring = Keyring(folder)
    before = kid_of(ring)
    (folder / f"{before}.pem").unlink()

    assert kid_of(ring) == before


def test_what_signs_is_what_is_published(folder: Path) -> None:
    ring = Keyring(folder)

    for alg in ("RS256", "ES256"):
        key = ring.signing_key(alg)
        token = jwt.encode({"alg": alg, "kid": key.kid}, {"sub": "x"}, key, algorithms=[alg])
        published = KeySet.import_key_set(ring.key_set())  # type: ignore[arg-type]
        assert jwt.decode(token, published, algorithms=[alg]).claims == {"sub": "x"}


def test_an_algorithm_without_a_key_says_what_to_do(folder: Path) -> None:
    index = json.loads((folder / "keyring.json").read_text())
    index["keys"] = [entry for entry in index["keys"] if entry["alg"] != "EdDSA"]
    (folder / "keyring.json").write_text(json.dumps(index))

    with pytest.raises(KeyTrouble, match="no EdDSA signing key"):
        Keyring(folder).signing_key("EdDSA")


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")

    with pytest.raises(KeyTrouble, match=str(tmp_path / "keys")):
        Keyring(tmp_path / "keys").ensure()
    with pytest.raises(KeyTrouble, match=str(tmp_path / "keys")):
        Keyring(tmp_path / "keys").key_set()


def test_a_key_of_another_user_is_refused_by_name(folder: Path) -> None:
    path = folder / f"{kid_of(Keyring(folder))}.pem"
    if os.geteuid() != 0:
        return  # only root can give a file away
    os.chown(path, 65_534, 65_534)

    with pytest.raises(KeyTrouble, match="belongs to another user"):
        Keyring(folder).signing_key("ES256")
