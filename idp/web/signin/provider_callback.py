"""Back from a provider: whose request is this, what was proved, and where does it go on?"""

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
from idp.web.signin.provider_start import claimable, report_trouble
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
            values = parameters.getlist(name)
            return values[0] if len(values) == 1 and len(values[0]) <= LONGEST else None

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
        case authorization_request.Back(pending, provider_request):
            return _judge(provider, pending, provider_request, answer)
        case authorization_request.Again(pending):
            return _resume(pending)
        case authorization_request.TooLate(pending):
            flash(_("That took longer than ten minutes. Please begin again."), "problem")
            return _to_start(pending)
    log.info("unknown state at the callback of %s", key)
    raise PageError("foreign_sign_in")


def _judge(
    provider: Provider,
    pending: FederationState,
    provider_request: authorization_request.ProviderRequest,
    answer: Answer,
) -> ResponseReturnValue:
    key = provider.settings.key
    try:
        authorization_request.check_issuer(
            answer.issuer, provider.settings.accepted_issuers, required=provider.tells_issuer()
        )
        if answer.error in STOPPED:
            return _stopped(pending)
        if answer.error:
            raise ProviderAway("error of its own")
        if not answer.code:
            raise WrongAnswer("no code")
        identity = provider.identity(answer.code, provider_request)
    except ProviderTrouble as trouble:
        report_trouble(key, trouble)
        return _to_start(pending)
    if not authorization_request.is_fresh(identity, pending):
        return _not_fresh(pending)
    return _ENDS[pending.purpose](pending, identity)


def _stopped(pending: FederationState) -> ResponseReturnValue:
    flash(
        _(
            "You did not go on at %(provider)s. Nothing has changed: try again,"
            " or choose another way.",
            provider=label_of(pending.provider),
        ),
        "problem",
    )
    return _to_start(pending)


def _not_fresh(pending: FederationState) -> ResponseReturnValue:
    # Rule F9: what the provider did not prove, we don't claim.
    flash(
        _(
            "%(provider)s did not confirm that you have just proved who you are, and that is"
            " needed here. Please use your password.",
            provider=label_of(pending.provider),
        ),
        "problem",
    )
    return _to_start(pending)


def _sign_in(pending: FederationState, identity: ForeignIdentity) -> ResponseReturnValue:
    interaction = _interaction(pending)
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


def _claim(pending: FederationState, identity: ForeignIdentity) -> ResponseReturnValue:
    interaction = _interaction(pending)
    proved = claimable(interaction)
    if proved is None or proved.token.id != pending.token_id:
        return to_step(interaction, "password")
    try:
        proof = federation.claim_with_token(proved.token.id, identity)
    except federation.TokenGone:
        return to_step(interaction, "password")
    except federation.LinkedElsewhere:
        flash(provider_offers.linked_elsewhere(label_of(pending.provider)), "problem")
        return to_step(interaction, "password")
    if interaction.client_id is None:
        # Rule P13: no stored request moves into another browser; its start page is offered.
        offer(proved.token.client_id)
        flash(provider_offers.linked_now(label_of(pending.provider)))
    return complete(interaction, proof)


def _link(pending: FederationState, identity: ForeignIdentity) -> ResponseReturnValue:
    signed_in = _still_signed_in(pending)
    try:
        federation.link(signed_in.account.id, identity, epoch=signed_in.account.credentials_epoch)
    except ProofGone:
        raise PageError("foreign_sign_in") from None
    except federation.LinkedElsewhere:
        flash(provider_offers.linked_elsewhere(label_of(pending.provider)), "problem")
    except (federation.OtherIdentity, Invalid):
        flash(provider_offers.other_identity(label_of(pending.provider)), "problem")
    else:
        flash(provider_offers.linked_now(label_of(pending.provider)))
    return _to_start(pending)


def _step_up(pending: FederationState, identity: ForeignIdentity) -> ResponseReturnValue:
    signed_in = _still_signed_in(pending)
    if not ways_of(signed_in.account).provider:
        return _to_start(pending)  # two-step sign-in was switched on meanwhile: this is too little
    match federation.prove(identity):
        case federation.Known(proof, account) if account.id == signed_in.account.id:
            try:
                return confirmed(signed_in.session, proof, pending.next_path)
            except ProofGone:
                raise PageError("foreign_sign_in") from None
    flash(
        _(
            "That is not the %(provider)s account that is linked to yours.",
            provider=label_of(pending.provider),
        ),
        "problem",
    )
    return _to_start(pending)


_ENDS: Final[dict[str, Callable[[FederationState, ForeignIdentity], ResponseReturnValue]]] = {
    "sign_in": _sign_in,
    "claim": _claim,
    "link": _link,
    "step_up": _step_up,
}


def _still_signed_in(pending: FederationState) -> SignedIn:
    """Who began is still signed in, in the same session (security rule F4)."""
    signed_in = browser.signed_in()
    if signed_in is None or (signed_in.account.id, signed_in.session.id) != (
        pending.account_id,
        pending.session_id,
    ):
        raise PageError("foreign_sign_in")
    return signed_in


def _interaction(pending: FederationState) -> Interaction:
    return load_interaction(pending.interaction_id or "")


def _resume(pending: FederationState) -> ResponseReturnValue:
    """A request that was answered: to where it led."""
    if pending.interaction_id is not None:
        return resume(_interaction(pending))
    return _to_start(pending)


def _to_start(pending: FederationState) -> ResponseReturnValue:
    """Back to the page on which the request began."""
    match pending.purpose:
        case "sign_in":
            return to_step(_interaction(pending), "login")
        case "claim":
            return to_step(_interaction(pending), "password")
        case "step_up":
            return redirect(url_for("account.confirm", next=i18n.own_path(pending.next_path)), 303)
    return redirect(url_for("account.connections"), 303)
