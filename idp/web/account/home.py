"""``/``: the page of a signed-in parent without an application."""

from datetime import datetime

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from idp import clock
from idp.lifecycle import link_requests
from idp.people import guardianships, staff
from idp.people.models import School
from idp.sessions import service as sessions
from idp.sessions.service import SignedIn
from idp.web import staying
from idp.web.account.blueprint import apply_branding, blueprint, guardian_only
from idp.web.account.menu import PAGES
from idp.web.account.passkeys import is_offer_welcome
from idp.web.account.sessions import shown as shown_sessions
from idp.web.interaction import begin_interaction, to_step
from idp.web.start_pages import start_pages


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Who I am, my children, where to go, my account, my sessions; sign-in for everybody else."""
    signed_in = staying.arriving()
    if signed_in is None:
        interaction = begin_interaction()
        return to_step(interaction, "login")
    apply_branding(signed_in.account)
    return _page(signed_in)


def _page(signed_in: SignedIn) -> str:
    account = signed_in.account
    children = guardianships.live_children(account.id)
    schools: dict[str, School] = {child.school_id: child.school for child, _link in children}
    return render_template(
        "account/home.html",
        account=account,
        children=[child for child, _link in children],
        schools=list(schools.values()),
        applications=start_pages(list(schools)),
        at_desk=staff.is_staff(account.id),
        requests=link_requests.waiting(account.id),
        pages=[page for page in PAGES if page.shown()],
        offer_passkey=is_offer_welcome(account.id),
        sessions=shown_sessions(signed_in),
        now=clock.now(),
        ends_at=None if children else _ends_at(account.id),
    )


def _ends_at(account_id: str) -> datetime | None:
    # What erases people is loaded for those few who have no child
    from idp.purge import leavers  # noqa: PLC0415

    return leavers.ends_at(account_id)


@blueprint.post("/account/children/forget")
@guardian_only
def forget_choice(signed_in: SignedIn) -> ResponseReturnValue:
    """« Changer d'enfant »: the next application asks again."""
    sessions.forget_choices(signed_in.session.id)
    flash(_("The next application will ask you which child it is about."))
    return redirect(url_for("account.home"), 303)
