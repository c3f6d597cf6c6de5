"""Settings from the environment: all of them read, none mistaken, no secret printed."""

import dataclasses
import json
import logging
import secrets
import traceback
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from idp.settings import SECRETS as SECRET_SETTINGS
from idp.settings import Settings, UnsafeSettings, safety, variable
from idp.settings.providers import FIELDS
from idp.settings.secrets import Secret
from tests.cli.conftest import invoked, refused
from tests.conftest import SECRET_VARIABLES, SECRETS

BASE = {
    "IDP_ISSUER": "https://id.example",
    **SECRET_VARIABLES,
}
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def problems(**variables: str) -> str:
    """What is said of these variables, which must be refused."""
    with pytest.raises(UnsafeSettings) as caught:
        Settings.from_environment({**BASE, **variables})
    return str(caught.value)


SAMPLES = {
    "database_url": "sqlite:////somewhere/idp.db",
    "client_certificate_header": "X-Client-Cert",
    "client_certificate_authorities": __file__,
    "demo": "on",
    "dynamic_registration": "token",
    "outgoing_private_hosts": "portal.intern.example",
    "require_pushed_authorization_requests": "yes",
    "front_channel_id_tokens": "yes",
    "unsigned_request_objects": "yes",
    "mail_tls": "none",
    "default_locale": "de",
    "log_level": "ERROR",
    "log_form": "ecs",
    "keys_in": "database",
    "trusted_proxies": "10.0.0.0/8",
}


@pytest.mark.parametrize(
    "setting", [each for each in dataclasses.fields(Settings) if each.metadata["parse"]]
)
def test_every_setting_may_stand_in_a_file(setting: Any, tmp_path: Path) -> None:
    number = isinstance(setting.default, (int, timedelta))
    usual = "1" if setting.default is False else "7" if number else "/somewhere"
    text = SAMPLES.get(setting.name, usual)
    (tmp_path / "file").write_text(f"{text}\n")
    name = variable(setting.name)
    others = {each: value for each, value in BASE.items() if each != name}
    read = Settings.from_environment({**others, f"{name}_FILE": str(tmp_path / "file")})
    assert getattr(read, setting.name) == setting.metadata["parse"](text)
    assert getattr(read, setting.name) != setting.default


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_setting_of_a_provider_may_stand_in_a_file(field: Any, tmp_path: Path) -> None:
    text = {"enabled": "off", "claim_map": "email=mail"}.get(field.name, "https://there.example")
    (tmp_path / "file").write_text(f"{text}\n")
    name = f"IDP_PROVIDER_CABANGA_{field.name.upper()}"
    (read,) = Settings.from_environment({**BASE, f"{name}_FILE": str(tmp_path / "file")}).providers
    assert getattr(read, field.name) == field.metadata["parse"](text)
    assert getattr(read, field.name) != field.default


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90", timedelta(seconds=90)),
        ("90s", timedelta(seconds=90)),
        ("20m", timedelta(minutes=20)),
        (" 8h ", timedelta(hours=8)),
        ("14d", timedelta(days=14)),
        ("0", timedelta(0)),
    ],
)
def test_a_duration_may_have_a_unit(text: str, meant: timedelta) -> None:
    assert Settings.from_environment({**BASE, "IDP_SESSION_IDLE": text}).session_idle == meant


@pytest.mark.parametrize(
    "text", ["20 m", "20M", "1h30m", "1.5h", "m", "٣m", "1_0", "9" * 17 + "d", "9" * 18 + "d"]
)
def test_a_duration_that_means_nothing_is_refused(text: str) -> None:
    assert "IDP_SESSION_IDLE" in problems(IDP_SESSION_IDLE=text)


def test_a_database_in_a_file_is_the_one_that_is_used(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "database"
    file.write_text(environment.pop("DATABASE_URL") + "\n")
    environment["DATABASE_URL_FILE"] = str(file)
    assert "up to date" in invoked(environment, "db", "current").stdout
    file.unlink()
    assert "DATABASE_URL" in refused(invoked(environment, "db", "current"))


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("IDP_SESION_IDLE", "IDP_SESSION_IDLE"),
        ("IDP_PASSWORD_PEPER_FILE", "IDP_PASSWORD_PEPPER_FILE"),
        ("IDP_DATABASE_URL", "DATABASE_URL"),
        ("idp_issuer", "IDP_ISSUER"),
        ("IDP_PROVIDER_GOOGLE_CLIENTID", "IDP_PROVIDER_GOOGLE_CLIENT_ID"),
        ("IDP_PROVIDER_GOGLE_CLIENT_ID", "IDP_PROVIDER_GOOGLE_CLIENT_ID"),
        ("IDP_FROBNICATE", "`idp check --settings`"),
    ],
)
def test_n7_a_setting_that_does_not_exist_is_refused_with_the_right_name(
    mistyped: str, meant: str
) -> None:
    errors = problems(**{mistyped: "60"})
    assert mistyped in errors
    assert meant in errors


@pytest.mark.parametrize(
    ("variables", "allowed"),
    [
        ({"IDP_DEMO": "ture"}, "'ture' is none of 1, true, yes, on, 0, false, no, off"),
        ({"IDP_DEMO": ""}, "an empty text is none of"),
        ({"IDP_PROVIDER_GOOGLE_ENABLED": "oui"}, "'oui' is none of 1, true"),
        ({"IDP_LOG_LEVEL": "LOUD"}, "none of DEBUG, INFO"),
        ({"IDP_MAIL_TLS": "tls"}, "none of starttls, implicit, none"),
        ({"IDP_DEFAULT_LOCALE": "es"}, "none of fr, nl, de, en"),
        ({"IDP_SESSION_IDLE": "8 hours"}, "'8 hours' is no whole number"),
        ({"IDP_MAIL_PORT": "2_5"}, "no whole number"),
        ({"IDP_INVITATIONS_PER_HOUR": "1_0"}, "no whole number"),
        ({"IDP_KEYS_FOLDER": ""}, "is empty"),
        ({"DATABASE_URL": " "}, "is empty"),
        ({"DATABASE_URL": "idp.db"}, "is no address of a database, such as"),
        ({"DATABASE_URL": "mysql://db/idp"}, "is no address of a database, such as"),
        ({"DATABASE_URL": "postgresql://db:port/idp"}, "is no address of a database, such as"),
        ({"IDP_MAIL_SERVER": ""}, "is empty"),
        ({"IDP_MAIL_FROM": "a@b.example\nBcc: x@y.example"}, "holds a line end"),
        ({"IDP_CLIENT_CERTIFICATE_HEADER": "X-Client:"}, "is no name of a header"),
        ({"IDP_CLIENT_CERTIFICATE_AUTHORITIES": "/nowhere"}, "No such file"),
        ({"IDP_TRUSTED_PROXIES": "10.0.0.1/8"}, "host bits"),
        ({"IDP_ISSUER_FILE": "/nowhere"}, "IDP_ISSUER_FILE is set too"),
        ({"DATABASE_URL": "postgresql:///idp", "DATABASE_URL_FILE": "/x"}, "is set too"),
        ({"IDP_MAIL_PASSWORD_FILE": "/nowhere"}, "the file /nowhere can't be read: No such file"),
    ],
)
def test_n7_what_means_nothing_is_refused_with_what_is_allowed(
    variables: dict[str, str], allowed: str
) -> None:
    assert allowed in problems(**variables)


@pytest.mark.parametrize("issuer", ["https://id.example:99999", "https://id .example"])
def test_n7_an_issuer_that_leads_nowhere_is_refused(issuer: str) -> None:
    found = safety.problems(Settings.from_environment({**BASE, "IDP_ISSUER": issuer}))
    assert "IDP_ISSUER is not an http(s) address" in found


def test_n7_a_file_that_says_a_setting_twice_is_refused(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "idp.env"
    file.write_text("IDP_SESSION_IDLE=8h\nIDP_SESSION_IDLE=8d\n")
    done = invoked(environment, "--env-file", str(file), "check")
    assert "line 2 says IDP_SESSION_IDLE again" in refused(done)


def test_a_file_may_say_a_setting_again_with_the_same_value(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "idp.env"
    file.write_text("IDP_SESSION_IDLE=8h\nexport IDP_SESSION_IDLE='8h'\n")
    assert "up to date" in invoked(environment, "--env-file", str(file), "db", "current").stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IDP_PLATFORM_NAME", "École\u00a0: Saint-Michel"),
        ("IDP_PLATFORM_NAME", "École\u202f!"),
        ("IDP_PLATFORM_NAME", "Grund\u00adschule"),
        ("IDP_CLIENT_CERTIFICATE_HEADER", "X_SSL_CERT"),
    ],
)
def test_what_is_right_in_some_language_or_header_is_taken(name: str, value: str) -> None:
    read = Settings.from_environment({**BASE, name: value})
    assert getattr(read, name.removeprefix("IDP_").lower()) == value


@pytest.mark.parametrize("between", ["\n", "\x00", "\x7f", "\x85", "\u2028", "\u2029", "\udcff"])
def test_n7_what_would_end_a_line_or_is_no_text_is_refused(between: str) -> None:
    assert "holds a line end" in problems(IDP_PLATFORM_NAME=f"École{between}Libre")


def test_a_variable_wins_over_the_file_also_where_that_names_another_file(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "idp.env"
    file.write_text("DATABASE_URL_FILE=/nowhere\n")
    done = invoked(environment, "--env-file", str(file), "db", "current")
    assert "up to date" in done.stdout


def test_each_mistake_is_named_at_once() -> None:
    errors = problems(IDP_DEMO="ture", IDP_SESION_IDLE="60", IDP_MAIL_PORT="x")
    assert all(each in errors for each in ("IDP_DEMO", "IDP_SESION_IDLE", "IDP_MAIL_PORT"))


def test_what_kubernetes_sets_beside_a_service_called_idp_is_nobodys_setting() -> None:
    linked = {
        "IDP_SERVICE_HOST": "10.0.0.7",
        "IDP_SERVICE_PORT": "80",
        "IDP_SERVICE_PORT_HTTP": "80",
        "IDP_PORT": "tcp://10.0.0.7:80",
        "IDP_PORT_80_TCP": "tcp://10.0.0.7:80",
        "IDP_PORT_80_TCP_ADDR": "10.0.0.7",
        "IDP_ROSTER_SERVICE_HOST": "10.0.0.8",
    }
    assert Settings.from_environment({**BASE, **linked}).issuer == "https://id.example"


@pytest.mark.parametrize("name", ["DATABASE_URI", "DATABSE_URL", "DATABASE_URL_FIEL"])
def test_a_mistyped_database_makes_none(name: str) -> None:
    missing = {key: value for key, value in BASE.items() if not key.startswith("DATABASE_URL")}
    with pytest.raises(UnsafeSettings, match="did you mean DATABASE_URL"):
        Settings.from_environment({**missing, name: "postgresql://idp@db/idp"})
    beside = {**missing, "DATABASE_URL": "sqlite:///x.db", name: "another program's"}
    assert Settings.from_environment(beside).database_url == "sqlite:///x.db"


def test_a_mistyped_setting_starts_nothing(environment: dict[str, str]) -> None:
    environment["IDP_SESION_IDLE"] = "60"
    for command in (["serve"], ["mail", "work"], ["purge"]):
        assert "did you mean IDP_SESSION_IDLE?" in refused(invoked(environment, *command))
    checked = invoked(environment, "check")
    assert checked.exit_code == 1
    assert "did you mean IDP_SESSION_IDLE?" in checked.stdout


# Secrets


def test_k3_no_secret_is_printed_by_accident(caplog: pytest.LogCaptureFixture) -> None:
    hidden = {
        **BASE,
        "IDP_MAIL_PASSWORD": "m4il-hush-hush",
        "IDP_BACKUP_KEY": "b4ckup-hush-hush",
        "IDP_KEYS_ENCRYPTION_KEY": "s34l-hush-hush",
        "DATABASE_URL": "postgresql://idp:db-hush-hush@db.example/idp",
        "IDP_PROVIDER_GOOGLE_CLIENT_ID": "c",
        "IDP_PROVIDER_GOOGLE_CLIENT_SECRET": "g00gle-hush-hush",
    }
    settings = Settings.from_environment(hidden)
    values = [getattr(settings, name) for name in SECRET_SETTINGS]
    values.append(settings.providers[0].client_secret)
    logging.getLogger("idp").error("%s %r %s", settings, values, values[0])
    text = _traceback_with_values(settings, values) + caplog.text
    text += f"{settings} {settings!r} {values} {values[0]} {values[4]:>40} {values[5]!s}"
    for word in ("hush-hush", *(secret.decode() for secret in SECRETS.values())):
        assert word not in text
    assert "postgresql://idp:[hidden]@db.example/idp" in text
    assert all(settings.__dict__[name] for name in SECRET_SETTINGS)


def _traceback_with_values(settings: Settings, values: list[Any]) -> str:
    try:
        raise ValueError(settings, *values)
    except ValueError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format())


def test_a_secret_works_as_its_text_does() -> None:
    settings = Settings.from_environment({**BASE, "IDP_MAIL_PASSWORD": "m4il"})
    assert settings.session_secret == SECRETS["session_secret"]
    assert (settings.mail_password, settings.mail_password.reveal()) == ("m4il", "m4il")
    assert type(settings.mail_password.reveal()) is str


@pytest.mark.parametrize(
    "secret",
    [
        b"0123456789" * 4,
        b"abcdefghijklmnopqrstuvwxyz012345",
        bytes(range(90, 40, -1)),
        b"tilleuls-2026-" * 3,
        b"00000000000000000000000123456789",
    ],
)
def test_a4_a_patterned_secret_is_refused(secret: bytes) -> None:
    assert Secret(secret).weakness() is not None
    settings = Settings(issuer="https://id.example", **{**SECRETS, "token_hash_key": secret})
    assert any("IDP_TOKEN_HASH_KEY" in each for each in safety.problems(settings))


def test_a4_random_secrets_are_never_taken_for_patterns() -> None:
    makers: list[Any] = [
        lambda: secrets.token_bytes(32),
        lambda: secrets.token_hex(32).encode(),
        lambda: secrets.token_urlsafe(48).encode(),
        lambda: secrets.token_hex(16).encode(),
    ]
    weak = [
        made for make in makers for made in (make() for _ in range(500)) if Secret(made).weakness()
    ]
    assert weak == []


# The document


def test_the_document_of_settings_is_what_the_source_says() -> None:
    table = invoked({}, "check", "--settings").stdout.strip()
    assert table in DOCUMENT.read_text(encoding="utf-8")


NEWER = sha256(b"a newer secret").hexdigest()
OLDER = sha256(b"an older secret").hexdigest()


@pytest.mark.parametrize(
    "text",
    [f"{NEWER}\n{OLDER}", f"  {NEWER} \r\n\r\n{OLDER}\r\n", json.dumps([NEWER, OLDER])],
)
def test_r18_a_list_of_secrets_has_the_newest_first(text: str) -> None:
    read = Settings.from_environment({**BASE, "IDP_TOKEN_HASH_KEY": text})
    assert read.token_hash_key == NEWER.encode()
    assert read.token_hash_key.all == (NEWER.encode(), OLDER.encode())
    assert NEWER not in repr(read.token_hash_key.all)
    assert safety.problems(read) == []


def test_r18_a_list_stands_in_a_file_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "pepper"
    file.write_text(f"{NEWER}\n{OLDER}\n")
    given = {k: v for k, v in BASE.items() if k != "IDP_PASSWORD_PEPPER"}
    read = Settings.from_environment({**given, "IDP_PASSWORD_PEPPER_FILE": str(file)})
    assert read.password_pepper.all == (NEWER.encode(), OLDER.encode())


@pytest.mark.parametrize(
    "text", [f"{NEWER},{OLDER}", f"{NEWER} {OLDER}", f" {NEWER}\n", f"[{NEWER}"]
)
def test_r18_what_stands_on_one_line_is_one_secret_as_ever(text: str) -> None:
    read = Settings.from_environment({**BASE, "IDP_SESSION_SECRET": text})
    assert read.session_secret.all == (text.encode(),)


@pytest.mark.parametrize(
    ("secrets_", "word"),
    [
        ([NEWER, NEWER], "the same secret twice"),
        ([NEWER, "short"], "no. 2 of 2 is weak"),
        ([sha256(bytes([n])).hexdigest() for n in range(5)], "holds 5 secrets: 4 at the most"),
        ([NEWER, SECRETS["subject_key"].decode()], "two secrets are the same"),
    ],
)
def test_r18_a_list_that_protects_nothing_refuses_to_start(secrets_: list[str], word: str) -> None:
    read = Settings.from_environment({**BASE, "IDP_TOKEN_HASH_KEY": "\n".join(secrets_)})
    assert any(word in each for each in safety.problems(read))
    assert not any(each in str(safety.problems(read)) for each in secrets_)
