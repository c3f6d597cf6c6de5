"""``/openapi.json`` when requests that work are changed in one or two places, and sent."""

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests.conformance.live import Live, Request
from tests.conformance.test_openapi import MOST, WORDS, is_as_described, names_of, operations
from tests.relying_party import leads_to

pytestmark = pytest.mark.quick_on("sqlite")

HEADERS = ("Authorization", "DPoP", "Content-Type")
EACH = max(3, MOST // 8)
"""Changed requests of each kind."""
WAYS = ("leave out", "another word", "another value", "twice", "one more", "header")
"""What is done to a request that would work."""


@dataclass
class Change:
    """One of them: the numbers choose the field and the value, whatever there is."""

    way: str
    where: int
    value: int
    word: str


CHANGES = st.lists(
    st.builds(
        Change,
        st.sampled_from(WAYS),
        st.integers(0, 1000),
        st.integers(0, 1000),
        WORDS,
    ),
    min_size=1,
    max_size=2,
)


@dataclass
class Changing:
    """Makes requests of a kind, and remembers all values that were ever given out."""

    live: Live
    names: list[str]
    """Every parameter that the document has at this address."""
    known: list[str] = field(default_factory=list)

    def sent(self, right: Request, changes: list[Change]) -> TestResponse:
        self.known += [value for value in right.fields.values() if len(value) > 20]
        self.known += right.headers.values()
        fields = MultiDict(right.fields)
        for change in changes:
            self._apply(change, right, fields)
        return self.live.send(right, fields)

    def _apply(self, change: Change, right: Request, fields: MultiDict[str, str]) -> None:
        there = sorted(fields) or self.names or ["x"]
        name = there[change.where % len(there)]
        another = self.known[change.value % len(self.known)] if self.known else change.word
        match change.way:
            case "leave out":
                fields.poplist(name)
            case "another word":
                fields[name] = change.word
            case "another value":
                fields[name] = another
            case "twice":
                fields.add(name, another)
            case "one more":
                more = self.names or ["x"]
                fields[more[change.where % len(more)]] = (another, change.word)[change.value % 2]
            case _:
                header = HEADERS[change.where % len(HEADERS)]
                right.headers[header] = _as_header((another, change.word)[change.value % 2])


def _as_header(text: str) -> str:
    """What a server lets through: nothing that would end the line."""
    plain = text if text.isascii() and text.isprintable() else ascii(text)
    return plain[:4000]


@pytest.mark.long
def test_requests_that_work_and_are_changed_are_answered_as_described(client: FlaskClient) -> None:
    """OpenAPI 3.1 §4.8.16: past the first check, too: no 500, and what is described."""
    live = Live.of(client)
    described = {(path, method): each for path, method, each in operations(client)}
    seen: Counter[tuple[str, str]] = Counter()

    for kind, make in live.kinds().items():
        right = make()
        assert _works(live.send(right)) is (kind != "a poll too early"), kind
        operation = described[right.path, right.method.lower()]
        for code in _fuzz(live, make, operation):
            seen[right.path, code] += 1

    if EACH > 20:  # a few requests meet a few of them
        of_tokens = {code for path, code in seen if path == "/oauth2/token"}
        assert {"invalid_grant", "invalid_client", "invalid_target", "None"} <= of_tokens, seen


def _works(response: TestResponse) -> bool:
    assert response.status_code in {200, 201, 302, 303, 400}, response.text
    return response.status_code < 400 and "error=" not in leads_to(response)


def _fuzz(live: Live, make: Callable[[], Request], operation: dict[str, Any]) -> list[str]:
    """The errors that were answered."""
    query, form = names_of(operation)
    changing, codes = Changing(live, [*query, *form]), []

    @settings(max_examples=EACH, deadline=None, suppress_health_check=list(HealthCheck))
    @given(changes=CHANGES)
    def check(changes: list[Change]) -> None:
        right = make()
        response = changing.sent(right, changes)
        is_as_described(operation, response, (right, changes))
        codes.append(str((response.json or {}).get("error")) if response.is_json else "page")

    check()
    return codes


def test_credentials_of_another_form_are_no_fault_of_ours(client: FlaskClient) -> None:
    """RFC 7617 §2: whatever stands where a name and a secret belong, the answer is 400 or 401."""
    live = Live.of(client)
    odd = (b"", b":", b"\xff:\xff", b"a" * 3000, b"\x00:\x00", "é:é".encode(), b"%zz:%zz")

    for each in (*odd, b"no colon"):
        request = live.kinds()["a code"]()
        request.headers["Authorization"] = "Basic " + base64.b64encode(each).decode()
        response = live.send(request)
        assert response.status_code in {400, 401}, each
        assert (response.json or {})["error"] in {"invalid_client", "invalid_request"}
