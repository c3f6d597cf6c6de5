"""A school's logo: sent as a file, shown on light and on dark, taken away."""

from typing import Final

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.schools import service as desk
from idp.people.logos import UPLOAD_BYTES
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.schools import attempt, find, show, version_of
from idp.web.bodies import accepts_uploads
from idp.web.forms import Form

ROOM_FOR_THE_FORM: Final = 64 * 1024


@blueprint.post("/schools/<school_id>/logo")
@staff_only(Right.EDIT_SCHOOL)
@accepts_uploads(UPLOAD_BYTES + ROOM_FOR_THE_FORM)
def set_logo(staff: Staff, school_id: str) -> ResponseReturnValue:
    """Make the logo of the file that was sent."""
    found, form = find(staff, school_id), Form.read("version")
    version = version_of(form)
    sent = request.files.get("logo")
    file = sent.read(UPLOAD_BYTES + 1) if sent is not None and sent.filename else b""
    done = attempt(form, lambda: desk.set_logo(staff, found.id, file, version=version))
    if done is None:
        return show(desk.find(staff, found.id), form=form)
    flash(_("The logo is saved."))
    return redirect(url_for("admin.school", school_id=found.id, _anchor="logo"), 303)


@blueprint.post("/schools/<school_id>/logo/remove")
@staff_only(Right.EDIT_SCHOOL)
def remove_logo(staff: Staff, school_id: str) -> ResponseReturnValue:
    """Take the logo away; the first letters of the name stand in its place."""
    found, form = find(staff, school_id), Form.read("version")
    version = version_of(form)
    done = attempt(form, lambda: desk.set_logo(staff, found.id, None, version=version))
    if done is None:
        return show(desk.find(staff, found.id), form=form)
    flash(_("The logo is removed."))
    return redirect(url_for("admin.school", school_id=found.id, _anchor="logo"), 303)
