"""« Annuler »: back to the application, which learns that the parent did not want to."""

from flask.typing import ResponseReturnValue

from idp.web import walk
from idp.web.protocol import answers
from idp.web.signin.blueprint import blueprint


@blueprint.post("/interaction/<interaction_id>/cancel")
def cancel(interaction_id: str) -> ResponseReturnValue:
    """Answer ``access_denied`` (RFC 6749 §4.1.2.1), from whichever page."""
    interaction = walk.enter(interaction_id)
    if interaction.client_id is None or interaction.completed_at is not None:
        return walk.go_on(interaction)
    return answers.deny(interaction)
