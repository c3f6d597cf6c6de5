"""A foreign identity that is not linked yet: sign in once, say yes, and it is."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from idp.errors import Invalid
from idp.federation import links
from idp.lifecycle import federation
from idp.lifecycle.sign_in import ProofGone
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn
from idp.web import browser
from idp.web.forms import only
from idp.web.interaction import load_interaction, resume, to_step
from idp.web.signin import provider_offers as offers
from idp.web.signin.blueprint import provider_pages


@provider_pages.get("/interaction/<interaction_id>/connect")
def connect(interaction_id: str) -> ResponseReturnValue:
    """Says what to do: sign in with password or token, once."""
    interaction = load_interaction(interaction_id)
    waiting = offers.waiting(interaction)
    if waiting is None or interaction.completed_at is not None:
        return to_step(interaction, "login")
    form = only(["username", "password"])
    return render_template(
        "federation/connect.html", interaction=interaction, waiting=waiting, form=form
    )


@provider_pages.post("/interaction/<interaction_id>/connect/forget")
def forget(interaction_id: str) -> ResponseReturnValue:
    """« Ne pas relier »: it was somebody else's, or nobody wants it."""
    interaction = load_interaction(interaction_id)
    links.drop(interaction.id, browser.browser_id())
    return to_step(interaction, "login")


@provider_pages.route("/interaction/<interaction_id>/connect/join", methods=["GET", "POST"])
def join(interaction_id: str) -> ResponseReturnValue:
    """After the sign-in: shall the identity that waited here open this account? No, unless said."""
    interaction = load_interaction(interaction_id)
    waiting, signed_in = offers.waiting(interaction), browser.signed_in()
    # Only whoever signed in in this very interaction is asked (security rules F7 and N4)
    if signed_in is None or interaction.signed_in_session_id != signed_in.session.id:
        return resume(interaction)
    if waiting is None:
        return resume(interaction)
    if request.method == "GET":
        return render_template(
            "federation/join.html",
            interaction=interaction,
            waiting=waiting,
            account=signed_in.account,
        )
    if request.form.get("answer") != "yes":
        links.drop(interaction.id, browser.browser_id())
        return resume(interaction)
    return _joined(interaction, waiting, signed_in)


def _joined(
    interaction: Interaction, waiting: offers.Waiting, signed_in: SignedIn
) -> ResponseReturnValue:
    account = signed_in.account
    try:
        linked = federation.link_waiting(
            interaction.id,
            browser.browser_id(),
            account_id=account.id,
            epoch=account.credentials_epoch,
        )
    except federation.LinkedElsewhere:
        return _refused(interaction, waiting.key, "elsewhere")
    except federation.OtherIdentity:
        return _refused(interaction, waiting.key, "other")
    except (ProofGone, Invalid):
        return resume(interaction)  # the session has ended: the next page asks again
    if linked is not None and interaction.client_id is None:
        flash(offers.linked_now(waiting.label))
    return resume(interaction)


def _refused(interaction: Interaction, key: str, reason: str) -> ResponseReturnValue:
    page = url_for("federation.refused", interaction_id=interaction.id, provider=key, reason=reason)
    return redirect(page, 303)


@provider_pages.get("/interaction/<interaction_id>/connect/refused")
def refused(interaction_id: str) -> ResponseReturnValue:
    """Signed in, but the waiting identity was not linked: why, and on."""
    interaction = load_interaction(interaction_id)
    key = request.args.get("provider", "")[:20]
    if key not in {each.key for each in offers.all_offers()}:
        return resume(interaction)
    reasons = {
        "elsewhere": offers.linked_elsewhere,
        "other": offers.other_identity,
    }
    reason = reasons.get(request.args.get("reason", ""))
    if reason is None:
        return redirect(url_for("account.home"), 303)
    return render_template(
        "federation/refused.html",
        interaction=interaction,
        reason=reason(offers.label_of(key)),
    )
