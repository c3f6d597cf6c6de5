"""« Two-step sign-in »: an authenticator app, and recovery codes for the day it is lost."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from idp.credentials import factors, totp
from idp.desk.people import reset_requests
from idp.errors import Conflict
from idp.lifecycle import factor_changes
from idp.lifecycle.second_factor import WrongCode
from idp.sessions.service import SignedIn
from idp.web import browser
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.account.step_up import proved_recently, proved_since_sign_in
from idp.web.forms import Form, only


@blueprint.get("/account/two-factor", endpoint="two_factor")
@guardian_only
@proved_recently
def show_two_factor(signed_in: SignedIn) -> ResponseReturnValue:
    """Whether it is on, and what may be done."""
    return _page(signed_in, only([]))


@blueprint.post("/account/two-factor/begin")
@guardian_only
@proved_recently
def begin_two_factor(signed_in: SignedIn) -> ResponseReturnValue:
    """Make a secret for the app, shown in this browser only."""
    if not totp.is_on(signed_in.account.id):
        totp.begin(signed_in.account.id, browser.browser_id())
    return redirect(url_for("account.two_factor_app"), 303)


@blueprint.route("/account/two-factor/app", methods=["GET", "POST"])
@guardian_only
@proved_since_sign_in
def two_factor_app(signed_in: SignedIn) -> ResponseReturnValue:
    """The secret as a QR code and as text, and the app's first code."""
    if request.method == "GET":
        return _app_page(signed_in, only(["code"]))
    form = Form.read("code")
    form.require("code", _("Type the code that your app shows."))
    if form.problems:
        return _app_page(signed_in, form)
    account = signed_in.account
    try:
        codes = factor_changes.switch_on(
            account.id,
            form["code"],
            browser=browser.browser_id(),
            epoch=account.credentials_epoch,
        )
    except (WrongCode, factor_changes.NotYours):
        form.problem("code", _("This is not the code that your app shows now. Please try again."))
        return _app_page(signed_in, form)
    return render_template("account/recovery_codes.html", codes=codes, new=True)


@blueprint.post("/account/two-factor/off")
@guardian_only
@proved_recently
def two_factor_off(signed_in: SignedIn) -> ResponseReturnValue:
    """Switch it off; a second click finds it off, and says the same."""
    try:
        factor_changes.switch_off(signed_in.account.id)
    except Conflict:
        form = only([])
        form.notice = _("Your role needs a second step. Set up another one first.")
        return _page(signed_in, form)
    except factor_changes.NotYours:
        pass
    flash(_("Two-step sign-in is switched off."))
    return redirect(url_for("account.two_factor"), 303)


@blueprint.post("/account/two-factor/recovery-codes")
@guardian_only
@proved_recently
def replace_recovery_codes(signed_in: SignedIn) -> ResponseReturnValue:
    """New codes; the older ones work no more."""
    account = signed_in.account
    try:
        codes = factor_changes.replace_recovery_codes(account.id, epoch=account.credentials_epoch)
    except factor_changes.NotYours:
        return redirect(url_for("account.two_factor"), 303)
    return render_template("account/recovery_codes.html", codes=codes, new=False)


@blueprint.post("/account/two-factor/not-me")
@guardian_only
def not_my_reset(signed_in: SignedIn) -> ResponseReturnValue:
    """End what the desk was asked for; no fresh proof, since it can only keep a door shut."""
    if reset_requests.not_me(signed_in.account.id):
        flash(_("The request is declined. Your second step stays as it is."))
    else:
        flash(_("This request has been answered already, or was withdrawn."), "problem")
    return redirect(url_for("account.two_factor"), 303)


def _page(signed_in: SignedIn, form: Form) -> ResponseReturnValue:
    page = render_template(
        "account/two_factor.html",
        form=form,
        having=factors.load(signed_in.account.id),
        since=totp.since(signed_in.account.id),
        resets=reset_requests.about(signed_in.account.id),
    )
    return page, form.status


def _app_page(signed_in: SignedIn, form: Form) -> ResponseReturnValue:
    secret = totp.pending_secret(signed_in.account.id, browser.browser_id())
    if secret is None or totp.is_on(signed_in.account.id):
        return redirect(url_for("account.two_factor"), 303)
    page = render_template(
        "account/two_factor_app.html",
        form=form,
        qr_code=Markup(totp.qr_code(signed_in.account, secret)),  # noqa: S704 – made by us
        secret=totp.in_groups(secret),
        app_link=totp.app_link(signed_in.account, secret),
    )
    return page, form.status
