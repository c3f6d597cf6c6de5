"""The pages on the way: go on, choose the child, consent, no child, cancel."""

import hmac
from typing import Any

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from idp.audit import events
from idp.clients import registration
from idp.database import transaction
from idp.oidc import authorization, child_selection, consent, subjects
from idp.oidc.authorization import AskConsent, ChooseChild, NoChild
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.child_selection import Candidate
from idp.oidc.oauth_client import OAuthClient
from idp.people.models import ChildRow
from idp.sessions import interactions
from idp.sessions import service as sessions
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn
from idp.web import browser, permissions, walk
from idp.web.account.applications import start_page
from idp.web.errors import PageError
from idp.web.protocol import answers, blueprint
from idp.web.protocol.steps import proceed


@blueprint.get("/interaction/<interaction_id>")
def resume(interaction_id: str) -> Response | str:
    """Go on where the guardian is: evaluate the waiting request again."""
    waiting = walk.enter(interaction_id)
    if waiting.client_id is None:
        return redirect("/", 303)
    if waiting.completed_at is not None:
        return _done(waiting)
    return proceed(*_waiting_request(waiting), waiting)


@blueprint.route("/interaction/<interaction_id>/child", methods=["GET", "POST"])
def child(interaction_id: str) -> Response | tuple[str, int] | str:
    """Figure 6: a card for each child (security rules C1 and O16)."""
    waiting = walk.enter(interaction_id)
    here = _here(waiting, ChooseChild)
    if isinstance(here, Response):
        return here
    asked, client, signed_in = here
    found = child_selection.candidates(signed_in.account.id, client.record.id, signed_in.session.id)
    if request.method == "GET":
        return _child_page(waiting, asked, client, found)
    chosen = _posted_child(found, client)
    if chosen is None or not _choose(waiting, signed_in, chosen):
        events.record(
            "child_refused",
            result="refused",
            account_id=signed_in.account.id,
            client_id=client.record.id,
            session_id=signed_in.session.id,
        )
        return _child_page(waiting, asked, client, found, refused=True), 403
    return redirect(f"/interaction/{waiting.id}", 303)


@blueprint.get("/interaction/<interaction_id>/no-child")
def no_child(interaction_id: str) -> Response | str:
    """The guardian has no child at this school: says so, with whom to ask."""
    waiting = walk.enter(interaction_id)
    here = _here(waiting, NoChild)
    if isinstance(here, Response):
        return here
    return render_template("protocol/no_child.html", interaction=waiting)


@blueprint.route("/interaction/<interaction_id>/consent", methods=["GET", "POST"])
def ask_consent(interaction_id: str) -> Response | str:
    """What a third-party application asks for, in sentences."""
    waiting = walk.enter(interaction_id)
    here = _here(waiting, AskConsent)
    if isinstance(here, Response):
        return here
    asked, client, signed_in = here
    if request.method == "GET":
        return render_template(
            "protocol/consent.html",
            interaction=waiting,
            client_name=client.record.name,
            client_uri=client.client_metadata.get("client_uri"),
            first_party=client.client_metadata["first_party"],
            permissions=permissions.sentences(
                asked.permissions,
                client.client_metadata["child_fields"],
                child=asked.asks_child,
            ),
            child_fields=" ".join(client.client_metadata["child_fields"]),
        )
    if request.form.get("decision") != "allow":
        return answers.deny(waiting)
    with transaction():
        consent.remember(
            signed_in.account.id,
            client.record.id,
            " ".join(asked.permissions),
            _named_fields(client) if asked.asks_child else (),
        )
        interactions.consented(waiting)
    return redirect(f"/interaction/{waiting.id}", 303)


def _waiting_request(waiting: Interaction) -> tuple[AuthorizationRequest, OAuthClient]:
    client = registration.find(waiting.client_id or "")
    if client is None:
        raise PageError("unknown_client")
    return AuthorizationRequest.from_json(waiting.request), OAuthClient(client)


def _here(
    waiting: Interaction, expected: type
) -> tuple[AuthorizationRequest, OAuthClient, SignedIn] | Response:
    """The request, if this page is really its next step; otherwise the way to where it is.

    So no step can be skipped, repeated or reordered by its address (rule P11).
    """
    resume_at = redirect(f"/interaction/{waiting.id}", 303)
    signed_in = browser.signed_in()
    if waiting.client_id is None or waiting.completed_at is not None or signed_in is None:
        return resume_at
    asked, client = _waiting_request(waiting)
    facts = authorization.facts_for(asked, client.record, signed_in, waiting)
    if request.method == "POST":
        facts = facts.as_when_asked()
    step = authorization.next_step(asked, facts)
    return (asked, client, signed_in) if isinstance(step, expected) else resume_at


def _done(waiting: Interaction) -> str:
    client = registration.find(waiting.client_id or "")
    start = start_page(client) if client else None
    return render_template(
        "protocol/done.html",
        start_uri=start.uri if start else None,
        client_name=client.name if client else "",
    )


def _posted_child(found: list[Candidate], client: OAuthClient) -> ChildRow | None:
    posted = request.form.get("child", "").encode()
    match = None
    for each in found:
        if hmac.compare_digest(subjects.of_child(each.child, client.record).encode(), posted):
            match = each.child
    return match


def _choose(waiting: Interaction, signed_in: SignedIn, chosen: ChildRow) -> bool:
    """Keep the choice, unless the guardianship ended a moment ago (rule C6)."""
    account_id, client_id = signed_in.account.id, waiting.client_id or ""
    with transaction():
        if child_selection.held_link(account_id, chosen.id, client_id) is None:
            return False
        interactions.chose(waiting, chosen.id)
        sessions.choose_child(signed_in.session.id, chosen)
    return True


def _child_page(
    waiting: Interaction,
    asked: AuthorizationRequest,
    client: OAuthClient,
    found: list[Candidate],
    *,
    refused: bool = False,
) -> str:
    hinted = child_selection.hinted(found, asked.child_hint, client.record)
    return render_template(
        "protocol/child.html",
        interaction=waiting,
        children=[_card(each.child, client, hinted) for each in found],
        refused=refused,
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


def _named_fields(client: OAuthClient) -> set[str]:
    """The fields that the page named, of those registered now: the registration may have grown
    while the guardian read.
    """
    named = request.form.get("child_fields", "").split()
    return set(named) & set(client.client_metadata["child_fields"])
