"""A walk through our pages: into an interaction, on to its next step, out of it."""

from flask import g, redirect, url_for
from werkzeug import Response

from idp.clients import registration
from idp.oidc import authorization
from idp.oidc.authorization_request import AuthorizationRequest
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.web import branding, browser, headers, i18n


def enter(interaction_id: str) -> Interaction:
    """This browser's interaction; its pages get the school's face and the wished language.

    Raises ``PageError`` where it is not this browser's or has expired.
    """
    interaction = browser.interaction_or_error(interaction_id)
    dress(interaction)
    return interaction


def dress(interaction: Interaction) -> None:
    """Give this request's pages what the waiting application brings to them."""
    g.interaction = interaction
    client = registration.find(interaction.client_id) if interaction.client_id else None
    schools = registration.schools_of(client.id) if client else []
    branding.use(branding.branding_for(client, schools))
    i18n.wish(interaction.request.get("ui_locales"))
    if client is not None:
        # An application's callback often sends the browser on to another page of its own.
        pages = (client.metadata_.get("client_uri"), client.metadata_.get("initiate_login_uri"))
        uris = (interaction.request.get("redirect_uri"), *client.metadata_["redirect_uris"], *pages)
        headers.allow_forms_to(*(uri for uri in uris if uri))


def go_on(interaction: Interaction) -> Response:
    """To the next step, or back to the application; always by GET (security rule S7)."""
    if interaction.client_id is None:
        return redirect(url_for("account.home"), 303)
    return redirect(f"/interaction/{interaction.id}", 303)


def to_step(interaction: Interaction, step: str) -> Response:
    """To one of the sign-in pages of this interaction."""
    return redirect(url_for(f"signin.{step}", interaction_id=interaction.id), 303)


def is_past_login(interaction: Interaction) -> bool:
    """Whether there is nothing to sign in for: answered already, or signed in well enough."""
    if interaction.completed_at is not None:
        return True
    signed_in = browser.signed_in()
    if signed_in is None:
        return False
    client = registration.find(interaction.client_id) if interaction.client_id else None
    if client is None:
        return True
    request = AuthorizationRequest.from_json(interaction.request)
    facts = authorization.facts_for(request, client, signed_in, interaction)
    return not isinstance(authorization.next_step(request, facts), authorization.Login)


def signed_in(interaction: Interaction, session_id: str) -> Response:
    """Sign-in is done: note for whom, and go on."""
    interactions.signed_in(interaction, session_id)
    return go_on(interaction)
