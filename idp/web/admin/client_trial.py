"""``/admin/applications/<id>/settings`` and ``…/test``: what to paste, and whether it will work."""

import json

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.desk.access.rights import Right, Staff
from idp.desk.applications import service as applications
from idp.oidc import diagnosis
from idp.web.admin import client_words
from idp.web.admin.blueprint import blueprint, staff_only
from idp.web.admin.clients import recipes
from idp.web.errors import known_id
from idp.web.forms import Form, only


@blueprint.get("/applications/<client_id>/settings")
@staff_only(Right.EDIT_CLIENTS)
def client_settings(staff: Staff, client_id: str) -> ResponseReturnValue:
    """What its administrator has to enter; a placeholder stands for the secret."""
    application = applications.editable(staff, known_id(client_id))
    return render_template(
        "admin/clients/settings.html",
        application=application,
        recipes=recipes(application),
        words=client_words,
    )


@blueprint.route("/applications/<client_id>/test", methods=["GET", "POST"])
@staff_only(Right.EDIT_CLIENTS)
def try_client(staff: Staff, client_id: str) -> ResponseReturnValue:
    """Its request and the answers it would get; nothing is sent to it.

    An address that failed comes in a form, since it may hold a code (security rule P8).
    """
    if request.method == "GET":
        return _page(staff, known_id(client_id), only(["address"]), None)
    form = Form.read("address")
    form.require("address", _("Paste the address that failed."))
    form.limit("address", diagnosis.LONGEST)
    diagnosed = None
    if not form.problems:
        diagnosed = applications.diagnose(staff, known_id(client_id), form["address"])
    return _page(staff, known_id(client_id), form, diagnosed)


def _page(
    staff: Staff, client_id: str, form: Form, diagnosed: diagnosis.Diagnosis | None
) -> ResponseReturnValue:
    page = render_template(
        "admin/clients/test.html",
        application=applications.editable(staff, client_id),
        trial=applications.run(staff, client_id),
        form=form,
        found=diagnosed,
        words=client_words,
        as_text=_as_text,
    )
    return page, form.status


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
