"""The link of a mail: its token moves from the address into the interaction, and is not spent."""

from flask import request
from flask.typing import ResponseReturnValue

from idp.federation import links
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.web import browser, walk
from idp.web.signin.blueprint import blueprint

LONGEST_TOKEN = 100


@blueprint.get("/welcome")
def welcome() -> ResponseReturnValue:
    """Open the token page with the token filled in (security rules P7 and P8).

    Continues the request that waits in this browser, if any. Mail scanners open links:
    nothing is spent before the new password is saved.
    """
    this_browser = browser.browser_id()
    interaction = (
        interactions.newest_waiting(this_browser)
        or _with_waiting_link(this_browser)
        or interactions.begin(this_browser)
    )
    token = request.args.get("token", "")
    if 0 < len(token) <= LONGEST_TOKEN:
        interactions.seal_token(interaction, this_browser, token)
    return walk.to_step(interaction, "token")


def _with_waiting_link(this_browser: str) -> Interaction | None:
    """Where a foreign identity waits for the parent who went to fetch the token."""
    waiting = links.newest_waiting(this_browser)
    found = interactions.find(waiting, this_browser) if waiting else None
    return found if found is not None and found.completed_at is None else None
