"""What happened to my account: sign-ins, refusals, changes, the newest first."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from idp import settings
from idp.privacy import activity
from idp.sessions.service import SignedIn
from idp.web.account.activity import describe
from idp.web.account.blueprint import blueprint, guardian_only

GREATEST_ID = 2**63 - 1


@blueprint.get("/account/history")
@guardian_only
def history(signed_in: SignedIn) -> ResponseReturnValue:
    """One page; ``before`` is the number of the event that the page before ended with."""
    page = activity.page(signed_in.account.id, _before())
    return render_template(
        "account/history.html",
        activities=[describe(event) for event in page.events],
        older=page.older,
        first=request.args.get("before") is None,
        days=settings.current().audit_retention.days,
    )


def _before() -> int | None:
    """The page asked for; whatever is no number of an event asks for the first (rule A7)."""
    text = request.args.get("before", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    return number if number is not None and number <= GREATEST_ID else None
