"""``/admin/pupils/<child_id>``: a pupil and their guardians; pupils added and corrected."""

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from idp.desk.access.rights import Right, Staff
from idp.desk.people import page as people
from idp.desk.people import pupils
from idp.desk.people.meanwhile import ChangedMeanwhile
from idp.errors import Invalid
from idp.lifecycle import link_requests
from idp.web.admin import open_forms
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.people import back, of_people, page
from idp.web.admin.refusals import refusal
from idp.web.forms import Form, only

_FIELDS = ("given_name", "family_name", "class_name")


@blueprint.get("/pupils/<child_id>")
@staff_only(Right.LOOK_UP)
@of_people
def pupil(staff: Staff, child_id: str) -> ResponseReturnValue:
    """Name, class, school, guardians. Siblings are nobody's business here."""
    shown = people.pupil(staff, child_id)
    may_change = staff.school_scope(Right.CHANGE_PEOPLE).covers(shown.child.school_id)
    waiting = link_requests.waiting_for(child_id)
    return page("pupil", pupil=shown, may_change=may_change, asked=waiting)


@blueprint.get("/pupils/<child_id>/edit")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def edit_pupil(staff: Staff, child_id: str) -> ResponseReturnValue:
    """The form for name and class."""
    child = people.child_within(staff.school_scope(Right.CHANGE_PEOPLE), child_id)
    return page(
        "pupil_edit",
        child=child,
        form=Form(open_forms.filled({name: getattr(child, name) for name in _FIELDS})),
    )


@blueprint.post("/pupils/<child_id>/edit")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def change_pupil(staff: Staff, child_id: str) -> ResponseReturnValue:
    """Another name or class."""
    form = open_forms.read(*_FIELDS)
    given_name, family_name, class_name = (form[name] for name in _FIELDS)
    before = open_forms.shown(form, _FIELDS)
    try:
        pupils.change(staff, child_id, given_name, family_name, class_name, before)
    except (Invalid, ChangedMeanwhile) as refused:
        open_forms.explain(form, refused)
        child = people.child_within(staff.school_scope(Right.CHANGE_PEOPLE), child_id)
        return page("pupil_edit", child=child, form=form), form.status
    return back(_("It is saved."), child_id=child_id)


@blueprint.get("/pupils/<child_id>/leave")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def leaving(staff: Staff, child_id: str) -> ResponseReturnValue:
    """Asks before a pupil goes: who no longer sees anything of them."""
    people.child_within(staff.school_scope(Right.CHANGE_PEOPLE), child_id)
    return page("pupil_leave", pupil=people.pupil(staff, child_id))


@blueprint.post("/pupils/<child_id>/leave")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def pupil_left(staff: Staff, child_id: str) -> ResponseReturnValue:
    """The pupil has left: nobody is its guardian here any more."""
    pupils.leave(staff, child_id)
    return back(
        _("The pupil has left. Their guardians no longer see anything of them."), child_id=child_id
    )


@blueprint.post("/pupils/<child_id>/return")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def pupil_returned(staff: Staff, child_id: str) -> ResponseReturnValue:
    """The pupil is back."""
    pupils.come_back(staff, child_id)
    return back(_("The pupil is back. Now link the guardians again."), child_id=child_id)


@blueprint.get("/people/<account_id>/leave")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def family_leaving(staff: Staff, account_id: str) -> ResponseReturnValue:
    """The pupils of a guardian, to say which of them have left."""
    children = pupils.of_family(staff, account_id)
    return page("family_leave", person=people.person(staff, account_id), children=children)


@blueprint.post("/people/<account_id>/leave")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def family_left(staff: Staff, account_id: str) -> ResponseReturnValue:
    """The pupils that were ticked have left, all at once."""
    count = pupils.family_leaves(staff, account_id, request.form.getlist("child"))
    if not count:
        return back(_("No pupil was ticked: nothing has changed."), account_id=account_id)
    return back(
        ngettext(
            "%(num)d pupil has left. Their guardians no longer see anything of them.",
            "%(num)d pupils have left. Their guardians no longer see anything of them.",
            count,
        ),
        account_id=account_id,
    )


@blueprint.get("/schools/<school_id>/pupils/new")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def new_pupil(staff: Staff, school_id: str) -> ResponseReturnValue:
    """The form for another pupil."""
    form = only((*_FIELDS, "sourced_id"))
    form.values["class_name"] = request.args.get("class_name", "")
    return page("pupil_new", school=pupils.school(staff, school_id), form=form)


@blueprint.post("/schools/<school_id>/pupils/new")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def add_pupil(staff: Staff, school_id: str) -> ResponseReturnValue:
    """Enrol a pupil; their guardians come next."""
    form = Form.read(*_FIELDS, "sourced_id")
    try:
        made = pupils.add(staff, school_id, *form.values.values())
    except Invalid as refused:
        form.problem(refused.field, refusal(refused))
        return page("pupil_new", school=pupils.school(staff, school_id), form=form), form.status
    flash(_("The pupil is added. Now add a guardian."))
    return redirect(url_for("admin.pupil", child_id=made.id), 303)
