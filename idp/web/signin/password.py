"""Figure 3: the new password, reached only through a token proved in this very interaction."""

from flask import flash, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import settings
from idp.clients import registration
from idp.credentials import one_time_tokens
from idp.credentials.one_time_tokens import Live, Spent
from idp.credentials.passwords import WeakPassword
from idp.lifecycle import passwords, second_factor
from idp.sessions.models import Interaction
from idp.web import branding, browser
from idp.web.forms import Form, check_new_password, only, weakness
from idp.web.interaction import is_past_login, load_interaction, resume, to_step
from idp.web.signin import provider_offers, provider_start, token_words
from idp.web.signin.blueprint import blueprint, shows_again
from idp.web.signin.completion import complete, note_wish
from idp.web.start_pages import offer

FIELDS = ("new_password", "repeat_password")


@blueprint.route("/interaction/<interaction_id>/password", methods=["GET", "POST"])
def password(interaction_id: str) -> ResponseReturnValue:
    """The new password, twice; after « MODIFIER » the parent is signed in at once."""
    interaction = load_interaction(interaction_id)
    form = Form.read(*FIELDS, "stay") if request.method == "POST" else only(FIELDS)
    if request.method == "POST":
        check_new_password(form, *FIELDS)
        if not form.problems:
            return _save(interaction, form)
    return render_password(interaction, form)


@shows_again("password", "stay")
def render_password(interaction: Interaction, form: Form) -> ResponseReturnValue:
    """The page, for the holder of the proved token only (security rule P11)."""
    proved = _proved(interaction)
    if proved is None:
        return _without_token(interaction)
    if interaction.client_id is None and proved.token.client_id is not None:
        _brand(proved.token.client_id)
    page = render_template(
        "signin/password.html",
        interaction=interaction,
        form=form,
        account=proved.account,
        password_minimum=settings.current().password_minimum,
        may_stay=branding.current().lets_stay,
        claimable=provider_start.claimable(interaction) is not None,
        **provider_offers.context(interaction),
    )
    return page, form.status


def _save(interaction: Interaction, form: Form) -> ResponseReturnValue:
    proved = _proved(interaction)
    if proved is None:
        return _without_token(interaction)
    try:
        proof = passwords.claim_with_token(proved, form["new_password"])
    except passwords.TokenGone:
        return _without_token(interaction)
    except WeakPassword as weak:
        form.problem("new_password", weakness(weak))
        return render_password(interaction, form)
    note_wish(interaction)
    response = complete(interaction, proof)
    if interaction.client_id is None:
        # Rule P13: no stored request moves into another browser; its start page is offered.
        offer(proved.token.client_id)
        if second_factor.is_missing(proof):
            flash(_("Your password is saved."))
        elif browser.signed_in() is not None:
            flash(_("Your password is saved, and you are signed in."))
    return response


def _proved(interaction: Interaction) -> Live | None:
    if interaction.verified_token_id is None or interaction.completed_at is not None:
        return None
    token = one_time_tokens.find_by_id(interaction.verified_token_id)
    return token if isinstance(token, Live) else None


def _without_token(interaction: Interaction) -> ResponseReturnValue:
    """Without a proved token: on, where this browser has just signed in; else to sign-in or the
    token. Whoever held one, and whoever typed a password, is told what became of it.
    """
    token_id = interaction.verified_token_id
    was = one_time_tokens.find_by_id(token_id) if token_id is not None else None
    typed = request.method == "POST"
    ended = token_words.ended(was) if was is not None else None
    unsaved = _("The password that you just typed was not saved.") if typed else None
    words = " ".join(filter(None, (ended, unsaved)))
    if is_past_login(interaction):
        if typed and interaction.client_id is None:  # else an application's page is next
            flash(words, "problem")
        return resume(interaction)
    if words:
        flash(words, "problem")
    return to_step(interaction, "login" if isinstance(was, Spent) else "token")


def _brand(client_id: str) -> None:
    client = registration.find(client_id)
    if client is not None:
        branding.use(branding.of_application(client))
