"""Figure 7: the page that a parent wanted to see all along."""

import json

from flask import Blueprint, redirect, render_template, request

from examples.portal import school_life, sign_in
from examples.portal.config import current
from examples.portal.visits import Visit

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/")
def home() -> sign_in.Page | str:
    """The child's dashboard, or the welcome page of whoever is not signed in."""
    if "state" in request.args:  # back from the provider's sign-out: a clean address
        return redirect("/?signed-out" if sign_in.signed_out_by_provider() else "/")
    if closed := sign_in.closed_page():
        return closed
    visit = sign_in.live_visit()
    if visit is None:
        return render_template("welcome.html", signed_out="signed-out" in request.args)
    return _dashboard(visit)


def _dashboard(visit: Visit) -> str:
    child = visit.child
    life = school_life.week_of(child, current().theme) if child else None
    return render_template(
        "dashboard.html",
        visit=visit,
        child=child,
        child_name=school_life.full_name(child) if child else "",
        initials=school_life.initials(child) if child else "",
        life=life,
        id_token_claims=_pretty(visit.claims),
        userinfo=_pretty(visit.userinfo),
    )


def _pretty(document: dict[str, object]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=False)
