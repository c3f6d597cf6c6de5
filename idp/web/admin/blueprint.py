"""The desk's blueprint, and its rule: each view names the right that it needs.

A view that names none is refused to everybody (security rule A1). A view gets its ``Staff`` and
asks it for the scope of its queries; it has no rules of its own.
Parameters of addresses are read here, too.
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date
from functools import partial, wraps
from typing import Any, Concatenate, Final, ParamSpec

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
    _apply_branding(signed_in, staff)
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
    staff = desk.staff_of(signed_in.account.id)
    if staff is None:
        raise PageError("not_found", 404)  # there is no desk for parents
    # Sign-in asks staff for a second factor (rule A3); a session from before does not count
    if not meets(acr_of(signed_in.session.amr.split()), TWO_FACTOR):
        raise PageError("second_factor_needed", 403)
    return staff


def _apply_branding(signed_in: SignedIn, staff: Staff) -> None:
    """The person's language, and the face of their school where it is one."""
    g.staff = staff
    i18n.set_preferred_locale(signed_in.account.locale)
    if staff.school is not None:
        branding.use_school(staff.school)


_KEY: Final = re.compile(r"c[\w-]{0,220}", re.ASCII)
MOST_PAGES: Final = 10_000


def page_number() -> int:
    """``?page=``; whatever is no number of a page asks for the first."""
    text = request.args.get("page", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    return number if 1 <= number <= MOST_PAGES else 1


def day() -> date | None:
    """``?day=2026-11-24``, as a date field sends it."""
    try:
        return date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return None


def class_address(school_id: str, name: str) -> str:
    """The page of a class."""
    return url_for("admin.school_class", school_id=school_id, class_key=key_of(name))


def key_of(name: str) -> str:
    """What stands for a class in a path: its name may hold anything, a path may not."""
    return "c" + base64.urlsafe_b64encode(name.encode()).rstrip(b"=").decode("ascii")


def name_of(key: str) -> str | None:
    """The name behind ``key_of``; None for what never came from there."""
    if not _KEY.fullmatch(key):
        return None
    try:
        name = base64.urlsafe_b64decode(key[1:] + "=" * (-len(key[1:]) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name if key_of(name) == key and "\0" not in name else None
