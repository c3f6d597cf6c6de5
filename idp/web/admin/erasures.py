"""``/admin/erasures``: guardians who ask to be erased, and until when that is to be answered."""

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import clock
from idp.desk.access.rights import Right, Staff
from idp.desk.people import erasures as answering
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.people_pages import of_people, page
from idp.web.forms import Form


@blueprint.get("/erasures")
@staff_only(Right.CHANGE_PEOPLE)
def erasures(staff: Staff) -> ResponseReturnValue:
    """What waits, the oldest first; what was answered last."""
    return page(
        "erasures",
        waiting=answering.waiting(staff),
        answered=answering.answered(staff),
        now=clock.now(),
    )


@blueprint.post("/people/<account_id>/erasure")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def answer_erasure(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Note the answer; nothing is deleted by it."""
    outcome = Form.read("outcome")["outcome"]
    if not answering.answer(staff, account_id, outcome):
        flash(_("This request has been answered already, or was withdrawn."))
    else:
        flash(_("The answer is noted."))
    return redirect(url_for("admin.erasures"), 303)
