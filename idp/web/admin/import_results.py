"""``/admin/imports/…``: whom an import is about, and rows to be corrected."""

import re
from io import BytesIO
from typing import Final

from flask import render_template, request, send_file
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.imports import results
from idp.desk.imports.runs import Import
from idp.roster import concerned, reasons
from idp.web.admin import import_words
from idp.web.admin.blueprint import blueprint, page_number, staff_only
from idp.web.admin.imports import answering
from idp.web.admin.people_words import RELATIONSHIPS
from idp.web.errors import PageError, is_id

_NO_NAME: Final = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')
_TYPES: Final = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@blueprint.get("/imports/<run_id>/people")
@staff_only(Right.IMPORT_ROSTER)
@answering
def import_people(staff: Staff, run_id: str) -> ResponseReturnValue:
    """Whom the import is about at a school, or in the file: one kind at a time."""
    school_id = request.args.get("school")
    if school_id and not is_id(school_id):
        raise PageError("not_found", 404)
    page = page_number()
    concerned_people = results.people(staff, run_id, school_id, request.args.get("kind", ""), page)
    in_words = RELATIONSHIPS if concerned_people.kind in concerned.SAID_IN_WORDS else {}
    return render_template(
        "admin/imports/people.html",
        told=concerned_people,
        words=import_words,
        in_words=in_words,
        run_id=run_id,
        page=page,
    )


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
        told=results.rejections(staff, run_id, code, page),
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
    return _file(staff, run_id, "csv")


@blueprint.get("/imports/<run_id>/rejected.xlsx")
@staff_only(Right.IMPORT_ROSTER)
@answering
def import_rejected_book(staff: Staff, run_id: str) -> ResponseReturnValue:
    """The same as a workbook."""
    return _file(staff, run_id, "xlsx")


def _file(staff: Staff, run_id: str, kind: str) -> ResponseReturnValue:
    roster_import, content = results.rejected_file(staff, run_id, kind, str(get_locale()))
    return send_file(
        BytesIO(content),
        mimetype=_TYPES[kind],
        as_attachment=True,
        download_name=f"{_name(roster_import)}.{kind}",
    )


def _name(roster_import: Import) -> str:
    """By the school and the day: a folder of downloads holds many."""
    day = results.day(roster_import)
    if len(roster_import.parts) == 1:
        school = roster_import.parts[0].school.name
        name = _("%(school)s %(day)s - rows to correct", school=school, day=day)
    else:
        name = _("%(day)s - rows to correct", day=day)
    return _NO_NAME.sub(" ", str(name)).strip()
