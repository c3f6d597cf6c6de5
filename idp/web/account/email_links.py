"""The links of the mails about another address: each opens a page, whose button decides.

No session is needed: whoever reads the mail decides, perhaps on another device than the one
where the change was asked for. Mail scanners open links, so opening one changes nothing
(security rule P7). How its secret gets here: ``mailed_links``.
"""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from idp.credentials import email_changes, throttling
from idp.errors import Throttled
from idp.lifecycle import email_change
from idp.lifecycle.email_change import Gone, Open
from idp.web import branding, browser
from idp.web.account import mailed_links
from idp.web.account.blueprint import apply_branding, blueprint


@blueprint.route("/account/email/confirm", methods=["GET", "POST"])
def open_confirm_link() -> ResponseReturnValue:
    """The link to the new address."""
    return mailed_links.take_over("confirm", "account.confirm_email")


@blueprint.route("/account/email/undo", methods=["GET", "POST"])
def open_undo_link() -> ResponseReturnValue:
    """The link to the old address."""
    return mailed_links.take_over("undo", "account.undo_email")


@blueprint.route("/account/email/confirm/<interaction_id>", methods=["GET", "POST"])
def confirm_email(interaction_id: str) -> ResponseReturnValue:
    """Whose mail will come to this address; the button makes it so."""
    secret = mailed_links.opened(interaction_id, "confirm")
    if request.method == "POST":
        return _answered(_decide("confirm", secret), "account.email_confirmed")
    return _page("confirm", secret, interaction_id)


@blueprint.route("/account/email/undo/<interaction_id>", methods=["GET", "POST"])
def undo_email(interaction_id: str) -> ResponseReturnValue:
    """What undoing the change means; the button does it."""
    secret = mailed_links.opened(interaction_id, "undo")
    if request.method == "POST":
        return _answered(_decide("undo", secret), "account.email_undone")
    return _page("undo", secret, interaction_id)


@blueprint.get("/account/email/confirmed")
def email_confirmed() -> ResponseReturnValue:
    """The new address is in use; reloading the page does nothing."""
    branding.use_school_named(request.args.get("school", ""))
    undoable = request.args.get("undoable") == "1"
    return render_template("account/email_confirmed.html", undoable=undoable)


@blueprint.get("/account/email/undone")
def email_undone() -> ResponseReturnValue:
    """The old address is back; reloading the page does nothing."""
    branding.use_school_named(request.args.get("school", ""))
    return render_template("account/email_undone.html")


def _page(purpose: str, secret: str, interaction_id: str) -> ResponseReturnValue:
    match email_change.find_open(purpose, secret):
        case Open(change, account):
            apply_branding(account)
            return render_template(
                f"account/email_{purpose}.html",
                account=account,
                change=change,
                interaction_id=interaction_id,
            )
    return _gone()


def _decide(purpose: str, secret: str) -> Open | Gone:
    """Decide, on the budget of one-time tokens (security rule E7)."""
    address = browser.client_address()
    guard = throttling.check_token(address)
    if isinstance(guard, throttling.Blocked):
        raise Throttled(guard.retry_after)
    decide = email_change.confirm if purpose == "confirm" else email_change.undo
    outcome = decide(secret)
    if isinstance(outcome, Open):
        throttling.reset_token(address)
    return outcome


def _answered(outcome: Open | Gone, page: str) -> ResponseReturnValue:
    if not isinstance(outcome, Open):
        return _gone()
    apply_branding(outcome.account)
    undoable = "1" if email_changes.is_undoable(outcome.change) else None
    return redirect(url_for(page, school=branding.current().school, undoable=undoable), 303)


def _gone() -> ResponseReturnValue:
    return render_template("account/email_gone.html"), 404
