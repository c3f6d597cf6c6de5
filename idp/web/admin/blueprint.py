"""The desk's blueprint, and its rule: each view names the right that it needs.

A view that names none is refused to everybody (security rule A1). A view gets its ``Staff`` and
asks it for the reach of its queries; it has no rules of its own.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec

from flask import Blueprint, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from idp.desk.access import rights as desk
from idp.desk.access.rights import Right, Staff
from idp.lifecycle.step_up import is_recent
from idp.sessions.assurance import TWO_FACTOR, acr_of, meets
from idp.sessions.service import SignedIn
from idp.web import branding, browser, i18n, once
from idp.web.admin.menu import entries_for
from idp.web.bodies import GUARD
from idp.web.errors import PageError
from idp.web.interaction import to_sign_in

blueprint = Blueprint("admin", __name__, url_prefix="/admin")

P = ParamSpec("P")
View = Callable[Concatenate[Staff, P], ResponseReturnValue]

RIGHT = "admin_right"
"""The attribute by which a guarded view tells its right."""


def staff_only(
    right: Right, *, proved: bool = False
) -> Callable[[View[P]], Callable[P, ResponseReturnValue]]:
    """Give the view its staff member, who has ``right`` somewhere.

    ``proved``: only after a fresh proof (security rule A3); a form that comes too late is not
    acted on, its page is shown again after the proof, with what was typed.
    """

    def decorate(view: View[P]) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            answer = _admit(right, proved=proved)
            return view(g.staff, *args, **kwargs) if answer is None else answer

        setattr(guarded, RIGHT, right)
        setattr(guarded, GUARD, partial(_admit, right, proved=proved))
        return guarded

    return decorate


def _admit(right: Right, *, proved: bool) -> ResponseReturnValue | None:
    """Let whoever is signed in go on as ``g.staff``, or answer in place of the view."""
    signed_in = browser.signed_in()
    if signed_in is None:
        return to_sign_in()
    staff = _staff(signed_in)
    if not staff.may(right):
        raise PageError("forbidden", 403)
    _dress(signed_in, staff)
    if proved and not is_recent(signed_in.session):
        return redirect(url_for("account.confirm", next=once.page_again()), 303)
    return None


@blueprint.before_request
def _refuse_what_names_no_right() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if not hasattr(view, RIGHT):
        raise PageError("forbidden", 403)


@blueprint.app_context_processor
def _context() -> dict[str, Any]:
    staff: Staff | None = g.get("staff")
    signed_in = browser.signed_in() if staff else None
    if staff is None or signed_in is None:
        return {}
    person = signed_in.account.full_name
    return {"staff": staff, "desk_menu": entries_for(staff), "desk_person": person}


def _staff(signed_in: SignedIn) -> Staff:
    staff = desk.of(signed_in.account.id)
    if staff is None:
        raise PageError("not_found", 404)  # there is no desk for parents
    # Sign-in asks staff for a second factor (rule A3); a session from before does not count
    if not meets(acr_of(signed_in.session.amr.split()), TWO_FACTOR):
        raise PageError("second_factor_needed", 403)
    return staff


def _dress(signed_in: SignedIn, staff: Staff) -> None:
    """The person's language, and the face of their school where it is one."""
    g.staff = staff
    i18n.wish(signed_in.account.locale)
    if staff.school is not None:
        branding.use_school(staff.school)
