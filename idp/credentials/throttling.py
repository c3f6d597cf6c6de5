"""Guesses, counted before they are judged: delays grow, nobody is locked out for good.

One statement counts and decides, so that 200 guesses at once are judged at most as often as
the budget allows (security rule E6). The counters are rows: shared by all workers, they
survive a restart. Sign-in, current password and tokens share them (rule E7). Everybody takes
the rows in one order – address, identifier, account – so that nobody waits in a circle.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_network
from typing import Literal

from idp.audit import events
from idp.credentials import counters
from idp.credentials.counters import Growing, RateLimit
from idp.database import db, hashes, keyed_hash, retried, transaction
from idp.people.names import as_meant, email_key, username_key
from idp.settings.networks import address_of

ONE_PERSON = Growing(free=5, longest=900, fade=timedelta(hours=24))
_OF_ADDRESS = Growing(free=100, longest=60, fade=timedelta(hours=1))
POLICIES: dict[str, Growing | RateLimit] = {
    "identifier": ONE_PERSON,
    "account": ONE_PERSON,
    "device": ONE_PERSON,
    # A school's whole network, or a mobile operator's, may stand behind one address
    "address": _OF_ADDRESS,
    "mail_address": Growing(free=20, longest=60, fade=timedelta(hours=1)),
    # Letters to an address that somebody typed: nobody changes theirs five times a day (rule E3)
    "email_change": RateLimit(limit=5, length=timedelta(hours=24)),
    # Nothing but the right code makes it smaller: whoever knows the password stays slow
    "factor": Growing(free=5, longest=3600, fade=timedelta(hours=24)),
    "tokens": RateLimit(limit=600, length=timedelta(minutes=1)),
    "network": Growing(free=20, longest=60, fade=timedelta(hours=1)),
    # What strangers may have stored who pressed a button and proved nothing (rule N6): of an
    # address, of all, and of a network once all have had their share
    "stored": RateLimit(limit=600, length=timedelta(hours=1)),
    "button": RateLimit(limit=100_000, length=timedelta(hours=1)),
    "long_request": RateLimit(limit=10_000, length=timedelta(hours=1)),
    "pushed_request": RateLimit(limit=20_000, length=timedelta(hours=1)),
    # Of each application that proves nothing: many screens, in many schools
    "device_code": RateLimit(limit=5_000, length=timedelta(hours=1)),
    # Of each application that proves itself and that nobody has vetted, and of all of these
    "unvetted": RateLimit(limit=5_000, length=timedelta(hours=1)),
    "all_unvetted": RateLimit(limit=50_000, length=timedelta(hours=1)),
    # Applications that register themselves without a token, where the operator lets them
    "registration": RateLimit(limit=10, length=timedelta(hours=1)),
    "registrations": RateLimit(limit=100, length=timedelta(hours=1)),
    "stored_network": RateLimit(limit=60, length=timedelta(hours=1)),
}
LONGEST_IDENTIFIER = 256
KEPT = timedelta(days=2)
"""Longer than any counter takes to fade: older ones are of no use."""


@dataclass(frozen=True)
class Allowed:
    """Go on; the attempt has been counted."""


@dataclass(frozen=True)
class Blocked:
    """Not now. ``retry_after``: seconds until the next attempt is judged.

    ``hidden``: an outsider must not see it, since it would tell that the account exists:
    do the work of a wrong password and answer as to one (security rule E1).
    """

    retry_after: int
    hidden: bool = field(default=False)
    times: int = field(default=1, compare=False)
    """How many were refused since the counter began anew."""

    @property
    def is_told(self) -> bool:
        """Whether it is worth a line: the 1st, 10th, 100th, …"""
        return str(self.times).strip("0") == "1"


@retried
def attempt(kind: str, *parts: str) -> Allowed | Blocked:
    """Count an attempt of this kind on this thing, and say whether it may be judged."""
    with _own_transaction():
        return _move((kind, *parts))[0]


def reset(kind: str, *parts: str) -> None:
    """Forget the attempts on this thing: its owner has proved themselves."""
    _settle((kind, *parts))


@retried
def check_sign_in(
    identifier: str,
    account_id: str | None,
    address: str | None,
    device_known: bool,
    device_secret: str | None = None,
) -> Allowed | Blocked:
    """Whether a password may be judged; asked before it is.

    A device that the account knows has a budget of its own: strangers can't spend it. All
    others are counted by address, by what was typed – known or not, it looks the same –
    and by account, since user name and e-mail address lead to the same one.
    """
    with _own_transaction():
        if device_known and account_id is not None:
            return _move(("device", account_id, device_secret or ""))[0]
        typed = _identifier_key(identifier)
        outcome, by = _move(
            ("address", address_prefix(address)),
            ("identifier", typed),
            ("account", account_id or f"nobody:{typed}"),
        )
        if isinstance(outcome, Blocked):
            return replace(outcome, hidden=by == "account")
        return outcome


def reset_sign_in(
    identifier: str,
    account_id: str,
    address: str | None,
    device_known: bool,
    device_secret: str | None = None,
) -> None:
    """After the right password: forget what ``check_sign_in`` counted.

    From a known device, strangers' guesses stay counted. The address gets back this one
    attempt only, or anybody's own account would buy endless guesses at others'.
    """
    _settle_sign_in(identifier, account_id, address, _device(device_known, device_secret))


def check_factor(
    identifier: str,
    account_id: str,
    address: str | None,
    device_known: bool,
    device_secret: str | None = None,
) -> Allowed | Blocked:
    """Whether a code of an app or a recovery code may be judged: on the account's one budget,
    and on one of its own, which a right password does not give back (security rule E7).
    """
    outcome = check_sign_in(identifier, account_id, address, device_known, device_secret)
    if isinstance(outcome, Blocked):
        return replace(outcome, hidden=False)
    return attempt("factor", account_id, _device(device_known, device_secret))


def reset_factor(
    identifier: str,
    account_id: str,
    address: str | None,
    device_known: bool,
    device_secret: str | None = None,
) -> None:
    """After the right code: forget what ``check_factor`` counted."""
    device = _device(device_known, device_secret)
    _settle_sign_in(identifier, account_id, address, device, ("factor", account_id, device))


def reset_claim(account_id: str, *identifiers: str, address: str | None) -> None:
    """After a one-time token: let the owner in, however often strangers guessed before, and give
    the address its attempt back.
    """
    named = (("identifier", _identifier_key(each)) for each in identifiers)
    _settle(*named, ("account", account_id), address=address)


@retried
def check_token(address: str | None) -> Allowed | Blocked:
    """Whether a one-time token may be judged: by address, and by all tokens together.

    Whoever has many addresses can spend everybody's minute. Then each wider network goes on
    with a small budget of its own, so that a parent elsewhere is not kept out by strangers:
    a guesser needs a network, not an address, for each few guesses.
    """
    with _own_transaction():
        outcome, by = _move(("address", address_prefix(address)), ("tokens",))
        return _move(("network", network(address)))[0] if by == "tokens" else outcome


def reset_token(address: str | None) -> None:
    """After a token that was somebody's: the address gets this attempt back."""
    _settle(address=address)


def check_passkey(address: str | None) -> Allowed | Blocked:
    """Whether a passkey's answer may be judged; ``reset_token`` gives a good one back."""
    return attempt("address", address_prefix(address))


def check_mail_request(address: str | None) -> Allowed | Blocked:
    """Whether this address may have a mail sent; a refusal must look like none (rule E3)."""
    return attempt("mail_address", address_prefix(address))


@retried
def check_stranger(address: str | None, kind: str, *of: str) -> Allowed | Blocked:
    """Whether something may be stored for whoever has proved nothing: by address, and by all.

    ``kind``: ``button``, ``long_request``, ``pushed_request``, or ``device_code`` ``of`` a client.
    Once all together have spent its hour, each wider network goes on with a small budget of its
    own.
    """
    with _own_transaction():
        outcome, by = _move(("stored", address_prefix(address)), (kind, *of))
        return _move(("stored_network", network(address)))[0] if by == kind else outcome


@retried
def check_unvetted(client_id: str) -> Allowed | Blocked:
    """Whether something may be stored for an application that registered itself where everybody
    may: it proves that it is itself, and not who that is.
    """
    with _own_transaction():
        return _move(("unvetted", client_id), ("all_unvetted",))[0]


def address_prefix(address: str | None) -> str:
    """What one visitor holds: an IPv4 address, or an IPv6 network of 64 bits."""
    return _prefix(address, 32, 64)


def network(address: str | None) -> str:
    """What one subscriber of many addresses holds: 24 bits of IPv4, 48 bits of IPv6."""
    return _prefix(address, 24, 48)


@lru_cache(maxsize=1024)
def _prefix(address: str | None, bits: int, bits_of_ipv6: int) -> str:
    parsed = address_of((address or "").partition("%")[0])
    if parsed is None:
        return "unknown"
    length = bits_of_ipv6 if parsed.version == 6 else bits
    return str(ip_network((parsed, length), strict=False))


def _device(known: bool, secret: str | None) -> str:
    return secret or "" if known else ""


def _move(*things: tuple[str, ...]) -> tuple[Allowed | Blocked, str]:
    """Count an attempt on each of these, a kind and its parts, until one refuses it: of which kind
    that one is.
    """
    refused = counters.move(*((_key(*thing), POLICIES[thing[0]]) for thing in things))
    if refused is None:
        return Allowed(), ""
    place, blocked = refused
    return Blocked(blocked.seconds, times=blocked.times), things[place][0]


def _settle_sign_in(
    identifier: str, account_id: str, address: str | None, device: str, *more: tuple[str, ...]
) -> None:
    if device:
        _settle(("device", account_id, device), *more)
        return
    typed = ("identifier", _identifier_key(identifier))
    _settle(typed, ("account", account_id), *more, address=address)


@retried
def _settle(*things: tuple[str, ...], address: str | Literal[False] | None = False) -> None:
    """Forget the attempts on these, a kind and its parts; give the ``address`` this one back.

    Of each of our keys too: a worker whose newest one is another counts by itself.
    """
    forgotten = [hashes.all_of(_key(*thing)) for thing in things]
    given_back = None
    if address is not False:
        given_back = _key("address", address_prefix(address)), _OF_ADDRESS
    with transaction():
        counters.settle(forgotten, given_back)


def _key(kind: str, *parts: str) -> str:
    return keyed_hash("throttle", "\0".join((kind, *parts)))


def _identifier_key(identifier: str) -> str:
    meant = as_meant(identifier)
    key = email_key(meant) if "@" in meant else username_key(meant)
    return key or f"impossible:{identifier[:LONGEST_IDENTIFIER]}"


@contextmanager
def _own_transaction() -> Iterator[None]:
    # What is counted must stay counted, whatever becomes of the caller's work
    if db.session.info.get("in_transaction"):
        raise RuntimeError("attempts are counted before a transaction, not inside it")
    with transaction():
        yield


def note(event: str, refused: Blocked, account_id: str | None) -> None:
    """Tell the audit log of a guess that was not judged, and of how many there were so far.

    Of each counter the 1st, 10th, 100th, …: the counter itself counts the rest (rule N6).
    """
    if refused.is_told:
        events.record(event, result="throttled", account_id=account_id, times=refused.times)
