"""``/admin/letters``: letters for a first sign-in, a class at a time or one; the guide for parents.

The file goes out as the answer to the form (security rule A5): no page, address, file name or
log ever holds a token. Pages and forms alike need a fresh proof (rule A3), so that the proof is
asked before anything is chosen.
"""

import re
from typing import Final

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.printed_letters import recipients
from idp.desk.printed_letters import service as printed_letters
from idp.errors import Conflict
from idp.people import schools
from idp.people.models import Account, School
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.refusals import conflict
from idp.web.errors import PageError, is_id, known_id
from idp.web.forms import Form

LONGEST_CLASS: Final = 40
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_NO_NAME: Final = re.compile(r'[\\/:*?"<>|\x00-\x1f]+')
"""What file names can't hold on the systems of schools."""


@blueprint.get("/letters", endpoint="letters")
@staff_only(Right.PRINT_LETTERS)
def classes(staff: Staff) -> ResponseReturnValue:
    """Where somebody waits for a first sign-in: schools, or the classes of one."""
    schools_shown = recipients.schools(staff)
    chosen = request.args.get("school")
    school = next((each for each in schools_shown if each.id == chosen), None)
    if chosen is not None and school is None:
        raise PageError("not_found", 404)
    if school is None and len(schools_shown) == 1:
        school = schools_shown[0]
    return render_template(
        "admin/letters/index.html",
        schools=schools_shown,
        school=school,
        classes=recipients.classes(school) if school else [],
    )


@blueprint.get("/letters/<school_id>")
@staff_only(Right.PRINT_LETTERS, proved=True)
def class_letters(staff: Staff, school_id: str) -> ResponseReturnValue:
    """What will be printed for a class, before it is."""
    school = _school(staff, school_id)
    class_name = request.args.get("class")
    if class_name is None:
        return redirect(url_for("admin.letters", school=school.id), 303)
    return _class_page(school, class_name, Form())


@blueprint.post("/letters/<school_id>/print")
@staff_only(Right.PRINT_LETTERS, proved=True)
def print_class_letters(staff: Staff, school_id: str) -> ResponseReturnValue:
    """The letters of a class as a file."""
    school = _school(staff, school_id)
    form = Form.read("class", "seen", "with_email", "again")
    try:
        printout = printed_letters.print_class(
            staff,
            school.id,
            _class(form["class"]),
            with_email=bool(form["with_email"]),
            again=bool(form["again"]),
            seen=_seen(form),
        )
    except Conflict as refused:
        form.notice = conflict(refused)
    else:
        return _file(printout, _("Letters"), form["class"] or _("Without a class"))
    return _class_page(school, form["class"], form)


@blueprint.get("/people/<account_id>/letter")
@staff_only(Right.PRINT_LETTERS, proved=True)
def letter(staff: Staff, account_id: str) -> ResponseReturnValue:
    """What will be printed for one guardian, before it is."""
    return _person_page(_person(staff, account_id), Form())


@blueprint.post("/people/<account_id>/letter/print")
@staff_only(Right.PRINT_LETTERS, proved=True)
def print_letter(staff: Staff, account_id: str) -> ResponseReturnValue:
    """One guardian's letter as a file."""
    person = _person(staff, account_id)
    form = Form.read("seen")
    try:
        printout = printed_letters.print_letter(
            staff, account_id, school_id=person.school.id, seen=_seen(form)
        )
    except Conflict as refused:
        if refused.code == "not_invited":
            return _person_page(person, form)
        form.notice = conflict(refused)
        return _person_page(_person(staff, account_id), form)
    return _file(printout, _("Letter"), person.account.full_name)


@blueprint.app_template_test("printable_by")
def _printable_by(account: Account, staff: Staff) -> bool:
    """Whether this person may print a letter for the account now; for the person's page."""
    if account.status != "invited" or not staff.may(Right.PRINT_LETTERS):
        return False
    return recipients.person(staff, account.id) is not None


def _school(staff: Staff, school_id: str) -> School:
    return recipients.school(staff, known_id(school_id))


def _person(staff: Staff, account_id: str) -> recipients.Person:
    person = recipients.person(staff, account_id) if is_id(account_id) else None
    if person is None:
        raise PageError("not_found", 404)
    return person


def _class(text: str) -> str:
    if len(text) > LONGEST_CLASS or not (text.isprintable() or not text):
        raise PageError("not_found", 404)
    return text


def _seen(form: Form) -> int:
    """The newest printing that the page told of; nothing else than a number is taken."""
    if not _NUMBER.fullmatch(form["seen"]):
        raise PageError("bad_request")
    return int(form["seen"])


def _class_page(school: School, class_name: str, form: Form) -> ResponseReturnValue:
    class_letters = recipients.one_class(school, _class(class_name))
    page = render_template(
        "admin/letters/class.html",
        school=school,
        class_name=class_name,
        found=class_letters,
        form=form,
    )
    return page, 409 if form.notice else 200


def _person_page(person: recipients.Person, form: Form) -> ResponseReturnValue:
    page = render_template("admin/letters/person.html", person=person, form=form)
    return page, 409 if form.notice or person.account.status != "invited" else 200


def _file(printout: printed_letters.Printout, kind: str, whose: str) -> ResponseReturnValue:
    """The file, named by the class or the guardian: a folder of downloads holds many."""
    name = _NO_NAME.sub(" ", f"{kind} - {whose}").strip()
    return _pdf(printout.pdf, "attachment", name)


def _pdf(content: bytes, how: str, name: str) -> ResponseReturnValue:
    response = make_response(content)
    response.mimetype = "application/pdf"
    response.headers.set("Content-Disposition", how, filename=f"{name}.pdf")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/schools/<school_id>/guide.pdf")
@staff_only(Right.LOOK_UP)
def parents_guide(staff: Staff, school_id: str) -> ResponseReturnValue:
    """A page for each language of the school, with its face and whom parents may ask."""
    may_see = is_id(school_id) and staff.school_scope(Right.LOOK_UP).covers(school_id)
    school = schools.find_school(school_id) if may_see else None
    if school is None:
        raise PageError("not_found", 404)
    from idp.desk.printed_letters import guide

    kind = _("Guide for parents")
    return _pdf(guide.of_school(school), "inline", f"{kind} - {school.name}")
