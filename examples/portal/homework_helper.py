"""« Coup de pouce »: an application of a third party beside the portal.

It is registered by itself and is nobody's first party: the provider asks the parent before
it learns a thing. Only its own registration makes it appear.
"""

from flask import Blueprint, abort, redirect, render_template, session
from werkzeug.wrappers import Response

from examples.portal import school_life, sign_in
from examples.portal.config import current
from examples.portal.visits import Visit

blueprint = Blueprint("helper", __name__, url_prefix="/coup-de-pouce")
CALLBACK = "/coup-de-pouce/callback"


@blueprint.before_request
def only_where_registered() -> None:
    """Without a client id there is no such application."""
    if not current().helper_client_id:
        abort(404)


@blueprint.get("")
def home() -> sign_in.Page | str:
    """What the application offers, and to whom."""
    if closed := sign_in.closed_page("helper_visit", "helper.home"):
        return closed
    visit = sign_in.live_visit("helper", "helper_visit")
    name = school_life.full_name(visit.child) if visit and visit.child else ""
    return render_template("helper.html", visit=visit, child_name=name)


@blueprint.get("/login")
def login() -> sign_in.Page:
    """Ask the provider who it is."""
    return sign_in.go_to_provider("helper", CALLBACK)


@blueprint.get("/callback")
def callback() -> sign_in.Page:
    """The provider's answer."""
    outcome = sign_in.come_back("helper", retry="helper.login")
    if not isinstance(outcome, Visit):
        return outcome
    session["helper_visit"] = sign_in.visits().begin(outcome)
    return redirect("/coup-de-pouce")


@blueprint.post("/leave")
def leave() -> Response:
    """Forget the visit here; the provider's session goes on."""
    sign_in.visits().end(session.pop("helper_visit", None))
    return redirect("/coup-de-pouce")
