"""Figure 2: the one-time connection token of a mail; a fresh one for who holds an expired one."""

from flask import flash, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from idp import measures
from idp.audit import events
from idp.credentials import one_time_tokens, throttling
from idp.mail import outbox
from idp.people import guardianships
from idp.people.models import Account
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.web import branding, browser
from idp.web.forms import Form, only, too_many
from idp.web.interaction import begin_interaction, is_past_login, load_interaction, resume, to_step
from idp.web.signin import provider_offers, token_words
from idp.web.signin.blueprint import blueprint, shows_again

LONGEST_TOKEN = 100


@blueprint.get("/welcome")
def welcome() -> ResponseReturnValue:
    """Open the token page with the token filled in (security rules P7 and P8).

    Continues the request that waits in this browser, if any. Mail scanners open links:
    nothing is spent before the new password is saved.
    """
    interaction = browser.newest_waiting() or begin_interaction()
    token = request.args.get("token", "")
    if 0 < len(token) <= LONGEST_TOKEN:
        interactions.seal_token(interaction, browser.person_id(), token)
    return to_step(interaction, "token")


@blueprint.route("/interaction/<interaction_id>/token", methods=["GET", "POST"])
def token(interaction_id: str) -> ResponseReturnValue:
    """One field for the token of the mail, filled in where the mail's link was opened."""
    interaction = load_interaction(interaction_id)
    if interaction.completed_at is not None:
        return resume(interaction)
    if request.method == "POST":
        return _prove(interaction)
    form = only(["token"])
    form.values["token"] = interactions.opened_token(interaction, browser.person_id()) or ""
    return render_token(interaction, form)


@blueprint.post("/interaction/<interaction_id>/token/renew")
def renew_token(interaction_id: str) -> ResponseReturnValue:
    """One click mails a fresh token to whoever proved the expired one in this interaction."""
    interaction = load_interaction(interaction_id)
    clear = interactions.opened_token(interaction, browser.person_id())
    if clear is None:
        return to_step(interaction, "token")
    guard = throttling.check_token(browser.client_address())
    if isinstance(guard, throttling.Blocked):
        form = Form({"token": clear})
        return too_many(form, guard.retry_after, lambda: render_token(interaction, form))
    match one_time_tokens.find(clear):
        case one_time_tokens.Expired(_, account) if not account.email:
            return _render_expired(interaction, account)
        case one_time_tokens.Expired(_, account):
            _mail_fresh_token(interaction, account.id)
            return to_step(interaction, "token_renewed")
    return to_step(interaction, "token")


@blueprint.get("/interaction/<interaction_id>/token/renewed")
def token_renewed(interaction_id: str) -> ResponseReturnValue:
    """A fresh token is on its way; reloading the page mails nothing."""
    interaction = load_interaction(interaction_id)
    return render_template("signin/token_renewed.html", interaction=interaction)


@shows_again("token", "token")
def render_token(interaction: Interaction, form: Form) -> ResponseReturnValue:
    """The page of figure 2."""
    page = render_template(
        "signin/token.html",
        interaction=interaction,
        form=form,
        **provider_offers.context(interaction),
    )
    return page, form.status


def render_unknown(interaction: Interaction, typed: str) -> ResponseReturnValue:
    """One and the same answer to unknown and replaced tokens; what can't be one is told why."""
    form = Form({"token": typed})
    form.problem("token", token_words.reason(typed))
    return render_token(interaction, form)


def _render_expired(interaction: Interaction, account: Account) -> ResponseReturnValue:
    """Offer a fresh token to an account that mail can reach; a letter's holder without an address
    is led to the school, which prints another. Whoever holds the token is known to be theirs.
    """
    schools = [] if account.email else guardianships.schools_of(account.id)
    page = render_template(
        "signin/token_expired.html",
        interaction=interaction,
        has_address=bool(account.email),
        contacts=[branding.branding_for(school) for school in schools],
    )
    return page, 400


def _lead_on(interaction: Interaction, account: Account) -> ResponseReturnValue:
    """Whoever holds a token that has done its work: on, where this browser is signed in by it;
    else to sign-in, where a forgotten password finds its way too.
    """
    events.record("token_refused", result="spent", account_id=account.id)
    signed_in = browser.signed_in()
    is_theirs = signed_in is not None and signed_in.account.id == account.id
    if is_theirs and is_past_login(interaction):
        return resume(interaction)
    flash(token_words.spent(account), "problem")
    return to_step(interaction, "login")


def _prove(interaction: Interaction) -> ResponseReturnValue:
    form = Form.read("token")
    form.require("token", _("Type the token from the e-mail, or copy it from there."))
    if form.problems:
        return render_token(interaction, form)
    guard = throttling.check_token(browser.client_address())
    if isinstance(guard, throttling.Blocked):
        measures.sign_in(measures.TOKEN, "throttled")
        return too_many(form, guard.retry_after, lambda: render_token(interaction, form))
    match one_time_tokens.find(form["token"]):
        case one_time_tokens.Live(live, _):
            one_time_tokens.note_opened(live.id)
            interactions.verify_token(interaction, live.id)
            measures.sign_in(measures.TOKEN, "ok")
            return to_step(interaction, "password")
        case one_time_tokens.Expired(live, account):
            events.record("token_refused", result="expired", account_id=account.id)
            measures.sign_in(measures.TOKEN, "expired")
            interactions.seal_token(interaction, browser.person_id(), form["token"])
            return _render_expired(interaction, account)
        case one_time_tokens.Spent(account):
            measures.sign_in(measures.TOKEN, "spent")
            return _lead_on(interaction, account)
    events.record("token_refused", result="unknown")
    measures.sign_in(measures.TOKEN, "wrong")
    return render_unknown(interaction, form["token"])


def _mail_fresh_token(interaction: Interaction, account_id: str) -> None:
    # Rule E3: a limit that is reached looks the same from outside.
    guard = throttling.check_mail_request(browser.client_address())
    if isinstance(guard, throttling.Allowed):
        about = {"client_id": interaction.client_id, "locale": str(get_locale())}
        outbox.enqueue("fresh_token", account_id=account_id, about=about)
