"""The answer of the authorization endpoint: a grant, and its code, once nothing is missing."""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from idp import clock, settings
from idp.audit import events
from idp.clients import profiles
from idp.clients.models import ClientRow
from idp.database import keyed_hash, opaque_id, retried, transaction
from idp.database.atomic_insert import AtomicInsert
from idp.database.prepared import made_row, row_type
from idp.oidc import acr, child_selection, held, id_token, pushed_requests
from idp.oidc.authorization import Proceed
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.models import AuthorizationCode, Grant, GrantRow
from idp.oidc.tokens import LiveGrant
from idp.sessions import interactions
from idp.sessions.models import Interaction

MOST_OF_FAPI2: Final = timedelta(seconds=60)
GRANTS: Final = (
    Grant.__table__,
    ("id", "account_id", "client_id", "session_id", "child_id", "child_selection",
     "child_selected_at", "child_switchable", "scope", "claims", "auth_time",
     "auth_time_proved", "amr", "acr", "resource", "created_at"),
)  # fmt: skip
_CODE: Final = (
    AuthorizationCode.__table__,
    ("code_hash", "grant_id", "redirect_uri", "nonce", "code_challenge", "expires_at",
     "dpop_jkt"),
)  # fmt: skip
_GIVE: Final = {
    # By whether there is a code, and whether the request was pushed
    (True, False): AtomicInsert(GRANTS, _CODE, events.ROWS),
    (True, True): AtomicInsert(GRANTS, _CODE, events.ROWS, gate=pushed_requests.USE),
    (False, False): AtomicInsert(GRANTS, events.ROWS),
    (False, True): AtomicInsert(GRANTS, events.ROWS, gate=pushed_requests.USE),
}

Fields = list[tuple[str, str]]


def issue(
    request: AuthorizationRequest,
    client: ClientRow,
    proceed: Proceed,
    interaction: Interaction | None,
) -> Fields | None:
    """Make the grant, and its code in clear or an ID token or both, in one transaction.

    None where the interaction, or what was pushed, was answered already (a double click, another
    tab), or what the answer stands on ended a moment ago: session, consent, guardianship.
    """
    code = secrets.token_urlsafe(32)
    now = clock.now()
    grant = new_grant(request, client, proceed, now)
    rows = _rows(request, grant, code, now + _lifetime(client))
    fields = [("code", code)] if request.gives_code else []
    if interaction is None and not _must_be_held(request, client):
        return fields if _give(request, rows) else None
    return fields if _answered(request, client, proceed, interaction, rows, fields) else None


@retried
def _answered(
    request: AuthorizationRequest,
    client: ClientRow,
    proceed: Proceed,
    interaction: Interaction | None,
    rows: dict[str, Any],
    fields: Fields,
) -> bool:
    """Keep the grant, and add the ID token to the fields, while all that they stand on holds."""
    with transaction():
        if request.gives_id_token:
            live = _live(rows["grants"], proceed, client)
            if live is None:
                return False
            code = dict(fields).get("code")
            token = id_token.on_the_way(live, request, code=code)
            fields[:] = [*(each for each in fields if each[0] == "code"), ("id_token", token)]
        session_id = proceed.signed_in.session.id
        if _must_be_held(request, client) and not held.is_held(session_id, client):
            return False
        waits = interaction is None or interactions.complete(interaction)
        return waits and _give(request, rows)


def _must_be_held(request: AuthorizationRequest, client: ClientRow) -> bool:
    """Whether what the answer stands on has to be held for it. Of a code alone, of an application
    that needs no consent, it is asked once more when the code is redeemed.
    """
    return request.gives_id_token or not client.metadata_["first_party"]


def _rows(
    request: AuthorizationRequest, grant: dict[str, Any], code: str, until: datetime
) -> dict[str, Any]:
    rows = {
        "grants": grant,
        "audit_events": audit_row(grant),
    }
    if request.gives_code:
        rows["authorization_codes"] = {
            "code_hash": keyed_hash("code", code),
            "grant_id": grant["id"],
            "redirect_uri": request.redirect_uri,
            "nonce": request.nonce,
            "code_challenge": request.code_challenge,
            "expires_at": until,
            "dpop_jkt": request.dpop_jkt,
        }
    return rows


def _lifetime(client: ClientRow) -> timedelta:
    """How long a code works: by FAPI 2.0 §5.3.2.1 a minute at most."""
    lifetime = settings.current().code_lifetime
    return min(lifetime, MOST_OF_FAPI2) if profiles.is_fapi2(client.metadata_) else lifetime


def _give(request: AuthorizationRequest, rows: dict[str, Any]) -> bool:
    give = _GIVE[request.gives_code, request.pushed is not None]
    return give.execute(pushed_requests.using(request) if request.pushed else None, **rows)


def _live(grant: dict[str, Any], proceed: Proceed, client: ClientRow) -> LiveGrant | None:
    """The grant as an ID token tells it, its guardianship held until the end (security rule C6)."""
    row = made_row(GrantRow, **{name: grant.get(name) for name in row_type(GrantRow)._fields})
    live = LiveGrant(row, proceed.signed_in.account, client, row.scope)
    if row.child_id is None:
        return live
    link = child_selection.locked_link(row.account_id, row.child_id, row.client_id)
    return replace(live, child=link[0], relationship=link[1]) if link else None


def new_grant(
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
        "resource": request.resource,
        "created_at": now,
    }


def audit_row(grant: dict[str, Any]) -> dict[str, Any]:
    """The row that tells the audit trail of a new grant."""
    return events.row(
        "grant_made",
        account_id=grant["account_id"],
        child_id=grant["child_id"],
        client_id=grant["client_id"],
        session_id=grant["session_id"],
        grant=grant["id"],
    )
