"""The forms that a line of the log may have, for whoever reads it: a program, or a person.

Each is made of the same safe fields: nothing is added here that ``idp.logs`` has not looked at.
"""

import json
from collections.abc import Callable
from typing import Any, Final

Line = dict[str, Any]

SERVICE: Final = "school-idp"
ECS_VERSION: Final = "8.17.0"

_OURS: Final = ("at", "level", "logger", "message", "correlation_id", "exception")
_ECS: Final = {
    "method": "http.request.method",
    "path": "url.path",
    "status": "http.response.status_code",
    "address": "client.address",
}
"""The fields of an answer in the Elastic Common Schema; OpenTelemetry calls these four alike."""
_SEVERITY: Final = {"DEBUG": 5, "INFO": 9, "WARNING": 13, "ERROR": 17, "CRITICAL": 21}
"""OpenTelemetry's log data model, « SeverityNumber »."""
_COLOURS: Final = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31m"}
_DIM, _PLAIN = "\x1b[2m", "\x1b[0m"


def as_json(line: Line) -> str:
    """Our own names, flat."""
    return _dumped(line)


def as_ecs(line: Line) -> str:
    """Elastic Common Schema: dotted names, what it has no name for under ``idp``."""
    document = {
        "@timestamp": line["at"].replace("+00:00", "Z"),
        "log.level": line["level"].lower(),
        "message": line["message"],
        "ecs.version": ECS_VERSION,
        "log.logger": line["logger"],
        "service.name": SERVICE,
        "http.request.id": line["correlation_id"],
        **_named(line),
    }
    if "milliseconds" in line:
        document["event.duration"] = round(line["milliseconds"] * 1_000_000)  # nanoseconds
    if exception := line.get("exception"):
        document["error.type"] = exception["type"]
        document["error.message"] = exception["message"]
        document["error.stack_trace"] = "\n".join(exception["trace"])
    return _dumped(document)


def as_opentelemetry(line: Line) -> str:
    """OpenTelemetry's log data model, with the attributes of its semantic conventions."""
    attributes = {"idp.correlation_id": line["correlation_id"], **_named(line)}
    if "milliseconds" in line:
        attributes["http.server.request.duration"] = round(line["milliseconds"] / 1000, 6)
    if exception := line.get("exception"):
        attributes["exception.type"] = exception["type"]
        attributes["exception.message"] = exception["message"]
        attributes["exception.stacktrace"] = "\n".join(exception["trace"])
    document = {
        "Timestamp": line["at"].replace("+00:00", "Z"),
        "SeverityText": line["level"],
        "SeverityNumber": _SEVERITY.get(line["level"], 0),
        "Body": line["message"],
        "Resource": {"service.name": SERVICE},
        "InstrumentationScope": {"Name": line["logger"]},
        "Attributes": attributes,
    }
    return _dumped(document)


def as_text(line: Line) -> str:
    """For eyes: the time of day, the level, the words, what belongs to them; errors below."""
    return _text(line, colours=False)


def as_coloured_text(line: Line) -> str:
    """The same for a terminal."""
    return _text(line, colours=True)


FORMS: Final[dict[str, Callable[[Line], str]]] = {
    "json": as_json,
    "ecs": as_ecs,
    "opentelemetry": as_opentelemetry,
    "text": as_text,
    "terminal": as_coloured_text,
}


def _named(line: Line) -> Line:
    rest = {name: each for name, each in line.items() if name not in (*_OURS, "milliseconds")}
    return {_ECS.get(name, f"idp.{name}"): each for name, each in rest.items()}


def _text(line: Line, *, colours: bool) -> str:
    dim, plain = (_DIM, _PLAIN) if colours else ("", "")
    level = line["level"]
    colour = _COLOURS.get(level, "") if colours else ""
    rest = {name: each for name, each in line.items() if name not in _OURS}
    about = " ".join(f"{name}={_word(each)}" for name, each in rest.items())
    words = f"{colour}{level:<8}{plain if colour else ''} {_word(line['message'], bare=True)}"
    id_ = f"{dim}[{line['correlation_id']}]{plain}"
    written = " ".join(part for part in (line["at"][11:23], words, about, id_) if part)
    trace = line.get("exception", {}).get("trace", ())
    return "\n".join([written, *(f"    {_word(each, bare=True)}" for each in trace)])


def _word(value: Any, *, bare: bool = False) -> str:
    # JSON escapes what would end the line or move the cursor (security rule L2)
    text = _dumped(value)
    is_plain = isinstance(value, str) and (bare or (value.isalnum() or not set(value) & set(' "=')))
    return text[1:-1].replace('\\"', '"') if is_plain else text


def _dumped(value: Any) -> str:
    return json.dumps(value).replace("\x7f", "\\u007f")
