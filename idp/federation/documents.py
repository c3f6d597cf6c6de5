"""A provider's public documents – metadata and keys – cached as its headers say."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

from requests import Response

from idp import clock
from idp.federation.identity import ProviderTrouble, WrongAnswer

log = logging.getLogger(__name__)

SHORTEST: Final = timedelta(minutes=1)
DEFAULT: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=1)
STALE: Final = timedelta(days=1)
"""For so long an old document is used while the provider does not answer."""
PAUSE: Final = timedelta(minutes=1)
"""An unknown key asks for the key set again at most this often (security rule F10)."""

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})")

Check = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class _Kept:
    document: dict[str, Any]
    fetched_at: datetime
    fresh_until: datetime


class Cached:
    """One document of a provider, kept in this worker.

    ``fetch`` asks the provider; ``check`` gives the document as we use it, or raises
    ``WrongAnswer``.
    """

    def __init__(self, name: str, fetch: Callable[[], Response], check: Check) -> None:
        self._name = name
        self._fetch = fetch
        self._check = check
        self._kept: _Kept | None = None
        self._asked_again_at: datetime | None = None
        self._lock = Lock()

    def get(self) -> dict[str, Any]:
        """The document, asked for where there is none or its time is over."""
        kept, now = self._kept, clock.now()
        if kept is not None and now < kept.fresh_until:
            return kept.document
        try:
            return self._ask()
        except ProviderTrouble as trouble:
            if kept is None or now > kept.fresh_until + STALE:
                raise
            log.warning("%s is not renewed: %s", self._name, trouble.reason)
            return kept.document

    def again(self) -> dict[str, Any]:
        """The document, asked for once more unless that was done within ``PAUSE``."""
        now = clock.now()
        with self._lock:
            kept = self._kept
            if kept is not None:
                last = max(self._asked_again_at or kept.fetched_at, kept.fetched_at)
                # A clock that was set back must not stop us for longer than the pause.
                if abs(now - last) < PAUSE:
                    return kept.document
            self._asked_again_at = now
        return self._ask()

    def _ask(self) -> dict[str, Any]:
        response = self._fetch()
        if response.status_code != 200:
            raise WrongAnswer(f"{self._name}: status {response.status_code}")
        document = self._check(json_object(response))
        now = clock.now()
        self._kept = _Kept(document, now, now + _lifetime(response))
        return document


def json_object(response: Response) -> dict[str, Any]:
    """The JSON object of an answer; raises ``WrongAnswer`` for anything else."""
    try:
        document = response.json()
    except (ValueError, RecursionError):
        raise WrongAnswer("no JSON") from None
    if not isinstance(document, dict):
        raise WrongAnswer("no JSON object")
    return document


def _lifetime(response: Response) -> timedelta:
    control = response.headers.get("Cache-Control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return SHORTEST
    match = _MAX_AGE.search(control)
    if not match:
        return DEFAULT
    return min(max(timedelta(seconds=int(match[1])), SHORTEST), LONGEST)
