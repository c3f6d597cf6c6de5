"""« Is it really you? » by a code or a passkey, as the account has them."""

from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.lifecycle import second_factor
from idp.sessions.service import SignedIn
from idp.web import browser, passkeys
from idp.web.account import step_up
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.forms import Form, too_many, wrong_code


@blueprint.post("/account/confirm/code")
@guardian_only
def confirm_code(signed_in: SignedIn) -> ResponseReturnValue:
    """A code of the app, or a recovery code."""
    form = Form.read("code", "next")
    form.require("code", _("Type the code."))
    if form.problems:
        return step_up.show(signed_in, form, form["next"])
    try:
        proof = second_factor.prove_code(
            signed_in.account,
            second_factor.of_session(signed_in),
            form["code"],
            device_secret=browser.device_secret(),
        )
    except second_factor.WrongCode:
        form.problem("code", wrong_code())
        return step_up.show(signed_in, form, form["next"])
    except second_factor.Throttled as throttled:
        return too_many(
            form, throttled.retry_after, lambda: step_up.show(signed_in, form, form["next"])
        )
    return step_up.confirmed_by(signed_in, proof, form)


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
        return step_up.show(signed_in, form, form["next"])
    return step_up.confirmed_by(signed_in, proof, form)
