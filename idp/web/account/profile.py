"""Who I am here: as the school knows it, and the language that I read."""

from typing import Final

from flask import flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, refresh
from flask_babel import lazy_gettext as _

from idp.people import accounts, guardianships
from idp.sessions.service import SignedIn
from idp.web import branding, i18n
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.errors import PageError

RELATIONS: Final = {
    "parent": _("You are a parent of"),
    "guardian": _("You are a guardian of"),
    "relative": _("You are a relative of"),
    "aunt": _("You are an aunt of"),
    "uncle": _("You are an uncle of"),
    "father": _("You are the father of"),
    "mother": _("You are the mother of"),
    "other": _("You are a contact person for"),
}
"""OneRoster's vocabulary as parents read it."""


@blueprint.get("/account/profile")
@guardian_only
def profile(signed_in: SignedIn) -> ResponseReturnValue:
    """Name, user name, children; whom to ask where something is wrong; the language."""
    children = guardianships.live_children(signed_in.account.id)
    schools = guardianships.schools_of(signed_in.account.id)
    return render_template(
        "account/profile.html",
        account=signed_in.account,
        children=[(child, RELATIONS[link.relationship]) for child, link in children],
        contacts=[branding.branding_for(school) for school in schools],
        chosen=signed_in.account.locale or "",
        languages=i18n.NAMES,  # a parent may read any of ours, whatever the school's pages offer
    )


@blueprint.post("/account/profile/language")
@guardian_only
def choose_language(signed_in: SignedIn) -> ResponseReturnValue:
    """Keep the language of pages and mails with the account; it takes effect at once."""
    chosen = request.form.get("locale", "")
    if i18n.supported(chosen) != chosen:
        raise PageError("bad_request")
    accounts.set_locale(signed_in.account.id, chosen)
    session.permanent = True
    session["locale"] = chosen
    refresh()
    flash(gettext("Pages and e-mails will be in this language from now on."))
    return redirect(url_for("account.profile"), 303)
