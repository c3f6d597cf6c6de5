"""Authorization requests to providers: each of one browser, for one purpose, answered once.

Security rule F1: the ``state`` belongs to the browser that began, works once and for ten
minutes. ``nonce`` and PKCE's verifier follow from it under our key, so that neither the
browser nor the database ever holds them.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select

from idp import clock, settings
from idp.database import db, hashes, keep_newest, keyed_hash, transaction, update_all
from idp.federation.identity import ForeignIdentity, WrongAnswer
from idp.federation.models import FederationState

LIFETIME: Final = timedelta(minutes=10)
MOST_PENDING: Final = 20
"""Requests that one browser may have under way at once; an older one makes room."""
CLOCKS_DIFFER: Final = timedelta(seconds=60)
_STATE: Final = "federation state"


@dataclass(frozen=True)
class ProviderRequest:
    """What a provider is asked, and by which its answer is judged."""

    redirect_uri: str
    state: str
    nonce: str
    verifier: str
    max_age: int | None = None
    chooses: bool = False
    """The person should see which of their identities it is: it is about linking, or about
    somebody else than who is signed in here."""
    locale: str = "fr"


@dataclass(frozen=True)
class Back:
    """The browser that began came back in time, for the first time."""

    pending: FederationState
    request: ProviderRequest


@dataclass(frozen=True)
class Again:
    """It is this browser's, but was used before: a reload, a double click, « back »."""

    pending: FederationState


@dataclass(frozen=True)
class TooLate:
    """It is this browser's, but older than ten minutes."""

    pending: FederationState


@dataclass(frozen=True)
class Unknown:
    """Never was, is another browser's, or another provider's: one and the same answer."""


Return = Back | Again | TooLate | Unknown


def begin(
    browser: str, provider: str, purpose: str, *, locale: str, **about: Any
) -> ProviderRequest:
    """Note a request to ``provider``; ``about`` are columns of ``FederationState``."""
    state = secrets.token_urlsafe(32)
    now = clock.now()
    row = FederationState(
        state_hash=_state_hash(state),
        browser_hash=browser_hash(browser),
        provider=provider,
        purpose=purpose,
        created_at=now,
        expires_at=now + LIFETIME,
        **about,
    )
    with transaction() as writes:
        keep_newest(
            FederationState.state_hash,
            FederationState.browser_hash == row.browser_hash,
            by=FederationState.created_at,
            most=MOST_PENDING - 1,
        )
        writes.add(row)
    return _provider_request(row, state, locale)


def come_back(state: str, browser: str, provider: str) -> Return:
    """Spend a ``state``: ``Back`` for exactly one caller, ever."""
    mine = (
        FederationState.state_hash == _state_hash(state),
        FederationState.browser_hash == browser_hash(browser),
        FederationState.provider == provider,
    )
    now = clock.now()
    spent = update_all(
        FederationState,
        *mine,
        FederationState.spent_at.is_(None),
        FederationState.expires_at > now,
        spent_at=now,
    )
    row = db.session.scalars(
        select(FederationState).where(*mine).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return Unknown()
    if spent:
        return Back(row, _provider_request(row, state))
    return Again(row) if row.spent_at else TooLate(row)


def is_fresh(identity: ForeignIdentity, pending: FederationState) -> bool:
    """Whether the provider proved the sign-in that it was asked for (rules F9 and O17).

    Asked for none, any will do. Asked for ``max_age=0``, it must have come after the question.
    """
    if pending.max_age is None:
        return True
    if identity.auth_time is None:
        return False
    oldest = pending.created_at - timedelta(seconds=pending.max_age) - CLOCKS_DIFFER
    return identity.auth_time >= oldest


def check_issuer(issuer: str | None, accepted: tuple[str, ...], *, required: bool) -> None:
    """The ``iss`` of the answer is this provider's; raises ``WrongAnswer`` (RFC 9207 §2.4)."""
    if issuer is None and not required:
        return
    if issuer not in accepted:
        raise WrongAnswer("iss of another provider")


def redirect_uri(provider: str) -> str:
    """Our callback for this provider, from the configured issuer: one for each (rule P9)."""
    return f"{settings.current().issuer}/federation/{provider}/callback"


def _provider_request(pending: FederationState, state: str, locale: str = "fr") -> ProviderRequest:
    key = hashes.key_of(pending.state_hash, _STATE, state[:200])
    return ProviderRequest(
        redirect_uri=redirect_uri(pending.provider),
        state=state,
        nonce=key.digest("federation nonce", state),
        verifier=key.digest("federation verifier", state),  # 43 characters (RFC 7636 §4.1)
        max_age=pending.max_age,
        chooses=pending.purpose in {"claim", "link"},
        locale=locale,
    )


def _state_hash(state: str) -> str:
    return keyed_hash(_STATE, state[:200])


def browser_hash(browser: str) -> str:
    """What is stored of the browser that something belongs to."""
    return keyed_hash("federation browser", browser)
