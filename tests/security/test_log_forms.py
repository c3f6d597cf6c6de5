"""Rules L1 and L2 in every form that a line of the log may have."""

import io
import json
import logging
import sys
from typing import Any

import pytest

from idp import Settings, logs
from idp.log_forms import FORMS
from tests.conftest import SECRETS


def written(form: str, message: str, error: Exception | None = None, **extra: Any) -> str:
    """A line as it is written in this form."""
    thrown = (type(error), error, error.__traceback__) if error else None
    record = logging.getLogger("idp.test").makeRecord(
        "idp.test", logging.WARNING, "", 0, message, (), thrown, extra=extra
    )
    return logs.SafeFormatter(form).format(record)


@pytest.mark.parametrize("form", FORMS)
def test_l1_no_form_holds_a_secret_or_a_whole_address(form: str) -> None:
    line = written(
        form,
        "mail to claire@dubois.example, password=hush-hush-hush",
        ValueError("token=hush-hush-hush for claire@dubois.example"),
        access_token="hush-hush-hush",
    )
    assert "hush-hush" not in line
    assert "claire@" not in line
    assert "dubois.example" in line


@pytest.mark.parametrize("form", FORMS)
def test_l2_what_is_logged_ends_no_line_and_moves_no_cursor(form: str) -> None:
    line = written(form, "a\nERROR forged \x1b[2J \u202e \x9b", path="/x\r\n\x1b[1A")
    bare = line.replace("\x1b[33m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert bare.isascii()
    assert bare.isprintable()


def test_elastics_names() -> None:
    answered = {"method": "GET", "path": "/x", "status": 200, "milliseconds": 1.5}
    line = json.loads(written("ecs", "answered", address="192.0.2.7", **answered))
    assert line["@timestamp"].endswith("Z")
    assert line["log.level"] == "warning"
    assert line["log.logger"] == "idp.test"
    assert line["url.path"] == "/x"
    assert line["http.response.status_code"] == 200
    assert line["event.duration"] == 1_500_000
    assert line["client.address"] == "192.0.2.7"
    assert len(line["http.request.id"]) == 16


def test_opentelemetrys_log_data_model() -> None:
    line = json.loads(written("opentelemetry", "broken", RuntimeError("why"), kind="x"))
    assert (line["SeverityText"], line["SeverityNumber"]) == ("WARNING", 13)
    assert line["Body"] == "broken"
    assert line["Attributes"]["exception.type"] == "RuntimeError"
    assert line["Attributes"]["idp.kind"] == "x"
    assert line["Resource"] == {"service.name": "school-idp"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("form", "terminal", "begins"),
    [
        ("auto", True, "text"),
        ("auto", False, "{"),
        ("json", True, "{"),
        ("text", False, "text"),
    ],
)
def test_a_terminal_gets_words_and_everything_else_json_unless_told(
    form: str, terminal: bool, begins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    before = dict(logs._chosen)
    logs.configure(Settings(issuer="https://id.example", log_form=form, **SECRETS))
    try:
        logging.getLogger("idp.test").error("out of order")
    finally:
        logs._chosen.update(before)
    line = stream.getvalue()
    assert "out of order" in line
    assert line.startswith("{") == (begins == "{")
    assert ("\x1b[31m" in line) == (terminal and begins == "text")
