"""The account pages' blueprint, and the rule that they are for a signed-in guardian only."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from flask import Blueprint
from flask.typing import ResponseReturnValue

from idp.people.models import AccountRow
from idp.sessions.service import SignedIn
from idp.web import branding, i18n, staying
from idp.web.interaction import to_sign_in

blueprint = Blueprint("account", __name__)

P = ParamSpec("P")


def guardian_only(
    view: Callable[Concatenate[SignedIn, P], ResponseReturnValue],
) -> Callable[P, ResponseReturnValue]:
    """Give the view its guardian; whoever is not signed in goes to sign-in first."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        signed_in = staying.arriving()
        if signed_in is None:
            return to_sign_in()
        apply_branding(signed_in.account)
        return view(signed_in, *args, **kwargs)

    return guarded


def apply_branding(account: AccountRow) -> None:
    """Give this request's pages the guardian's language, and the face of their only school."""
    i18n.set_preferred_locale(account.locale)
    branding.use_school_of(account.id)
