"""Figure 6: the page on which a guardian of several children chooses (rules C1 and O16)."""

import hmac
from collections.abc import Sequence
from typing import Any

from flask import render_template, request
from werkzeug.wrappers import Response

from idp.audit import events
from idp.database import transaction
from idp.oidc import authorization, child_selection, subjects
from idp.oidc.authorization_facts import Facts
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.child_selection import Candidate
from idp.oidc.oauth_client import OAuthClient
from idp.people.models import ChildRow
from idp.sessions import interactions
from idp.sessions import service as sessions
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn
from idp.web.interaction import load_interaction
from idp.web.protocol.blueprint import blueprint
from idp.web.protocol.interaction import facts_of, resumed


@blueprint.route("/interaction/<interaction_id>/child", methods=["GET", "POST"])
def child(interaction_id: str) -> Response | tuple[str, int] | str:
    """A card for each child."""
    waiting = load_interaction(interaction_id)
    read = facts_of(waiting)
    if read is None:
        return resumed(waiting)
    auth_request, client, facts, signed_in = read
    if not authorization.may_choose(auth_request, facts):
        return resumed(waiting)
    if request.method == "GET":
        return _page(waiting, auth_request, client, facts)
    chosen = posted_child(facts.children, client)
    several = len(facts.children) > 1
    if chosen is None or not _choose(waiting, signed_in, chosen, remember=several):
        note_refused(client, signed_in)
        return _page(waiting, auth_request, client, facts, refused=True), 403
    return resumed(waiting)


def posted_child(candidates: Sequence[Candidate], client: OAuthClient) -> ChildRow | None:
    """The child that the form names, if it is one of these."""
    posted = request.form.get("child", "").encode()
    match = None
    for each in candidates:
        if hmac.compare_digest(subjects.of_child(each.child, client.record).encode(), posted):
            match = each.child
    return match


def note_refused(client: OAuthClient, signed_in: SignedIn) -> None:
    """Audit that a child was named who is not the guardian's here and now."""
    events.record(
        "child_refused",
        result="refused",
        account_id=signed_in.account.id,
        client_id=client.record.id,
        session_id=signed_in.session.id,
    )


def _choose(waiting: Interaction, signed_in: SignedIn, chosen: ChildRow, *, remember: bool) -> bool:
    """Keep the choice, unless the guardianship ended a moment ago (rule C6).

    ``remember``: an only child is no choice, once there is a second one (rule C10).
    """
    account_id, client_id = signed_in.account.id, waiting.client_id or ""
    with transaction():
        if not child_selection.lock_link(account_id, chosen.id, client_id):
            return False
        interactions.chose(waiting, chosen.id)
        if remember:
            sessions.choose_child(signed_in.session.id, chosen, client_id)
    return True


def _page(
    waiting: Interaction,
    auth_request: AuthorizationRequest,
    client: OAuthClient,
    facts: Facts,
    *,
    refused: bool = False,
) -> str:
    hinted = child_selection.hinted(facts.children, auth_request.child_hint, client.record)
    return render_template(
        "protocol/child.html",
        interaction=waiting,
        children=[_card(each.child, client, hinted) for each in facts.children],
        refused=refused,
        signed_in_as=facts.signed_in.account.full_name
        if facts.signed_in and authorization.may_be_another(auth_request)
        else None,
    )


def _card(child: ChildRow, client: OAuthClient, hinted: ChildRow | None) -> dict[str, Any]:
    return {
        "key": subjects.of_child(child, client.record),
        "initials": (child.given_name[:1] + child.family_name[:1]).upper(),
        "full_name": child.full_name,
        "class_name": child.class_name,
        "school_name": child.school_name,
        "hinted": child is hinted,
    }
