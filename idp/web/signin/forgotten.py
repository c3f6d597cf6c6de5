"""Figure 5: « Mot de passe oublié ». One answer to every address (security rule E1)."""

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from idp.credentials import throttling
from idp.lifecycle.mails import requests as mail_requests
from idp.sessions.models import Interaction
from idp.web import browser
from idp.web.forms import Form, only
from idp.web.interaction import load_interaction, to_step
from idp.web.signin.blueprint import blueprint, shows_again


@blueprint.route("/interaction/<interaction_id>/forgotten", methods=["GET", "POST"])
def forgotten(interaction_id: str) -> ResponseReturnValue:
    """The e-mail address, and « SOUMETTRE »: a mail brings a new token."""
    interaction = load_interaction(interaction_id)
    if request.method == "POST":
        return _submit(interaction)
    return render_forgotten(interaction, only(["email"]))


@blueprint.get("/interaction/<interaction_id>/forgotten/sent")
def forgotten_done(interaction_id: str) -> ResponseReturnValue:
    """The answer to every address, on a page of its own: reloading it mails nothing."""
    interaction = load_interaction(interaction_id)
    return render_template("signin/forgotten_done.html", interaction=interaction)


@shows_again("forgotten", "email")
def render_forgotten(interaction: Interaction, form: Form) -> ResponseReturnValue:
    """The page of figure 5."""
    return render_template("signin/forgotten.html", interaction=interaction, form=form), form.status


def _submit(interaction: Interaction) -> ResponseReturnValue:
    form = Form.read("email")
    form.require("email", _("Type the e-mail address that your school knows."))
    form.limit("email")
    if "@" not in form["email"]:
        form.problem("email", _("An e-mail address looks like this: name@example.org"))
    if form.problems:
        return render_forgotten(interaction, form)
    # Rule E3: a limit that is reached looks the same from outside.
    guard = throttling.check_mail_request(browser.client_address())
    if isinstance(guard, throttling.Allowed):
        mail_requests.request_reset(
            form["email"], client_id=interaction.client_id, locale=str(get_locale())
        )
    return to_step(interaction, "forgotten_done")
