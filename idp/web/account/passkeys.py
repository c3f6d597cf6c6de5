"""« My passkeys »: added, named, removed by their owner."""

import re
from typing import Final

from flask import flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from werkzeug import Response

from idp import clock
from idp.credentials import passkeys as stored
from idp.credentials.models import PASSKEY_NAME_LENGTH
from idp.errors import Conflict
from idp.lifecycle import factor_changes
from idp.sessions.service import SignedIn
from idp.web import browser, passkeys
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.account.step_up import proved_recently
from idp.web.errors import PageError
from idp.web.forms import Form, only

_KEPT: Final = {
    "last_way_in": lazy_gettext(
        "This is the only way to sign in to your account. Choose a password first, then"
        " remove the passkey."
    ),
    "last_factor": lazy_gettext("Your role needs a second step. Set up another one first."),
}
"""Why a passkey can't be removed."""


@blueprint.get("/account/passkeys", endpoint="passkeys")
@guardian_only
@proved_recently
def show_passkeys(signed_in: SignedIn) -> ResponseReturnValue:
    """What passkeys there are, and one more."""
    return _page(signed_in, only(["name"]))


@blueprint.post("/account/passkeys")
@guardian_only
@proved_recently
def add_passkey(signed_in: SignedIn) -> ResponseReturnValue:
    """Keep the passkey that the page's script had made."""
    form = Form.read("credential", "name")
    form.limit("name", PASSKEY_NAME_LENGTH)
    if form.problems:
        return _page(signed_in, form)
    name = form["name"].strip() or browser.device_name() or _("My passkey")
    try:
        factor_changes.add_passkey(
            signed_in.account.id,
            form["credential"],
            name,
            browser=browser.browser_id(),
            epoch=signed_in.account.credentials_epoch,
        )
    except Conflict:
        form.notice = _(
            "You have reached the limit of passkeys. Remove one that you no longer use."
        )
        return _page(signed_in, form)
    except (stored.NotProved, factor_changes.NotYours):
        form.notice = _("The passkey could not be added. Please try again.")
        return _page(signed_in, form)
    flash(_("Your passkey is added. You can sign in with it from now on."))
    return _back()


@blueprint.post("/account/passkeys/options")
@guardian_only
@proved_recently
def passkey_options(signed_in: SignedIn) -> ResponseReturnValue:
    """A challenge for a new passkey."""
    return passkeys.add_options(signed_in.account)


@blueprint.post("/account/passkeys/rename")
@guardian_only
@proved_recently
def rename_passkey(signed_in: SignedIn) -> ResponseReturnValue:
    """Another name for one passkey."""
    form = Form.read("passkey", "name")
    form.limit("name", PASSKEY_NAME_LENGTH)
    name = form["name"].strip()
    typed = bool(name) and not form.problems
    if typed and not stored.rename(signed_in.account.id, _id(form), name):
        flash(_("Nothing was renamed: this passkey is no longer there."), "problem")
    return _back()


@blueprint.post("/account/passkeys/remove")
@guardian_only
@proved_recently
def remove_passkey(signed_in: SignedIn) -> ResponseReturnValue:
    """Remove one passkey; a second click finds nothing to remove, and says the same."""
    form = Form.read("passkey")
    try:
        factor_changes.remove_passkey(
            signed_in.account.id, _id(form), keep_session=signed_in.session.id
        )
    except Conflict as refused:
        form.notice = str(_KEPT[refused.code])
        return _page(signed_in, form)
    except factor_changes.NotYours:
        pass
    flash(_("The passkey is removed. Nobody can sign in with it any more."))
    return _back()


@blueprint.post("/account/passkeys/not-now")
@guardian_only
def no_passkey_offer(_signed_in: SignedIn) -> ResponseReturnValue:
    """« Not now »: this browser is not asked again."""
    session[passkeys.NOT_NOW] = True
    return redirect(url_for("account.home"), 303)


def is_offer_welcome(account_id: str) -> bool:
    """Whether the parent's page may suggest a passkey: never insists, and not to who has one."""
    if session.get(passkeys.NOT_NOW) or stored.relying_party() is None:
        return False
    return not stored.count(account_id)


def _page(signed_in: SignedIn, form: Form) -> ResponseReturnValue:
    page = render_template(
        "account/passkeys.html",
        form=form,
        passkeys=passkeys.offered(),
        mine=stored.passkeys_of(signed_in.account.id),
        most=stored.MOST_PASSKEYS,
        name_length=PASSKEY_NAME_LENGTH,
        device=browser.device_name(),
        now=clock.now(),
    )
    return page, form.status


def _id(form: Form) -> str:
    if not re.fullmatch(r"[\w-]{1,32}", form["passkey"], re.ASCII):
        raise PageError("bad_request")
    return form["passkey"]


def _back() -> Response:
    return redirect(url_for("account.passkeys"), 303)
