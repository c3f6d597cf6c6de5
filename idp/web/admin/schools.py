"""``/admin/schools``: what a school shows of itself to its parents."""

import re
from collections.abc import Mapping
from math import floor
from typing import Any, Final

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal
from flask_babel import gettext as _

from idp import settings
from idp.desk import schools as desk
from idp.desk.access.rights import Right, Staff
from idp.errors import Conflict, Invalid
from idp.federation import providers
from idp.people import contrast
from idp.people import schools as kept
from idp.people.models import EMAIL_LENGTH, NAME_LENGTH, School
from idp.settings import LOCALES
from idp.web import branding, i18n
from idp.web.admin import refusals
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.errors import PageError, known_id
from idp.web.forms import Form
from idp.web.signin import provider_offers

IDENTITY: Final = ("name", "colour", "picked")
CONTACT: Final = ("contact_name", "contact_email", "contact_phone")
LENGTHS: Final = {
    "name": NAME_LENGTH,
    "contact_name": NAME_LENGTH,
    "contact_email": EMAIL_LENGTH,
    "contact_phone": kept.PHONE_LENGTH,
}


@blueprint.app_template_filter("ratio")
def _ratio(contrast_ratio: float) -> str:
    """A ratio with one decimal place, in the reader's language; never rounded up."""
    return str(format_decimal(floor(contrast_ratio * 10) / 10, format="0.0"))


@blueprint.get("/schools")
@staff_only(Right.EDIT_SCHOOL)
def schools(staff: Staff) -> ResponseReturnValue:
    """The schools of this person; for a manager of one, that one."""
    mine = desk.mine(staff)
    if len(mine) == 1 and not staff.may(Right.MAKE_SCHOOL):
        return redirect(url_for("admin.school", school_id=mine[0].id), 303)
    faces = [(school, branding.branding_for(school)) for school in mine]
    return render_template("admin/schools/list.html", faces=faces, names=i18n.NAMES)


@blueprint.route("/schools/new", methods=["GET", "POST"])
@staff_only(Right.MAKE_SCHOOL)
def new_school(staff: Staff) -> ResponseReturnValue:
    """Make a school, then go on to its page, where all else is said."""
    if request.method == "GET":
        return _show_new(Form({"name": "", "locale": i18n.select()}))
    form = Form.read("name", "locale")
    if form["locale"] not in LOCALES:
        raise PageError("bad_request")
    check(form, "name")
    made = None if form.problems else attempt(form, lambda: desk.make(staff, **form.values))
    if made is None:
        return _show_new(form)
    flash(_("The school is made. Now its logo, its colour and whom parents may ask."))
    return redirect(url_for("admin.school", school_id=made.id), 303)


@blueprint.get("/schools/<school_id>")
@staff_only(Right.EDIT_SCHOOL)
def school(staff: Staff, school_id: str) -> ResponseReturnValue:
    """What this school shows of itself, part by part."""
    return school_page(find(staff, school_id))


@blueprint.post("/schools/<school_id>/identity")
@staff_only(Right.EDIT_SCHOOL)
def change_identity(staff: Staff, school_id: str) -> ResponseReturnValue:
    """Name and colour; « try » shows what the pages make of a colour and keeps nothing."""
    school, form = find(staff, school_id), Form.read(*IDENTITY, "version", "act")
    check(form, "name")
    colour = _colour(form, school)
    if not re.fullmatch(r"#[0-9a-f]{6}", colour):
        form.problem("colour", str(refusals.NO_COLOUR))
    if form["act"] == "try" and not form.problems:
        return school_page(school, identity=form, tried=colour)
    return _keep(staff, school, form, {"name": form["name"], "colour": colour}, "identity")


@blueprint.post("/schools/<school_id>/contact")
@staff_only(Right.EDIT_SCHOOL)
def change_contact(staff: Staff, school_id: str) -> ResponseReturnValue:
    """Whom parents may ask."""
    school, form = find(staff, school_id), Form.read(*CONTACT, "version")
    for name in CONTACT:
        form.limit(name, LENGTHS[name])
    return _keep(staff, school, form, {name: form[name].strip() for name in CONTACT}, "contact")


@blueprint.post("/schools/<school_id>/languages")
@staff_only(Right.EDIT_SCHOOL)
def change_languages(staff: Staff, school_id: str) -> ResponseReturnValue:
    """Which languages its pages offer, and which one comes first."""
    school, form = find(staff, school_id), Form.read("locale", "version")
    wanted = request.form.getlist("languages")
    if form["locale"] not in LOCALES or not set(wanted) <= set(LOCALES):
        raise PageError("bad_request")
    changes = {"locale": form["locale"], "languages": [form["locale"], *wanted]}
    return _keep(staff, school, form, changes, "languages")


@blueprint.post("/schools/<school_id>/staying")
@staff_only(Right.EDIT_SCHOOL)
def change_staying(staff: Staff, school_id: str) -> ResponseReturnValue:
    """For how long families' own devices may stay signed in."""
    school, form = find(staff, school_id), Form.read("stay_signed_in_days", "version")
    changes = {"stay_signed_in_days": form["stay_signed_in_days"]}
    return _keep(staff, school, form, changes, "staying")


@blueprint.post("/schools/<school_id>/leavers")
@staff_only(Right.EDIT_SCHOOL)
def change_leavers(staff: Staff, school_id: str) -> ResponseReturnValue:
    """For how long who left is kept."""
    school, form = find(staff, school_id), Form.read("keep_leavers_days", "version")
    changes = {"keep_leavers_days": form["keep_leavers_days"]}
    return _keep(staff, school, form, changes, "leavers")


@blueprint.post("/schools/<school_id>/providers")
@staff_only(Right.EDIT_SCHOOL)
def change_providers(staff: Staff, school_id: str) -> ResponseReturnValue:
    """Which other accounts its sign-in pages offer."""
    school, form = find(staff, school_id), Form.read("version")
    configured = {each.key for each in providers.offered()}
    shown = set(request.form.getlist("shown"))
    if not shown <= configured:
        raise PageError("bad_request")
    # What is hidden but not configured just now stays hidden
    hidden = (kept.hidden_providers(school) - configured) | (configured - shown)
    return _keep(staff, school, form, {"hidden_providers": sorted(hidden)}, "providers")


def find(staff: Staff, school_id: str) -> School:
    """The school of an address. Raises ``NotFound``, for what is no id too."""
    return desk.find(staff, known_id(school_id))


def version_of(form: Form) -> int:
    """The version that the form's page was made of."""
    if not re.fullmatch(r"[0-9]{1,9}", form["version"], re.ASCII):
        raise PageError("bad_request")
    return int(form["version"])


def check(form: Form, name: str) -> None:
    """The school's name: there, and not too long."""
    form.limit(name, LENGTHS[name])
    form.require(name, _("Type the school's name."))


def attempt(form: Form, act: Any) -> Any:
    """What ``act`` returns; None where it was refused, which the form then tells."""
    try:
        return act()
    except Invalid as refused:
        form.problem(refused.field, refusals.of_school(refused))
    except Conflict as refused:
        form.notice = refusals.conflict(refused)
    return None


def school_page(
    school: School,
    *,
    identity: Form | None = None,
    contact: Form | None = None,
    staying: Form | None = None,
    leavers: Form | None = None,
    form: Form | None = None,
    tried: str | None = None,
) -> ResponseReturnValue:
    """The school's page. ``form``: the one that was refused; ``tried``: a colour to judge."""
    shown = contrast.to_hex(contrast.parse(tried or school.colour))
    page = render_template(
        "admin/schools/school.html",
        school=school,
        face=branding.branding_for(school),
        identity=identity or _form_of(school, {"name": "name", "colour": "colour"}),
        contact=contact or _form_of(school, {name: name for name in CONTACT}),
        staying=staying or _form_of(school, {"stay_signed_in_days": "stay_signed_in_days"}),
        default_days=settings.current().stay_signed_in_days,
        leavers=leavers or _form_of(school, {"keep_leavers_days": "keep_leavers_days"}),
        default_kept=settings.current().keep_leavers_days,
        colour=shown,
        tried=tried,
        proofs=contrast.proofs(shown),
        names=i18n.NAMES,
        offered=kept.offered_languages(school),
        providers=provider_offers.offers_of(providers.offered()),
        hidden=kept.hidden_providers(school),
        **({"form": form} if form is not None else {}),
    )
    return page, form.status if form is not None else 200


def _keep(
    staff: Staff, school: School, form: Form, changes: Mapping[str, Any], part: str
) -> ResponseReturnValue:
    version = version_of(form)
    done = None
    if not form.problems:
        done = attempt(form, lambda: desk.change(staff, school.id, changes, version=version))
    if done is None:
        now = desk.find(staff, school.id)
        identity, contact, staying, leavers = (
            form if part == each else None for each in ("identity", "contact", "staying", "leavers")
        )
        return school_page(
            now, form=form, identity=identity, contact=contact, staying=staying, leavers=leavers
        )
    flash(_("Saved.") if done.after else _("Nothing has changed."))
    return redirect(url_for("admin.school", school_id=school.id, _anchor=part), 303)


def _colour(form: Form, school: School) -> str:
    """The colour that was typed, or picked: whichever is not what was stored before."""
    typed = form["colour"].strip().lower()
    if re.fullmatch(r"#?[0-9a-f]{3}|#?[0-9a-f]{6}", typed):
        digits = typed.removeprefix("#")
        typed = f"#{digits if len(digits) == 6 else ''.join(2 * each for each in digits)}"
    picked = form["picked"].lower()
    return picked if typed == school.colour and picked else typed


def _form_of(school: School, names: Mapping[str, str]) -> Form:
    now = {field: getattr(school, name) for field, name in names.items()}
    return Form({field: "" if value is None else str(value) for field, value in now.items()})


def _show_new(form: Form) -> ResponseReturnValue:
    page = render_template("admin/schools/new.html", form=form, names=i18n.NAMES)
    return page, form.status
