"""What applications are sent: a logout token, or a security event token, signed when it is sent.

Neither is of use as an ID token: each names its own type in ``typ`` (RFC 8725 §3.11), and a
logout token has no ``nonce``, a security event no ``exp``.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Any, Final

from joserfc import jwt

from idp import clock, settings
from idp.clients.models import Client
from idp.database import base64url
from idp.deliveries.hearing import LOGOUTS, TYPES
from idp.deliveries.models import EventDelivery
from idp.oidc import subjects
from idp.oidc.keyring import keyring
from idp.people.models import Account, ChildColumns

LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
LASTS: Final = timedelta(minutes=2)
"""Back-Channel Logout 1.0 §2.4: preferably at most two minutes."""


def logout_token(
    row: EventDelivery, client: Client, account: Account, *, by_sid: bool = False
) -> str:
    """OpenID Connect Back-Channel Logout 1.0 §2.4. ``by_sid``: the same guardian has signed in to
    this application since.
    """
    now = clock.timestamp()
    claims = {
        "iss": settings.current().issuer,
        "aud": client.id,
        "iat": now,
        "exp": now + int(LASTS.total_seconds()),
        # Each try is a token of its own: who has seen one already may refuse it the second time
        "jti": secrets.token_urlsafe(16),
        "events": {LOGOUT: {}},
        "sid": subjects.of_session(row.session_id or "", client),
    }
    if row.event != "session-replaced" and not by_sid:
        # Else who goes by the subject would end what the same guardian has just begun
        claims["sub"] = subjects.of_guardian(account, client)
    return _signed(claims, "logout+jwt", client)


def security_event(
    row: EventDelivery, client: Client, account: Account, child: ChildColumns | None
) -> str:
    """A security event token (RFC 8417), its subject as RFC 9493 writes it."""
    issuer = settings.current().issuer
    guardian = {"format": "iss_sub", "iss": issuer, "sub": subjects.of_guardian(account, client)}
    claims = {
        "iss": issuer,
        "aud": client.id,
        "iat": clock.timestamp(),
        "jti": _identifier(row),
        "toe": int(row.created_at.timestamp()),
        "sub_id": _subject(row, client, guardian),
        "events": {TYPES[row.event]: _event_claims(row, client, child)},
    }
    return _signed(claims, "secevent+jwt", client)


def is_logout(row: EventDelivery) -> bool:
    """Whether a logout token tells it, rather than a security event."""
    return row.event in LOGOUTS


def _subject(row: EventDelivery, client: Client, guardian: dict[str, str]) -> dict[str, Any]:
    if row.event != "session-revoked":
        return guardian
    sid = subjects.of_session(row.session_id or "", client)
    session = {"format": "opaque", "id": sid}
    return {"format": "complex", "user": guardian, "session": session}


def _event_claims(row: EventDelivery, client: Client, child: ChildColumns | None) -> dict[str, Any]:
    if child is not None:
        return {"child": {"sub": subjects.of_child(child, client)}}
    if row.event == "session-revoked":
        return {"event_timestamp": int(row.created_at.timestamp())}  # CAEP 1.0 §2
    return {}


def _identifier(row: EventDelivery) -> str:
    """The same at each try (RFC 8935 §2: a receiver may get an event twice), and another one
    for what has the same number in a database that was restored.
    """
    what = f"{row.id}\0{row.client_id}\0{row.created_at.isoformat()}"
    return base64url(hashlib.sha256(what.encode()).digest()[:16])


def _signed(claims: dict[str, Any], kind: str, client: Client) -> str:
    alg: str = client.metadata_["id_token_signed_response_alg"]
    key = keyring().signing_key(alg)
    header = {"alg": alg, "kid": key.kid, "typ": kind}
    return jwt.encode(header, claims, key, algorithms=[alg])
