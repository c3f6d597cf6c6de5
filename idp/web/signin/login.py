"""Figures 1 and 4: the first connection, and all that follow."""

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.lifecycle import passwords
from idp.sessions.models import Interaction
from idp.web import browser, walk
from idp.web.federation import offers
from idp.web.forms import Form, only, too_many
from idp.web.passkeys import offered
from idp.web.signin.blueprint import blueprint, shows_again
from idp.web.signin.completion import complete
from idp.web.signin.token_words import is_token


@blueprint.route("/interaction/<interaction_id>/login", methods=["GET", "POST"])
def login(interaction_id: str) -> ResponseReturnValue:
    """Two panes: « Première connexion », and « Connexions suivantes » with the form."""
    interaction = walk.enter(interaction_id)
    if request.method == "POST" and interaction.completed_at is None:
        return _sign_in(interaction)
    if walk.is_past_login(interaction):
        return walk.go_on(interaction)
    form = only(["username"])
    form.values["username"] = interaction.request.get("login_hint") or ""
    return show(interaction, form)


@shows_again("login", "username")
def show(interaction: Interaction, form: Form) -> ResponseReturnValue:
    """The page of figures 1 and 4; the same for everybody, with or without passkeys (E1)."""
    page = render_template(
        "signin/login.html",
        interaction=interaction,
        form=form,
        passkeys=offered(),
        returning=browser.device_secret() is not None,
        **offers.context(interaction),
    )
    return page, form.status


def _sign_in(interaction: Interaction) -> ResponseReturnValue:
    form = Form.read("username", "password")
    form.require("username", _("Type your user name: it is in the e-mail from your school."))
    form.limit("username")
    form.require("password", _("Type your password."))
    if form.problems:
        return show(interaction, form)
    try:
        proof = passwords.prove_password(
            form["username"],
            form["password"],
            address=browser.client_address(),
            device_secret=browser.device_secret(),
        )
    except passwords.Throttled as throttled:
        return too_many(form, throttled.retry_after, lambda: show(interaction, form))
    except passwords.WrongPassword:
        wrong = _("The user name or the password is wrong. Check both and try again.")
        if is_token(form["password"]):
            wrong = _(
                "This is a connection token, not a password. Choose « Connection token » on this"
                " page and type it there."
            )
        form.problem("password", wrong)
        return show(interaction, form)
    return complete(interaction, proof)
