"""``/admin/schools/<school>/classes/<class>``: who is in a class, and a token for who waits."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from idp.desk.access.rights import Right, Staff
from idp.desk.people import classes, invitations
from idp.web.admin import onboarding_words
from idp.web.admin.blueprint import blueprint, class_address, name_of, page_number, staff_only
from idp.web.admin.people import address_of
from idp.web.errors import PageError, is_id, known_id


@blueprint.get("/schools/<school_id>/classes/<class_key>")
@staff_only(Right.LOOK_UP)
def school_class(staff: Staff, school_id: str, class_key: str) -> ResponseReturnValue:
    """The pupils of a class, with their guardians and how far these have come."""
    name = _checked(school_id, class_key)
    class_list = classes.school_class(staff, school_id, name, page=page_number())
    address = class_address(school_id, name)
    return render_template(
        "admin/classes/class.html",
        found=class_list,
        school=class_list.school,
        class_name=name,
        may_change=staff.school_scope(Right.CHANGE_PEOPLE).covers(school_id),
        may_send=staff.school_scope(Right.SEND_TOKENS).covers(school_id),
        send=url_for("admin.send_class_tokens", school_id=school_id, class_key=class_key),
        onboarding_words=onboarding_words,
        address_of=address_of,
        to_page=lambda page: f"{address}?page={page}",
    )


@blueprint.post("/schools/<school_id>/classes/<class_key>/tokens")
@staff_only(Right.SEND_TOKENS, proved=True)
def send_class_tokens(staff: Staff, school_id: str, class_key: str) -> ResponseReturnValue:
    """A token for each guardian of the class who is invited; mass mail, hence the proof."""
    name = _checked(school_id, class_key)
    count = classes.send_tokens(staff, school_id, name)
    flash(
        ngettext(
            "A mail with a token is on its way to %(num)d guardian.",
            "Mails with a token are on their way to %(num)d guardians.",
            count,
        )
        if count
        else _("Nobody in this class waits for a token: no mail was sent.")
    )
    return redirect(class_address(school_id, name), 303)


@blueprint.post("/schools/<school_id>/invitations")
@staff_only(Right.SEND_TOKENS, proved=True)
def invite_school(staff: Staff, school_id: str) -> ResponseReturnValue:
    """An invitation for everybody at a school who was never sent one; mass mail, too."""
    count = invitations.invite_school(staff, known_id(school_id))
    flash(
        ngettext(
            "An invitation is on its way to %(num)d guardian.",
            "Invitations are on their way to %(num)d guardians.",
            count,
        )
        if count
        else _("Everybody who can be written to was invited already: no mail was sent.")
    )
    return redirect(url_for("admin.people", school=school_id), 303)


def _checked(school_id: str, class_key: str) -> str:
    """The name of the class, where the address could be one of ours."""
    name = name_of(class_key)
    if name is None or not is_id(school_id):
        raise PageError("not_found", 404)
    return name
