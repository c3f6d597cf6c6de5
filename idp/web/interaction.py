"""An interaction on our pages: begun or loaded, on to its next step, out of it."""

import re
from typing import Any, cast

from flask import flash, g, redirect, url_for
from flask_babel import gettext as _
from werkzeug import Response

from idp.clients import registration
from idp.clients.models import ClientRow
from idp.credentials import throttling
from idp.errors import Throttled
from idp.oidc import authorization, authorization_facts, waiting_requests
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.errors import OAuth2Error
from idp.oidc.oauth_client import OAuthClient
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.web import branding, browser, headers, i18n, once
from idp.web.errors import PageError


def load_interaction(interaction_id: str) -> Interaction:
    """This browser's interaction; its pages get the school's face and the wished language.

    Raises ``PageError`` where it is not this browser's or has expired.
    """
    interaction = own_interaction(interaction_id)
    apply_branding(interaction)
    return interaction


def own_interaction(interaction_id: str) -> Interaction:
    """This browser's interaction of that id, finished or not; otherwise a page that explains."""
    if not re.fullmatch(r"[\w-]+", interaction_id, re.ASCII):
        raise PageError("expired_interaction", 404)  # a NUL, for one, is nothing to ask about
    interaction = (
        interactions.find(interaction_id, browser.browser_id()) if browser.has_id() else None
    )
    if interaction is None:
        raise PageError(
            "expired_interaction", 404, client_id=interactions.client_of(interaction_id)
        )
    return interaction


def apply_branding(interaction: Interaction) -> None:
    """Give this request's pages what the waiting application brings to them."""
    g.interaction = interaction
    if interaction.request.get("popup"):
        headers.keep_opener()
    branding.use_when_asked(lambda: branding.of_application(_shown_client(interaction)))
    i18n.set_preferred_locale(interaction.request.get("ui_locales"))


def waiting_client(interaction: Interaction) -> ClientRow | None:
    """The application that waits, unless it is disabled by now: whoever decides asks anew."""
    client = registration.find(interaction.client_id) if interaction.client_id else None
    g.waiting_client = interaction.client_id, client
    return client


def waiting_request(interaction: Interaction) -> tuple[AuthorizationRequest, OAuthClient]:
    """The request that waits, as far as its application may ask so now.

    Raises ``PageError`` where that is out of use by now, and what ``waiting_requests.restored``
    raises.
    """
    record = waiting_client(interaction)
    if record is None:
        raise PageError("unknown_client")
    client = OAuthClient(record)
    return waiting_requests.restored(interaction.request, client), client


def _shown_client(interaction: Interaction) -> ClientRow | None:
    """The same as a page names it: as it was when this request last decided something by it."""
    known, client = g.get("waiting_client", (None, None))
    if known is not None and known == interaction.client_id:
        return cast(ClientRow | None, client)
    return waiting_client(interaction)


def begin_interaction(
    client_id: str | None = None, request: dict[str, Any] | None = None
) -> Interaction:
    """Begin an interaction in this browser, which carries it; one that is too long is stored.

    Raises ``Throttled`` where strangers of this address have had too much stored.
    """
    pushed = (request or {}).get("pushed")
    row_id = interactions.id_for(browser.browser_id(), pushed) if pushed else None
    begun = interactions.begin(browser.browser_id(), client_id, request, row_id)
    if interactions.too_long(begun):
        keep_interaction(begun, "long_request")
    return begun


def pushed_before(request: AuthorizationRequest) -> Interaction | None:
    """This browser's way through a request that was pushed, if it has come here with it before."""
    if not browser.has_id() or request.pushed is None:
        return None
    row_id = interactions.id_for(browser.browser_id(), request.pushed)
    waiting = interactions.find(row_id, browser.browser_id()) or browser.newest_waiting()
    if waiting is None or row_id not in {waiting.id, waiting.carried}:
        return None
    return waiting


def keep_interaction(interaction: Interaction, kind: str = "button") -> None:
    """Store an interaction for somebody who has proved nothing: on a budget (security rule N6).

    Raises ``Throttled`` where it is spent.
    """
    if interactions.is_carried(interaction):
        spend_allowance(kind)
        interactions.keep(interaction)


def spend_allowance(kind: str = "button") -> None:
    """Have something stored for a stranger. Raises ``Throttled``."""
    if isinstance(outcome := allowance(kind), throttling.Blocked):
        raise Throttled(outcome.retry_after)


def allowance(kind: str = "button") -> throttling.Allowed | throttling.Blocked:
    """Whether something may be stored for whoever is here: a guardian has no budget to keep to."""
    if browser.signed_in() is not None:
        return throttling.Allowed()
    return throttling.check_stranger(browser.client_address(), kind)


def to_sign_in() -> Response:
    """Sign-in for whoever asked for a page of ours, which comes after it (security rule S5).

    What was typed into a form while the session ended is kept for who signs in as the same.
    """
    wanted = once.page_again()
    if once.keeps_what_was_typed():
        flash(_("You had been signed out. Sign in again: what you typed is kept."), "problem")
    begun = begin_interaction(request={"next": wanted})
    return to_step(begun, "login")


def resume(interaction: Interaction) -> Response:
    """To the next step, to the page of ours that was asked for, or back to the application.

    Always by GET (security rule S7).
    """
    if interaction.client_id is None:
        return redirect(i18n.own_path(interaction.request.get("next")), 303)
    return redirect(f"/interaction/{interaction.id}", 303)


def to_step(interaction: Interaction, step: str) -> Response:
    """To one of the sign-in pages of this interaction."""
    return redirect(url_for(f"signin.{step}", interaction_id=interaction.id), 303)


def is_past_login(interaction: Interaction) -> bool:
    """Whether there is nothing to sign in for: answered already, signed in well enough, or asked as
    its application may not ask any more.
    """
    if interaction.completed_at is not None:
        return True
    signed_in = browser.signed_in()
    if signed_in is None:
        return False
    client = waiting_client(interaction)
    if client is None:
        return True
    try:
        request = waiting_requests.restored(interaction.request, OAuthClient(client))
    except OAuth2Error:
        return True
    facts = authorization_facts.facts_for(request, client, signed_in, interaction)
    return not isinstance(authorization.next_step(request, facts), authorization.Login)


def resume_signed_in(interaction: Interaction, session_id: str) -> Response:
    """Sign-in is done: note for whom, and go on."""
    interactions.signed_in(interaction, session_id)
    return resume(interaction)
