"""From the decision to the page: go on where the guardian is, no child, complete.

``child`` and ``consent`` are the two that ask something.
"""

from collections.abc import Sequence

from flask import redirect, render_template
from werkzeug.wrappers import Response

from idp.oidc import (
    authorization,
    authorization_codes,
    authorization_facts,
    pushed_requests,
    refusals,
)
from idp.oidc.authorization import (
    AskConsent,
    ChooseAccount,
    ChooseChild,
    ConfirmDevice,
    Login,
    NoChild,
    Proceed,
    Refuse,
    StepUp,
)
from idp.oidc.authorization_facts import Facts
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.child_selection import Candidate
from idp.oidc.errors import Denial, InvalidRequestUri, OAuth2Error, UntrustedRedirect
from idp.oidc.oauth_client import OAuthClient
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn
from idp.web import browser, staying
from idp.web.errors import PageError
from idp.web.interaction import (
    begin_interaction,
    load_interaction,
    waiting_client,
    waiting_request,
)
from idp.web.protocol import answers, device_answers, error_answers
from idp.web.protocol.blueprint import blueprint
from idp.web.start_pages import start_page

_PAGES: dict[type, str] = {
    ConfirmDevice: "device",
    Login: "login",
    StepUp: "second-factor",
    ChooseChild: "child",
    ChooseAccount: "account",
    NoChild: "no-child",
    AskConsent: "consent",
}


@blueprint.get("/interaction/<interaction_id>")
def resume(interaction_id: str) -> Response | str:
    """Go on where the guardian is: evaluate the waiting request again."""
    waiting = load_interaction(interaction_id)
    if waiting.client_id is None:
        return redirect("/", 303)
    if waiting.completed_at is not None:
        is_screens = waiting.request.get("device") is not None
        return device_answers.last_page(waiting.request) if is_screens else _done(waiting)
    try:
        auth_request, client = waiting_request(waiting)
    except OAuth2Error as error:
        return _fits_no_more(waiting, error)
    return proceed(auth_request, client, waiting)


@blueprint.get("/interaction/<interaction_id>/no-child")
def no_child(interaction_id: str) -> Response | str:
    """The guardian has no child at this school: with whom to ask, and who else may sign in."""
    waiting = load_interaction(interaction_id)
    read = facts_of(waiting)
    if read is None or not isinstance(authorization.next_step(read[0], read[2]), NoChild):
        return resumed(waiting)
    may_be_another = authorization.may_be_another(read[0])
    return render_template(
        "protocol/no_child.html",
        interaction=waiting,
        signed_in_as=read[3].account.full_name if may_be_another else None,
    )


@blueprint.post("/interaction/<interaction_id>/no-child")
def leave_without_child(interaction_id: str) -> Response:
    """« Retour » of that page: ``access_denied`` with the reason, for nobody chose to stop."""
    waiting = load_interaction(interaction_id)
    read = facts_of(waiting)
    if read is None or not isinstance(authorization.next_step(read[0], read[2]), NoChild):
        return resumed(waiting)
    return answers.deny(waiting, Denial.NO_CHILD)


def facts_of(
    waiting: Interaction,
) -> tuple[AuthorizationRequest, OAuthClient, Facts, SignedIn] | None:
    """What a page of a waiting request judges itself by; None where nobody can be asked.

    Each page then asks whether it is open: so that no step can be skipped or reordered by its
    address (rule P11). What a page asks on POST is what it asked on GET.
    """
    signed_in = browser.signed_in()
    if waiting.client_id is None or waiting.completed_at is not None or signed_in is None:
        return None
    try:
        auth_request, client = waiting_request(waiting)
    except OAuth2Error:
        return None  # ``resume`` says why
    facts = authorization_facts.facts_for(auth_request, client.record, signed_in, waiting)
    return auth_request, client, facts, signed_in


def resumed(waiting: Interaction) -> Response:
    """To where the guardian is in this request, whatever page was asked for."""
    return redirect(f"/interaction/{waiting.id}", 303)


def _fits_no_more(waiting: Interaction, error: OAuth2Error) -> Response:
    """What a request gets whose registration has changed since: the answer of one that comes now
    (security rules O1 and O18).
    """
    reason = error.get_error_description()
    refusals.note("authorize", str(error.error), reason, waiting.client_id)
    if isinstance(error, UntrustedRedirect):
        raise PageError("invalid_redirect_uri", reason=reason)
    auth_request = AuthorizationRequest.from_json(waiting.request)
    interactions.complete(waiting)
    pushed_requests.use(auth_request)
    return answers.error_answer(auth_request, error, by_page=True)


def _told_without_a_page(
    auth_request: AuthorizationRequest, client: OAuthClient, error: OAuth2Error
) -> Response:
    error.redirect_uri = auth_request.redirect_uri
    return error_answers.lead_back(
        client,
        error,
        auth_request.response_mode,
        auth_request.state,
        reason=error.get_error_description() or "",
        silent="none" in auth_request.prompt,
    )


def _done(waiting: Interaction) -> str:
    client = waiting_client(waiting)
    start = start_page(client) if client else None
    return render_template(
        "protocol/done.html",
        start_uri=start.uri if start else None,
        client_name=client.name if client else "",
    )


def proceed(
    auth_request: AuthorizationRequest,
    client: OAuthClient,
    interaction: Interaction | None,
    children: Sequence[Candidate] | None = None,
) -> Response:
    """Take the next step: a page of ours, or the answer to the application.

    ``children``: where they were read a moment ago.
    """
    signed_in = staying.arriving()
    facts = authorization_facts.facts_for(
        auth_request, client.record, signed_in, interaction, children
    )
    step = authorization.next_step(auth_request, facts)
    match step:
        case Proceed() if interaction is not None and auth_request.device is not None:
            return device_answers.allow(auth_request, client, step, interaction)
        case Proceed():
            fields = authorization_codes.issue(auth_request, client.record, step, interaction)
            if fields is not None:
                return answers.answer(auth_request, fields, by_page=interaction is not None)
            if interaction is not None:
                return redirect(f"/interaction/{interaction.id}", 303)
            if auth_request.pushed is None or pushed_requests.waits(auth_request):
                # What the answer stood on ended a moment ago: session, consent or guardianship
                browser.look_again()
                return proceed(auth_request, client, None)
            return _told_without_a_page(auth_request, client, InvalidRequestUri())
        case Refuse(error):
            refusals.note(
                "authorize", error.error, error.get_error_description(), auth_request.client_id
            )
            if interaction is not None:
                interactions.complete(interaction)
            pushed_requests.use(auth_request)
            if interaction is None:
                return _told_without_a_page(auth_request, client, error)
            return answers.error_answer(auth_request, error, by_page=True)
        case _:
            waiting = interaction or begin_interaction(
                auth_request.client_id, auth_request.as_json()
            )
            return redirect(f"/interaction/{waiting.id}/{_PAGES[type(step)]}", 303)
