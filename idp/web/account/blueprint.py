"""The account pages' blueprint, and the rule that they are for a signed-in guardian only."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from idp.sessions.service import SignedIn
from idp.web import branding, browser, i18n

blueprint = Blueprint("account", __name__)

P = ParamSpec("P")


def guardian_only(
    view: Callable[Concatenate[SignedIn, P], ResponseReturnValue],
) -> Callable[P, ResponseReturnValue]:
    """Give the view its guardian; whoever is not signed in goes to sign-in instead."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        signed_in = browser.signed_in()
        if signed_in is None:
            return redirect(url_for("account.home"), 303)
        i18n.wish(signed_in.account.locale)
        branding.use_school_of(signed_in.account.id)
        return view(signed_in, *args, **kwargs)

    return guarded
