"""The second factor: after the first at sign-in, or because an application asks for more.

Reached only with a first factor that was proved in this very interaction, or with a session
of which the waiting request asks more than was done (security rule P11).
"""

from dataclasses import dataclass

from flask import flash, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug import Response

from idp.audit import events
from idp.credentials import factors
from idp.credentials.factors import Factors
from idp.errors import Throttled
from idp.lifecycle import second_factor as service
from idp.lifecycle.sign_in import Proof, ProofGone
from idp.oidc import authorization, authorization_facts, waiting_requests
from idp.oidc.authorization import StepUp
from idp.oidc.errors import OAuth2Error
from idp.oidc.oauth_client import OAuthClient
from idp.people.models import AccountRow
from idp.sessions import interactions
from idp.sessions.assurance import TWO_FACTOR, meets
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn
from idp.web import browser, passkeys
from idp.web.errors import PageError
from idp.web.forms import Form, only, too_many, wrong_code
from idp.web.interaction import (
    is_past_login,
    load_interaction,
    resume,
    to_step,
    waiting_client,
)
from idp.web.signin.blueprint import blueprint, shows_again
from idp.web.signin.completion import complete


@dataclass(frozen=True)
class SecondFactorChallenge:
    """Who is asked for a second factor, what came first, and what would do."""

    account: AccountRow
    first: Proof
    having: Factors
    wanted: str = TWO_FACTOR
    session: SignedIn | None = None
    """The session that is to be raised; None where none has begun yet."""
    optional: bool = False

    @property
    def by_code(self) -> bool:
        return self.having.totp and meets(TWO_FACTOR, self.wanted)

    @property
    def by_passkey(self) -> bool:
        return bool(self.having.passkeys)


@blueprint.route("/interaction/<interaction_id>/second-factor", methods=["GET", "POST"])
def second_factor(interaction_id: str) -> ResponseReturnValue:
    """A code of the app, a recovery code, or a passkey."""
    interaction = load_interaction(interaction_id)
    if request.method == "GET":
        return render_second_factor(interaction, only(["code"]))
    challenge = second_factor_challenge(interaction)
    if challenge is None:
        return _nobody_waits(interaction)
    form = Form.read("code")
    form.require("code", _("Type the code."))
    if form.problems or not challenge.by_code:
        return render_second_factor(interaction, form)
    return _judge(interaction, challenge, form)


@blueprint.post("/interaction/<interaction_id>/second-factor/passkey/options")
def second_factor_passkey_options(interaction_id: str) -> ResponseReturnValue:
    """A challenge for a passkey of this account."""
    challenge = second_factor_challenge(load_interaction(interaction_id))
    if challenge is None or not challenge.by_passkey:
        raise PageError("not_found", 404)
    return passkeys.use_options("second_factor", challenge.account)


@blueprint.post("/interaction/<interaction_id>/second-factor/passkey")
def second_factor_passkey(interaction_id: str) -> ResponseReturnValue:
    """The browser's answer, sent by the page's script."""
    interaction = load_interaction(interaction_id)
    challenge = second_factor_challenge(interaction)
    if challenge is None:
        return _nobody_waits(interaction)
    try:
        proof = service.prove_passkey(
            Form.read("credential")["credential"],
            browser=browser.browser_id(),
            purpose="second_factor",
            account=challenge.account,
        )
    except service.WrongPasskey:
        form = only(["code"])
        form.notice = _("This passkey does not work here. Please try again.")
        return render_second_factor(interaction, form)
    return complete_second_factor(interaction, challenge, service.join(challenge.first, proof))


@blueprint.post("/interaction/<interaction_id>/second-factor/without")
def second_factor_without(interaction_id: str) -> ResponseReturnValue:
    """« Continue without »: the application wished for more and does not insist."""
    interaction = load_interaction(interaction_id)
    challenge = second_factor_challenge(interaction)
    if challenge is not None and challenge.optional:
        interactions.go_without(interaction)
        events.record(
            "step_up_declined", account_id=challenge.account.id, client_id=interaction.client_id
        )
    return resume(interaction)


@shows_again("second_factor")
def render_second_factor(interaction: Interaction, form: Form) -> ResponseReturnValue:
    """The page, for whoever is really asked for a second factor here."""
    challenge = second_factor_challenge(interaction)
    if challenge is None:
        return _nobody_waits(interaction)
    if challenge.session is None and not challenge.having.any:
        return to_step(interaction, "enrol")
    page = render_template(
        "signin/second_factor.html",
        interaction=interaction,
        form=form,
        challenge=challenge,
        passkeys=challenge.by_passkey and passkeys.offered(),
    )
    return page, form.status


def second_factor_challenge(interaction: Interaction) -> SecondFactorChallenge | None:
    """Who is asked in this interaction, and for what; None where nobody is."""
    waiting = service.waiting(interaction)
    if waiting is not None:
        first, account = waiting
        return SecondFactorChallenge(account, first, factors.load(account.id))
    signed_in = browser.signed_in()
    client = waiting_client(interaction)
    if signed_in is None or client is None or interaction.completed_at is not None:
        return None
    try:
        asking = waiting_requests.restored(interaction.request, OAuthClient(client))
    except OAuth2Error:
        return None  # nobody proves anything for it
    facts = authorization_facts.facts_for(asking, client, signed_in, interaction)
    match authorization.next_step(asking, facts):
        case StepUp(wanted, essential):
            return SecondFactorChallenge(
                signed_in.account,
                service.of_session(signed_in),
                factors.load(signed_in.account.id),
                wanted=wanted,
                session=signed_in,
                optional=not essential,
            )
    return None


def complete_second_factor(
    interaction: Interaction, challenge: SecondFactorChallenge, proof: Proof
) -> Response:
    """Both factors are proved: the session begins, or the one that goes on is raised."""
    if challenge.session is None:
        # One first factor opens one session, however many second ones arrive (rule P11)
        if not interactions.take_pending(interaction):
            return resume(interaction)
        return complete(interaction, proof)
    try:
        browser.step_up(challenge.session.session, proof)
    except ProofGone:
        flash(_("Your account was changed a moment ago. Please sign in again."), "problem")
        return to_step(interaction, "login")
    return resume(interaction)


def _judge(
    interaction: Interaction, challenge: SecondFactorChallenge, form: Form
) -> ResponseReturnValue:
    try:
        proof = service.prove_code(
            challenge.account, challenge.first, form["code"], device_secret=browser.device_secret()
        )
    except Throttled as throttled:
        return too_many(
            form, throttled.retry_after, lambda: render_second_factor(interaction, form)
        )
    except service.WrongCode:
        form.problem("code", wrong_code())
        return render_second_factor(interaction, form)
    return complete_second_factor(interaction, challenge, proof)


def _nobody_waits(interaction: Interaction) -> ResponseReturnValue:
    """Nobody is asked here: on, where the sign-in is done; else to its beginning."""
    if is_past_login(interaction):
        return resume(interaction)
    return to_step(interaction, "login")
