"""Figures 1 and 4: the first connection, and all that follow, by password or passkey.

A passkey is two factors at once, with nobody named beforehand. « Annuler » leads back.
"""

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.credentials import throttling
from idp.errors import Throttled
from idp.lifecycle import passwords, second_factor
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.web import branding, browser, staying
from idp.web.forms import Form, only, too_many
from idp.web.interaction import is_past_login, load_interaction, resume, spend_allowance
from idp.web.passkeys import offered, use_options
from idp.web.protocol import answers
from idp.web.signin import passkey_offer, provider_offers
from idp.web.signin.blueprint import blueprint, shows_again
from idp.web.signin.completion import complete, note_wish
from idp.web.signin.token_words import is_token


@blueprint.route("/interaction/<interaction_id>/login", methods=["GET", "POST"])
def login(interaction_id: str) -> ResponseReturnValue:
    """Two panes: « Première connexion », and « Connexions suivantes » with the form."""
    interaction = load_interaction(interaction_id)
    staying.arriving()
    if request.method == "POST" and interaction.completed_at is None:
        return _sign_in(interaction)
    if is_past_login(interaction):
        return resume(interaction)
    form = only(["username"])
    hint = "" if interactions.awaits_another(interaction) else interaction.request.get("login_hint")
    form.values["username"] = hint or ""
    return render_login(interaction, form)


@shows_again("login", "username", "stay")
def render_login(interaction: Interaction, form: Form) -> ResponseReturnValue:
    """The page of figures 1 and 4; the same for everybody, with or without passkeys (E1)."""
    page = render_template(
        "signin/login.html",
        interaction=interaction,
        form=form,
        passkeys=offered(),
        returning=browser.device_secret() is not None,
        may_stay=branding.current().lets_stay,
        signed_in_as=_signed_in_as(interaction),
        **provider_offers.context(interaction),
    )
    return page, form.status


def _signed_in_as(interaction: Interaction) -> str | None:
    """Who is signed in, where somebody else has said to be another person."""
    signed_in = browser.signed_in() if interactions.awaits_another(interaction) else None
    return signed_in.account.full_name if signed_in else None


def _sign_in(interaction: Interaction) -> ResponseReturnValue:
    form = Form.read("username", "password", "stay")
    form.require("username", _("Type your user name: it is in the e-mail from your school."))
    form.limit("username")
    form.require("password", _("Type your password."))
    if form.problems:
        return render_login(interaction, form)
    try:
        proof = passwords.prove_password(
            form["username"],
            form["password"],
            address=browser.client_address(),
            device_secret=browser.device_secret(),
        )
    except Throttled as throttled:
        return too_many(form, throttled.retry_after, lambda: render_login(interaction, form))
    except passwords.WrongPassword:
        wrong = _("The user name or the password is wrong. Check both and try again.")
        if is_token(form["password"]):
            wrong = _(
                "This is a connection token, not a password. Choose « Connection token » on this"
                " page and type it there."
            )
        form.problem("password", wrong)
        return render_login(interaction, form)
    note_wish(interaction)
    return passkey_offer.before(interaction, proof, complete(interaction, proof))


@blueprint.post("/interaction/<interaction_id>/passkey/options")
def passkey_options(interaction_id: str) -> ResponseReturnValue:
    """A challenge for any discoverable passkey of ours: the same whoever asks (rule E1)."""
    load_interaction(interaction_id)
    spend_allowance()
    return use_options("sign_in")


@blueprint.post("/interaction/<interaction_id>/passkey")
def passkey(interaction_id: str) -> ResponseReturnValue:
    """The browser's answer, sent by the page's script."""
    interaction = load_interaction(interaction_id)
    if interaction.completed_at is not None:
        return resume(interaction)
    answer = Form.read("credential")["credential"]
    address = browser.client_address()
    guard = throttling.check_passkey(address)
    if isinstance(guard, throttling.Blocked):
        form = only(["username"])
        return too_many(form, guard.retry_after, lambda: render_login(interaction, form))
    try:
        proof = second_factor.prove_passkey(answer, browser=browser.browser_id(), purpose="sign_in")
    except second_factor.WrongPasskey:
        return _passkey_refused(interaction)
    throttling.reset_token(address)
    note_wish(interaction)
    return complete(interaction, proof)


def _passkey_refused(interaction: Interaction) -> ResponseReturnValue:
    form = only(["username"])
    form.notice = _("This passkey does not work here. Sign in with your user name and password.")
    return render_login(interaction, form)


@blueprint.post("/interaction/<interaction_id>/cancel")
def cancel(interaction_id: str) -> ResponseReturnValue:
    """Answer ``access_denied`` (RFC 6749 §4.1.2.1), from whichever page."""
    interaction = load_interaction(interaction_id)
    if interaction.client_id is None or interaction.completed_at is not None:
        return resume(interaction)
    return answers.deny(interaction)
