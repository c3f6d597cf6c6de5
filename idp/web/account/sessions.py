"""The parent's sessions: end one, end all others, sign out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from flask import flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug import Response

from idp import clock
from idp.lifecycle import endings
from idp.sessions import service as sessions
from idp.sessions.service import Listed, SignedIn
from idp.web import branding, browser
from idp.web.account.blueprint import blueprint, guardian_only
from idp.web.account.step_up import proved_recently
from idp.web.errors import known_id
from idp.web.forms import with_token_of_any_age
from idp.web.protocol import crossing, logout


@dataclass(frozen=True)
class Shown:
    """A session as its row shows it: no address, no place."""

    id: str
    device: str
    how: str
    since: datetime
    last_seen_at: datetime
    stays_until: datetime | None
    is_this: bool


@blueprint.get("/account/sessions")
@guardian_only
def session_list(signed_in: SignedIn) -> ResponseReturnValue:
    """Each session with its device, how it began, and when it was last used; this one first."""
    return render_template("account/sessions.html", sessions=shown(signed_in), now=clock.now())


@blueprint.post("/account/sessions/<session_id>/end")
@guardian_only
@proved_recently
def end_session(signed_in: SignedIn, session_id: str) -> ResponseReturnValue:
    """End one session: a lost phone, a computer at the library."""
    known_id(session_id)
    if session_id == signed_in.session.id:
        return _signed_out()
    endings.end_session(signed_in.account.id, session_id)
    flash(_("That session has ended."))
    return redirect(url_for("account.session_list"), 303)


@blueprint.post("/account/sessions/end-others")
@guardian_only
@proved_recently
def end_others(signed_in: SignedIn) -> ResponseReturnValue:
    """End every session but this one."""
    endings.end_other_sessions(signed_in.account.id, keep=signed_in.session.id)
    flash(_("All your other sessions have ended."))
    return redirect(url_for("account.session_list"), 303)


@blueprint.post("/account/sign-out")
@with_token_of_any_age
def sign_out() -> ResponseReturnValue:
    """End this session, on a page that was open for hours too. A second click finds nothing to
    end, and says the same.
    """
    return _signed_out()


@blueprint.get("/account/signed-out")
def signed_out() -> ResponseReturnValue:
    """What stands in the window after signing out, with the face of the page before."""
    branding.use_school_named(request.args.get("school", ""))
    match crossing.unseal(request.args.get("told", "")):
        case ["frames", back, *frames]:
            return logout.signed_out([str(each) for each in frames], back)
    return render_template("protocol/logged_out.html", problem="")


def _signed_out() -> Response:
    if (lasting := browser.not_signed_out()) is not None:
        branding.use_school_of(lasting.account.id)
    frames = browser.sign_out()
    sealed_frames = crossing.seal("frames", None, *frames) if frames else None
    page = url_for("account.signed_out", school=branding.current().school, told=sealed_frames)
    response = make_response(redirect(page, 303))
    # Rule S6: « back » shows nothing. Cookies stay: the language, the known device.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def shown(signed_in: SignedIn) -> list[Shown]:
    """Where the guardian is signed in, or stays so, as it is shown, this one first."""
    rows = (_shown(each, signed_in.session.id) for each in sessions.listed(signed_in.account.id))
    return sorted(rows, key=lambda each: not each.is_this)


def _shown(listed: Listed, this_session: str) -> Shown:
    session = listed.session
    return Shown(
        id=session.id,
        device=session.device,
        how=signed_in_how(session.amr.split()),
        since=session.created_at,
        last_seen_at=session.last_seen_at,
        stays_until=listed.stays_until,
        is_this=session.id == this_session,
    )


def signed_in_how(amr: Collection[str]) -> str:
    """A sentence about a sign-in by these methods (RFC 8176 values)."""
    used = set(amr)
    if used & {"hwk", "swk"}:
        return str(_("Signed in with a passkey"))
    if "fed" in used:
        return str(_("Signed in with an account at another provider"))
    if "pwd" in used and len(used) > 1:
        return str(_("Signed in with the password and a second step"))
    if "pwd" in used:
        return str(_("Signed in with the password"))
    if "otp" in used:
        return str(_("Signed in with a token from an e-mail or a letter"))
    return str(_("Signed in"))
