"""My data: download all that is kept (GDPR Art. 15), ask to be erased (Art. 17)."""

import json

from flask import flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import clock
from idp.audit import events
from idp.people import accounts, guardianships
from idp.privacy import erasure, export
from idp.sessions.service import SignedIn
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.account.step_up import proved_recently


@blueprint.get("/account/data")
@guardian_only
def data(signed_in: SignedIn) -> ResponseReturnValue:
    """Both, and what became of a request."""
    schools = guardianships.schools_of(signed_in.account.id)
    request_made = erasure.latest(signed_in.account.id)
    return render_template(
        "account/data.html",
        request_made=request_made,
        school_answers=request_made is not None and erasure.is_a_schools(request_made),
        schools=schools,
    )


@blueprint.post("/account/data/download")
@guardian_only
@proved_recently
def download_data(signed_in: SignedIn) -> ResponseReturnValue:
    """The whole document as a file, which no cache keeps."""
    events.record(
        "data_downloaded", account_id=signed_in.account.id, session_id=signed_in.session.id
    )
    account = accounts.get_account(signed_in.account.id)
    text = json.dumps(export.document(account), ensure_ascii=False, indent=2)
    response = make_response(text + "\n")
    response.mimetype = "application/json"
    name = f"my-data-{clock.now():%Y-%m-%d}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/account/data/erasure")
@guardian_only
@proved_recently
def ask_erasure(signed_in: SignedIn) -> ResponseReturnValue:
    """Send the request to who answers it; deletes nothing."""
    if erasure.request_erasure(signed_in.account.id):
        request_made = erasure.latest(signed_in.account.id)
        if request_made is not None and erasure.is_a_schools(request_made):
            flash(_("Your request is on its way to the school."))
        else:
            flash(_("Your request is on its way to whoever runs the platform."))
    return redirect(url_for("account.data"), 303)


@blueprint.post("/account/data/erasure/take-back")
@guardian_only
@proved_recently
def take_erasure_back(signed_in: SignedIn) -> ResponseReturnValue:
    """Think better of it."""
    if erasure.take_back(signed_in.account.id):
        flash(_("Your request is withdrawn."))
    else:
        flash(_("This request has been answered already, or was withdrawn."), "problem")
    return redirect(url_for("account.data"), 303)
