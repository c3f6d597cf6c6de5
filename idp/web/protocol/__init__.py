"""The protocol's endpoints and the pages on the way of an authorization request."""

from flask import Blueprint

endpoints = Blueprint("oauth2", __name__)
"""What applications call. Exempt from form tokens: each has a protection of its own."""
blueprint = Blueprint("protocol", __name__)
"""Pages that a guardian answers."""

from idp.oidc import refusals  # noqa: E402

endpoints.after_request(refusals.keep)

from idp.web.protocol import (  # noqa: E402  (the views register themselves above)
    authorize,
    child,
    consent,
    interaction,
    logout,
    metadata,
    token,
    userinfo,
)

__all__ = [
    "authorize",
    "blueprint",
    "child",
    "consent",
    "endpoints",
    "interaction",
    "logout",
    "metadata",
    "token",
    "userinfo",
]
