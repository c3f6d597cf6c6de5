"""Where every way in ends: a proof becomes a session, and the walk goes on."""

from flask import flash
from flask_babel import gettext as _
from werkzeug import Response

from idp.lifecycle import second_factor
from idp.lifecycle.sign_in import Proof, ProofGone
from idp.sessions.models import Interaction
from idp.web import browser, walk


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
    return walk.signed_in(interaction, session.id)
