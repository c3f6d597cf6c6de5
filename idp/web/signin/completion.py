"""Where every way in ends: a proof becomes a session, and the walk goes on."""

from flask import flash, redirect, url_for
from flask_babel import gettext as _
from werkzeug import Response

from idp.lifecycle import federation, second_factor
from idp.lifecycle.sign_in import Proof, ProofGone
from idp.sessions.models import Interaction
from idp.web import browser, walk
from idp.web.federation import offers


def complete(interaction: Interaction, proof: Proof) -> Response:
    """Sign in whoever proved to be the account's holder, and go on to what waits.

    Passwords, mailed tokens and whatever else lets somebody in come through here, so that
    what holds for one holds for all: where a second factor is needed, it is asked before
    anything else, and only a proof that has it passes.
    """
    if second_factor.is_missing(proof):
        second_factor.keep_first(interaction, proof)
        return walk.to_step(interaction, "second_factor")
    try:
        session = browser.sign_in(proof)
    except ProofGone:
        flash(_("Your account was changed a moment ago. Please sign in again."), "problem")
        return walk.to_step(interaction, "login")
    on = walk.signed_in(interaction, session.id)
    return _link_waiting(interaction, proof) or on


def _link_waiting(interaction: Interaction, proof: Proof) -> Response | None:
    """Link the foreign identity that waited here for its guardian (security rule F4).

    Where that can't be: to the page that says so, and from there on.
    """
    waiting = offers.waiting(interaction)
    if waiting is None:
        return None
    try:
        federation.link_waiting(interaction.id, browser.browser_id(), proof)
    except federation.LinkedElsewhere:
        reason = "elsewhere"
    except federation.OtherIdentity:
        reason = "other"
    except ProofGone:
        return None  # the session that has just begun has ended: the next page asks again
    else:
        if interaction.client_id is None:
            flash(offers.linked_now(waiting.label))
        return None
    page = url_for(
        "federation.refused",
        interaction_id=interaction.id,
        provider=waiting.key,
        reason=reason,
    )
    return redirect(page, 303)
