"""A school asks a former guardian about a pupil: answered by a mail's link, or on the own page.

The link needs no session, since the account may be closed. Opening it changes nothing (rule P7).
How its secret gets here: ``mailed_links``.
"""

import re

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.credentials import throttling
from idp.lifecycle import link_requests
from idp.lifecycle.link_requests import Open
from idp.sessions.service import SignedIn
from idp.web import browser
from idp.web.account import mailed_links
from idp.web.account.blueprint import blueprint, dress, guardian_only
from idp.web.errors import PageError

PURPOSE = "guardianship"


@blueprint.route("/account/guardianship", methods=["GET", "POST"])
def open_guardianship_link() -> ResponseReturnValue:
    """The link of the mail."""
    return mailed_links.take_over(PURPOSE, "account.guardianship")


@blueprint.route("/account/guardianship/<interaction_id>", methods=["GET", "POST"])
def guardianship(interaction_id: str) -> ResponseReturnValue:
    """Who asks, about whom; two buttons, and nothing happens before one is pressed."""
    interaction = browser.interaction_or_error(interaction_id)
    secret = mailed_links.opened(interaction, PURPOSE)
    if request.method == "GET":
        found = link_requests.look(secret)
    else:
        guard = throttling.guard_token(browser.client_address())
        if isinstance(guard, throttling.Refused):
            raise PageError("throttled", 429, retry_after=guard.retry_after)
        found = link_requests.answer(secret, yes=request.form.get("answer") == "yes")
    if not isinstance(found, Open):
        return render_template("account/guardianship_gone.html"), 404
    dress(found.account)
    if request.method == "POST":
        return redirect(url_for("account.guardianship_answered"), 303)
    return render_template("account/guardianship.html", asked=found, interaction_id=interaction_id)


@blueprint.get("/account/guardianship/answered")
def guardianship_answered() -> ResponseReturnValue:
    """The answer is noted; reloading the page does nothing."""
    return render_template("account/guardianship_answered.html")


@blueprint.post("/account/guardianship/answer")
@guardian_only
def answer_guardianship(signed_in: SignedIn) -> ResponseReturnValue:
    """The answer of somebody who is signed in."""
    asked = request.form.get("request", "")
    if not re.fullmatch(r"[\w-]{1,32}", asked, re.ASCII):
        raise PageError("not_found", 404)
    yes = request.form.get("answer") == "yes"
    account = signed_in.account
    if link_requests.answer_for(account.id, asked, signed_in.session.id, yes=yes):
        flash(_("Thank you. Your answer is noted."))
    return redirect(url_for("account.home"), 303)
