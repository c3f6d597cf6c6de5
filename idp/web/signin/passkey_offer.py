"""Once in the life of an account: a passkey, offered between its password and the application.

Only where the browser has just said that the device can do it (``passkeys.js``), and who already
has a passkey is not asked. Whatever is answered, the next page is where the sign-in leads.
"""

from flask import render_template, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug import Response

from idp.credentials import passkeys as stored
from idp.errors import Conflict
from idp.lifecycle import factor_changes
from idp.lifecycle.sign_in import Proof
from idp.lifecycle.step_up import is_recent
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn
from idp.web import browser, passkeys
from idp.web.errors import PageError
from idp.web.forms import Form, only
from idp.web.interaction import load_interaction, resume, to_step
from idp.web.signin.blueprint import blueprint, shows_again


def before(interaction: Interaction, proof: Proof, on: Response) -> Response:
    """To the offer, where it is due; else on, as a sign-in by password leads."""
    is_able = Form.read("platform")["platform"] == "yes" and stored.relying_party() is not None
    is_plain = proof.amr == ("pwd",) and on.location == resume(interaction).location
    # A page of ours, with no application waiting, has its own card
    if not (is_able and is_plain and interaction.client_id) or browser.signed_in() is None:
        return on
    due = factor_changes.note_passkey_offer(proof.account_id)
    return to_step(interaction, "passkey_offer") if due else on


@blueprint.route("/interaction/<interaction_id>/passkey-offer", methods=["GET", "POST"])
def passkey_offer(interaction_id: str) -> ResponseReturnValue:
    """The offer; « POST » brings the passkey that the page's script had made, or « not now »."""
    interaction = load_interaction(interaction_id)
    signed_in = _just_signed_in(interaction)
    if signed_in is None:
        return resume(interaction)
    if request.method == "GET":
        return render_offer(interaction, only([]))
    form = Form.read("credential")
    if not form["credential"]:
        session[passkeys.NOT_NOW] = True
        return resume(interaction)
    return _add(interaction, signed_in, form)


@blueprint.post("/interaction/<interaction_id>/passkey-offer/options")
def passkey_offer_options(interaction_id: str) -> ResponseReturnValue:
    """A challenge for a new passkey."""
    signed_in = _just_signed_in(load_interaction(interaction_id))
    if signed_in is None:
        raise PageError("not_found", 404)
    return passkeys.add_options(signed_in.account)


@shows_again("passkey_offer")
def render_offer(interaction: Interaction, form: Form) -> ResponseReturnValue:
    """The page, for whoever has just signed in here."""
    if _just_signed_in(interaction) is None:
        return resume(interaction)
    page = render_template(
        "signin/passkey_offer.html",
        interaction=interaction,
        form=form,
        passkeys=passkeys.offered(),
    )
    return page, form.status


def _add(interaction: Interaction, signed_in: SignedIn, form: Form) -> ResponseReturnValue:
    try:
        factor_changes.add_passkey(
            signed_in.account.id,
            form["credential"],
            browser.device_name() or _("My passkey"),
            browser=browser.browser_id(),
            epoch=signed_in.account.credentials_epoch,
        )
    except (stored.NotProved, Conflict, factor_changes.NotYours):
        form.notice = _("The passkey could not be added. Please try again.")
        return render_offer(interaction, form)
    return resume(interaction)


def _just_signed_in(interaction: Interaction) -> SignedIn | None:
    """Who has just signed in here, and is asked; None where nobody is, or not any more."""
    signed_in = browser.signed_in()
    if signed_in is None or interaction.completed_at is not None:
        return None
    is_here = interaction.signed_in_session_id == signed_in.session.id
    return signed_in if is_here and is_recent(signed_in.session) else None
