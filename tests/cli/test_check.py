"""``idp check`` finds what would be unsafe in production, says why, and what to do."""

import dataclasses
import json
import secrets
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from idp import clock
from idp.clients import registration
from idp.database import db
from idp.doctor import Finding, configuration, environment, installation, running
from idp.oidc.keys import Keyring
from idp.settings import Settings
from idp.settings.variables import networks
from tests import factories
from tests.cli.conftest import finished, invoked, of_installation, refused

pytestmark = pytest.mark.quick_on("postgresql")


@pytest.fixture
def safe(tmp_path: Path) -> Settings:
    """Settings as a school should have them."""
    names = ("session_secret", "password_pepper", "token_hash_key", "subject_key")
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    random = {name: secrets.token_urlsafe(48).encode() for name in names}
    safe = Settings(
        issuer="https://id.example",
        database_url="postgresql://idp@db.example/idp?sslmode=verify-full",
        keys_folder=keys,
        mail_from="no-reply@id.example",
        trusted_proxies=(ip_network("10.0.0.0/24"),),
    )
    return dataclasses.replace(safe, **random)  # type: ignore[arg-type]


def found_by_doctor(settings: Settings, level: str | None = None) -> dict[str, str]:
    """Subject → sentence of what the doctor finds, translations aside."""
    return {
        finding.subject: finding.sentence
        for finding in configuration.of_settings(settings)
        if level in {None, finding.level} and finding.subject != "translations"
    }


def test_safe_settings_are_left_in_peace(safe: Settings) -> None:
    assert found_by_doctor(safe) == {}


@pytest.mark.parametrize(
    ("changes", "subject", "words"),
    [
        ({"issuer": "http://id.example"}, "issuer", "plain HTTP"),
        ({"issuer": "http://id.example"}, "settings", "IDP_ISSUER"),
        ({"password_pepper": b""}, "settings", "IDP_PASSWORD_PEPPER is missing"),
        ({"password_pepper": b"changeme" * 5}, "settings", "IDP_PASSWORD_PEPPER"),
        ({"password_pepper": b"0123456789" * 4}, "settings", "follows a pattern"),
        ({"log_level": "LOUD"}, "settings", "IDP_LOG_LEVEL"),
        ({"mail_from": "School"}, "settings", "IDP_MAIL_FROM"),
        ({"demo": True}, "demo", "IDP_DEMO is on"),
        ({"bcrypt_cost": 8}, "bcrypt", "16 times faster"),
        ({"mail_from": "idp@localhost"}, "mail", "idp@localhost"),
        ({"mail_tls": "none", "mail_server": "mx.example"}, "settings", "IDP_MAIL_TLS"),
        ({"trusted_proxies": (ip_network("::/0"),)}, "trusted proxies", "every address"),
        ({"trusted_proxies": networks("::ffff:0:0/96")}, "trusted proxies", "every address"),
        ({"database_url": "postgresql://idp@db.example/idp"}, "database", "sslmode=prefer"),
        *(
            (
                {"database_url": f"postgresql://idp@{way}"},
                "database",
                f"at {far} has sslmode={mode}",
            )
            for way, far, mode in (
                ("/idp?host=db.example", "db.example", "prefer"),
                ("/idp?host=db1,db2&target_session_attrs=read-write", "db1, db2", "prefer"),
                ("/idp?host=/run/postgresql,db2&sslmode=require", "db2", "require"),
                ("/idp?hostaddr=192.0.2.7&host=localhost", "192.0.2.7", "prefer"),
                ("localhost,db2/idp", "db2", "prefer"),
                ("/idp?host=localhost:5432&host=db2:5433", "db2", "prefer"),
            )
        ),
        ({"code_lifetime": timedelta(hours=1)}, "codes", "10 minutes"),
        ({"audit_retention": timedelta(seconds=400)}, "settings", "IDP_AUDIT_RETENTION"),
        ({"refresh_grace": timedelta(days=30)}, "settings", "IDP_REFRESH_GRACE"),
        ({"drain": timedelta(minutes=6)}, "settings", "IDP_DRAIN"),
        ({"outgoing_private_hosts": ("0.0.0.0/0",)}, "outgoing", "every address"),
    ],
)
def test_k3_dangers_are_found(
    safe: Settings, changes: dict[str, Any], subject: str, words: str
) -> None:
    assert words in found_by_doctor(dataclasses.replace(safe, **changes), "danger")[subject]


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"trusted_proxies": ()}, "trusted proxies"),
        ({"bcrypt_cost": 11}, "bcrypt"),
        ({"password_minimum": 8}, "passwords"),
        ({"mail_tls": "none", "mail_server": "localhost"}, "mail"),
        ({"database_url": "sqlite:////nowhere/idp.db"}, "database"),
        ({"session_absolute": timedelta(days=30)}, "sessions"),
        ({"access_token_lifetime": timedelta(days=3000)}, "lifetimes"),
        ({"step_up_lifetime": timedelta(days=30)}, "lifetimes"),
        ({"drain": timedelta(seconds=60)}, "drain"),
    ],
)
def test_notices_are_given(safe: Settings, changes: dict[str, Any], subject: str) -> None:
    changed = dataclasses.replace(safe, **changes)
    assert subject in found_by_doctor(changed, "notice")
    assert found_by_doctor(changed, "danger") == {}


@pytest.mark.parametrize(
    "way",
    [
        *("/idp", "/idp?host=/run/postgresql", "localhost/idp", "[::1]/idp"),
        "localhost/idp?prepare_threshold=0",  # psycopg's own word, which libpq does not know
    ],
)
def test_a_database_on_this_machine_needs_no_certificate(safe: Settings, way: str) -> None:
    near = dataclasses.replace(safe, database_url=f"postgresql://idp@{way}")
    assert found_by_doctor(near) == {}


def test_a_database_that_libpqs_own_variables_name_is_looked_at(
    safe: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    unnamed = dataclasses.replace(safe, database_url="postgresql://idp@/idp")
    monkeypatch.setenv("PGHOST", "db.example")
    assert "at db.example has sslmode=prefer" in found_by_doctor(unnamed, "danger")["database"]
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert found_by_doctor(unnamed) == {}


def test_a4_a_secret_that_is_also_a_password_is_found(safe: Settings) -> None:
    pepper = safe.password_pepper.decode()
    by_mail = dataclasses.replace(safe, mail_password=pepper)
    url = f"postgresql://idp:{pepper}@localhost/idp"

    assert "IDP_PASSWORD_PEPPER" in found_by_doctor(by_mail, "danger")["secrets"]
    assert "DATABASE_URL" in found_by_doctor(dataclasses.replace(safe, database_url=url))["secrets"]
    assert pepper not in str(found_by_doctor(by_mail))


def test_k1_files_that_others_may_read_are_found(safe: Settings, tmp_path: Path) -> None:
    key, secret, database = (tmp_path / name for name in ("keys/k.pem", "pepper", "idp.db"))
    for path in (key, secret, database):
        path.touch(mode=0o644)
    safe.keys_folder.chmod(0o777)
    settings = dataclasses.replace(safe, database_url=f"sqlite:///{database}")

    dangers = found_by_doctor(settings, "danger")
    files = environment.of_variables({"IDP_PASSWORD_PEPPER_FILE": str(secret), "HOME": "/"})

    assert str(key) in dangers["signing key"]
    assert "changed by others" in dangers["keys"]
    assert str(database) in dangers["DATABASE_URL"]
    assert [finding.subject for finding in files] == ["IDP_PASSWORD_PEPPER_FILE"]
    assert str(secret) in files[0].sentence


def test_k1_a_settings_file_that_holds_a_secret_and_that_others_may_read_is_found(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "idp.env"
    plain = {"DATABASE_URL", "IDP_DEMO", "IDP_KEYS_FOLDER"}
    beside = "".join(f"{name}={value}\n" for name, value in environment.items() if name in plain)
    inside = "IDP_MAIL_PASSWORD=hush-hush\n"
    for written, mode, unsafe in (
        (beside, 0o644, False),
        (beside + inside, 0o640, True),
        (beside + inside, 0o600, False),
    ):
        file.write_text(written)
        file.chmod(mode)
        checked = invoked(environment, "--env-file", str(file), "check", "--json").stdout
        sentences = [each["sentence"] for each in json.loads(checked)]
        assert any(str(file) in each for each in sentences) == unsafe
        assert "hush-hush" not in checked


def test_files_of_another_user_are_a_notice(
    safe: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (safe.keys_folder / "k.pem").touch(mode=0o600)
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    assert "belongs to user" in found_by_doctor(safe, "notice")["signing key"]


def test_a_folder_of_keys_that_is_not_there_is_no_finding_of_its_own(safe: Settings) -> None:
    safe.keys_folder.rmdir()
    assert found_by_doctor(safe) == {}


def test_translations_that_are_not_compiled_are_found(
    safe: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "folder", lambda _package: tmp_path)
    missing = [each for each in configuration.of_settings(safe) if each.subject == "translations"]
    assert len(missing) == 3


# The installation


def in_installation() -> dict[str, Finding]:
    return {finding.subject: finding for finding in of_installation()}


def test_a_sound_installation_is_left_in_peace(app: Flask) -> None:
    school = factories.school()
    factories.client_app(school, require_pkce=True)
    assert in_installation() == {}


def test_a_client_without_pkce_is_a_notice(app: Flask) -> None:
    school = factories.school()
    client = factories.client_app(school, require_pkce=False).client
    gone = factories.client_app(school, require_pkce=False).client
    registration.disable(gone.id)

    assert {k: f.level for k, f in in_installation().items()} == {f"client {client.id}": "notice"}


def test_a_former_secret_that_still_works_is_a_notice(app: Flask) -> None:
    client = factories.client_app(factories.school(), require_pkce=True).client
    registration.rotate_secret(client.id, overlap=timedelta(hours=1))
    assert "works until" in in_installation()[f"client {client.id}"].sentence


def test_missing_and_old_keys_are_found(app: Flask, tmp_path: Path) -> None:
    own = Keyring(tmp_path / "keys")
    app.extensions["idp.keyring"] = own
    assert in_installation()["keys"].level == "danger"
    own.ensure()
    with time_machine.travel(clock.now() + timedelta(days=400)):
        finding = next(f for f in installation.of_installation() if "400 days" in f.sentence)
    assert finding.level == "notice"
    assert "rotate" in finding.remedy


def test_a_schema_that_is_behind_is_found(app: Flask) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert "0001" in in_installation()["schema"].sentence


def test_r5_clocks_that_disagree_are_found(app: Flask) -> None:
    with time_machine.travel(clock.now() + timedelta(hours=1)):
        findings = in_installation()
    # SQLite has this machine's clock
    assert ("clock" in findings) == (db.engine.dialect.name == "postgresql")


def test_a_database_that_is_away_is_one_finding(
    environment: dict[str, str],
) -> None:
    environment["DATABASE_URL"] = "postgresql://idp:hush-hush@127.0.0.1:1/idp"
    done = invoked(environment, "check", "--json")
    findings = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert done.exit_code == 1
    assert "can't be asked" in findings["database"]["sentence"]
    assert "hush-hush" not in done.stdout


# The command


def test_the_demo_is_unsafe_and_says_why(environment: dict[str, str]) -> None:
    done = finished(environment, "check")
    assert done.returncode == 1
    assert "DANGER  demo: IDP_DEMO is on" in done.stdout
    assert "Unset IDP_DEMO" in done.stdout
    assert done.stderr == ""


def test_without_settings_everything_missing_is_told() -> None:
    done = invoked({}, "check", "--json")
    sentences = " ".join(finding["sentence"] for finding in json.loads(done.stdout))
    assert done.exit_code == 1
    assert "IDP_SUBJECT_KEY is missing" in sentences
    assert "were not looked at" in sentences


def test_a_setting_that_cannot_be_read_is_told(environment: dict[str, str]) -> None:
    environment["IDP_TRUSTED_PROXIES"] = "10.0.0.0/99"
    done = invoked(environment, "check")
    assert done.exit_code == 1
    assert "IDP_TRUSTED_PROXIES" in done.stdout


def test_a_safe_installation_ends_with_zero(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its mail server would need a certificate; test_check_running.py has one without.
    monkeypatch.setattr(running, "CHECKS", running.CHECKS[2:])
    database = Path(environment["DATABASE_URL"].removeprefix("sqlite:///"))
    database.chmod(0o600)
    del environment["IDP_DEMO"]
    environment |= {
        "IDP_ISSUER": "https://id.example",
        "IDP_MAIL_FROM": "no-reply@id.example",
        "IDP_BCRYPT_COST": "12",
    }

    done = invoked(environment, "check", "--json")

    levels = {finding["level"] for finding in json.loads(done.stdout)}
    assert (done.exit_code, levels - {"notice"}) == (0, set())


def test_no_secret_is_ever_shown(environment: dict[str, str]) -> None:
    output = invoked(environment, "check").stdout + invoked(environment, "check", "--json").stdout
    for name, value in environment.items():
        if name.endswith(("SECRET", "PEPPER", "KEY")):
            assert value not in output


def test_the_table_of_settings_names_each_one() -> None:
    table = invoked({}, "check", "--settings").stdout
    for field in dataclasses.fields(Settings):
        name = "DATABASE_URL" if field.name == "database_url" else f"IDP_{field.name.upper()}"
        assert f"| `{name}` |" in table
    assert "| `IDP_CODE_LIFETIME` | `60` |" in table


def test_check_takes_no_arguments() -> None:
    refused(invoked({}, "check", "everything"))
