"""Back from a provider: whose walk is this, what was proved, and where does it go on?"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from flask import flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from idp.errors import Invalid
from idp.federation import authorization_request, links, providers
from idp.federation.identity import ForeignIdentity, ProviderAway, ProviderTrouble, WrongAnswer
from idp.federation.models import FederationState
from idp.federation.providers import Provider
from idp.lifecycle import federation
from idp.lifecycle.sign_in import ProofGone
from idp.lifecycle.step_up import ways_of
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn
from idp.web import browser, i18n
from idp.web.errors import PageError
from idp.web.interaction import load_interaction, resume, to_step
from idp.web.signin import provider_offers
from idp.web.signin.blueprint import provider_pages
from idp.web.signin.completion import complete, confirmed
from idp.web.signin.provider_offers import label_of
from idp.web.signin.provider_start import claimable, tell
from idp.web.start_pages import offer

log = logging.getLogger(__name__)

LONGEST: Final = 4096
STOPPED: Final = frozenset(
    {"access_denied", "login_required", "interaction_required", "consent_required"}
)
"""The person did not go on there (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6)."""


@dataclass(frozen=True)
class Answer:
    """An authorization response (RFC 6749 §4.1.2, RFC 9207)."""

    state: str
    code: str
    error: str
    issuer: str | None

    @classmethod
    def read(cls, parameters: MultiDict[str, str]) -> Self:
        """A parameter that comes twice, or is endless, counts as absent."""

        def one(name: str) -> str | None:
            found = parameters.getlist(name)
            return found[0] if len(found) == 1 and len(found[0]) <= LONGEST else None

        several = len(parameters.getlist("iss")) > 1
        return cls(
            one("state") or "",
            one("code") or "",
            one("error") or "",
            "" if several else one("iss"),
        )


@provider_pages.get("/federation/<key>/callback")
def callback(key: str) -> ResponseReturnValue:
    """Where a provider sends the browser back to (security rules F1 and F2)."""
    provider = providers.find(key)
    if provider is None:
        raise PageError("not_found", 404)
    answer = Answer.read(request.args)
    if "b" not in session:
        raise PageError("foreign_sign_in")
    match authorization_request.come_back(answer.state, browser.browser_id(), key):
        case authorization_request.Back(found, asked):
            return _judge(provider, found, asked, answer)
        case authorization_request.Again(found):
            return _go_on(found)
        case authorization_request.TooLate(found):
            flash(_("That took longer than ten minutes. Please begin again."), "problem")
            return _to_start(found)
    log.info("unknown state at the callback of %s", key)
    raise PageError("foreign_sign_in")


def _judge(
    provider: Provider, found: FederationState, asked: authorization_request.Asked, answer: Answer
) -> ResponseReturnValue:
    key = provider.settings.key
    try:
        authorization_request.check_issuer(
            answer.issuer, provider.settings.accepted_issuers, required=provider.tells_issuer()
        )
        if answer.error in STOPPED:
            return _stopped(found)
        if answer.error:
            raise ProviderAway("error of its own")
        if not answer.code:
            raise WrongAnswer("no code")
        identity = provider.identity(answer.code, asked)
    except ProviderTrouble as trouble:
        tell(key, trouble)
        return _to_start(found)
    if not authorization_request.is_fresh(identity, found):
        return _not_fresh(found)
    return _ENDS[found.purpose](found, identity)


def _stopped(found: FederationState) -> ResponseReturnValue:
    flash(
        _(
            "You did not go on at %(provider)s. Nothing has changed: try again,"
            " or choose another way.",
            provider=label_of(found.provider),
        ),
        "problem",
    )
    return _to_start(found)


def _not_fresh(found: FederationState) -> ResponseReturnValue:
    # Rule F9: what the provider did not prove, we don't claim.
    flash(
        _(
            "%(provider)s did not confirm that you have just proved who you are, and that is"
            " needed here. Please use your password.",
            provider=label_of(found.provider),
        ),
        "problem",
    )
    return _to_start(found)


def _sign_in(found: FederationState, identity: ForeignIdentity) -> ResponseReturnValue:
    interaction = _interaction(found)
    if interaction.completed_at is not None:
        return resume(interaction)
    match federation.prove(identity):
        case federation.Known(proof, _):
            return complete(interaction, proof)
        case federation.Closed():
            raise PageError("account_closed", 403)
    links.wait(
        identity,
        interaction_id=interaction.id,
        browser=browser.browser_id(),
        until=interaction.expires_at,
    )
    return redirect(url_for("federation.connect", interaction_id=interaction.id), 303)


def _claim(found: FederationState, identity: ForeignIdentity) -> ResponseReturnValue:
    interaction = _interaction(found)
    proved = claimable(interaction)
    if proved is None or proved.token.id != found.token_id:
        return to_step(interaction, "password")
    try:
        proof = federation.claim_with_token(proved.token.id, identity)
    except federation.TokenGone:
        return to_step(interaction, "password")
    except federation.LinkedElsewhere:
        flash(provider_offers.linked_elsewhere(label_of(found.provider)), "problem")
        return to_step(interaction, "password")
    if interaction.client_id is None:
        # Rule P13: no stored request moves into another browser; its start page is offered.
        offer(proved.token.client_id)
        flash(provider_offers.linked_now(label_of(found.provider)))
    return complete(interaction, proof)


def _link(found: FederationState, identity: ForeignIdentity) -> ResponseReturnValue:
    here = _still_signed_in(found)
    try:
        federation.link(here.account.id, identity, epoch=here.account.credentials_epoch)
    except ProofGone:
        raise PageError("foreign_sign_in") from None
    except federation.LinkedElsewhere:
        flash(provider_offers.linked_elsewhere(label_of(found.provider)), "problem")
    except (federation.OtherIdentity, Invalid):
        flash(provider_offers.other_identity(label_of(found.provider)), "problem")
    else:
        flash(provider_offers.linked_now(label_of(found.provider)))
    return _to_start(found)


def _step_up(found: FederationState, identity: ForeignIdentity) -> ResponseReturnValue:
    here = _still_signed_in(found)
    if not ways_of(here.account).provider:
        return _to_start(found)  # two-step sign-in was switched on meanwhile: this is too little
    match federation.prove(identity):
        case federation.Known(proof, account) if account.id == here.account.id:
            try:
                return confirmed(here.session, proof, found.next_path)
            except ProofGone:
                raise PageError("foreign_sign_in") from None
    flash(
        _(
            "That is not the %(provider)s account that is linked to yours.",
            provider=label_of(found.provider),
        ),
        "problem",
    )
    return _to_start(found)


_ENDS: Final[dict[str, Callable[[FederationState, ForeignIdentity], ResponseReturnValue]]] = {
    "sign_in": _sign_in,
    "claim": _claim,
    "link": _link,
    "step_up": _step_up,
}


def _still_signed_in(found: FederationState) -> SignedIn:
    """Who began is still signed in, in the same session (security rule F4)."""
    here = browser.signed_in()
    if here is None or (here.account.id, here.session.id) != (found.account_id, found.session_id):
        raise PageError("foreign_sign_in")
    return here


def _interaction(found: FederationState) -> Interaction:
    return load_interaction(found.interaction_id or "")


def _go_on(found: FederationState) -> ResponseReturnValue:
    """A walk that is over: to where it led."""
    if found.interaction_id is not None:
        return resume(_interaction(found))
    return _to_start(found)


def _to_start(found: FederationState) -> ResponseReturnValue:
    """Back to the page on which the walk began."""
    match found.purpose:
        case "sign_in":
            return to_step(_interaction(found), "login")
        case "claim":
            return to_step(_interaction(found), "password")
        case "step_up":
            return redirect(url_for("account.confirm", next=i18n.own_path(found.next_path)), 303)
    return redirect(url_for("account.connections"), 303)
