"""Which applications hear of what: conditions on ``Client``, whose registration says so."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, String, and_, cast, or_, select

from idp.clients import metadata
from idp.clients.models import Client
from idp.oidc.models import Consent, Grant
from idp.people.models import Account, Guardianship
from idp.sessions.models import BrowserSession

LOGOUTS: Final = ("logout", "session-replaced")
TYPES: Final = {
    "session-revoked": metadata.SESSION_REVOKED,
    "guardianship-ended": metadata.GUARDIANSHIP_ENDED,
    "consent-withdrawn": metadata.CONSENT_WITHDRAWN,
    "account-disabled": metadata.ACCOUNT_DISABLED,
    "account-enabled": metadata.ACCOUNT_ENABLED,
}
"""The type of a security event, by what a row calls it."""
FRONT_CHANNEL: Final = "frontchannel_logout_uri"
FIELDS: Final = ("backchannel_logout_uri", "security_events_uri", FRONT_CHANNEL)
"""What an application registers by which it hears of anything."""


def address(event: str, registered: Mapping[str, Any]) -> str | None:
    """Where this application is told of it; None where it is not registered for it (any more)."""
    if event in LOGOUTS:
        return registered.get("backchannel_logout_uri")
    wanted = TYPES[event] in registered.get("security_events", ())
    return registered.get("security_events_uri") if wanted else None


def hears(event: str) -> ColumnElement[bool]:
    """``address`` as a condition; an application that is out of use hears of nothing."""
    if event in LOGOUTS:
        return and_(has("backchannel_logout_uri"), Client.disabled_at.is_(None))
    wanted = cast(Client.metadata_["security_events"], String).contains(f'"{TYPES[event]}"')
    return and_(has("security_events_uri"), wanted, Client.disabled_at.is_(None))


def has(field: str) -> ColumnElement[bool]:
    """The application has registered an address in this field."""
    registered: ColumnElement[bool] = Client.metadata_[field].as_string().is_not(None)
    return registered


def of_anything() -> ColumnElement[bool]:
    """The application is told, in one way or another, of what ends."""
    return and_(or_(*map(has, FIELDS)), Client.disabled_at.is_(None))


def session_is_heard() -> ColumnElement[bool]:
    """Some application is to be told of the end of a session; for an UPDATE of sessions."""
    return _heard(of_anything(), Grant.session_id == BrowserSession.id, BrowserSession)


def guardianship_is_heard() -> ColumnElement[bool]:
    """The same of a guardianship."""
    pair = and_(
        Grant.account_id == Guardianship.account_id, Grant.child_id == Guardianship.child_id
    )
    return _heard(hears("guardianship-ended"), pair, Guardianship)


def account_is_heard() -> ColumnElement[bool]:
    """The same of an account that is disabled."""
    return _heard(hears("account-disabled"), Grant.account_id == Account.id, Account)


def consent_is_heard() -> ColumnElement[bool]:
    """The same of a consent, to an application that ever got anything of this guardian's."""
    theirs = and_(Grant.account_id == Consent.account_id, Grant.client_id == Consent.client_id)
    return _heard(hears("consent-withdrawn"), theirs, Consent)


def grant_is_heard() -> ColumnElement[bool]:
    """The same of what an application was given."""
    there = select(Client.id).where(Client.id == Grant.client_id, of_anything())
    return there.correlate(Grant).exists()


def _heard(who: ColumnElement[bool], whose: ColumnElement[bool], table: Any) -> ColumnElement[bool]:
    grants = select(Grant.id).join(Client, Client.id == Grant.client_id).where(whose, who)
    return grants.correlate(table).exists()
