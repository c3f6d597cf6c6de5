"""``/admin/applications/tokens``: by which applications register themselves, and how many did."""

import re
from datetime import timedelta
from typing import Final

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import LazyString, lazy_gettext, ngettext
from flask_babel import gettext as _

from idp import settings
from idp.clients.metadata import SCOPES
from idp.clients.registration_tokens import MOST_USES
from idp.database import opaque_id
from idp.desk.access.rights import Right, Staff
from idp.desk.applications import registration_tokens as tokens
from idp.errors import Conflict, Invalid
from idp.oidc import discovery
from idp.people import schools
from idp.people.models import NAME_LENGTH
from idp.web.admin import client_choices
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.client_form import MOST
from idp.web.errors import known_id
from idp.web.forms import Form

DAYS: Final = (1, 7, 30, 90, 365)
"""For how long a token may work."""
STATES: Final[dict[str, tuple[LazyString, str]]] = {
    "works": (lazy_gettext("Works"), "tag-good"),
    "used_up": (lazy_gettext("Used up"), ""),
    "expired": (lazy_gettext("Expired"), ""),
    "ended": (lazy_gettext("Ended"), ""),
}
"""What each state is called, and the tag that shows it."""
_TOKEN_ID: Final = re.compile(r"n_[A-Za-z0-9_-]{22}", re.ASCII)


@blueprint.get("/applications/tokens")
@staff_only(Right.EDIT_CLIENTS)
def registration_tokens(staff: Staff) -> ResponseReturnValue:
    """Every token: whose, for what, how often it was used."""
    return render_template(
        "admin/clients/tokens.html",
        listed=tokens.listed(staff),
        states=STATES,
        policy=settings.current().dynamic_registration,
    )


@blueprint.route("/applications/tokens/new", methods=["GET", "POST"])
@staff_only(Right.EDIT_CLIENTS, proved=True)
def new_registration_token(staff: Staff) -> ResponseReturnValue:
    """For whom, and within which bounds? Then the token, shown this once."""
    if request.method == "GET":
        values = {"label": "", "uses": "1", "days": "7", "pkce_optional": "", "token_id": ""}
        return _page(Form(values), [], ["profile", "child"])
    form = Form.read("label", "uses", "days", "pkce_optional", "token_id")
    chosen, scope = request.form.getlist("schools")[:MOST], request.form.getlist("scope")
    _check(form, chosen)
    if form.problems:
        return _page(form, chosen, scope), form.status
    try:
        made = tokens.make(
            staff,
            form["label"],
            school_ids=chosen,
            uses=int(form["uses"]),
            lifetime=timedelta(days=int(form["days"])),
            scope=" ".join(["openid", *scope]),
            pkce_optional=form["pkce_optional"] == "on",
            token_id=form["token_id"] if _TOKEN_ID.fullmatch(form["token_id"]) else None,
        )
    except Invalid as problem:
        form.problem(problem.field, _("This can't be used here. Choose or type something else."))
        return _page(form, chosen, scope), form.status
    except Conflict:
        flash(_("This token was made already. It was shown then."), "problem")
        return redirect(url_for("admin.registration_tokens"), 303)
    return render_template(
        "admin/clients/token_made.html",
        made=made,
        registration_endpoint=discovery.metadata().get("registration_endpoint"),
    )


@blueprint.post("/applications/tokens/<token_id>/end")
@staff_only(Right.EDIT_CLIENTS, proved=True)
def end_registration_token(staff: Staff, token_id: str) -> ResponseReturnValue:
    """Let a token work no more."""
    if tokens.end(staff, known_id(token_id)):
        flash(_("The token works no more. What was registered by it stays."))
    return redirect(url_for("admin.registration_tokens"), 303)


def _check(form: Form, school_ids: list[str]) -> None:
    """Note what is wrong with what was typed, each thing at its field."""
    form.require("label", _("Type for whom the token is."))
    form.limit("label", NAME_LENGTH)
    if not school_ids:
        form.problem("schools", _("Choose at least one school."))
    uses = form["uses"].strip()
    if not re.fullmatch(r"[0-9]{1,4}", uses, re.ASCII) or not 1 <= int(uses) <= MOST_USES:
        form.problem("uses", _("Type a number from 1 to %(most)d.", most=MOST_USES))
    if form["days"] not in {str(days) for days in DAYS}:
        form.problem("days", _("Choose for how long it works."))


def _page(form: Form, schools_chosen: list[str], scope: list[str]) -> str:
    form.values["token_id"] = form["token_id"] or opaque_id("n")()
    return render_template(
        "admin/clients/token_new.html",
        form=form,
        chosen={"schools": schools_chosen, "scope": [each for each in scope if each in SCOPES]},
        schools=[(school.id, school.name, "") for school in schools.list_schools()],
        scopes=client_choices.scopes(),
        lifetimes=[(str(d), ngettext("%(num)d day", "%(num)d days", d), "") for d in DAYS],
    )
