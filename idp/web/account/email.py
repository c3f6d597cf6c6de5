"""The e-mail address: where mail goes now, and asking that it go elsewhere."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.credentials import email_changes
from idp.credentials.models import EmailChange
from idp.errors import Throttled
from idp.lifecycle import email_change, way_back
from idp.people.models import EMAIL_LENGTH
from idp.people.names import as_meant
from idp.sessions.service import SignedIn
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.account.step_up import proved_recently
from idp.web.dates import moment
from idp.web.errors import known_id
from idp.web.forms import NO_ADDRESS, Form, only, too_many


@blueprint.route("/account/email", methods=["GET", "POST"])
@guardian_only
@proved_recently
def email(signed_in: SignedIn) -> ResponseReturnValue:
    """The present address, what waits for its confirmation, and a field for another one."""
    if request.method == "GET":
        return _page(signed_in, only(["new_email"]))
    form = Form.read("new_email")
    form.require("new_email", _("Type your new e-mail address."))
    form.limit("new_email", EMAIL_LENGTH)
    form.ask_about_slip("new_email")
    if form.problems:
        return _page(signed_in, form)
    return _request_change(signed_in, form)


@blueprint.post("/account/email/cancel")
@guardian_only
@proved_recently
def cancel_email(signed_in: SignedIn) -> ResponseReturnValue:
    """Take back what waits for its confirmation; the one that the page showed may have been
    confirmed meanwhile, by whoever reads the mail there.
    """
    account_id = signed_in.account.id
    change_id = known_id(request.form["change"]) if "change" in request.form else None
    cancelled = email_change.cancel(account_id, signed_in.session.id)
    shown = email_changes.get_change(change_id) if change_id else None
    if shown is not None and shown.account_id == account_id and email_changes.is_in_use(shown):
        flash(_confirmed_meanwhile(shown), "problem")
    elif cancelled:
        flash(_("Your e-mail address stays as it is. The link in the mail no longer works."))
    else:
        flash(_("Nothing was cancelled: no change waits any more."), "problem")
    return redirect(url_for("account.email"), 303)


@blueprint.post("/account/email/keep")
@guardian_only
@proved_recently
def end_way_back(signed_in: SignedIn) -> ResponseReturnValue:
    """The change stays: the address before it may not take it back any more."""
    change_id = known_id(request.form.get("change", ""))
    if way_back.end(signed_in.account.id, change_id, signed_in.session.id):
        flash(_("The change of your e-mail address can no longer be undone."))
    else:
        flash(_("This can't be ended here, or it has ended already."), "problem")
    return redirect(url_for("account.email"), 303)


def _confirmed_meanwhile(change: EmailChange) -> str:
    happened = _("This change was confirmed meanwhile. Your mail goes to the address below now.")
    if email_changes.is_undoable(change):
        way_out = _(
            "If it was not you, open the link in the mail to your previous address: you get that"
            " address back. Then choose a new password."
        )
    else:
        way_out = _(
            "If it was not you, choose a new password, and tell the school at once: it can change"
            " the address again."
        )
    return f"{happened} {way_out}"


def _request_change(signed_in: SignedIn, form: Form) -> ResponseReturnValue:
    wanted = as_meant(form["new_email"])
    try:
        outcome = email_change.request_change(signed_in.account, wanted, signed_in.session.id)
    except Throttled as throttled:
        return too_many(form, throttled.retry_after, lambda: _page(signed_in, form))
    match outcome:
        case email_change.Requested():
            flash(_("We have sent a mail to the new address. Open the link in it to confirm."))
            return redirect(url_for("account.email"), 303)
        case email_change.SessionGone():
            return redirect(url_for("account.home"), 303)
        case email_change.Disputed(until):
            form.problem(
                "new_email",
                _(
                    "A change of your address was undone a short time ago. Until %(when)s only"
                    " your school can change it.",
                    when=moment(until),
                ),
            )
        case email_change.SameAddress():
            form.problem("new_email", _("This is your e-mail address already."))
        case email_change.NotAnAddress():
            form.problem("new_email", str(NO_ADDRESS))
    return _page(signed_in, form)


def _page(signed_in: SignedIn, form: Form) -> ResponseReturnValue:
    page = render_template(
        "account/email.html",
        form=form,
        account=signed_in.account,
        waiting=email_changes.waiting(signed_in.account.id),
        rights=way_back.rights(signed_in.account.id),
    )
    return page, form.status
