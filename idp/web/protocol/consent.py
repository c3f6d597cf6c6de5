"""What a third-party application asks for, in sentences, and about which child."""

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from idp.clients.metadata import has_made_up_email
from idp.database import transaction
from idp.oidc import authorization, child_selection, consent, subjects
from idp.oidc.authorization import AskConsent
from idp.oidc.authorization_facts import Facts
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.child_selection import Selection
from idp.oidc.errors import Denial
from idp.oidc.oauth_client import OAuthClient
from idp.people.models import ChildRow
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn
from idp.web import branding, permissions
from idp.web.interaction import load_interaction
from idp.web.protocol import answers
from idp.web.protocol.blueprint import blueprint
from idp.web.protocol.child import note_refused, posted_child
from idp.web.protocol.interaction import facts_of, resumed


@blueprint.get("/interaction/<interaction_id>/consent")
def ask_consent(interaction_id: str) -> Response | str:
    """The question, if it is what comes next."""
    waiting = load_interaction(interaction_id)
    read = facts_of(waiting)
    if read is None:
        return resumed(waiting)
    auth_request, client, facts, _signed_in = read
    step = authorization.next_step(auth_request, facts)
    if not isinstance(step, AskConsent):
        return resumed(waiting)
    return _page(waiting, auth_request, client, step.selection)


@blueprint.post("/interaction/<interaction_id>/consent")
def answer_consent(interaction_id: str) -> Response | str:
    """The answer to exactly what the page asked: it says itself which child it named."""
    waiting = load_interaction(interaction_id)
    decision = request.form.get("decision")
    if waiting.client_id is None:
        return resumed(waiting)
    if decision == "other-child":
        return redirect(f"/interaction/{waiting.id}/child", 303)
    if decision != "allow":
        return answers.deny(waiting, Denial.NO_CONSENT)
    read = facts_of(waiting)
    if read is None:
        return resumed(waiting)
    auth_request, client, facts, signed_in = read
    child = posted_child(facts.children, client) if auth_request.asks_child else None
    if auth_request.asks_child and child is None:
        note_refused(client, signed_in)
        return resumed(waiting)
    if authorization.may_consent(auth_request, facts, child.id if child else None):
        _allow(waiting, auth_request, client, facts, signed_in, child)
    return resumed(waiting)


def _allow(
    waiting: Interaction,
    auth_request: AuthorizationRequest,
    client: OAuthClient,
    facts: Facts,
    signed_in: SignedIn,
    child: ChildRow | None,
) -> None:
    """Remember what was allowed, and that this request is about the child that was named.

    Only what the page named, and what is asked still: the registration may have changed while
    the guardian read (rules C5, N3). Nothing, where the guardianship ended a moment ago (rule C6).
    """
    account_id, client_id = signed_in.account.id, client.record.id
    wanted, fields = (
        set(_asked_of_guardian(auth_request, client)),
        _registered_fields(client, child),
    )
    allowed, shown = wanted & _named("permissions"), fields & _named("child_fields")
    if not allowed:
        return
    with transaction():
        if child is not None:
            if not child_selection.lock_link(account_id, child.id, client_id):
                return
            if len(facts.children) > 1:
                interactions.chose(waiting, child.id)
        consent.remember(
            account_id,
            client_id,
            " ".join(sorted(allowed)),
            child.id if child else None,
            shown,
        )
        if allowed == wanted and shown == fields:  # else the page comes again, and names the rest
            interactions.consented(waiting)


def _page(
    waiting: Interaction,
    auth_request: AuthorizationRequest,
    client: OAuthClient,
    selection: Selection | None,
) -> str:
    fields = client.client_metadata["child_fields"]
    named = _asked_of_guardian(auth_request, client)
    return render_template(
        "protocol/consent.html",
        interaction=waiting,
        client_name=client.record.name,
        client_uri=client.client_metadata.get("client_uri"),
        policy_uri=client.client_metadata.get("policy_uri"),
        tos_uri=client.client_metadata.get("tos_uri"),
        logo_url=branding.logo_url_of(client.record),
        first_party=client.client_metadata["first_party"],
        permissions=permissions.sentences(named, fields, child=auth_request.asks_child),
        named=" ".join(named),
        child_fields=" ".join(fields),
        child=selection.child if selection else None,
        child_key=subjects.of_child(selection.child, client.record) if selection else None,
        switchable=selection is not None and selection.switchable,
    )


def _asked_of_guardian(auth_request: AuthorizationRequest, client: OAuthClient) -> list[str]:
    made_up = has_made_up_email(client.client_metadata)
    return consent.about(auth_request.permissions, made_up_email=made_up)


def _registered_fields(client: OAuthClient, child: ChildRow | None) -> set[str]:
    return set(client.client_metadata["child_fields"]) if child else set()


def _named(what: str) -> set[str]:
    """What the page named, as its form says; without a word of it, nothing."""
    return set(request.form.get(what, "").split())
