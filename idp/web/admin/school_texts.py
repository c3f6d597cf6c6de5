"""A school's own words in the mails to parents: typed, seen as a parent does, sent as a test; and
its logo.
"""

from typing import Final

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from idp.desk import schools as desk
from idp.desk.access.rights import Right, Staff
from idp.errors import Conflict, Invalid
from idp.lifecycle.mails import previews
from idp.people import schools as kept
from idp.people.logos import UPLOAD_BYTES
from idp.people.models import TEXT_KINDS, TEXT_LENGTH, School
from idp.people.school_texts import MOST_LINES, Words, clean_words
from idp.web import i18n
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.mail_words import fate_of
from idp.web.admin.refusals import OTHERWISE, conflict
from idp.web.admin.schools import attempt, find, school_page, version_of
from idp.web.bodies import accepts_uploads
from idp.web.errors import PageError
from idp.web.forms import Form

PREVIEW_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; sandbox; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; img-src data:"
)
"""Mail has its styles inline, which our pages forbid. This document has nothing else: no script,
no picture but the logo within it, no form, and an origin of its own, so that it could reach
nothing if it had."""

LETTERS: Final = {
    "invitation": lazy_gettext("Invitation to the first sign-in"),
    "fresh_token": lazy_gettext("A new connection token"),
    "password_reset": lazy_gettext("To choose a new password"),
}
"""The letters that take a school's own words."""


@blueprint.get("/schools/<school_id>/mails")
@staff_only(Right.EDIT_SCHOOL)
def school_texts(staff: Staff, school_id: str) -> ResponseReturnValue:
    """Which letters have words of the school, in which languages."""
    school = find(staff, school_id)
    return render_template(
        "admin/schools/texts.html",
        school=school,
        letters=LETTERS,
        words=desk.words(staff, school.id),
        offered=kept.offered_languages(school),
        names=i18n.NAMES,
    )


@blueprint.route("/schools/<school_id>/mails/<kind>/<locale>", methods=["GET", "POST"])
@staff_only(Right.EDIT_SCHOOL)
def school_text(staff: Staff, school_id: str, kind: str, locale: str) -> ResponseReturnValue:
    """The school's words in one letter, in one language: shown in it, kept or only tried."""
    school, stored = _letter(staff, school_id, kind, locale)
    if request.method == "GET":
        return _text_page(staff, school, kind, locale, stored)
    form = Form.read("opening", "closing", "version", "act")
    version = version_of(form)
    words = _typed(form)
    if words is None or form["act"] == "try":
        return _text_page(staff, school, kind, locale, words or stored, form)
    done = attempt(form, lambda: _keep(staff, school.id, kind, locale, words, version))
    if done is None:
        return _text_page(staff, school, kind, locale, words, form)
    flash(_("Saved. The next mails hold these words."))
    address = url_for("admin.school_text", school_id=school.id, kind=kind, locale=locale)
    return redirect(address, 303)


@blueprint.get("/schools/<school_id>/mails/<kind>/<locale>/preview")
@staff_only(Right.EDIT_SCHOOL)
def preview_school_text(
    staff: Staff, school_id: str, kind: str, locale: str
) -> ResponseReturnValue:
    """The letter as a mail program shows it: a document of its own, with a policy of its own."""
    school, words = _letter(staff, school_id, kind, locale)
    letter = previews.render_preview(school, kind, locale, words)
    response = Response(letter.in_a_browser, mimetype="text/html")
    response.headers["Content-Security-Policy"] = PREVIEW_POLICY
    return response


@blueprint.post("/schools/<school_id>/mails/<kind>/<locale>/test")
@staff_only(Right.EDIT_SCHOOL)
def send_test(staff: Staff, school_id: str, kind: str, locale: str) -> ResponseReturnValue:
    """Send the letter to whoever asks, and to nobody else."""
    school, _words = _letter(staff, school_id, kind, locale)
    address = url_for("admin.school_text", school_id=school.id, kind=kind, locale=locale)
    try:
        desk.send_preview(staff, school.id, kind, locale)
    except Conflict as refused:
        flash(conflict(refused), "problem")
    except Invalid:
        flash(
            _("Your own account has no e-mail address, so there is nowhere to send it."), "problem"
        )
    else:
        flash(
            _(
                "The test is on its way to your own e-mail address."
                " What becomes of it is shown below."
            )
        )
    return redirect(f"{address}#test", 303)


def _letter(staff: Staff, school_id: str, kind: str, locale: str) -> tuple[School, Words]:
    return desk.letter(staff, find(staff, school_id).id, kind, locale)


def _typed(form: Form) -> Words | None:
    """The words as they would be kept; None where they can't be, which the form then tells."""
    texts = []
    for name in ("opening", "closing"):
        try:
            texts.append(clean_words(name, form[name]))
        except Invalid:
            if len(form[name]) > TEXT_LENGTH or form[name].count("\n") >= MOST_LINES:
                words = _(
                    "This is too long: at most %(most)d characters, on at most %(lines)d lines.",
                    most=TEXT_LENGTH,
                    lines=MOST_LINES,
                )
            else:
                words = str(OTHERWISE)
            form.problem(name, words)
    return None if form.problems else Words(opening=texts[0], closing=texts[1])


def _keep(staff: Staff, school_id: str, kind: str, locale: str, words: Words, version: int) -> bool:
    desk.set_words(
        staff,
        school_id,
        kind,
        locale,
        opening=words.opening,
        closing=words.closing,
        version=version,
    )
    return True


def _text_page(
    staff: Staff, school: School, kind: str, locale: str, words: Words, form: Form | None = None
) -> ResponseReturnValue:
    if kind not in TEXT_KINDS:
        raise PageError("not_found", 404)
    _school, stored = desk.letter(staff, school.id, kind, locale)
    typed = form or Form({"opening": words.opening, "closing": words.closing})
    last = previews.last_of(staff.account_id, school.id)
    page = render_template(
        "admin/schools/text.html",
        school=school,
        kind=kind,
        letter_name=LETTERS[kind],
        spoken=locale,
        spoken_name=i18n.NAMES[locale],
        typed=typed,
        stored=stored,
        longest=TEXT_LENGTH,
        unsaved=form is not None,
        letter=previews.render_preview(school, kind, locale, words),
        last=fate_of(last) if last is not None else None,
        **({"form": form} if form is not None else {}),
    )
    return page, typed.status


ROOM_FOR_THE_FORM: Final = 64 * 1024


@blueprint.post("/schools/<school_id>/logo")
@staff_only(Right.EDIT_SCHOOL)
@accepts_uploads(UPLOAD_BYTES + ROOM_FOR_THE_FORM)
def set_logo(staff: Staff, school_id: str) -> ResponseReturnValue:
    """Make the logo of the file that was sent."""
    school, form = find(staff, school_id), Form.read("version")
    version = version_of(form)
    sent = request.files.get("logo")
    file = sent.read(UPLOAD_BYTES + 1) if sent is not None and sent.filename else b""
    done = attempt(form, lambda: desk.set_logo(staff, school.id, file, version=version))
    if done is None:
        return school_page(desk.find(staff, school.id), form=form)
    flash(_("The logo is saved."))
    return redirect(url_for("admin.school", school_id=school.id, _anchor="logo"), 303)


@blueprint.post("/schools/<school_id>/logo/remove")
@staff_only(Right.EDIT_SCHOOL)
def remove_logo(staff: Staff, school_id: str) -> ResponseReturnValue:
    """Take the logo away; the first letters of the name stand in its place."""
    school, form = find(staff, school_id), Form.read("version")
    version = version_of(form)
    done = attempt(form, lambda: desk.set_logo(staff, school.id, None, version=version))
    if done is None:
        return school_page(desk.find(staff, school.id), form=form)
    flash(_("The logo is removed."))
    return redirect(url_for("admin.school", school_id=school.id, _anchor="logo"), 303)
