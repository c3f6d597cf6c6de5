"""``/admin/pupils/<child_id>/new-guardian``: somebody whom the school knows, or a new account."""

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.people import new_guardian as service
from idp.desk.people import page as people
from idp.desk.people.new_guardian import Newcomer
from idp.errors import Invalid
from idp.people.models import Account
from idp.web.admin import people_words
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.people import back, of_people, page
from idp.web.admin.refusals import refusal
from idp.web.forms import Form, only

_FIELDS = ("given_name", "family_name", "email", "locale", "relationship", "invite")
_KNOWN = ("username", "relationship")


@blueprint.get("/pupils/<child_id>/new-guardian")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def new_guardian(staff: Staff, child_id: str) -> ResponseReturnValue:
    """Both forms."""
    return _page(staff, child_id, only((*_FIELDS, "username")))


@blueprint.post("/pupils/<child_id>/known-guardian")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def add_known_guardian(staff: Staff, child_id: str) -> ResponseReturnValue:
    """Link somebody by user name."""
    form = Form.read(*_KNOWN)
    try:
        linked = service.add_known(staff, child_id, form["username"], form["relationship"])
    except Invalid as refused:
        form.problem(refused.field, refusal(refused))
        return _page(staff, child_id, form)
    return back(people_words.linked(linked), child_id=child_id)


@blueprint.post("/pupils/<child_id>/new-guardian")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def add_new_guardian(staff: Staff, child_id: str) -> ResponseReturnValue:
    """Make an account; ask first where somebody here may be the same person."""
    form = Form.read(*_FIELDS, "sure")
    newcomer = Newcomer(
        given_name=form["given_name"],
        family_name=form["family_name"],
        email=form["email"].strip(),
        locale=form["locale"],
        relationship=form["relationship"],
        invite=bool(form["invite"]),
    )
    form.ask_about_slip("email")
    if form.problems:
        return _page(staff, child_id, form)
    if not form["sure"] and (alike := service.suggestions(staff, newcomer)):
        return _page(staff, child_id, form, alike)
    try:
        made = service.add_new(staff, child_id, newcomer)
    except Invalid as refused:
        form.problem(refused.field, refusal(refused))
        return _page(staff, child_id, form)
    flash(_("The account is made. Its user name: %(username)s", username=made.username))
    return redirect(url_for("admin.person", account_id=made.id), 303)


def _page(
    staff: Staff, child_id: str, form: Form, alike: list[Account] | None = None
) -> ResponseReturnValue:
    child = people.child_within(staff.school_scope(Right.CHANGE_PEOPLE), child_id)
    return page("guardian_new", child=child, form=form, alike=alike or []), form.status
