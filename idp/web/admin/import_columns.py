"""``/admin/imports``: which column of a list is what, and how the list lies in its file."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.imports import service as imports
from idp.errors import Invalid
from idp.roster import layout
from idp.web.admin import import_listed
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.imports import answering, shown
from idp.web.errors import PageError
from idp.web.forms import Form


@blueprint.post("/imports/<run_id>/columns")
@staff_only(Right.IMPORT_ROSTER)
@answering
def import_columns(staff: Staff, run_id: str) -> ResponseReturnValue:
    """Say which column is what, and have the list read."""
    roster_import = imports.get_import(staff, run_id)
    header = roster_import.job.result.get("header", []) if roster_import.job else []
    names = [f"column-{number}" for number in range(len(header))]
    form = Form.read("keep", "single", "own_numbers", *names)
    columns = {name: form[f"column-{place}"] or "-" for place, name in enumerate(header)}
    try:
        problems = imports.name_columns(
            *(staff, run_id, columns),
            keep=form["keep"] == "yes",
            single_names=form["single"] == "yes",
            own_numbers=form["own_numbers"] == "yes",
        )
    except Invalid:
        raise PageError("bad_request") from None  # no target that the page offers
    if problems:
        form.notice = " ".join(problems)
        return shown(roster_import, form)
    return redirect(url_for("admin.import_show", run_id=run_id), 303)


@blueprint.post("/imports/<run_id>/layout")
@staff_only(Right.IMPORT_ROSTER)
@answering
def import_layout(staff: Staff, run_id: str) -> ResponseReturnValue:
    """Have the list opened anew, as somebody says that it lies in its file."""
    roster_import = imports.get_import(staff, run_id)
    form = Form.read("encoding", "header")
    try:
        wanted = layout.layout_from_input(
            form["encoding"], form["header"], tuple(request.form.getlist("sheet"))
        )
    except Invalid as refused:
        if refused.field != "header_row":
            raise PageError("bad_request") from None
        form.problem("header", _("Type the number of a line, such as 4, or 3-4 for two lines."))
        return shown(roster_import, form)
    imports.lay_out(staff, run_id, import_listed.beyond(roster_import, wanted))
    return redirect(url_for("admin.import_show", run_id=run_id), 303)
