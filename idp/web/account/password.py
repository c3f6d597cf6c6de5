"""Changing the password, with the current one (security rule P5)."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import settings
from idp.credentials import passwords as credentials
from idp.credentials.passwords import WeakPassword
from idp.errors import Throttled
from idp.lifecycle import passwords
from idp.sessions.service import SignedIn
from idp.web import browser
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.forms import Form, check_new_password, only, too_many, weakness

FIELDS = ("current_password", "new_password", "repeat_password")


@blueprint.route("/account/password", methods=["GET", "POST"])
@guardian_only
def password(signed_in: SignedIn) -> ResponseReturnValue:
    """The current password, and the new one twice."""
    if not credentials.has_password(signed_in.account.id):
        return redirect(url_for("account.connections"), 303)  # where a token for one is offered
    if request.method == "GET":
        return _page(signed_in, only(FIELDS))
    form = Form.read(*FIELDS)
    form.require("current_password", _("Type your current password."))
    check_new_password(form, "new_password", "repeat_password")
    if form.problems:
        return _page(signed_in, form)
    return _change(signed_in, form)


@blueprint.get("/.well-known/change-password")
def well_known() -> ResponseReturnValue:
    """Where password managers send whoever wants a new password (W3C, A Well-Known URL for
    Changing Passwords).
    """
    return redirect(url_for("account.password"), 303)


def _change(signed_in: SignedIn, form: Form) -> ResponseReturnValue:
    try:
        passwords.change_password(
            signed_in.account,
            form["current_password"],
            form["new_password"],
            signed_in.session.id,
            device_secret=browser.device_secret(),
        )
    except passwords.WrongPassword:
        form.problem("current_password", _("This is not your current password."))
    except WeakPassword as weak:
        form.problem("new_password", weakness(weak))
    except Throttled as throttled:
        return too_many(form, throttled.retry_after, lambda: _page(signed_in, form))
    if form.problems:
        return _page(signed_in, form)
    flash(_("Your password is changed. Your other sessions have ended."))
    return redirect(url_for("account.home"), 303)


def _page(signed_in: SignedIn, form: Form) -> ResponseReturnValue:
    page = render_template(
        "account/password.html",
        form=form,
        account=signed_in.account,
        password_minimum=settings.current().password_minimum,
    )
    return page, form.status
