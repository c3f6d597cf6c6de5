"""``/admin/imports/…/rejected``: rows that were not taken over, to be looked at and corrected."""

from io import BytesIO, StringIO
from pathlib import PurePath

from flask import render_template, request, send_file
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from idp.desk import import_results, imports
from idp.desk.staff import Right, Staff
from idp.roster import reasons
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.imports import answering
from idp.web.admin.parameters import page_number


@blueprint.get("/imports/<run_id>/rejected")
@staff_only(Right.IMPORT_ROSTER)
@answering
def import_rejections(staff: Staff, run_id: str) -> ResponseReturnValue:
    """The rows with their line, their cells and the reason, for one reason or all."""
    code = request.args.get("reason", "")
    code = code if code in reasons.SENTENCES else ""
    page = page_number()
    return render_template(
        "admin/imports/rejected.html",
        told=import_results.rejections(staff, run_id, code, page),
        words=reasons,
        run_id=run_id,
        reason=code,
        page=page,
    )


@blueprint.get("/imports/<run_id>/rejected.csv")
@staff_only(Right.IMPORT_ROSTER)
@answering
def import_rejected(staff: Staff, run_id: str) -> ResponseReturnValue:
    """The same as a file under the list's own header, to be corrected and imported again."""
    out = StringIO(newline="")
    imports.rejected(staff, run_id, out, str(get_locale()))
    job = imports.get(staff, run_id).job
    upload = PurePath(job.upload).stem if job and job.upload else run_id
    return send_file(
        BytesIO(out.getvalue().encode("utf-8-sig")),
        mimetype="text/csv; charset=utf-8",
        as_attachment=True,
        download_name=_("%(file)s-to-correct.csv", file=upload),
    )
