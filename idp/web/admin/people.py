"""``/admin/people``: find a guardian or a pupil."""

from flask import render_template
from flask.typing import ResponseReturnValue

from idp.desk.staff import Right, Staff
from idp.web.admin.blueprint import blueprint, staff_only


@blueprint.get("/people")
@staff_only(Right.LOOK_UP)
def people(_staff: Staff) -> ResponseReturnValue:
    """The search."""
    return render_template("admin/people.html")
