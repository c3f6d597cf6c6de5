"""The answer of the authorization endpoint: a grant and its code, once nothing is missing."""

import secrets
from datetime import datetime
from typing import Any, Final

from idp import clock, settings
from idp.audit import events
from idp.clients.models import ClientRow
from idp.database import keyed_hash, opaque_id, transaction
from idp.database.prepared import AtomicInsert
from idp.oidc import acr, pushed_requests
from idp.oidc.authorization import Proceed
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.models import AuthorizationCode, Grant
from idp.sessions import interactions
from idp.sessions.models import Interaction

_ROWS: Final = (
    (
        Grant.__table__,
        ("id", "account_id", "client_id", "session_id", "child_id", "child_selection",
         "child_selected_at", "child_switchable", "scope", "claims", "auth_time",
         "auth_time_proved", "amr", "acr", "created_at"),
    ),
    (
        AuthorizationCode.__table__,
        ("code_hash", "grant_id", "redirect_uri", "nonce", "code_challenge", "expires_at",
         "dpop_jkt"),
    ),
    events.ROWS,
)  # fmt: skip
_GIVE: Final = AtomicInsert(*_ROWS)
_GIVE_PUSHED: Final = AtomicInsert(*_ROWS, gate=pushed_requests.USE)


def issue(
    request: AuthorizationRequest,
    client: ClientRow,
    proceed: Proceed,
    interaction: Interaction | None,
) -> str | None:
    """Make the grant and its code in one transaction; returns the code in clear.

    None where the interaction, or what was pushed, was answered already (a double click, another
    tab).
    """
    account, session = proceed.signed_in.account, proceed.signed_in.session
    code = secrets.token_urlsafe(32)
    now = clock.now()
    grant = _new_grant(request, client, proceed, now)
    rows = {
        "grants": grant,
        "authorization_codes": {
            "code_hash": keyed_hash("code", code),
            "grant_id": grant["id"],
            "redirect_uri": request.redirect_uri,
            "nonce": request.nonce,
            "code_challenge": request.code_challenge,
            "expires_at": now + settings.current().code_lifetime,
            "dpop_jkt": request.dpop_jkt,
        },
        "audit_events": events.row(
            "grant_made",
            account_id=account.id,
            child_id=grant["child_id"],
            client_id=client.id,
            session_id=session.id,
            grant=grant["id"],
        ),
    }
    if interaction is None:
        return code if _give(request, rows) else None
    with transaction():
        given = interactions.complete(interaction) and _give(request, rows)
    return code if given else None


def _give(request: AuthorizationRequest, rows: dict[str, Any]) -> bool:
    if request.pushed is None:
        return _GIVE.execute(**rows)
    return _GIVE_PUSHED.execute(pushed_requests.using(request), **rows)


def _new_grant(
    request: AuthorizationRequest, client: ClientRow, proceed: Proceed, now: datetime
) -> dict[str, Any]:
    """The row of a new grant, by its columns (``idp.oidc.models.Grant``)."""
    session, selection = proceed.signed_in.session, proceed.selection
    return {
        "id": opaque_id("r")(),
        "account_id": proceed.signed_in.account.id,
        "client_id": client.id,
        "session_id": session.id,
        "child_id": selection.child.id if selection else None,
        "child_selection": selection.how if selection else None,
        "child_selected_at": selection.selected_at if selection else None,
        "child_switchable": selection.switchable if selection else False,
        "scope": request.scope,
        "claims": request.claims,
        "auth_time": session.auth_time,
        "auth_time_proved": session.auth_time_proved,
        "amr": session.amr,
        "acr": acr.answered_class(request, session.acr),
        "created_at": now,
    }
