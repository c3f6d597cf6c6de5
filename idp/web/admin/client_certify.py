"""``/admin/applications/<id>/certify``: the robot that tries an application, and its report."""

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.clients import certification
from idp.clients.certification import Report
from idp.desk.access.rights import Right, Staff
from idp.desk.applications import service as applications
from idp.errors import Invalid
from idp.web.admin import certify_words
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.errors import known_id
from idp.web.forms import Form, only


@blueprint.route("/applications/<client_id>/certify", methods=["GET", "POST"])
@staff_only(Right.EDIT_CLIENTS)
def certify_client(staff: Staff, client_id: str) -> ResponseReturnValue:
    """The command with the application's own addresses; a report that somebody pastes.

    Nothing of it is kept, and the application is told nothing.
    """
    if request.method == "GET":
        return _page(staff, known_id(client_id), only(["report"]), None)
    form = Form.read("report")
    form.require("report", _("Paste the report that the command printed."))
    report = None
    if not form.problems:
        try:
            report = certification.read(form["report"])
        except Invalid:
            form.problem(
                "report",
                _("This is no report: paste all that « idp certify … --json » printed."),
            )
    return _page(staff, known_id(client_id), form, report)


def _page(staff: Staff, client_id: str, form: Form, report: Report | None) -> ResponseReturnValue:
    application = applications.editable(staff, client_id)
    document = application.client.metadata_
    page = render_template(
        "admin/clients/certify.html",
        application=application,
        command=certification.command_for(document),
        registration=certification.registration_for(document),
        form=form,
        report=report,
        words=certify_words,
    )
    return page, form.status
