"""A guardian's name, user name, address and language; access closed, disabled, enabled."""

from typing import Final

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.people import account_actions, guardianships
from idp.desk.people import page as people
from idp.desk.people.account_actions import Reason
from idp.desk.people.meanwhile import ChangedMeanwhile
from idp.desk.people.page import sharing
from idp.desk.search import search
from idp.errors import Conflict, Invalid
from idp.people.models import EMAIL_LENGTH, Account
from idp.web import i18n
from idp.web.admin import open_forms, people_words
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.people import back, of_people, page, warn_of_sharing
from idp.web.admin.refusals import refusal
from idp.web.errors import known_id
from idp.web.forms import Form, only

_NAMES: Final = ("given_name", "family_name")
_FIELDS: Final = (*_NAMES, "username", "email", "locale")


@blueprint.get("/people/<account_id>/edit")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def edit_person(staff: Staff, account_id: str) -> ResponseReturnValue:
    """The forms for the name, the user name, the address and the language."""
    return _edit_page(_acted_on(staff, account_id), Form())


@blueprint.post("/people/<account_id>/name")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def correct_name(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Another name; its holder is told."""
    form = open_forms.read(*_NAMES)
    given_name, family_name = (form[name] for name in _NAMES)
    before = open_forms.shown(form, _NAMES)
    try:
        done = account_actions.correct_name(staff, account_id, given_name, family_name, before)
    except (Invalid, ChangedMeanwhile) as refused:
        open_forms.explain(form, refused)
        return _edit_page(_acted_on(staff, account_id), form)
    return back(_corrected(done), account_id=account_id)


@blueprint.post("/people/<account_id>/username")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def correct_username(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Another user name; its holder is told."""
    form = open_forms.read("username")
    before = open_forms.shown(form, ("username",))
    try:
        done = account_actions.correct_username(staff, account_id, form["username"], before)
    except (Invalid, ChangedMeanwhile) as refused:
        open_forms.explain(form, refused)
        return _edit_page(_acted_on(staff, account_id), form)
    return back(_corrected(done), account_id=account_id)


@blueprint.post("/people/<account_id>/email")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def correct_email(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Another address; both are told, and older tokens end."""
    form = open_forms.read("email", "sure")
    before = open_forms.shown(form, ("email",))
    form.require("email", _("Type the e-mail address."))
    form.limit("email", EMAIL_LENGTH)
    form.ask_about_slip("email")
    shares: list[Account] = []
    if not form.problems and not form["sure"]:
        shares = sharing(staff, account_id, form["email"])
    if not form.problems and not shares:
        try:
            changed = account_actions.correct_email(staff, account_id, form["email"], before)
        except (Invalid, ChangedMeanwhile) as refused:
            open_forms.explain(form, refused)
        else:
            return back(_email_done(changed), account_id=account_id)
    return _edit_page(_acted_on(staff, account_id), form, shares)


@blueprint.post("/people/<account_id>/way-back")
@staff_only(Right.DISABLE_ACCOUNTS, proved=True)
@of_people
def end_way_back(staff: Staff, account_id: str) -> ResponseReturnValue:
    """The address before may not take a change back any more."""
    change_id = known_id(Form.read("change")["change"])
    if account_actions.end_way_back(staff, account_id, change_id):
        return back(_("The change can no longer be undone."), account_id=account_id)
    return back(_("There is nothing to end any more."), account_id=account_id)


@blueprint.post("/people/<account_id>/language")
@staff_only(Right.CHANGE_PEOPLE)
@of_people
def set_language(staff: Staff, account_id: str) -> ResponseReturnValue:
    """The language of mails and pages."""
    form = open_forms.read("locale")
    before = open_forms.shown(form, ("locale",))
    try:
        account_actions.set_language(staff, account_id, form["locale"], before)
    except ChangedMeanwhile as refused:
        open_forms.explain(form, refused, i18n.NAMES)
        return _edit_page(_acted_on(staff, account_id), form)
    return back(_("Mails and letters will be in this language."), account_id=account_id)


@blueprint.get("/people/<account_id>/close")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def closing(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Asks for the reason before access is closed."""
    _refuse_yourself(staff, account_id)
    return _close_page(staff, account_id, only(("reason", "text")))


@blueprint.post("/people/<account_id>/close")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def close_access(staff: Staff, account_id: str) -> ResponseReturnValue:
    """End what the person is at the schools of the scope; the answer is the same wherever else
    they are guardian.
    """
    form = Form.read("reason", "text")
    shares = sharing(staff, account_id)
    try:
        why = Reason(form["reason"], form["text"])
        stays = account_actions.close_access(staff, account_id, why)
    except Invalid as refused:
        if refused.field not in {"reason", "text"}:
            raise
        form.problem(refused.field, refusal(refused))
        return _close_page(staff, account_id, form)
    warn_of_sharing(shares)
    if stays:
        sentence = _("They are no guardian here any more. The account and the role stay.")
    else:
        sentence = _("Access has been closed.")
    return back(sentence, account_id=account_id)


@blueprint.post("/people/<account_id>/disable")
@staff_only(Right.DISABLE_ACCOUNTS, proved=True)
@of_people
def disable_account(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Disable an account for every school."""
    account_actions.disable_account(staff, account_id)
    return back(_("The account is disabled. Nobody can sign in with it."), account_id=account_id)


@blueprint.post("/people/<account_id>/enable")
@staff_only(Right.DISABLE_ACCOUNTS, proved=True)
@of_people
def enable_account(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Let a disabled account in again."""
    account_actions.enable_account(staff, account_id)
    return back(_("The account is enabled."), account_id=account_id)


@blueprint.get("/people/<account_id>/link")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def choose_pupil(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Look for the pupil to link."""
    query = request.args.get("pupil", "")[:100]
    guardian = people.person(staff, account_id)
    return page(
        "person_link", person=guardian, pupil_query=query, pupils=search.pupils(staff, query)
    )


@blueprint.post("/people/<account_id>/link")
@staff_only(Right.CHANGE_PEOPLE, proved=True)
@of_people
def link_pupil(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Link a pupil that was chosen, or one whose guardianship had ended."""
    form = Form.read("child_id", "relationship")
    if not form["child_id"]:
        return redirect(url_for("admin.choose_pupil", account_id=account_id), 303)
    child_id = known_id(form["child_id"])
    linked = guardianships.link(staff, account_id, child_id, form["relationship"])
    return back(people_words.linked(linked), account_id=account_id)


def _acted_on(staff: Staff, account_id: str) -> people.Person:
    """The person, if anything may be changed about them here."""
    people.live_guardian(staff.school_scope(Right.CHANGE_PEOPLE), account_id)
    people.refuse_colleagues(staff, account_id, peers=False)
    return people.person(staff, account_id)


def _refuse_yourself(staff: Staff, account_id: str) -> None:
    """What the act will say, before a reason is typed in vain."""
    if account_id == staff.account_id:
        raise Conflict("yourself")


def _edit_page(
    guardian: people.Person, form: Form, shares: list[Account] | None = None
) -> ResponseReturnValue:
    account = guardian.account
    stored = {name: getattr(account, name) for name in _FIELDS}
    form.values = (
        open_forms.filled(stored) | form.values
    )  # the other forms of the page show what is stored
    return page("person_edit", person=guardian, form=form, shares=shares or []), form.status


def _close_page(staff: Staff, account_id: str, form: Form) -> ResponseReturnValue:
    school_scope = staff.school_scope(Right.CHANGE_PEOPLE)
    people.closable_guardian(school_scope, account_id)
    people.refuse_colleagues(staff, account_id, peers=True)
    shown = page(
        "person_close",
        person=people.person(staff, account_id),
        form=form,
        reasons=people_words.REASONS,
        shares=sharing(staff, account_id),
        questions=guardianships.questions_to(school_scope, account_id),
    )
    return shown, form.status


def _corrected(done: account_actions.Corrected) -> str:
    if not done.changed:
        return str(_("What you typed was there already: nothing has changed."))
    if not done.notified:
        return str(_("It is corrected. There is no e-mail address: tell the guardian yourself."))
    return str(_("It is corrected, and the guardian is told by e-mail."))


def _email_done(changed: bool) -> str:
    if changed:
        return str(
            _(
                "The e-mail address is corrected. It gets a mail that says so, and so does the"
                " one before if there was one. Older tokens no longer work."
            )
        )
    return str(_("This was the address already: nothing has changed."))
