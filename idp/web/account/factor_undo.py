"""The link of a mail about something added to an account: its page takes it back, by the password.

No session is needed: its owner may be locked out by what was added. Opening the link changes
nothing (security rule P7). How its secret gets here: ``mailed_links``.
"""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.errors import Throttled
from idp.lifecycle import factor_undo, passwords
from idp.lifecycle.factor_undo import Gone
from idp.web import browser
from idp.web.account import mailed_links
from idp.web.account.blueprint import apply_branding, blueprint
from idp.web.forms import Form, only, too_many

PURPOSE = "factor"


@blueprint.route("/account/factor/undo", methods=["GET", "POST"])
def open_factor_link() -> ResponseReturnValue:
    """The link of the mail."""
    return mailed_links.take_over(PURPOSE, "account.undo_factor")


@blueprint.route("/account/factor/undo/<interaction_id>", methods=["GET", "POST"])
def undo_factor(interaction_id: str) -> ResponseReturnValue:
    """What was added, when, and a field for the password."""
    secret = mailed_links.opened(interaction_id, PURPOSE)
    if request.method == "GET":
        return _page(secret, interaction_id, only(["current_password"]))
    form = Form.read("current_password")
    form.require("current_password", _("Type your current password."))
    if form.problems:
        return _page(secret, interaction_id, form)
    try:
        outcome = factor_undo.undo(
            secret, form["current_password"], device_secret=browser.device_secret()
        )
    except passwords.WrongPassword:
        form.problem("current_password", _("This is not your current password."))
        return _page(secret, interaction_id, form)
    except Throttled as throttled:
        return too_many(form, throttled.retry_after, lambda: _page(secret, interaction_id, form))
    if isinstance(outcome, Gone):
        return _gone()
    return redirect(url_for("account.factor_undone"), 303)


@blueprint.get("/account/factor/undone")
def factor_undone() -> ResponseReturnValue:
    """It is gone; reloading the page does nothing."""
    return render_template("account/factor_undone.html")


def _page(secret: str, interaction_id: str, form: Form) -> ResponseReturnValue:
    added = factor_undo.find_open(secret)
    if isinstance(added, Gone):
        return _gone()
    apply_branding(added.account)
    page = render_template(
        "account/factor_undo.html",
        added=added,
        provable=factor_undo.is_provable(added),
        form=form,
        interaction_id=interaction_id,
    )
    return page, form.status


def _gone() -> ResponseReturnValue:
    return render_template("account/factor_gone.html"), 404
