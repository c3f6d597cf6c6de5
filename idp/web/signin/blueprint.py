"""The blueprints of the ways in, and what an expired form on a sign-in page shows."""

from collections.abc import Callable

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError

from idp.sessions.models import Interaction
from idp.web import errors
from idp.web.forms import Form, open_for_too_long
from idp.web.interaction import load_interaction

blueprint = Blueprint("signin", __name__)
provider_pages = Blueprint("federation", __name__)
"""The way to another provider and back, and what a parent sees on it."""
provider_callbacks = Blueprint("provider_callbacks", __name__)
"""What providers' servers call. Exempt from form tokens: their signature is the proof."""

Page = Callable[[Interaction, Form], ResponseReturnValue]

_pages: dict[str, tuple[Page, tuple[str, ...]]] = {}


def shows_again(endpoint: str, *names: str) -> Callable[[Page], Page]:
    """Declare the page of ``endpoint`` and the fields that it may show again when typed."""

    def declare(page: Page) -> Page:
        _pages[f"{blueprint.name}.{endpoint}"] = (page, names)
        return page

    return declare


@blueprint.errorhandler(CSRFError)
def form_expired(_error: CSRFError) -> ResponseReturnValue:
    """The same page again with what was typed, rather than a dead end.

    Nothing of the form has been acted on; the page brings a new form token.
    """
    try:
        if not request.cookies or request.endpoint not in _pages:
            raise errors.form_error()
        page, names = _pages[request.endpoint]
        interaction = load_interaction((request.view_args or {})["interaction_id"])
        form = Form.read(*names)
    except errors.PageError as error:
        return errors.answer(error)
    form.notice = open_for_too_long()
    return page(interaction, form)
