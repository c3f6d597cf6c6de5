"""``/admin/applications/new`` and ``…/edit``: one form for an application's registration."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.clients.metadata import ID_TOKEN_ALGORITHMS
from idp.desk.access.rights import Right, Staff
from idp.desk.applications import service as applications
from idp.desk.applications.service import Application
from idp.errors import Conflict, Invalid
from idp.people import schools
from idp.web.admin import client_form, client_words
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.client_form import ClientForm
from idp.web.admin.clients import shown_once
from idp.web.admin.parameters import known_id


@blueprint.route("/applications/new", methods=["GET", "POST"])
@staff_only(Right.EDIT_CLIENTS, proved=True)
def new_client(staff: Staff) -> ResponseReturnValue:
    """A form with what most applications need; once it is sent, the secret, this once."""
    return _page(client_form.new()) if request.method == "GET" else _register(staff)


@blueprint.route("/applications/<client_id>/edit", methods=["GET", "POST"])
@staff_only(Right.EDIT_CLIENTS, proved=True)
def edit_client(staff: Staff, client_id: str) -> ResponseReturnValue:
    """The form as it is registered, or as it was sent."""
    application = applications.editable(staff, known_id(client_id))
    if request.method == "GET":
        return _page(client_form.of(application), application)
    return _change(staff, application)


def _register(staff: Staff) -> ResponseReturnValue:
    form = client_form.read(None)
    client_id = form.client_id
    form.examine()
    if form.problems:
        return _page(form), form.status
    try:
        made = applications.register(
            staff, form.document(), school_ids=form.chosen["schools"], client_id=client_id
        )
    except Invalid as problem:
        form.refuse(problem)
        return _page(form), form.status
    except Conflict:
        flash(
            _("This application was registered already. Its secret was shown then."),
            "problem",
        )
        return redirect(url_for("admin.client", client_id=client_id), 303)
    return shown_once(staff, client_id, made.secret)


def _change(staff: Staff, application: Application) -> ResponseReturnValue:
    """Keep what was typed, unless somebody else changed the application meanwhile."""
    client_id = application.client.id
    form = client_form.read(application)
    form.examine()
    if form.problems:
        return _page(form, application), form.status
    try:
        made = applications.change(
            staff,
            client_id,
            form.document(),
            school_ids=form.chosen["schools"],
            version=form.version,
        )
    except Invalid as problem:
        form.refuse(problem)
        return _page(form, application), form.status
    except Conflict:
        form.values["version"] = str(applications.get(staff, client_id).client.version)
        form.notice = _(
            "Somebody else changed this application meanwhile, so nothing was saved. Below is what"
            " you typed. Compare it with the application's page; saving again puts yours in place."
        )
        return _page(form, application), form.status
    if made.secret is not None:
        return shown_once(staff, client_id, made.secret)
    flash(_("Saved."))
    return redirect(url_for("admin.client", client_id=client_id), 303)


def _page(form: ClientForm, application: Application | None = None) -> str:
    return render_template(
        "admin/clients/form.html",
        form=form,
        application=application,
        words=client_words,
        choices={
            "schools": [(school.id, school.name, "") for school in schools.list_schools()],
            "algorithms": [(each, each, "") for each in ID_TOKEN_ALGORITHMS],
            "factors": client_words.factors(form["acr"]),
        },
    )
