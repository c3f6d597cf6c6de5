"""Signing in with a passkey: two factors at once, with nobody named beforehand."""

from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.credentials import throttling
from idp.lifecycle import second_factor
from idp.sessions.models import Interaction
from idp.web import browser, passkeys, walk
from idp.web.forms import Form, only, too_many
from idp.web.signin import login
from idp.web.signin.blueprint import blueprint
from idp.web.signin.completion import complete


@blueprint.post("/interaction/<interaction_id>/passkey/options")
def passkey_options(interaction_id: str) -> ResponseReturnValue:
    """A challenge for any discoverable passkey of ours: the same whoever asks (rule E1)."""
    walk.enter(interaction_id)
    walk.spend()
    return passkeys.use_options("sign_in")


@blueprint.post("/interaction/<interaction_id>/passkey")
def passkey(interaction_id: str) -> ResponseReturnValue:
    """The browser's answer, sent by the page's script."""
    interaction = walk.enter(interaction_id)
    if interaction.completed_at is not None:
        return walk.go_on(interaction)
    answer = Form.read("credential")["credential"]
    address = browser.client_address()
    guard = throttling.guard_passkey(address)
    if isinstance(guard, throttling.Refused):
        form = only(["username"])
        return too_many(form, guard.retry_after, lambda: login.show(interaction, form))
    try:
        proof = second_factor.prove_passkey(answer, browser=browser.browser_id(), purpose="sign_in")
    except second_factor.WrongPasskey:
        return _refused(interaction)
    throttling.forgive_token(address)
    return complete(interaction, proof)


def _refused(interaction: Interaction) -> ResponseReturnValue:
    form = only(["username"])
    form.notice = _("This passkey does not work here. Sign in with your user name and password.")
    return login.show(interaction, form)
