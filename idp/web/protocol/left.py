"""On from a sign-in that ended another person's session in the same browser.

It is a sign-out: what their applications want to be told by is loaded (OpenID Connect Front-Channel
Logout 1.0 §3), and then whoever has signed in goes on.
"""

from collections.abc import Sequence

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from idp.sessions.models import Interaction
from idp.web import headers
from idp.web.interaction import load_interaction, resume
from idp.web.protocol import crossing
from idp.web.protocol.blueprint import blueprint


def by_frames(interaction: Interaction, frames: Sequence[str], on: Response) -> Response:
    """To the page that loads these, and goes on to where ``on`` leads: one of our own paths."""
    sealed_frames = crossing.seal("left", interaction.id, on.location, *frames)
    page = url_for("protocol.former_person_left", interaction_id=interaction.id, told=sealed_frames)
    return redirect(page, 303)


@blueprint.get("/interaction/<interaction_id>/left")
def former_person_left(interaction_id: str) -> Response:
    """The page between; loaded again later it only goes on."""
    interaction = load_interaction(interaction_id)
    match crossing.unseal(request.args.get("told", "")):
        case ["left", interaction.id, str(on), *frames]:
            addresses = [str(each) for each in frames]
            headers.let_frames_load(addresses)
            page = render_template("protocol/left.html", frames=addresses, address=on)
            return make_response(page)
    return resume(interaction)
