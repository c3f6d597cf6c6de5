"""Sends one delivery, and reads what the application answers."""

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from idp.deliveries import hearing, tokens
from idp.deliveries.queue import Claimed
from idp.mail.messages import clean
from idp.outgoing import guarded
from idp.outgoing.guarded import Answer
from idp.outgoing.trouble import Busy, Trouble

_TAKEN: Final = (200, 202, 204)
"""Back-Channel Logout 1.0 §2.8; RFC 8935 §2.2. Some frameworks answer 204 where nothing is said."""
_OVERLOADED: Final = (429, 502, 503, 504)
_OF_THE_TRY: Final = ("invalid_key", "authentication_failed", "access_denied")
"""RFC 8935 §2.4: may be past with the next try, which is signed anew – a key set that was kept too
long, an application that is being set up."""


@dataclass(frozen=True)
class Delivered:
    """It has taken it over."""

    answer: str


@dataclass(frozen=True)
class Refused:
    """It has understood, and can't use it: the same words would get the same answer."""

    answer: str


@dataclass(frozen=True)
class Later:
    """It is to be tried again. ``away``: whatever else it is due would fare no better now."""

    answer: str
    away: bool


@dataclass(frozen=True)
class NotSent:
    """We were too busy to ask."""


@dataclass(frozen=True)
class Unregistered:
    """It does not want to hear of this any more."""


Fate = Delivered | Refused | Later | NotSent | Unregistered


def send(one: Claimed) -> Fate:
    """Tell the application, once; five seconds at most."""
    address = hearing.address(one.row.event, one.client.metadata_)
    if address is None or one.client.disabled_at is not None:
        return Unregistered()
    try:
        return _meaning(_post(address, one))
    except Busy:
        return NotSent()
    except Trouble as trouble:
        return Later(trouble.reason, away=True)


def _post(address: str, one: Claimed) -> Answer:
    if tokens.is_logout(one.row):
        token = tokens.logout_token(one.row, one.client, one.account)
        form = urlencode({"logout_token": token}).encode()
        return guarded.post(address, form, "application/x-www-form-urlencoded")
    token = tokens.security_event(one.row, one.client, one.account, one.child)
    accept = {"Accept": "application/json"}  # RFC 8935 §2.1
    return guarded.post(address, token.encode(), "application/secevent+jwt", accept)


def _meaning(answer: Answer) -> Fate:
    if answer.status in _TAKEN:
        return Delivered(str(answer.status))
    error = _error(answer)
    reason = f"{answer.status} {error}".strip()
    if answer.status == 400 and error and not error.startswith(_OF_THE_TRY):
        return Refused(reason)
    return Later(reason, away=answer.status in _OVERLOADED)


def _error(answer: Answer) -> str:
    """What it says is wrong: ``error`` (Back-Channel Logout 1.0 §2.8), ``err`` (RFC 8935 §2.3)."""
    try:
        document: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    words = (
        document.get("error") or document.get("err"),
        document.get("error_description"),
        document.get("description"),
    )
    return clean(": ".join(each for each in words if isinstance(each, str) and each))
