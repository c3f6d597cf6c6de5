"""``/admin/second-step/<account_id>``: a lost second step is reset by two people of the desk."""

from typing import Final

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from idp.desk import factor_resets as desk
from idp.desk.factor_resets import NothingToReset, NotYours, TooMany, TooNew
from idp.desk.staff import Right, Staff
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.people_pages import of_people

_REFUSED: Final = {
    NotYours: lazy_gettext("This needs somebody else: see below who may do it."),
    TooNew: lazy_gettext(
        "Your role is not 72 hours old yet: until then somebody else requests or confirms this."
    ),
    NothingToReset: lazy_gettext("There is nothing to reset: no second step is set up."),
    TooMany: lazy_gettext(
        "You asked for many today. Wait until tomorrow, or ask whoever runs the platform."
    ),
}


@blueprint.get("/second-step/<account_id>")
@staff_only(Right.RESET_FACTORS)
@of_people
def factor_reset(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Whether a second step is set up, who has asked, and what the reader may do."""
    return render_template("admin/staff/factor_reset.html", state=desk.state(staff, account_id))


@blueprint.post("/second-step/<account_id>/ask")
@staff_only(Right.RESET_FACTORS, proved=True)
@of_people
def ask_factor_reset(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Ask for it; a second person confirms."""
    try:
        asked = desk.ask(staff, account_id)
    except (NotYours, TooNew, NothingToReset, TooMany) as refused:
        return _back(account_id, str(_REFUSED[type(refused)]), "problem")
    if not asked:
        return _back(account_id, _("Somebody has requested this already."))
    return _back(account_id, _("The reset is requested. Now tell the second person."))


@blueprint.post("/second-step/<account_id>/confirm")
@staff_only(Right.RESET_FACTORS, proved=True)
@of_people
def confirm_factor_reset(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Reset it, as the second person."""
    try:
        done = desk.confirm(staff, account_id)
    except (NotYours, TooNew) as refused:
        return _back(account_id, str(_REFUSED[type(refused)]), "problem")
    if not done:
        return _back(account_id, _("There is no such request any more."), "problem")
    return _back(account_id, _("The second step is reset, and everybody is signed out."))


@blueprint.post("/second-step/<account_id>/decline")
@staff_only(Right.RESET_FACTORS, proved=True)
@of_people
def decline_factor_reset(staff: Staff, account_id: str) -> ResponseReturnValue:
    """End the request; nothing is reset."""
    try:
        desk.decline(staff, account_id)
    except NotYours as refused:
        return _back(account_id, str(_REFUSED[type(refused)]), "problem")
    return _back(account_id, _("Nothing is reset."))


def _back(account_id: str, sentence: str, kind: str = "message") -> ResponseReturnValue:
    flash(sentence, kind)
    return redirect(url_for("admin.factor_reset", account_id=account_id), 303)
