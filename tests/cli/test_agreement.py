"""What all machines must have alike is compared through the database, and refused where not."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from idp import clock, create_app
from idp.audit.models import DatabaseIdentity
from idp.database import db
from idp.oidc.keys import Keyring
from idp.readiness import agreement, marks
from idp.settings import Settings
from tests.cli.conftest import invoked, output_of, refused
from tests.conftest import SECRETS

pytestmark = pytest.mark.long

OTHER = "wGk3vTq8ZrNs5bYh1xLd7cPf0mJa9eUo2iKy4tRn6QpB"


@pytest.fixture
def first(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The first machine: it has a folder of keys of its own, and has served."""
    machine = {**environment, "IDP_KEYS_FOLDER": str(tmp_path / "first")}
    shutil.copytree(environment["IDP_KEYS_FOLDER"], machine["IDP_KEYS_FOLDER"])
    output_of(machine, "mail", "work", "--once")
    return machine


@pytest.fixture
def second(first: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A second machine, with a copy of everything."""
    machine = {**first, "IDP_KEYS_FOLDER": str(tmp_path / "second")}
    copy_keys(first, machine)
    return machine


def copy_keys(machine: dict[str, str], other: dict[str, str]) -> None:
    """What the guide does by rsync."""
    shutil.rmtree(other["IDP_KEYS_FOLDER"], ignore_errors=True)
    shutil.copytree(machine["IDP_KEYS_FOLDER"], other["IDP_KEYS_FOLDER"])


@contextmanager
def serving(machine: dict[str, str]) -> Iterator[Flask]:
    app = create_app(Settings.from_environment({**machine, "IDP_MAIL_TLS": "none"}))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def ready(machine: dict[str, str]) -> str:
    with serving(machine) as app:
        answer = app.test_client().get("/health/ready")
        assert (answer.status_code == 200) == (answer.json["agreement"] == "ok")
        return str(answer.json["agreement"])


def assert_refused(machine: dict[str, str], words: str) -> None:
    """By whatever serves, and told by the check and to the balancer."""
    for command in (["serve"], ["mail", "work", "--once"], ["roster", "work", "--once"]):
        assert words in refused(invoked(machine, *command))
    checked = invoked(machine, "check").stdout
    assert f"DANGER  machines: {words}" in checked
    assert ready(machine) == "failed"


def test_r16_no_list_of_who_was_erased_is_written_that_the_others_could_not_prove(
    second: dict[str, str],
) -> None:
    assert invoked(second, "backup", "erasures").exit_code == 0

    line = refused(invoked({**second, "IDP_SUBJECT_KEY": OTHER}, "backup", "erasures"))

    assert "IDP_SUBJECT_KEY is not the one of the other machines" in line


def test_machines_that_are_alike_agree(second: dict[str, str]) -> None:
    assert ready(second) == "ok"
    assert "machines:" not in invoked(second, "check").stdout
    output_of(second, "mail", "work", "--once")


def test_keys_of_its_own_are_refused(second: dict[str, str]) -> None:
    shutil.rmtree(second["IDP_KEYS_FOLDER"])
    Keyring(Path(second["IDP_KEYS_FOLDER"])).ensure()
    assert_refused(second, "the key rs256-")


@pytest.mark.parametrize("name", [*SECRETS, "issuer"])
def test_another_secret_or_issuer_is_refused(second: dict[str, str], name: str) -> None:
    variable = f"IDP_{name.upper()}"
    second[variable] = "http://localhost:8000" if name == "issuer" else OTHER
    with serving(second):
        differences = agreement.differences()
        with pytest.raises(agreement.Disagreement, match=variable):
            agreement.join()
    assert f"{variable} is not the one of the other machines" in differences
    assert OTHER not in str(differences)


def test_an_empty_folder_is_no_beginning_where_others_have_keys(second: dict[str, str]) -> None:
    shutil.rmtree(second["IDP_KEYS_FOLDER"])
    assert "copy their folder" in refused(invoked(second, "keys", "ensure"))
    assert not list(Path(second["IDP_KEYS_FOLDER"]).glob("*.pem"))


def test_lost_keys_are_made_anew_on_purpose(first: dict[str, str], second: dict[str, str]) -> None:
    shutil.rmtree(second["IDP_KEYS_FOLDER"])
    output_of(second, "keys", "ensure", "--anew")
    assert ready(second) == "ok"
    assert ready(first) == "failed"
    copy_keys(second, first)
    assert ready(first) == "ok"


def test_a_rotation_goes_from_machine_to_machine(
    first: dict[str, str], second: dict[str, str]
) -> None:
    with time_machine.travel(clock.now() + timedelta(hours=2), tick=False) as now:
        output_of(first, "keys", "rotate")
        assert (ready(first), ready(second)) == ("ok", "ok"), "until the copy nothing breaks"
        now.shift(timedelta(hours=2))
        assert ready(second) == "failed", "nobody publishes its key any more"
        copy_keys(first, second)
        assert ready(second) == "ok"


def test_a_key_that_leaked_signs_nowhere(first: dict[str, str], second: dict[str, str]) -> None:
    with serving(first):
        from idp.oidc.keyring import keyring

        kid = next(e.kid for e in keyring().entries() if e.state == "current")
    output_of(first, "keys", "retire", kid)
    assert ready(second) == "failed"
    copy_keys(first, second)
    assert ready(second) == "ok"


def test_a_secret_is_changed_on_purpose(first: dict[str, str], second: dict[str, str]) -> None:
    first["IDP_SESSION_SECRET"] = OTHER
    assert "IDP_SESSION_SECRET" in output_of(first, "db", "agree", "--yes")
    assert (ready(first), ready(second)) == ("ok", "failed")
    second["IDP_SESSION_SECRET"] = OTHER
    assert ready(second) == "ok"
    assert "settings_agreed" in output_of(first, "audit", "list")


def test_nothing_of_a_secret_is_told_and_no_two_installations_compare(
    second: dict[str, str],
) -> None:
    with serving(second):
        values = {name: mark.value for name, mark in marks.read().items()}
        assert {"session_secret", "issuer"} < set(values)
        assert not [secret for secret in SECRETS.values() if secret.decode() in str(values)]
        db.session.query(DatabaseIdentity).update({"id": "another"})
        db.session.commit()
        assert len(agreement.differences()) == len(agreement.SHARED)
