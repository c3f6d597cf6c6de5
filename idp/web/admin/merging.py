"""``/admin/people/<account_id>/merge``: two accounts of one person, side by side, become one."""

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.people import merging, new_guardian
from idp.desk.people import page as people
from idp.errors import Invalid
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.people import back, of_people, page
from idp.web.admin.refusals import refusal
from idp.web.errors import PageError, is_id
from idp.web.forms import Form, only


@blueprint.get("/people/<account_id>/merge")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def choose_merge(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Ask for the other account, or show both; nothing has happened yet."""
    people.live_guardian(staff.school_scope(Right.CHANGE_PEOPLE), account_id)
    person = people.person(staff, account_id)
    username = request.args.get("username", "")[:64]
    form = Form({"username": username}) if username else only(["username"])
    if username:
        try:
            other = new_guardian.known(staff, username)
            first, second = merging.preview(staff, account_id, other.id)
            return page("merge_preview", person=person, sides=(first, second))
        except Invalid as refused:
            form.problem("username", refusal(refused))
    alike = [
        each
        for each in new_guardian.suggestions(staff, new_guardian.named_like(person.account))
        if each.id != account_id
    ]
    return page("merge", person=person, form=form, alike=alike), form.status


@blueprint.post("/people/<account_id>/merge")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def merge(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Keep one of the two that were shown, close the other."""
    form = Form.read("other_id", "keep_id")
    if not is_id(form["other_id"]) or form["keep_id"] not in {account_id, form["other_id"]}:
        people.live_guardian(staff.school_scope(Right.CHANGE_PEOPLE), account_id)
        raise PageError("bad_request")
    keep = form["keep_id"]
    close = form["other_id"] if keep == account_id else account_id
    merging.merge(staff, keep, close)
    return back(
        _("This account is kept, with all the pupils. The other one is closed."), account_id=keep
    )
