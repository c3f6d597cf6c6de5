"""L1 and L2: what is logged holds no secret, and no character that forges a line."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import exc

from idp import correlation, logs
from idp.settings import Settings

pytestmark = pytest.mark.quick_on("sqlite")

TOKEN = "MZC8-JFBY-020F-H16M-5XA5-QVJW-HBJT"
RANDOM = "Xq3_kZ0vTj4RmN8yBw1LcD6fHs9GpU2eAo7IiKl5VxM"
BCRYPT = "$2b$12$abcdefghijklmnopqrstuu9k3Jx0z1yQw2rE4tT6yU8iI0oP2aSdF"
HEXADECIMAL = "a" * 20 + "0" * 20 + "f" * 24
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJnXzEifQ.c2lnbmF0dXJl"


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """A logger whose last record the test reads back as JSON."""
    root, ours = logging.getLogger(), logging.getLogger("idp")
    before = (list(root.handlers), root.level, ours.level)
    logs.configure(Settings(log_level="debug"))
    yield Recorded(capsys)
    root.handlers[:], root_level, ours_level = before
    root.setLevel(root_level)
    ours.setLevel(ours_level)


class Recorded:
    """Writes with the log and reads what came out."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.logger = logging.getLogger("idp.test")

    def __call__(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        self.logger.warning(*arguments, **options)
        return self.read()[-1]

    def raw(self) -> str:
        return self.capsys.readouterr().err

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw().splitlines()]


def test_a_record_is_one_json_object_with_the_correlation_id(log: Recorded) -> None:
    begun = correlation.begin()
    record = log("mail %s sent", "m_1", extra={"attempts": 2, "kinds": ["a"], "about": {"n": None}})
    assert record["message"] == "mail m_1 sent"
    assert record["correlation_id"] == begun.id
    assert record["level"] == "WARNING"
    assert record["logger"] == "idp.test"
    assert record["at"].endswith("+00:00")
    assert (record["attempts"], record["kinds"], record["about"]) == (2, ["a"], {"n": None})


@pytest.mark.parametrize(
    "text",
    [
        f"token {TOKEN} came",
        f"typed {TOKEN.replace('-', '').lower()}",
        f"typed {TOKEN.replace('-', ' ')}",
        f"GET /cb?code={RANDOM}&state=1",
        "POST password=Lampe-Fougère-Tambour-7&x=1",
        "new_password='Lampe-Fougère-Tambour-7'",
        '{"client_secret": "hush-hush hush", "x": 1}',
        "refresh_token=hush-hush",
        "Authorization: Basic aHVzaC1odXNo",
        "Cookie: idp_session=hush-hush; other=hush-hush",
        f"sent Bearer {RANDOM}",
        f"a secret of its own: {RANDOM}",
        f"hash {BCRYPT}",
        f"hint {JWT}",
        "postgresql://idp:hush-hush@db.example/idp",
        "mail to Claire.Dubois+kids@maison.example failed",
        "csrf_token=hush-hush",
        "[SQL: INSERT] [parameters: ('hush-hush', 'Lina]')]",
        "DETAIL:  Key (email_key)=(hush-hush) already exists.",
        "DETAIL:  Failing row contains (1, hush-hush, null).",
        HEXADECIMAL,
    ],
)
def test_l1_secrets_are_hidden_wherever_they_stand(log: Recorded, text: str) -> None:
    shown = json.dumps([log("%s", text), log("said", extra={"words": text})])
    typed = (TOKEN, TOKEN.replace("-", "").lower(), TOKEN.replace("-", " "))
    names = ("hush-hush", "Foug", "aHVzaC", "Claire.Dubois")
    for secret in (*typed, RANDOM, BCRYPT, JWT, HEXADECIMAL, *names):
        assert secret not in shown


def test_what_is_no_secret_stays_readable(log: Recorded) -> None:
    text = (
        "IDP_TOKEN_HASH_KEY is missing; error_code=login; a_rather_long_name_of_a_function_in_ours"
    )
    assert log("%s", text)["message"] == text
    assert log("account a_x7k-Y9UoamwVM_7ogrBIDw")["message"].endswith("_7ogrBIDw")


@pytest.mark.parametrize(
    "name", ["password", "access_token", "cookie", "code", "given_name", "email", "login_hint"]
)
def test_l1_members_with_a_telling_name_are_hidden(log: Recorded, name: str) -> None:
    record = log("x", extra={name: "Lina", "deep": {name: ["Lina"]}})
    assert record[name] == logs.HIDDEN
    assert record["deep"][name] == logs.HIDDEN


def test_l2_no_character_forges_a_line(log: Recorded) -> None:
    forged = 'x\r\n{"level": "INFO"}\x1b[2J\x00\x7f\x85\u2028\u202e'
    log.logger.warning("%s", forged, extra={"path": forged})
    raw = log.raw()
    assert raw.count("\n") == 1
    assert all(32 <= ord(character) < 127 for character in raw.rstrip("\n"))
    assert json.loads(raw)["path"].startswith("x\r\n")


@given(st.text())
def test_l2_one_line_is_one_printable_line(text: str) -> None:
    line = logs.one_line(text)
    assert line.isprintable() or not any(ord(character) < 32 for character in line)
    assert len(line.splitlines()) <= 1
    line.encode()


def test_l1_a_traceback_shows_places_and_no_values(log: Recorded) -> None:
    def fails(child: str) -> None:
        try:
            raise exc.IntegrityError("INSERT", {"name": child}, Exception(f"Key (a)=({child})"))
        except exc.IntegrityError as error:
            raise RuntimeError(f"password={child}") from error

    name = "Lina-Dubois".swapcase()  # a trace quotes our source, where it must not stand
    try:
        fails(name)
    except RuntimeError:
        log.logger.exception("failed")

    record = log.read()[-1]
    assert record["exception"]["type"] == "RuntimeError"
    assert any("in fails" in line for line in record["exception"]["trace"])
    assert any("IntegrityError" in line for line in record["exception"]["trace"])
    assert name not in json.dumps(record)


def test_a_record_that_does_not_fit_its_arguments_breaks_nothing() -> None:
    record = logging.LogRecord("idp", logging.INFO, "", 0, "only %s and %s", ("one",), None)
    assert json.loads(logs.SafeFormatter().format(record))["message"] == "only %s and %s"


def test_a_log_that_cannot_be_written_stops_nobody(
    log: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    log.logger.warning("password=hush")


def test_configure_twice_writes_once_and_libraries_are_quiet(log: Recorded) -> None:
    logs.configure(Settings(log_level="nonsense"))
    logging.getLogger("idp.test").info("heard")
    logging.getLogger("idp.test").debug("not heard")
    logging.getLogger("sqlalchemy.engine").info("SELECT hush")
    assert [record["message"] for record in log.read()] == ["heard"]


# The access log


@pytest.fixture
def web(app: Flask, log: Recorded) -> Any:
    return app.test_client()


def test_l1_an_answer_is_logged_without_its_query(web: Any, log: Recorded) -> None:
    answer = web.get(f"/nowhere?token={TOKEN}", headers={"Cookie": "a=hush", "X-A": "hush"})

    record = next(each for each in log.read() if each["logger"] == "idp.access")

    assert (record["method"], record["path"]) == ("GET", "/nowhere")
    assert record["status"] == answer.status_code == 404
    assert record["milliseconds"] >= 0
    assert record["address"] == "127.0.0.1"
    assert TOKEN not in json.dumps(record)
    assert "hush" not in json.dumps(record)
    assert record["correlation_id"] == answer.headers["X-Request-Id"]


def test_l2_a_forged_path_is_one_line(web: Any, log: Recorded) -> None:
    web.get("/a%0d%0a%1b[2J\xff" + "x" * 500)
    raw = [line for line in log.raw().splitlines() if "idp.access" in line]
    assert len(raw) == 1
    assert "\x1b" not in raw[0]
    assert len(json.loads(raw[0])["path"]) <= 200


def test_health_is_not_worth_a_line(web: Any, log: Recorded) -> None:
    logging.getLogger("idp").setLevel(logging.INFO)
    web.get("/health/live")
    assert log.read() == []


@given(st.from_regex(logs._HARMLESS, fullmatch=True))
def test_l1_what_passes_with_one_look_has_nothing_to_hide(text: str) -> None:
    assert logs._searched(text) == text
