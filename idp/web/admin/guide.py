"""``/admin/schools/<school>/guide.pdf``: the guide that a school hands out to parents."""

from flask import make_response
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.people import schools
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.parameters import is_id
from idp.web.errors import PageError


@blueprint.get("/schools/<school_id>/guide.pdf")
@staff_only(Right.LOOK_UP)
def parents_guide(staff: Staff, school_id: str) -> ResponseReturnValue:
    """A page for each language of the school, with its face and whom parents may ask."""
    within = is_id(school_id) and staff.reach(Right.LOOK_UP).covers(school_id)
    school = schools.find_school(school_id) if within else None
    if school is None:
        raise PageError("not_found", 404)
    from idp.desk.printed_letters import guide

    response = make_response(guide.of_school(school))
    response.mimetype = "application/pdf"
    kind = _("Guide for parents")
    name = f"{kind} - {school.name}.pdf"
    response.headers.set("Content-Disposition", "inline", filename=name)
    response.headers["Cache-Control"] = "no-store"
    return response
