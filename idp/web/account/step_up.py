"""Before a delicate change: is the one who clicks still the one who signed in?

« Is it really you? » is answered by the password, a code, a passkey or a linked provider, as the
account has them.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.credentials import passwords as stored_passwords
from idp.errors import Throttled
from idp.federation.identity import ProviderTrouble
from idp.lifecycle import passwords, second_factor
from idp.lifecycle.sign_in import Proof, ProofGone
from idp.lifecycle.step_up import is_recent, ways_of
from idp.sessions.service import SignedIn
from idp.web import browser, i18n, kept, once, passkeys
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.forms import Form, only, too_many, wrong_code
from idp.web.signin import provider_offers, provider_start
from idp.web.signin.completion import confirmed

P = ParamSpec("P")


def proved_since_sign_in(
    view: Callable[Concatenate[SignedIn, P], ResponseReturnValue],
) -> Callable[Concatenate[SignedIn, P], ResponseReturnValue]:
    """As ``proved_recently``, where the sign-in itself is not enough: whoever sits down at a
    session that its owner has just begun could lock them out.
    """

    @wraps(view)
    def guarded(signed_in: SignedIn, /, *args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if signed_in.session.proved_at is None or not is_recent(signed_in.session):
            return redirect(url_for("account.confirm", next=i18n.current_page()), 303)
        return view(signed_in, *args, **kwargs)

    return guarded


def proved_recently(
    view: Callable[Concatenate[SignedIn, P], ResponseReturnValue],
) -> Callable[Concatenate[SignedIn, P], ResponseReturnValue]:
    """Let the view run after a fresh proof only; stands below ``guardian_only``.

    A form that comes too late is not acted on: after the proof its page is shown again, with what
    was typed (``once.page_again``).
    """

    @wraps(view)
    def guarded(signed_in: SignedIn, /, *args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if not is_recent(signed_in.session):
            return redirect(url_for("account.confirm", next=once.page_again()), 303)
        return view(signed_in, *args, **kwargs)

    return guarded


@blueprint.route("/account/confirm", methods=["GET", "POST"])
@guardian_only
def confirm(signed_in: SignedIn) -> ResponseReturnValue:
    """The password once more, then on to the page that asked for it."""
    if request.method == "GET":
        next_page = request.args.get("next") or kept.field("next")
        return _render_confirm(signed_in, only(["current_password"]), next_page)
    form = Form.read("current_password", "next")
    if not ways_of(signed_in.account).password:
        return _render_confirm(signed_in, form, form["next"])
    form.require("current_password", _("Type your current password."))
    if form.problems:
        return _render_confirm(signed_in, form, form["next"])
    return _prove(signed_in, form)


def _prove(signed_in: SignedIn, form: Form) -> ResponseReturnValue:
    try:
        proof = passwords.prove_again(
            signed_in.account, form["current_password"], device_secret=browser.device_secret()
        )
    except passwords.WrongPassword:
        form.problem("current_password", _("This is not your current password."))
        return _render_confirm(signed_in, form, form["next"])
    except Throttled as throttled:
        return too_many(
            form, throttled.retry_after, lambda: _render_confirm(signed_in, form, form["next"])
        )
    return _confirmed(signed_in, proof, form)


def _confirmed(signed_in: SignedIn, proof: Proof, form: Form) -> ResponseReturnValue:
    """On, by this proof, to the page that asked for it."""
    try:
        return confirmed(signed_in.session, proof, form["next"])
    except ProofGone:
        flash(_("Your account was changed a moment ago. Please sign in again."), "problem")
        return redirect(url_for("account.home"), 303)


@blueprint.post("/account/confirm/code")
@guardian_only
def confirm_code(signed_in: SignedIn) -> ResponseReturnValue:
    """A code of the app, or a recovery code."""
    form = Form.read("code", "next")
    form.require("code", _("Type the code."))
    if form.problems:
        return _render_confirm(signed_in, form, form["next"])
    try:
        proof = second_factor.prove_code(
            signed_in.account,
            second_factor.of_session(signed_in),
            form["code"],
            device_secret=browser.device_secret(),
        )
    except second_factor.WrongCode:
        form.problem("code", wrong_code())
        return _render_confirm(signed_in, form, form["next"])
    except Throttled as throttled:
        return too_many(
            form, throttled.retry_after, lambda: _render_confirm(signed_in, form, form["next"])
        )
    return _confirmed(signed_in, proof, form)


@blueprint.post("/account/confirm/passkey/options")
@guardian_only
def confirm_passkey_options(signed_in: SignedIn) -> ResponseReturnValue:
    """A challenge for a passkey of this account."""
    return passkeys.use_options("confirm", signed_in.account)


@blueprint.post("/account/confirm/passkey")
@guardian_only
def confirm_passkey(signed_in: SignedIn) -> ResponseReturnValue:
    """The browser's answer, sent by the page's script."""
    form = Form.read("credential", "next")
    try:
        proof = second_factor.prove_passkey(
            form["credential"],
            browser=browser.browser_id(),
            purpose="confirm",
            account=signed_in.account,
        )
    except second_factor.WrongPasskey:
        form.notice = _("This passkey does not work here. Please try again.")
        return _render_confirm(signed_in, form, form["next"])
    return _confirmed(signed_in, proof, form)


@blueprint.post("/account/confirm/with")
@guardian_only
def confirm_with(signed_in: SignedIn) -> ResponseReturnValue:
    """Step-up by a linked provider, which has to prove that it asked again (rule F9)."""
    key, next_page = request.form.get("provider", ""), i18n.own_path(request.form.get("next"))
    if not ways_of(signed_in.account).provider:
        return redirect(url_for("account.confirm", next=next_page), 303)
    try:
        return provider_start.leave_for_provider(
            key,
            "step_up",
            account_id=signed_in.account.id,
            session_id=signed_in.session.id,
            max_age=0,
            next_path=next_page,
        )
    except ProviderTrouble as trouble:
        provider_start.report_trouble(key, trouble)
        return redirect(url_for("account.confirm", next=next_page), 303)


def _render_confirm(signed_in: SignedIn, form: Form, next_page: str | None) -> ResponseReturnValue:
    """The page, with what this account has to prove itself by."""
    ways = ways_of(signed_in.account)
    page = render_template(
        "account/confirm.html",
        form=form,
        account=signed_in.account,
        next_page=i18n.own_path(next_page),
        ways=ways,
        has_password=stored_passwords.has_password(signed_in.account.id),
        passkeys=ways.passkey and passkeys.offered(),
        providers=provider_offers.step_up_offers(signed_in.account.id) if ways.provider else [],
    )
    return page, form.status
