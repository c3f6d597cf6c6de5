"""nginx as a browser and an application's server come to it, and what each request was answered."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import local
from time import monotonic
from urllib.parse import urlencode

import urllib3

NAME = "id.example"
PATIENCE = 20
"""Seconds; nginx itself gives up after 30."""
_VISITORS = count()


class Trouble(Exception):
    """Somebody did not get what they came for. Their way ends here; they begin it anew."""

    def __init__(self, words: str, *, is_refusal: bool = False) -> None:
        super().__init__(words)
        self.is_refusal = is_refusal
        """Whether they were told no: to ask once more is of no use."""


@dataclass(frozen=True)
class Heard:
    """One request: when its answer came, what it was for, and what was wrong with it."""

    at: float
    kind: str
    trouble: str = ""
    took: float = 0.0
    """Seconds."""


@dataclass
class Answers:
    """All of them, in the order in which they came; many threads write."""

    heard: list[Heard] = field(default_factory=list)

    def note(self, kind: str, trouble: str = "", took: float = 0.0) -> None:
        self.heard.append(Heard(monotonic(), kind, trouble, took))

    def failed(self, since: float = 0.0) -> Counter[tuple[str, str]]:
        return Counter((each.kind, each.trouble) for each in self.heard if _is_bad(each, since))

    def last_failure(self, since: float) -> float:
        return max((each.at for each in self.heard if _is_bad(each, since)), default=since)

    def slowest(self, since: float = 0.0) -> float:
        return max((each.took for each in self.heard if each.at >= since), default=0.0)

    def kinds(self, since: float = 0.0) -> set[str]:
        """What succeeded since then."""
        return {each.kind for each in self.heard if each.at >= since and not each.trouble}


def _is_bad(each: Heard, since: float) -> bool:
    return bool(each.trouble) and each.at >= since


class Door:
    """Connections to nginx. What is not answered as expected is noted, and raised.

    Each thread is a visitor with an address of their own: nginx counts requests by address, and
    however fast the machine answers, nobody meets a limit that is there for one who hammers.
    Who asks for our health is on the machine itself: nobody else is told.
    """

    def __init__(self, port: int, authority: Path) -> None:
        self._port, self._authority = port, authority
        self._on_the_machine = self._pool_from("127.0.0.1")
        self._of_visitor = local()
        self.answers = Answers()

    def anew(self) -> "Door":
        """The same with nothing noted yet."""
        return Door(self._port, self._authority)

    def let_another_in(self) -> None:
        """Whoever comes next in this thread comes from another address."""
        if hasattr(self._of_visitor, "pool"):
            self._of_visitor.pool.close()
            del self._of_visitor.pool

    def is_open(self) -> bool:
        """Whether anybody is answered."""
        with suppress(Trouble):
            self.ask("health", "GET", "/health/live")
            return True
        return False

    def ask(
        self,
        kind: str,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        file: tuple[str, bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        good: tuple[int, ...] = (200,),
    ) -> urllib3.BaseHTTPResponse:
        """``file``: sent as the form's file of this name. Raises ``Trouble``."""
        body, sent = _body(form, file)
        began = monotonic()
        answer, trouble = self._ask(method, path, body, sent | dict(headers or {}))
        if answer is not None and answer.status not in good:
            trouble = str(answer.status)
            if answer.status == 503 and "Retry-After" not in answer.headers:
                trouble += " without Retry-After"
        self.answers.note(kind, trouble, monotonic() - began)
        if trouble or answer is None:
            raise Trouble(f"{kind}: {trouble}", is_refusal=trouble.startswith("4"))
        return answer

    def _ask(
        self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]
    ) -> tuple[urllib3.BaseHTTPResponse | None, str]:
        try:
            answer = self._pool(path).request(
                method, path, body=body, headers={"Host": NAME, **headers},
                retries=False, redirect=False, timeout=PATIENCE,
            )  # fmt: skip
        except urllib3.exceptions.HTTPError as error:
            return None, type(error).__name__
        return answer, ""

    def _pool(self, path: str) -> urllib3.HTTPSConnectionPool:
        if path.startswith("/health/"):
            return self._on_the_machine
        if not hasattr(self._of_visitor, "pool"):
            self._of_visitor.pool = self._pool_from(f"127.0.0.{2 + next(_VISITORS) % 250}")
        pool: urllib3.HTTPSConnectionPool = self._of_visitor.pool
        return pool

    def _pool_from(self, address: str) -> urllib3.HTTPSConnectionPool:
        return urllib3.HTTPSConnectionPool(
            "127.0.0.1", self._port, ca_certs=str(self._authority), server_hostname=NAME,
            source_address=(address, 0),
        )  # fmt: skip


def _body(
    form: Mapping[str, str] | None, file: tuple[str, bytes] | None
) -> tuple[str | bytes | None, dict[str, str]]:
    if file is not None:
        body, kind = urllib3.encode_multipart_formdata({**(form or {}), "file": file})
        return body, {"Content-Type": kind}
    if form is not None:
        return urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"}
    return None, {}
