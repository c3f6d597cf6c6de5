"""Logs on stderr, a JSON object a line or another of ``log_forms``: with the correlation id, and
without secrets.

Security rule L1: no password, token, code, cookie, child's name or full e-mail address.
Rule L2: no control character of a logged value ends a line or moves a terminal's cursor.
What is logged should not hold a secret to begin with; this is the second lock on that door.
"""

import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from time import perf_counter
from typing import Any, Final, TextIO

from idp import correlation, log_forms
from idp.settings import Settings

HIDDEN: Final = "[hidden]"
LONGEST_VALUE: Final = 2000

_SENSITIVE_NAME = re.compile(
    r"(?i)passw|token|secret|^code$|cookie|authorization|assertion|verifier|pepper"
    r"|csrf|e_?mail|_hint$|given_name|family_name|full_name|child_name"
)
_NAME = r"[\w-]*(?:passw|token|secret|cookie|assertion|verifier|csrf|_hint)[\w-]*"
_REDACTIONS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # What SQLAlchemy and PostgreSQL add to their errors: the values of the row.
    (re.compile(r"\[parameters: .*?(?=\n\(Background|\Z)", re.DOTALL), "[parameters hidden]"),
    (re.compile(r"(Key \([^)]*\)=)\(.*\)"), rf"\1({HIDDEN})"),
    (re.compile(r"(Failing row contains )\(.*\)"), rf"\1({HIDDEN})"),
    (re.compile(r"(://[^\s:/@]*):[^\s@]*@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic|dpop)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(rf"(?i)({_NAME}=[\"']?)(?!\[hidden)[^\s&\"',;}}]+"), rf"\1{HIDDEN}"),
    (re.compile(rf"(?i)([\"']{_NAME}[\"']\s*:\s*[\"']).*?(?=[\"'])"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b((?:set-)?cookie|authorization):.*"), rf"\1: {HIDDEN}"),
    (re.compile(r"(?i)(\bcode=)[^\s&\"',;}]{8,}"), rf"\1{HIDDEN}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]*\.[\w-]*"), HIDDEN),
    (re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{22,}"), HIDDEN),
    (re.compile(r"(?i)\b[0-9a-z]{4}(?:[-\s][0-9a-z]{4}){6}\b"), HIDDEN),
    (re.compile(r"(?i)\b[0-9a-hjkmnp-tv-z]{28}\b"), HIDDEN),
    (re.compile(r"[^\s@<>\"'(),:;=]+@([\w-]+(?:\.[\w-]+)+)"), r"…@\1"),
)
# Most of what is logged (methods, short paths, IPv4 addresses) is too short and too plain for
# any of the patterns: one look instead of fifteen.
_HARMLESS = re.compile(r"[a-z0-9/._]{0,27}|[A-Z]{1,27}")
_LONG_RUN = re.compile(r"[A-Za-z0-9_-]{40,}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redacted(text: str) -> str:
    """The text without whatever looks like a secret or a full e-mail address."""
    return text if _HARMLESS.fullmatch(text) else _searched(text)


def _searched(text: str) -> str:
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return _LONG_RUN.sub(_hide_random, text)


def one_line(text: str) -> str:
    """The text with line ends as spaces and other control characters escaped."""
    flat = " ".join(text.split())
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", flat)


class SafeFormatter(logging.Formatter):
    """One record as one line of ASCII JSON, or in another form; ``extra`` becomes its members."""

    def __init__(self, form: str = "json") -> None:
        super().__init__()
        self._written = log_forms.FORMS[form]

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(_message(record))[:LONGEST_VALUE],
            "correlation_id": correlation.current().id,
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in line:
                line[name] = _safe_value(name, value)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = _exception(record.exc_info[1])
        return self._written(line)


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever is stderr now; a log that can't be written stops nobody's request."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(SafeFormatter(_form()))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 – its name
        """Say nothing: the standard answer would print the record's arguments."""


class AccessLog:
    """WSGI middleware: a line for each answer, without query string, header or body.

    Begins the request's correlation, which the pages then complete with the address.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self.log = logging.getLogger("idp.access")

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        began = perf_counter()
        correlation.begin()

        def answer(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            self._record(environ, int(status[:3]), perf_counter() - began)
            return start_response(status, headers, *error)

        return self.application(environ, answer)

    def _record(self, environ: dict[str, Any], status: int, seconds: float) -> None:
        path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace")
        level = logging.DEBUG if path.startswith("/health/") else logging.INFO
        if not self.log.isEnabledFor(level):
            return
        fields = {
            "method": environ.get("REQUEST_METHOD", ""),
            "path": path[:200],
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
            "address": correlation.current().address or environ.get("REMOTE_ADDR", ""),
        }
        # Without « who called »: looking through the stack costs more than the line.
        self.log.handle(
            self.log.makeRecord(self.log.name, level, "", 0, "answered", (), None, extra=fields)
        )


_chosen = {"form": "auto"}


def _form() -> str:
    """Where nothing is chosen: for eyes at a terminal, for programs elsewhere."""
    form = _chosen["form"]
    at_terminal = sys.stderr is not None and sys.stderr.isatty()
    if form == "auto":
        return "terminal" if at_terminal else "json"
    return "terminal" if form == "text" and at_terminal else form


def configure(settings: Settings) -> None:
    """Log in the form of ``settings.log_form``, from ``settings.log_level`` on; once or again.

    Libraries are heard from WARNING on: below, some of them log parameters and queries.
    """
    _chosen["form"] = settings.log_form
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, StderrHandler)]:
        root.removeHandler(handler)
    root.addHandler(StderrHandler())
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("idp").setLevel(level)


@lru_cache(maxsize=256)
def _is_sensitive(name: str) -> bool:
    return _SENSITIVE_NAME.search(name) is not None


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return str(record.msg)


def _safe_value(name: str, value: Any) -> Any:
    if _is_sensitive(name):
        return HIDDEN
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _safe_value(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe_value("", each) for each in value]
    return redacted(str(value))[:LONGEST_VALUE]


def _exception(error: BaseException) -> dict[str, Any]:
    """Type, words and places of an error and of its causes; never the values of variables."""
    lines = []
    for part in traceback.TracebackException.from_exception(error, limit=-20).format():
        lines.extend(redacted(part).splitlines())
    return {
        "type": type(error).__name__,
        "message": redacted(str(error))[:LONGEST_VALUE],
        "trace": lines[-80:],
    }


def _hide_random(match: re.Match[str]) -> str:
    """Hide a long run of letters and digits, but leave names such as those of functions."""
    text = match[0]
    kinds = (str.isdigit, str.isupper, str.islower)
    random = all(any(kind(character) for character in text) for kind in kinds)
    return HIDDEN if random or re.fullmatch(r"[0-9a-f]{40,}", text) else text
