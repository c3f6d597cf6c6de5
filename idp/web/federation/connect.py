"""A foreign identity that is not linked yet: sign in once, and it is."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from idp.federation import links
from idp.web import browser
from idp.web import walk as pages
from idp.web.federation import offers
from idp.web.federation.blueprint import blueprint
from idp.web.forms import only


@blueprint.get("/interaction/<interaction_id>/connect")
def connect(interaction_id: str) -> ResponseReturnValue:
    """Says what to do: sign in with password or token, once."""
    interaction = pages.enter(interaction_id)
    waiting = offers.waiting(interaction)
    if waiting is None or interaction.completed_at is not None:
        return pages.to_step(interaction, "login")
    form = only(["username", "password"])
    return render_template(
        "federation/connect.html", interaction=interaction, waiting=waiting, form=form
    )


@blueprint.post("/interaction/<interaction_id>/connect/forget")
def forget(interaction_id: str) -> ResponseReturnValue:
    """« Ne pas relier »: it was somebody else's, or nobody wants it."""
    interaction = pages.enter(interaction_id)
    links.drop(interaction.id, browser.browser_id())
    return pages.to_step(interaction, "login")


@blueprint.get("/interaction/<interaction_id>/connect/refused")
def refused(interaction_id: str) -> ResponseReturnValue:
    """Signed in, but the waiting identity was not linked: why, and on."""
    interaction = pages.enter(interaction_id)
    key = request.args.get("provider", "")[:20]
    if key not in {each.key for each in offers.all_offers()}:
        return pages.go_on(interaction)
    reasons = {"elsewhere": offers.linked_elsewhere, "other": offers.other_identity}
    reason = reasons.get(request.args.get("reason", ""))
    if reason is None:
        return redirect(url_for("account.home"), 303)
    return render_template(
        "federation/refused.html", interaction=interaction, reason=reason(offers.label_of(key))
    )
