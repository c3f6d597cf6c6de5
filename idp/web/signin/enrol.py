"""A member of staff without a second factor sets one up before anything is granted (rule A3)."""

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from idp.credentials import passkeys as stored
from idp.credentials import totp
from idp.errors import Conflict
from idp.lifecycle import factor_changes, second_factor
from idp.sessions.models import Interaction
from idp.web import browser, passkeys
from idp.web.errors import PageError
from idp.web.forms import Form, only
from idp.web.interaction import load_interaction, to_step
from idp.web.signin.blueprint import blueprint, shows_again
from idp.web.signin.second_factor import (
    SecondFactorChallenge,
    complete_second_factor,
    second_factor_challenge,
)


@blueprint.route("/interaction/<interaction_id>/enrol", methods=["GET", "POST"])
def enrol(interaction_id: str) -> ResponseReturnValue:
    """The choice between an app and a passkey; « POST » makes the app's secret."""
    interaction = load_interaction(interaction_id)
    challenge = _enrolling(interaction)
    if challenge is None:
        return to_step(interaction, "second_factor")
    if request.method == "POST":
        totp.begin(challenge.account.id, browser.browser_id())
        return to_step(interaction, "enrol_app")
    return render_enrol(interaction, only([]))


@shows_again("enrol")
def render_enrol(interaction: Interaction, form: Form) -> ResponseReturnValue:
    """The choice."""
    page = render_template(
        "signin/enrol.html", interaction=interaction, form=form, passkeys=passkeys.offered()
    )
    return page, form.status


@blueprint.route("/interaction/<interaction_id>/enrol/app", methods=["GET", "POST"])
def enrol_app(interaction_id: str) -> ResponseReturnValue:
    """The secret as a QR code and as text, and the app's first code."""
    interaction = load_interaction(interaction_id)
    challenge = _enrolling(interaction)
    if challenge is None:
        return to_step(interaction, "second_factor")
    if request.method == "GET":
        return render_app(interaction, only(["code"]))
    form = Form.read("code")
    form.require("code", _("Type the code that your app shows."))
    if form.problems:
        return render_app(interaction, form)
    return _switch_on(interaction, challenge, form)


@shows_again("enrol_app")
def render_app(interaction: Interaction, form: Form) -> ResponseReturnValue:
    """The page with the secret, for the browser that asked for it."""
    challenge = _enrolling(interaction)
    secret = totp.pending_secret(challenge.account.id, browser.browser_id()) if challenge else None
    if challenge is None or secret is None:
        return to_step(interaction, "enrol" if challenge else "second_factor")
    page = render_template(
        "signin/enrol_app.html",
        interaction=interaction,
        form=form,
        qr_code=Markup(totp.qr_code(challenge.account, secret)),  # noqa: S704 – made by us
        secret=totp.in_groups(secret),
        app_link=totp.app_link(challenge.account, secret),
    )
    return page, form.status


@blueprint.post("/interaction/<interaction_id>/enrol/passkey/options")
def enrol_passkey_options(interaction_id: str) -> ResponseReturnValue:
    """A challenge for a new passkey."""
    challenge = _enrolling(load_interaction(interaction_id))
    if challenge is None:
        raise PageError("not_found", 404)
    return passkeys.add_options(challenge.account)


@blueprint.post("/interaction/<interaction_id>/enrol/passkey")
def enrol_passkey(interaction_id: str) -> ResponseReturnValue:
    """The new passkey, which counts as the second factor of this sign-in."""
    interaction = load_interaction(interaction_id)
    challenge = _enrolling(interaction)
    if challenge is None:
        return to_step(interaction, "second_factor")
    try:
        added = factor_changes.add_passkey(
            challenge.account.id,
            Form.read("credential")["credential"],
            browser.device_name() or _("My passkey"),
            browser=browser.browser_id(),
            epoch=challenge.first.epoch,
        )
    except (stored.NotProved, Conflict, factor_changes.NotYours):
        form = only([])
        form.notice = _("The passkey could not be added. Please try again.")
        return render_enrol(interaction, form)
    return complete_second_factor(
        interaction, challenge, second_factor.with_new_passkey(challenge.first, added)
    )


def _switch_on(
    interaction: Interaction, challenge: SecondFactorChallenge, form: Form
) -> ResponseReturnValue:
    try:
        codes = factor_changes.switch_on(
            challenge.account.id,
            form["code"],
            browser=browser.browser_id(),
            epoch=challenge.first.epoch,
        )
    except (second_factor.WrongCode, factor_changes.NotYours):
        form.problem("code", _("This is not the code that your app shows now. Please try again."))
        return render_app(interaction, form)
    on = complete_second_factor(interaction, challenge, second_factor.with_code(challenge.first))
    return render_template(
        "signin/recovery_codes.html",
        interaction=interaction,
        codes=codes,
        next_page=on.location,
    )


def _enrolling(interaction: Interaction) -> SecondFactorChallenge | None:
    """Who must set up a second factor here: nobody who has one, nobody who is signed in."""
    challenge = second_factor_challenge(interaction)
    if challenge is None or challenge.session is not None or challenge.having.any:
        return None
    return challenge
