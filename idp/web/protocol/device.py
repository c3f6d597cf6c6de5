"""``/device``: a guardian types the code of a screen, and says for whom it asks (RFC 8628 §3.3)."""

from dataclasses import replace

from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp.clients import registration
from idp.credentials import throttling
from idp.oidc import device_codes
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.device_authorization import PATH
from idp.oidc.device_codes import State
from idp.sessions.models import Interaction
from idp.web import browser
from idp.web.forms import Form, only, too_many
from idp.web.interaction import begin_interaction, load_interaction, waiting_client
from idp.web.protocol import answers, device_answers
from idp.web.protocol.blueprint import blueprint
from idp.web.protocol.interaction import resumed

MOST_SCHOOLS = 3
"""More of them are no help to whoever wonders who asks."""


@blueprint.get(PATH)
def device() -> ResponseReturnValue:
    """The field for the code. An address that has it (``verification_uri_complete``) fills
    nothing in unseen: the page asks whether it is the one on the screen (§3.3.1, §5.4).
    """
    form = only(["user_code"])
    code = device_codes.normalised(request.args.get("user_code", ""))
    if code is None:
        return _page(form)
    return render_template("protocol/device_code.html", user_code=device_codes.shown(code))


@blueprint.post(PATH)
def enter_code() -> ResponseReturnValue:
    """Look for the screen of this code: guesses are counted first (§5.1)."""
    form = Form.read("user_code")
    form.require("user_code", _("Type the code that the screen shows."))
    if form.problems:
        return _page(form)
    code = device_codes.normalised(form["user_code"])
    if code is None:
        form.problem("user_code", _("The code has eight letters and no digits. Look once more."))
        return _page(form)
    address = browser.client_address()
    guard = throttling.check_token(address)
    if isinstance(guard, throttling.Blocked):
        return too_many(form, guard.retry_after, lambda: _page(form))
    device = device_codes.find_open(code)
    if device is None:
        form.problem(
            "user_code",
            _("No screen waits with this code. Compare it, or have the screen show a new one."),
        )
        return _page(form)
    throttling.reset_token(address)
    pending = {**device.code.request, "device": device.code.id, "user_code": code}
    begun = begin_interaction(device.client.id, pending)
    return redirect(f"/interaction/{begun.id}/device", 303)


@blueprint.route("/interaction/<interaction_id>/device", methods=["GET", "POST"])
def confirm_device(interaction_id: str) -> ResponseReturnValue:
    """Which application asks, at which school, on which screen: go on, or refuse."""
    waiting = load_interaction(interaction_id)
    code = waiting.request.get("user_code")
    if waiting.client_id is None or code is None or waiting.completed_at is not None:
        return resumed(waiting)
    if device_answers.state_of(waiting.request) is not State.OPEN:
        return device_answers.last_page(waiting.request)
    if request.method == "GET":
        return _question(waiting, code)
    if request.form.get("decision") != "continue":
        return answers.deny(waiting)
    pending = replace(AuthorizationRequest.from_json(waiting.request), user_code=None)
    begun = begin_interaction(pending.client_id, pending.as_json())
    return redirect(f"/interaction/{begun.id}", 303)


def _page(form: Form) -> ResponseReturnValue:
    return render_template("protocol/device.html", form=form), form.status


def _question(waiting: Interaction, code: str) -> str:
    client = waiting_client(waiting)
    schools = registration.schools_of(waiting.client_id or "", most=MOST_SCHOOLS + 1)
    return render_template(
        "protocol/device_confirm.html",
        interaction=waiting,
        client_name=client.name if client else "",
        schools=[school.name for school in schools] if len(schools) <= MOST_SCHOOLS else [],
        user_code=device_codes.shown(code),
    )
