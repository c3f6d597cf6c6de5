"""The link of a mail: its token moves from the address into the interaction, and is not spent."""

from flask import request
from flask.typing import ResponseReturnValue

from idp.sessions import interactions
from idp.web import browser, walk
from idp.web.signin.blueprint import blueprint

LONGEST_TOKEN = 100


@blueprint.get("/welcome")
def welcome() -> ResponseReturnValue:
    """Open the token page with the token filled in (security rules P7 and P8).

    Continues the request that waits in this browser, if any. Mail scanners open links:
    nothing is spent before the new password is saved.
    """
    interaction = browser.newest_waiting() or walk.begin()
    token = request.args.get("token", "")
    if 0 < len(token) <= LONGEST_TOKEN:
        interactions.seal_token(interaction, browser.person_id(), token)
    return walk.to_step(interaction, "token")
