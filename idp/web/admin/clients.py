"""``/admin/applications``: which applications there are, what they see, who uses them."""

import re
from datetime import timedelta
from typing import Final

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_timezone
from flask_babel import gettext as _

from idp.clients import recipes as of_clients
from idp.clients.metadata import has_made_up_email
from idp.clients.recipes import Recipe
from idp.deliveries import hearing, listing
from idp.desk.access.rights import Right, Staff
from idp.desk.applications import addresses as application_addresses
from idp.desk.applications import registration_tokens as registrars
from idp.desk.applications import service as applications
from idp.desk.applications import use as application_use
from idp.desk.applications.service import Application
from idp.errors import Conflict, Invalid
from idp.oidc import consent, discovery, refusals
from idp.web import branding, permissions
from idp.web.admin import client_choices, client_form, client_words, told_words
from idp.web.admin.blueprint import blueprint, page_number, staff_only
from idp.web.admin.client_form import ClientForm
from idp.web.errors import known_id
from idp.web.forms import Form

OVERLAPS: Final = (0, 1, 7, 30)
"""For how many days a former secret may go on working."""


@blueprint.get("/applications")
@staff_only(Right.SEE_CLIENTS)
def clients(staff: Staff) -> ResponseReturnValue:
    """The applications within the scope."""
    page = page_number()
    shown = applications.listed(staff, page)
    return render_template("admin/clients/list.html", found=shown, page=page)


@blueprint.get("/applications/<client_id>")
@staff_only(Right.SEE_CLIENTS)
def client(staff: Staff, client_id: str) -> ResponseReturnValue:
    """One application: its state, what it may see, and how much it was used."""
    application = applications.get_application(staff, known_id(client_id))
    document = application.client.metadata_
    scopes = document["scope"].split()
    made_up = has_made_up_email(document)
    learns = consent.about(scopes, made_up_email=made_up)
    return render_template(
        "admin/clients/client.html",
        application=application,
        document=document,
        sees=permissions.sentences(learns, document["child_fields"], child="child" in scopes),
        made_up_email=made_up and "email" in scopes,
        addresses=application_addresses.addresses_of(staff, application),
        use=application_use.use_of(staff, client_id, get_timezone()),
        refused=refusals.newest_refusals(client_id) if staff.may(Right.EDIT_CLIENTS) else [],
        told=listing.of_client(client_id) if staff.may(Right.EDIT_CLIENTS) else [],
        told_words=told_words,
        hears=any(document.get(name) for name in hearing.FIELDS),
        methods=client_choices.methods(),
        called=client_choices.called,
        registered=client_words.registered(registrars.registrar_of(application.client)),
        logo_url=branding.logo_url_of(application.client),
    )


@blueprint.route("/applications/<client_id>/secret", methods=["GET", "POST"])
@staff_only(Right.EDIT_CLIENTS, proved=True)
def client_secret(staff: Staff, client_id: str) -> ResponseReturnValue:
    """For how long may the former secret go on? Then the new one, shown this once."""
    application = applications.editable(staff, known_id(client_id))
    form = Form() if request.method == "GET" else Form.read("overlap", "version")
    if form.values and form["overlap"] not in {str(days) for days in OVERLAPS}:
        form.problem("overlap", _("Choose for how long the former secret goes on working."))
    if form.problems or not form.values:
        page = render_template(
            "admin/clients/rotate.html", application=application, overlaps=OVERLAPS, form=form
        )
        return page, form.status
    return _rotate(staff, client_id, form)


def _rotate(staff: Staff, client_id: str, form: Form) -> ResponseReturnValue:
    """Make a new secret, unless the form was sent before: its version has moved on then."""
    overlap = timedelta(days=int(form["overlap"]))
    version = int(form["version"]) if re.fullmatch(r"[0-9]{1,9}", form["version"]) else -1
    try:
        made = applications.rotate_secret(staff, client_id, overlap=overlap, version=version)
    except Conflict:
        flash(_("Nothing was done: the application was changed in the meantime."), "problem")
        return _to(client_id)
    except Invalid:
        flash(_("This application has no secret."), "problem")
        return _to(client_id)
    return shown_once(staff, client_id, made.secret, newest_ended=made.newest_ended)


@blueprint.post("/applications/<client_id>/secret/end")
@staff_only(Right.EDIT_CLIENTS, proved=True)
def end_client_secret(staff: Staff, client_id: str) -> ResponseReturnValue:
    """End the former secret before its time."""
    if applications.end_former_secret(staff, known_id(client_id)):
        flash(_("The former secret no longer works."))
    return _to(client_id)


@blueprint.post("/applications/<client_id>/disable")
@staff_only(Right.EDIT_CLIENTS, proved=True)
def disable_client(staff: Staff, client_id: str) -> ResponseReturnValue:
    """Take the application out of use."""
    if applications.disable(staff, known_id(client_id)):
        flash(_("The application is out of use. Nobody can sign in to it any more."))
    return _to(client_id)


@blueprint.post("/applications/<client_id>/enable")
@staff_only(Right.EDIT_CLIENTS, proved=True)
def enable_client(staff: Staff, client_id: str) -> ResponseReturnValue:
    """Let it work again."""
    if applications.enable(staff, known_id(client_id)):
        flash(_("The application works again. Guardians have to sign in to it again."))
    return _to(client_id)


def shown_once(
    staff: Staff, client_id: str, secret: str | None, *, newest_ended: bool = False
) -> ResponseReturnValue:
    """The page with a new secret, which no other page and no reload shows again."""
    application = applications.editable(staff, client_id)
    return render_template(
        "admin/clients/secret.html",
        application=application,
        secret=secret,
        newest_ended=newest_ended,
        recipes=recipes(application, secret),
        words=client_words,
    )


def _to(client_id: str) -> ResponseReturnValue:
    return redirect(url_for("admin.client", client_id=client_id), 303)


def recipes(application: Application, secret: str | None = None) -> list[Recipe]:
    """The settings to paste for each kind of software, with ``secret`` if it was just made."""
    client = application.client
    return of_clients.recipes_of(client.id, client.metadata_, discovery.metadata(), secret)


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
        return _page(client_form.form_of(application), application)
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
        form.values["version"] = str(applications.get_application(staff, client_id).client.version)
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
    return render_template("admin/clients/form.html", form=form, application=application)
