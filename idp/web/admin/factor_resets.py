"""``/admin/second-step/<account_id>``: a lost second step is reset by two people of the desk."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.people import factor_resets as desk
from idp.errors import Conflict
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.people import of_people
from idp.web.admin.refusals import conflict


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
        is_new = desk.request_reset(staff, account_id)
    except Conflict as refused:
        return _back(account_id, conflict(refused), "problem")
    if not is_new:
        return _back(account_id, _("Somebody has requested this already."))
    return _back(account_id, _("The reset is requested. Now tell the second person."))


@blueprint.post("/second-step/<account_id>/confirm")
@staff_only(Right.RESET_FACTORS, proved=True)
@of_people
def confirm_factor_reset(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Reset it, as the second person."""
    try:
        done = desk.confirm(staff, account_id)
    except Conflict as refused:
        return _back(account_id, conflict(refused), "problem")
    if not done:
        return _back(account_id, _("There is no such request any more."), "problem")
    return _back(account_id, _("The second step is reset, and everybody is signed out."))


@blueprint.post("/second-step/<account_id>/decline")
@staff_only(Right.RESET_FACTORS, proved=True)
@of_people
def decline_factor_reset(staff: Staff, account_id: str) -> ResponseReturnValue:
    """End the request; nothing is reset."""
    try:
        done = desk.decline(staff, account_id)
    except Conflict as refused:
        return _back(account_id, conflict(refused), "problem")
    if not done:
        return _back(account_id, _("There is no such request any more."), "problem")
    return _back(account_id, _("Nothing is reset."))


def _back(account_id: str, sentence: str, kind: str = "message") -> ResponseReturnValue:
    flash(sentence, kind)
    return redirect(url_for("admin.factor_reset", account_id=account_id), 303)
