"""``/admin/imports``: a school's list chosen, looked at, carried out, taken back.

What takes long is a worker's (``idp roster work``): a page asks for it and shows how far it is.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import settings
from idp.desk.access.rights import Right, Staff
from idp.desk.imports import service as desk
from idp.desk.imports.service import Import
from idp.errors import Conflict, Invalid, NotFound
from idp.roster import refusals, spool
from idp.roster.records import Hostile, Unusable
from idp.web.admin import import_words
from idp.web.admin.blueprint import blueprint, page_number, staff_only
from idp.web.admin.import_listed import list_of
from idp.web.admin.refusals import conflict
from idp.web.bodies import accepts_uploads
from idp.web.errors import PageError, known_id
from idp.web.forms import Form

AGAIN_IN: Final = 2
"""Seconds after which a page that shows progress asks for itself again."""
LONGEST_UPLOAD: Final = spool.LARGEST + 64 * 1024

Act = Callable[[Staff, str], ResponseReturnValue]


@blueprint.get("/imports")
@staff_only(Right.IMPORT_ROSTER)
def imports(staff: Staff) -> ResponseReturnValue:
    """The imports of the scope, the newest first."""
    page = page_number()
    listed, more = desk.history(staff, page)
    return render_template(
        "admin/imports/list.html", imports=listed, words=import_words, page=page, more=more
    )


@blueprint.get("/imports/new")
@staff_only(Right.IMPORT_ROSTER)
def import_new(staff: Staff) -> ResponseReturnValue:
    """Choose a school and a file."""
    return _chooser(staff, Form({"delta": "", "same": ""}))


@blueprint.post("/imports/new/file")
@staff_only(Right.IMPORT_ROSTER)
@accepts_uploads(LONGEST_UPLOAD)
def import_upload(staff: Staff) -> ResponseReturnValue:
    """Take the file; a worker opens it."""
    form = Form.read("delta", "same")
    file = request.files.get("file")
    chosen = request.form.getlist("school")
    if not chosen:
        form.problem("school", _("Choose the school that the file is for."))
    if file is None or not file.filename:
        form.problem("file", _("Choose a file."))
    if form.problems or file is None:
        return _chooser(staff, form, chosen)
    try:
        run_id = desk.begin(
            staff,
            chosen,
            file.filename or "",
            file.stream,
            delta=form["delta"] == "yes",
            link_same_people=form["same"] == "yes",
        )
    except (NotFound, Conflict, Unusable) as error:
        return _not_taken(staff, form, chosen, error)
    return redirect(url_for("admin.import_show", run_id=run_id), 303)


def _not_taken(
    staff: Staff, form: Form, chosen: list[str], error: Exception
) -> ResponseReturnValue:
    match error:
        case NotFound():
            form.problem("school", _("Choose the school that the file is for."))
        case Hostile():
            form.problem("file", _("The file is too large: at most 50 MB."))
        case Unusable():
            form.problem("file", refusals.sentence(refusals.of_file(error)))
        case Conflict():
            form.notice = conflict(error)
            if error.code == "no_room":
                return _chooser(staff, form, chosen, 507)  # RFC 4918 §11.5
    return _chooser(staff, form, chosen)


def answering(act: Act) -> Act:
    """An act on one import: nothing beyond the scope, and back to its page afterwards."""

    @wraps(act)
    def answered(staff: Staff, run_id: str) -> ResponseReturnValue:
        try:
            return act(staff, known_id(run_id))
        except Conflict as refused:
            flash(conflict(refused), "problem")
            return redirect(url_for("admin.import_show", run_id=run_id), 303)

    return answered


@blueprint.get("/imports/<run_id>")
@staff_only(Right.IMPORT_ROSTER)
@answering
def import_show(staff: Staff, run_id: str) -> ResponseReturnValue:
    """An import as it stands: being read, to be decided, done."""
    return shown(desk.get_import(staff, run_id), Form())


@blueprint.post("/imports/<run_id>/check")
@staff_only(Right.IMPORT_ROSTER)
@answering
def import_check(staff: Staff, run_id: str) -> ResponseReturnValue:
    """Have it compared again with what stands."""
    desk.check_again(staff, run_id)
    return redirect(url_for("admin.import_show", run_id=run_id), 303)


@blueprint.post("/imports/<run_id>/answers")
@staff_only(Right.IMPORT_ROSTER)
@answering
def import_answers(staff: Staff, run_id: str) -> ResponseReturnValue:
    """Say who people of the file are, where the file alone does not."""
    answers: dict[str, dict[str, str]] = {}
    for part in desk.get_import(staff, run_id).parts:
        prefix = f"answer-{part.row.school_id}-"
        answers[part.row.school_id] = {
            name.removeprefix(prefix): answer
            for name, answer in request.form.items()
            if name.startswith(prefix)
        }
    try:
        desk.answer(staff, run_id, answers)
    except Invalid:
        raise PageError("bad_request") from None  # no answer that the page offers
    return redirect(url_for("admin.import_show", run_id=run_id), 303)


@blueprint.post("/imports/<run_id>/apply")
@staff_only(Right.IMPORT_ROSTER, proved=True)
@answering
def import_apply(staff: Staff, run_id: str) -> ResponseReturnValue:
    """Have it carried out, with invitations or without."""
    roster_import = desk.get_import(staff, run_id)
    form = Form.read("invite", "per_hour")
    confirmed = {known_id(each) for each in request.form.getlist("confirmed")}
    per_hour = _rate(form) if form["invite"] == "yes" else None
    large = {part.row.school_id for part in roster_import.parts if part.is_large}
    if large and not large & confirmed and all(part.is_large for part in roster_import.parts):
        form.problem("confirmed", _("Please confirm that all of this is right."))
    if form.problems:
        return shown(roster_import, form)
    desk.carry_out(staff, run_id, confirmed=confirmed & large, per_hour=per_hour)
    return redirect(url_for("admin.import_show", run_id=run_id), 303)


@blueprint.post("/imports/<run_id>/undo")
@staff_only(Right.IMPORT_ROSTER, proved=True)
@answering
def import_undo(staff: Staff, run_id: str) -> ResponseReturnValue:
    """Have it taken back at the schools of the scope."""
    form = Form.read("confirmed")
    if form["confirmed"] != "yes":
        form.problem("undo", _("Please confirm that the import is to be undone."))
        return shown(desk.get_import(staff, run_id), form)
    desk.take_back(staff, run_id)
    return redirect(url_for("admin.import_show", run_id=run_id), 303)


@blueprint.post("/imports/<run_id>/discard")
@staff_only(Right.IMPORT_ROSTER)
@answering
def import_discard(staff: Staff, run_id: str) -> ResponseReturnValue:
    """Have what was read forgotten."""
    desk.discard(staff, run_id)
    return redirect(url_for("admin.import_show", run_id=run_id), 303)


def _chooser(
    staff: Staff, form: Form, chosen: list[str] | None = None, status: int = 0
) -> ResponseReturnValue:
    page = render_template(
        "admin/imports/new.html",
        form=form,
        schools=desk.schools(staff),
        chosen=chosen or [],
        suffixes=",".join(spool.SUFFIXES),
    )
    return page, status or form.status


def _rate(form: Form) -> int | None:
    text, most = form["per_hour"].strip(), settings.current().invitations_per_hour
    if text.isascii() and text.isdigit() and len(text) < 7 and 1 <= int(text) <= most:
        return int(text)
    form.problem("per_hour", _("Type a number from 1 to %(most)d.", most=most))
    return None


def shown(roster_import: Import, form: Form) -> ResponseReturnValue:
    """The page of an import."""
    job = roster_import.job
    page = render_template(
        "admin/imports/show.html",
        found=roster_import,
        run=roster_import.run,
        job=job,
        form=form,
        words=import_words,
        listed=list_of(roster_import, form),
        most_per_hour=settings.current().invitations_per_hour,
    )
    response = make_response(page, form.status)
    if roster_import.is_busy:
        response.headers["Refresh"] = str(AGAIN_IN)
    return response
