"""The report of `idp certify`, how it is written and read, and the command for an application.

The robot itself is ``idp.certify``, which no server imports. Here stands what the desk shows too.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from idp.clients import uris
from idp.clients.certification_checks import CHECKS, Check
from idp.errors import Invalid

PASSED: Final = "passed"
FAILED: Final = "failed"
UNTOLD: Final = "could not be told"
VERDICTS: Final = (FAILED, UNTOLD, PASSED)
FORMAT: Final = "idp certify 1"
LONGEST_REPORT: Final = 40_000
LONGEST_SENTENCE: Final = 600
LONGEST_ADDRESS: Final = 300


_CODES: Final = {check.code: check for check in CHECKS}


@dataclass(frozen=True)
class Result:
    """What came of one check; ``seen`` says in a sentence or two what the robot saw."""

    code: str
    verdict: str
    seen: str

    @property
    def check(self) -> Check:
        """What was looked at."""
        return _CODES[self.code]


@dataclass(frozen=True)
class Report:
    """What came of all checks of one application."""

    application: str
    at: str
    """ISO 8601, in UTC."""
    results: Sequence[Result]

    def of(self, verdict: str) -> list[Result]:
        """The results with this verdict."""
        return [each for each in self.results if each.verdict == verdict]

    @property
    def clean(self) -> bool:
        """Whether nothing failed, and somebody was seen signed in at all."""
        passed = {each.code for each in self.of(PASSED)}
        return not self.of(FAILED) and "sign_in" in passed

    @property
    def certified(self) -> bool:
        """Whether that was so with every check."""
        return self.clean and {each.code for each in self.results} == set(_CODES)


def as_json(report: Report) -> dict[str, Any]:
    """The report as `idp certify --json` prints it, with what helps beside each result."""
    return {
        "format": FORMAT,
        "application": report.application,
        "at": report.at,
        "certified": report.certified,
        "results": [{**asdict(each), **_help(each)} for each in report.results],
    }


def read(text: str) -> Report:
    """The report in a text that somebody gave us. Raises ``Invalid`` where it is none."""
    if len(text) > LONGEST_REPORT:
        raise Invalid("report", "too_long", most=LONGEST_REPORT)
    try:
        document = json.loads(text)
        results = [_read_result(each) for each in document["results"]]
        application, at = document["application"], document["at"]
        known = document["format"] == FORMAT
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Invalid("report", "no_report") from None
    texts = (application, at)
    if not known or not all(
        isinstance(each, str) and len(each) <= LONGEST_ADDRESS for each in texts
    ):
        raise Invalid("report", "no_report")
    if not results or len({each.code for each in results}) != len(results):
        raise Invalid("report", "no_report")
    return Report(application, at, results)


def _read_result(raw: Any) -> Result:
    code, verdict, seen = raw["code"], raw["verdict"], raw["seen"]
    if code not in _CODES or verdict not in VERDICTS or not isinstance(seen, str):
        raise ValueError
    return Result(code, verdict, seen[:LONGEST_SENTENCE])


def _help(result: Result) -> dict[str, str]:
    check = result.check
    return {"title": check.title, "place": check.place, "line": check.sentence}


OWN_ADDRESSES: Final = ("redirect_uris", "post_logout_redirect_uris", "origins")
"""What the robot learns from the application itself, wherever a copy of it runs."""
_SAID_ELSEWHERE: Final = (
    *OWN_ADDRESSES,
    *("initiate_login_uri", "client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri"),
    *("backchannel_logout_uri", "frontchannel_logout_uri", "security_events_uri"),
    *("sector_identifier_uri", "request_uris", "contacts"),
)
_SAID_BY_OPTIONS: Final = (
    ("initiate_login_uri", "--login"),
    ("backchannel_logout_uri", "--back-channel-logout"),
    ("security_events_uri", "--security-events"),
)


def command_for(document: Mapping[str, Any]) -> str | None:
    """The command that tries an application of this registration; None where it has no address."""
    homes = [uris.origin(each) for each in document["redirect_uris"]]
    home = next((each for each in homes if each.startswith("http")), None)
    if home is None:
        return None
    words = ["idp", "certify", f"{home}/", "--metadata", "client.json"]
    for field, option in _SAID_BY_OPTIONS:
        address = document.get(field)
        if address and uris.origin(address) == home:
            words += [option, urlsplit(address).path or "/"]
    return shlex.join(words)


def registration_for(document: Mapping[str, Any]) -> str:
    """What stands in its ``client.json``: the registration, without what is another for a copy."""
    kept = {name: value for name, value in document.items() if name not in _SAID_ELSEWHERE}
    return json.dumps(kept, indent=2, ensure_ascii=False)
