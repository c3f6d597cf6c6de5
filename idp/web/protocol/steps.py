"""From the decision to the page: renders nothing itself, redirects to what is missing."""

from flask import redirect
from werkzeug.wrappers import Response

from idp.oidc import authorization, authorization_codes, refusals
from idp.oidc.authorization import (
    AskConsent,
    ChooseChild,
    Login,
    NoChild,
    Proceed,
    Refuse,
    StepUp,
)
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.oauth_client import OAuthClient
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.web import browser
from idp.web.interaction import begin_interaction
from idp.web.protocol import answers

_PAGES: dict[type, str] = {
    Login: "login",
    StepUp: "second-factor",
    ChooseChild: "child",
    NoChild: "no-child",
    AskConsent: "consent",
}


def proceed(
    asked: AuthorizationRequest, client: OAuthClient, interaction: Interaction | None
) -> Response:
    """Take the next step: a page of ours, or the answer to the application."""
    facts = authorization.facts_for(asked, client.record, browser.signed_in(), interaction)
    step = authorization.next_step(asked, facts)
    match step:
        case Proceed():
            code = authorization_codes.issue(asked, client.record, step, interaction)
            if code is None and interaction is not None:
                return redirect(f"/interaction/{interaction.id}", 303)
            return answers.code_answer(asked, code or "", by_page=interaction is not None)
        case Refuse(error):
            refusals.note("authorize", error.error, error.get_error_description(), asked.client_id)
            if interaction is not None:
                interactions.complete(interaction)
            return answers.error_answer(asked, error, by_page=interaction is not None)
        case _:
            waiting = interaction or begin_interaction(asked.client_id, asked.as_json())
            return redirect(f"/interaction/{waiting.id}/{_PAGES[type(step)]}", 303)
