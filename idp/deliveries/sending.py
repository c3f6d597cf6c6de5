"""Sends one delivery, and reads what the application answers."""

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from idp import logs
from idp.deliveries import hearing, tokens
from idp.deliveries.queue import Claimed
from idp.outgoing import guarded
from idp.outgoing.guarded import Answer
from idp.outgoing.trouble import Busy, Trouble

_TAKEN: Final = (200, 202, 204)
"""Back-Channel Logout 1.0 §2.8; RFC 8935 §2.2. Some frameworks answer 204 where nothing is said."""
_GONE: Final = 410
"""RFC 9110 §15.5.11: for ever, as far as the application knows. A 404 or 405 is what proxies answer
while nobody stands behind them, and says nothing of later."""
_OVERLOADED: Final = (429, 502, 503, 504)
_OF_THE_TRY: Final = ("invalid_key", "authentication_failed", "access_denied")
"""RFC 8935 §2.4: may be past with the next try, which is signed anew – a key set that was kept too
long, an application that is being set up."""
_LONGEST_WORDS: Final = 160
_ENDED_BY_A_SIGN_IN: Final = ("guardianship-ended", "consent-withdrawn", "account-disabled")
"""What an application that has got a token since knows better."""


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


@dataclass(frozen=True)
class Outdated:
    """It has been told the contrary since, by a token."""


Fate = Delivered | Refused | Later | NotSent | Unregistered | Outdated


def send(one: Claimed) -> Fate:
    """Tell the application, once; five seconds at most."""
    address = hearing.address(one.row.event, one.client.metadata_)
    if address is None or one.client.disabled_at is not None:
        return Unregistered()
    if one.overtaken and one.row.event in _ENDED_BY_A_SIGN_IN:
        return Outdated()
    try:
        return _meaning(_post(address, one))
    except Busy:
        return NotSent()
    except Trouble as trouble:
        return Later(trouble.reason, away=True)


def _post(address: str, one: Claimed) -> Answer:
    if tokens.is_logout(one.row):
        token = tokens.logout_token(one.row, one.client, one.account, by_sid=one.overtaken)
        form = urlencode({"logout_token": token}).encode()
        return guarded.post(address, form, "application/x-www-form-urlencoded")
    token = tokens.security_event(one.row, one.client, one.account, one.child)
    accept = {"Accept": "application/json"}  # RFC 8935 §2.1
    return guarded.post(address, token.encode(), "application/secevent+jwt", accept)


def _meaning(answer: Answer) -> Fate:
    if answer.status in _TAKEN:
        return Delivered(str(answer.status))
    code, words = _error(answer)
    reason = f"{answer.status} {in_quotes(words)}" if words else str(answer.status)
    if answer.status == _GONE or (answer.status == 400 and words and code not in _OF_THE_TRY):
        return Refused(reason)
    return Later(reason, away=answer.status in _OVERLOADED)


def _error(answer: Answer) -> tuple[Any, str]:
    """What it says is wrong, its code first: ``error`` (Back-Channel Logout 1.0 §2.8), ``err``
    (RFC 8935 §2.3).
    """
    try:
        document: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None, ""
    if not isinstance(document, dict):
        return None, ""
    code = document.get("error") or document.get("err")
    words = (code, document.get("error_description"), document.get("description"))
    return code, ": ".join(each for each in words if isinstance(each, str) and each.strip())


def in_quotes(words: str) -> str:
    """An application's own words, as they may be kept and shown: on one line, in bounds, marked as
    theirs, and without what they may have taken from our request (security rules L1 and L2).
    """
    printable = "".join(each if each.isprintable() else " " for each in words)
    safe = logs.redacted(" ".join(printable.split())).replace("“", '"').replace("”", '"')
    return f"“{safe[:_LONGEST_WORDS]}{'…' if len(safe) > _LONGEST_WORDS else ''}”"
