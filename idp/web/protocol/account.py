"""Who is it? Whoever is signed in, or somebody else: ``prompt=select_account`` (Core §3.1.2.1).

On a computer that several people use, « somebody else » ends nothing by itself: a passer-by who
presses it signs nobody out. The session that was there ends at the moment when another person has
proved who they are, with all that was left in this browser (security rules S1 and S6).
"""

from dataclasses import replace

from flask import redirect, render_template
from werkzeug.wrappers import Response

from idp.oidc import authorization
from idp.oidc.authorization import ChooseAccount
from idp.sessions import interactions
from idp.web.interaction import load_interaction
from idp.web.protocol.blueprint import blueprint
from idp.web.protocol.interaction import facts_of, resumed


@blueprint.get("/interaction/<interaction_id>/account")
def account(interaction_id: str) -> Response | str:
    """A card for whoever is signed in, and one for anybody else."""
    waiting = load_interaction(interaction_id)
    read = facts_of(waiting)
    if read is None or not isinstance(authorization.next_step(read[0], read[2]), ChooseAccount):
        return resumed(waiting)
    return render_template(
        "protocol/account.html",
        interaction=waiting,
        account=read[3].account,
        may_be_another=authorization.may_be_another(read[0]),
    )


@blueprint.post("/interaction/<interaction_id>/account")
def continue_as(interaction_id: str) -> Response:
    """It is whoever is signed in: what the request asked with this prompt is answered."""
    waiting = load_interaction(interaction_id)
    read = facts_of(waiting)
    if read is not None and isinstance(authorization.next_step(read[0], read[2]), ChooseAccount):
        rest = tuple(word for word in read[0].prompt if word != "select_account")
        interactions.change_request(waiting, replace(read[0], prompt=rest).as_json())
    return resumed(waiting)


@blueprint.post("/interaction/<interaction_id>/another-person")
def another_person(interaction_id: str) -> Response:
    """To the sign-in page, for somebody else."""
    waiting = load_interaction(interaction_id)
    read = facts_of(waiting)
    if read is None or not authorization.may_be_another(read[0]):
        return resumed(waiting)
    interactions.ask_for_another(waiting)
    return redirect(f"/interaction/{waiting.id}/login", 303)


@blueprint.post("/interaction/<interaction_id>/same-person")
def same_person(interaction_id: str) -> Response:
    """It is whoever is signed in after all."""
    waiting = load_interaction(interaction_id)
    if interactions.awaits_another(waiting):
        interactions.keep_the_same(waiting)
    return resumed(waiting)
