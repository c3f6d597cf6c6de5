"""``/admin``: where somebody of the desk begins."""

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from idp.desk.staff import Right, Staff
from idp.web.admin.blueprint import blueprint, staff_only


@blueprint.get("/")
@staff_only(Right.LOOK_UP)
def start(_staff: Staff) -> ResponseReturnValue:
    """The search: what a desk is asked first."""
    return redirect(url_for("admin.people"), 303)
