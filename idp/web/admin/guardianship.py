"""``/admin/pupils/<child_id>/guardians/<account_id>``: one guardianship, named otherwise, ended,
made again.
"""

from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.people import guardianships
from idp.desk.people import page as people
from idp.desk.people.account_actions import Reason
from idp.desk.people.meanwhile import ChangedMeanwhile
from idp.desk.people.notifications import notifications_of
from idp.desk.people.page import sharing
from idp.errors import Invalid, NotFound
from idp.web.admin import open_forms, people_words, told_words
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.people import back, of_people, page, warn_of_sharing
from idp.web.admin.refusals import refusal
from idp.web.forms import Form, only


@blueprint.get("/pupils/<child_id>/guardians/<account_id>")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def guardianship(staff: Staff, child_id: str, account_id: str) -> ResponseReturnValue:
    """Who is what to whom, and the forms to change that."""
    return _page(staff, _link(staff, child_id, account_id), only(("reason", "text")))


@blueprint.post("/pupils/<child_id>/guardians/<account_id>/end")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def end_guardianship(staff: Staff, child_id: str, account_id: str) -> ResponseReturnValue:
    """End it, with a reason."""
    form = Form.read("reason", "text")
    shares = sharing(staff, account_id)
    try:
        ended = guardianships.end(staff, account_id, child_id, Reason(form["reason"], form["text"]))
    except Invalid as refused:
        form.problem(refused.field, refusal(refused))
        return _page(staff, _link(staff, child_id, account_id), form)
    if ended:
        warn_of_sharing(shares)
        return back(_("The guardianship has ended, everywhere and at once."), child_id=child_id)
    return back(_("It had ended already."), child_id=child_id)


@blueprint.post("/pupils/<child_id>/guardians/<account_id>/withdraw")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def withdraw_question(staff: Staff, child_id: str, account_id: str) -> ResponseReturnValue:
    """Take back the question whether they may be linked; then the page on which it stood."""
    if guardianships.withdraw_question(staff, account_id, child_id):
        sentence = _("The question is withdrawn. The link of its mail no longer works.")
    else:
        sentence = _("The question had been answered, or was over.")
    if Form.read("page")["page"] == "person":
        return back(sentence, account_id=account_id)
    return back(sentence, child_id=child_id)


@blueprint.post("/pupils/<child_id>/guardians/<account_id>/relationship")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def rename_guardianship(staff: Staff, child_id: str, account_id: str) -> ResponseReturnValue:
    """What the guardian is to the pupil."""
    form = open_forms.read("relationship")
    before = open_forms.shown(form, ("relationship",))
    try:
        guardianships.rename(staff, account_id, child_id, form["relationship"], before)
    except ChangedMeanwhile as refused:
        open_forms.explain(form, refused, people_words.RELATIONSHIPS)
        return _page(staff, _link(staff, child_id, account_id), form)
    return back(_("It is saved."), child_id=child_id)


@blueprint.post("/pupils/<child_id>/guardians/<account_id>/link")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def link_again(staff: Staff, child_id: str, account_id: str) -> ResponseReturnValue:
    """Begin a guardianship anew that had ended."""
    relationship = Form.read("relationship")["relationship"]
    linked = guardianships.link(staff, account_id, child_id, relationship)
    return back(people_words.linked(linked), child_id=child_id)


def _link(staff: Staff, child_id: str, account_id: str) -> people.Link:
    """The newest guardianship of the two; raises ``NotFound``."""
    for link in people.pupil(staff, child_id).links:
        if link.account.id == account_id:
            return link
    raise NotFound("account", account_id)


def _page(staff: Staff, link: people.Link, form: Form) -> ResponseReturnValue:
    shares = sharing(staff, link.account.id) if link.live else []
    stored = {"relationship": link.guardianship.relationship}
    form.values = open_forms.filled(stored) | form.values
    school_scope = staff.school_scope(Right.CHANGE_PEOPLE)
    shown = page(
        "guardianship",
        link=link,
        form=form,
        reasons=people_words.REASONS,
        shares=shares,
        told=notifications_of(school_scope, link.account.id, link.child.id),
        told_words=told_words,
    )
    return shown, form.status
