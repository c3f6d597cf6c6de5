"""Sending a browser to a provider.

A form of ours begins the request, and a page of ours ends the form: browsers check every redirect
after a form against ``form-action`` (CSP Level 3 §6.4.2), and nobody knows a provider's.
"""

from dataclasses import replace
from typing import Any

from flask import flash, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug import Response

from idp import measures
from idp.audit import events
from idp.credentials import one_time_tokens, passwords
from idp.federation import authorization_request, providers
from idp.federation.identity import ProviderAway, ProviderTrouble
from idp.oidc.authorization_request import AuthorizationRequest
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.web import browser
from idp.web.errors import PageError
from idp.web.interaction import is_past_login, load_interaction, resume, spend_allowance, to_step
from idp.web.signin import provider_offers
from idp.web.signin.blueprint import provider_pages
from idp.web.signin.completion import note_wish
from idp.web.signin.provider_offers import label_of


@provider_pages.post("/interaction/<interaction_id>/with")
def sign_in(interaction_id: str) -> ResponseReturnValue:
    """« Ou connectez-vous avec »: to the provider of the pressed button."""
    interaction = load_interaction(interaction_id)
    if is_past_login(interaction):
        return resume(interaction)
    key = _offered_key()
    spend_allowance()  # on the state; on the interaction, if it has no row yet, as well
    interactions.keep(interaction)
    note_wish(interaction)
    try:
        return leave_for_provider(
            *(key, "sign_in"),
            chooses=interactions.awaits_another(interaction),
            interaction_id=interaction.id,
            max_age=_max_age(interaction),
        )
    except ProviderTrouble as trouble:
        report_trouble(key, trouble)
        return to_step(interaction, "login")


@provider_pages.post("/interaction/<interaction_id>/claim")
def claim(interaction_id: str) -> ResponseReturnValue:
    """« Continuer avec … » of figure 3, in place of a password: for a proved token only."""
    interaction = load_interaction(interaction_id)
    proved = claimable(interaction)
    if proved is None:
        return to_step(interaction, "password")
    key = _offered_key()
    note_wish(interaction)
    try:
        return leave_for_provider(
            key, "claim", interaction_id=interaction.id, token_id=proved.token.id
        )
    except ProviderTrouble as trouble:
        report_trouble(key, trouble)
        return to_step(interaction, "password")


def claimable(interaction: Interaction) -> one_time_tokens.Live | None:
    """The token proved in this interaction, if its account has no password to replace."""
    if interaction.verified_token_id is None or interaction.completed_at is not None:
        return None
    proved = one_time_tokens.find_by_id(interaction.verified_token_id)
    if not isinstance(proved, one_time_tokens.Live) or passwords.has_password(proved.account.id):
        return None
    return proved


def leave_for_provider(key: str, purpose: str, *, chooses: bool = False, **about: Any) -> Response:
    """The page that sends the browser to the provider ``key``. Raises ``ProviderTrouble``.

    ``chooses``: which of their identities it is, the person should say there.
    """
    provider = providers.find(key)
    if provider is None:
        raise PageError("not_found", 404)
    provider_request = authorization_request.begin(
        browser.browser_id(), key, purpose, locale=str(get_locale()), **about
    )
    chosen = replace(provider_request, chooses=True) if chooses else provider_request
    address = provider.address(chosen)
    return make_response(
        render_template("federation/leaving.html", address=address, label=label_of(key))
    )


def report_trouble(key: str, trouble: ProviderTrouble) -> None:
    """Tell the parent, in a sentence on the next page, that a provider can't be used now."""
    measures.sign_in(key, "refused")
    events.record("provider_refused", result="refused", provider=key, reason=trouble.reason)
    if isinstance(trouble, ProviderAway):
        words = _(
            "%(provider)s does not answer just now. Try again later, or sign in another way.",
            provider=label_of(key),
        )
    else:
        words = _(
            "What came back from %(provider)s was not in order, so we did not use it."
            " Try again, or sign in another way.",
            provider=label_of(key),
        )
    flash(words, "problem")


def _offered_key() -> str:
    """The provider that was pressed; one that this school's pages do not show begins none."""
    key = request.form.get("provider", "")
    if not provider_offers.is_offered(key):
        raise PageError("not_found", 404)
    return key


def _max_age(interaction: Interaction) -> int | None:
    """How fresh the sign-in must be that the waiting application asks for (rule O17)."""
    if interaction.client_id is None:
        return None
    auth_request = AuthorizationRequest.from_json(interaction.request)
    return 0 if "login" in auth_request.prompt else auth_request.max_age
