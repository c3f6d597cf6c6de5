"""Where every way in ends: a proof becomes a session, or freshens one, and the browser goes on."""

from flask import flash, redirect, url_for
from flask_babel import gettext as _
from werkzeug import Response

from idp import settings
from idp.federation import links
from idp.lifecycle import endings, second_factor
from idp.lifecycle.endings import Cause, These
from idp.lifecycle.sign_in import Proof, ProofGone
from idp.sessions import interactions
from idp.sessions.models import Interaction, SessionRow
from idp.web import browser, i18n
from idp.web.forms import Form
from idp.web.interaction import resume_signed_in, to_step
from idp.web.protocol import left


def note_wish(interaction: Interaction) -> None:
    """Note whether the sender of this form, who goes on to sign in, wants to stay signed in."""
    interactions.stay(interaction, wanted=Form.read("stay")["stay"] == "yes")


def complete(interaction: Interaction, proof: Proof) -> Response:
    """Sign in whoever proved to be the account's holder, and go on to what waits.

    Passwords, mailed tokens and whatever else lets somebody in come through here, so that
    what holds for one holds for all: where a second factor is needed, it is asked before
    anything else, and only a proof that has it passes.
    """
    if second_factor.is_missing(proof):
        second_factor.keep_first(interaction, proof)
        return to_step(interaction, "second_factor")
    try:
        begun = browser.sign_in(proof, stays=interaction.stays)
    except ProofGone:
        flash(_("Your account was changed a moment ago. Please sign in again."), "problem")
        return to_step(interaction, "login")
    if interaction.stays and not begun.stays and interaction.client_id is None:
        flash(
            _(
                "You are signed in, but not for longer than usual: your school does not allow it,"
                " or your account needs a second step each time."
            )
        )
    on = resume_signed_in(interaction, begun.session.id)
    on = _about_waiting(interaction, proof) or on
    return left.by_frames(interaction, begun.frames, on) if begun.frames else on


def confirmed(session: SessionRow, proof: Proof, next_page: str | None) -> Response:
    """After « Is it really you? »: on to the page that asked for it. Raises ``ProofGone``.

    A form that came too late was not acted on, and its sender must know.
    """
    browser.step_up(session, proof)
    flash(_("Thank you, that is confirmed. Nothing has been changed yet: you can do it now."))
    return redirect(i18n.own_path(next_page), 303)


def _about_waiting(interaction: Interaction, proof: Proof) -> Response | None:
    """To the question whether the foreign identity that waits here is to be linked.

    It may have been left in this browser by somebody else: it is linked by a click of whoever
    has signed in, never by a token of a mail, and what waits elsewhere in the browser is
    forgotten (security rules F4 and N4).
    """
    if not settings.current().providers:
        return None
    this_browser = browser.browser_id()
    waiting = links.waiting_in(this_browser)
    may_link = interaction.id in waiting and not proof.mailed
    if waiting - {interaction.id} or (waiting and not may_link):
        keep = interaction.id if may_link else ""
        endings.end(Cause.BROWSER_ENTERED, These(browser=this_browser, keep_interaction=keep))
    if not may_link:
        return None
    return redirect(url_for("federation.join", interaction_id=interaction.id), 303)
