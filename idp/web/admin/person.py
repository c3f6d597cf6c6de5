"""``/admin/people/<account_id>``: a guardian, how far they have come, and the token they need."""

from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.people import account_actions, activity, guardianships
from idp.desk.people import page as people
from idp.desk.people.notifications import notifications_of
from idp.desk.people.page import sharing
from idp.web.account.sessions import signed_in_how
from idp.web.admin import told_words
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.people import back, of_people, page


@blueprint.get("/people/<account_id>")
@staff_only(Right.LOOK_UP)
@of_people
def person(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Name, state, pupils at the schools of the scope, mails, sign-ins, acts of staff.

    Which mails and sign-ins are told, and why: ``idp.desk.people.activity``.
    """
    guardian = people.person(staff, account_id)
    school_scope = staff.school_scope(Right.LOOK_UP)
    change_scope = staff.school_scope(Right.CHANGE_PEOPLE)
    questions = guardianships.questions_to(school_scope, account_id)
    return page(
        "person",
        person=guardian,
        onboarding=guardian.onboarding,
        mails=activity.mails(guardian, school_scope),
        sign_ins=activity.sign_ins(guardian, school_scope),
        acts=activity.acts(guardian, school_scope),
        shares=sharing(staff, account_id) if guardian.known else [],
        ways_back=account_actions.ways_back(staff, account_id) if guardian.known else [],
        told=notifications_of(school_scope, account_id) if guardian.known else [],
        told_words=told_words,
        questions=questions,
        withdrawable={
            each.request.id for each in questions if change_scope.covers(each.child.school_id)
        },
        signed_in_how=signed_in_how,
        may_change=guardian.is_within(change_scope),
        may_send=guardian.is_within(staff.school_scope(Right.SEND_TOKENS)),
        may_disable=staff.may(Right.DISABLE_ACCOUNTS),
    )


@blueprint.post("/people/<account_id>/token")
@staff_only(Right.SEND_TOKENS)
@of_people
def send_token(staff: Staff, account_id: str) -> ResponseReturnValue:
    """Have a token mailed. Nobody here sees it (security rule A5)."""
    if account_actions.send_token(staff, account_id):
        return back(
            _("A mail with a token leaves within a minute. Earlier tokens then no longer work."),
            account_id=account_id,
        )
    return back(
        _("A mail with a token is on its way already. Look here again in a minute."),
        account_id=account_id,
    )
