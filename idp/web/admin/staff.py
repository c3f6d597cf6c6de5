"""``/admin/staff``: who works at the desk; roles given and taken."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk import staff as desk
from idp.desk.access.rights import Right, Staff
from idp.desk.people import factor_resets
from idp.desk.staff import Holder
from idp.errors import Conflict, Invalid, NotFound
from idp.people.names import visible
from idp.web.admin.blueprint import blueprint, page_number, staff_only
from idp.web.admin.people_words import ROLES
from idp.web.admin.refusals import NOBODY, conflict, of_role
from idp.web.errors import known_id
from idp.web.forms import NO_NAME, Form, only

GIVE = ("who", "role", "school", "print")
HIRE = ("given_name", "family_name", "email", "role", "school", "print")


@blueprint.get("/staff")
@staff_only(Right.GIVE_ROLES)
def roles(staff: Staff) -> ResponseReturnValue:
    """Who has which role at the schools of the scope."""
    page = page_number()
    holders, more = desk.listed(staff, page)
    return render_template(
        "admin/staff/list.html",
        holders=holders,
        roles=ROLES,
        page=page,
        more=more,
        resets=factor_resets.waiting(staff),
    )


@blueprint.get("/staff/new")
@staff_only(Right.GIVE_ROLES, proved=True)
def role_new(staff: Staff) -> ResponseReturnValue:
    """Give a role to somebody who has an account, or to somebody new."""
    return _new(staff, only(GIVE), only(HIRE))


@blueprint.post("/staff/new/known")
@staff_only(Right.GIVE_ROLES, proved=True)
def role_give(staff: Staff) -> ResponseReturnValue:
    """Give a role to somebody who has an account."""
    form = Form.read(*GIVE)
    form.require("who", _("Type a user name or an e-mail address."))
    form.limit("who")
    role, school_id, may_print = _chosen(staff, form)
    if form.problems:
        return _new(staff, form, only(HIRE))
    try:
        granted = desk.give(staff, form["who"], role, school_id, may_print=may_print)
    except (NotFound, Conflict, Invalid) as error:
        _refuse(form, error)
        return _new(staff, form, only(HIRE))
    flash(_("The role is given.") if granted else _("They have this role already."))
    return redirect(url_for("admin.roles"), 303)


@blueprint.post("/staff/new/person")
@staff_only(Right.GIVE_ROLES, proved=True)
def role_hire(staff: Staff) -> ResponseReturnValue:
    """Make an account for somebody new, with a role and an invitation."""
    form = Form.read(*HIRE)
    if not visible(form["given_name"] + form["family_name"]).strip():
        form.problem("given_name", str(NO_NAME))
    form.require("email", _("Type the e-mail address."))
    for name in ("given_name", "family_name"):
        form.limit(name, 120)
    form.limit("email")
    form.ask_about_slip("email")
    role, school_id, may_print = _chosen(staff, form)
    if form.problems:
        return _new(staff, only(GIVE), form)
    try:
        account = desk.hire(
            staff,
            given_name=form["given_name"],
            family_name=form["family_name"],
            email=form["email"],
            role=role,
            school_id=school_id,
            may_print=may_print,
        )
    except (NotFound, Conflict, Invalid) as error:
        _refuse(form, error)
        return _new(staff, only(GIVE), form)
    flash(
        _(
            "%(name)s has an account with the user name %(username)s. An invitation is on its way.",
            name=account.full_name,
            username=account.username,
        )
    )
    return redirect(url_for("admin.roles"), 303)


@blueprint.get("/staff/<role_id>")
@staff_only(Right.GIVE_ROLES)
def role(staff: Staff, role_id: str) -> ResponseReturnValue:
    """One role, and what may be done with it."""
    return _one(_holder(staff, role_id), Form())


@blueprint.post("/staff/<role_id>/take")
@staff_only(Right.GIVE_ROLES, proved=True)
def role_take(staff: Staff, role_id: str) -> ResponseReturnValue:
    """Take the role away."""
    holder = _holder(staff, role_id)
    try:
        desk.take_role(staff, holder.role.id)
    except NotFound:
        pass  # somebody else was faster: it is taken
    except Conflict as error:
        return _one(_holder(staff, role_id), Form(notice=conflict(error)))
    flash(_("The role is taken away, and its sessions are ended."))
    return redirect(url_for("admin.roles"), 303)


@blueprint.post("/staff/<role_id>/print")
@staff_only(Right.GIVE_ROLES, proved=True)
def role_print(staff: Staff, role_id: str) -> ResponseReturnValue:
    """Allow or forbid the letters."""
    holder = _holder(staff, role_id)
    allowed = Form.read("allowed")["allowed"] == "yes"
    try:
        desk.let_print(staff, holder.role.id, allowed=allowed)
    except Conflict as error:
        return _one(holder, Form(notice=conflict(error)))
    return redirect(url_for("admin.role", role_id=holder.role.id), 303)


def _refuse(form: Form, error: NotFound | Conflict | Invalid) -> None:
    match error:
        case NotFound():
            form.problem("who", str(NOBODY))
        case Conflict():
            form.problem("who" if error.code == "yourself" else "role", conflict(error))
        case Invalid(field="email" | "given_name" | "family_name" as field):
            form.problem(field, of_role(error))
        case Invalid():
            form.problem("role", of_role(error))


def _holder(staff: Staff, role_id: str) -> Holder:
    return desk.get_role(staff, known_id(role_id))


def _one(holder: Holder, form: Form) -> ResponseReturnValue:
    return (
        render_template("admin/staff/role.html", holder=holder, roles=ROLES, form=form),
        form.status,
    )


def _chosen(staff: Staff, form: Form) -> tuple[str, str | None, bool]:
    """Role, school and the right to print, as the form has them."""
    school_id = form["school"] or None
    role = form["role"]
    if role not in desk.may_give(staff):
        form.problem("role", _("Choose a role."))
    elif role == "manager" and school_id is None:
        form.problem("school", _("Choose the school."))
    elif role == "operator" and school_id is not None:
        form.problem("school", _("An operator works for every school: choose no school."))
    elif school_id is None and not staff.is_operator:
        form.problem("school", _("Choose the school."))
    return role, school_id, form["print"] == "yes"


def _new(staff: Staff, known: Form, person: Form) -> ResponseReturnValue:
    form = person if person.status != 200 else known
    schools = desk.schools(staff)
    lets_print = any(desk.may_let_print(staff, each.id) for each in schools)
    page = render_template(
        "admin/staff/new.html",
        form=form,
        known=known,
        person=person,
        schools=schools,
        offered=[(each, ROLES[each]) for each in desk.may_give(staff)],
        lets_print=lets_print or staff.is_operator,
        everywhere=staff.is_operator,
    )
    return page, form.status
