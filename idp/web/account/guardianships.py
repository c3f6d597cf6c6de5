"""A school asks a former guardian about a pupil: answered by a mail's link, or on the own page.

The link needs no session, since the account may be closed. Opening it changes nothing (rule P7).
How its secret gets here: ``mailed_links``.
"""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.credentials import throttling
from idp.errors import Throttled
from idp.lifecycle import link_requests
from idp.lifecycle.link_requests import Open
from idp.sessions.service import SignedIn
from idp.web import browser
from idp.web.account import mailed_links
from idp.web.account.blueprint import apply_branding, blueprint, guardian_only
from idp.web.errors import known_id

PURPOSE = "guardianship"


@blueprint.route("/account/guardianship", methods=["GET", "POST"])
def open_guardianship_link() -> ResponseReturnValue:
    """The link of the mail."""
    return mailed_links.take_over(PURPOSE, "account.guardianship")


@blueprint.route("/account/guardianship/<interaction_id>", methods=["GET", "POST"])
def guardianship(interaction_id: str) -> ResponseReturnValue:
    """Who asks, about whom; two buttons, and nothing happens before one is pressed."""
    secret = mailed_links.opened(interaction_id, PURPOSE)
    if request.method == "POST":
        return _answered(interaction_id, secret)
    requests = link_requests.asked_with(secret)
    if not requests:
        return render_template("account/guardianship_gone.html"), 404
    apply_branding(requests[0].account)
    return render_template(
        "account/guardianship.html", requests=requests, interaction_id=interaction_id
    )


def _answered(interaction_id: str, secret: str) -> ResponseReturnValue:
    """Note one answer; what else the mail is about comes next."""
    guard = throttling.check_token(browser.client_address())
    if isinstance(guard, throttling.Blocked):
        raise Throttled(guard.retry_after)
    yes = request.form.get("answer") == "yes"
    outcome = link_requests.answer_with(secret, request.form.get("request", ""), yes=yes)
    if not isinstance(outcome, Open):
        return render_template("account/guardianship_gone.html"), 404
    if link_requests.asked_with(secret):
        flash(_("Thank you. Your answer is noted."))
        return redirect(url_for("account.guardianship", interaction_id=interaction_id), 303)
    return redirect(url_for("account.guardianship_answered"), 303)


@blueprint.get("/account/guardianship/answered")
def guardianship_answered() -> ResponseReturnValue:
    """The answer is noted; reloading the page does nothing."""
    return render_template("account/guardianship_answered.html")


@blueprint.post("/account/guardianship/answer")
@guardian_only
def answer_guardianship(signed_in: SignedIn) -> ResponseReturnValue:
    """The answer of somebody who is signed in."""
    request_id = known_id(request.form.get("request", ""))
    yes = request.form.get("answer") == "yes"
    account = signed_in.account
    if link_requests.answer_for(account.id, request_id, signed_in.session.id, yes=yes):
        flash(_("Thank you. Your answer is noted."))
    else:
        flash(_("The question had been answered, or was over."), "problem")
    return redirect(url_for("account.home"), 303)
