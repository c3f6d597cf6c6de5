"""Before a delicate change: is the one who clicks still the one who signed in?"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Concatenate, Final, ParamSpec

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import clock, settings
from idp.credentials import passwords as credentials
from idp.lifecycle import passwords
from idp.lifecycle.sign_in import ProofGone
from idp.sessions.models import SessionRow
from idp.sessions.service import SignedIn
from idp.web import browser, i18n
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.forms import Form, only, too_many

P = ParamSpec("P")

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""A proof may seem to come from the future where two machines serve one browser."""


def is_recent(session: SessionRow) -> bool:
    """Whether the session's last proof is fresh enough for a delicate change."""
    last = session.proved_at or (session.auth_time if session.auth_time_proved else None)
    if last is None:
        return False
    age = clock.now() - last
    return -CLOCKS_DIFFER <= age <= settings.current().step_up_lifetime


def proved_recently(
    view: Callable[Concatenate[SignedIn, P], ResponseReturnValue],
) -> Callable[Concatenate[SignedIn, P], ResponseReturnValue]:
    """Let the view run after a fresh proof only; stands below ``guardian_only``.

    A form that comes too late is not acted on: after the proof its page is shown again.
    """

    @wraps(view)
    def guarded(signed_in: SignedIn, /, *args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if not is_recent(signed_in.session):
            return redirect(url_for("account.confirm", next=i18n.here()), 303)
        return view(signed_in, *args, **kwargs)

    return guarded


@blueprint.route("/account/confirm", methods=["GET", "POST"])
@guardian_only
def confirm(signed_in: SignedIn) -> ResponseReturnValue:
    """The password once more, then on to the page that asked for it."""
    if request.method == "GET":
        return _page(signed_in, only(["current_password"]), request.args.get("next"))
    form = Form.read("current_password", "next")
    form.require("current_password", _("Type your current password."))
    if form.problems:
        return _page(signed_in, form, form["next"])
    return _prove(signed_in, form)


def _prove(signed_in: SignedIn, form: Form) -> ResponseReturnValue:
    try:
        proof = passwords.prove_again(
            signed_in.account, form["current_password"], device_secret=browser.device_secret()
        )
        browser.step_up(signed_in.session, proof)
    except passwords.WrongPassword:
        form.problem("current_password", _("This is not your current password."))
        return _page(signed_in, form, form["next"])
    except passwords.Throttled as throttled:
        return too_many(form, throttled.retry_after, lambda: _page(signed_in, form, form["next"]))
    except ProofGone:
        flash(_("Your account was changed a moment ago. Please sign in again."), "problem")
        return redirect(url_for("account.home"), 303)
    return redirect(i18n.own_path(form["next"]), 303)


def _page(signed_in: SignedIn, form: Form, next_page: str | None) -> ResponseReturnValue:
    from idp.web.account import connections  # whose delicate pages ask for this one

    page = render_template(
        "account/confirm.html",
        form=form,
        account=signed_in.account,
        next_page=i18n.own_path(next_page),
        has_password=credentials.exists(signed_in.account.id),
        providers=connections.step_up_offers(signed_in.account.id),
    )
    return page, form.status
