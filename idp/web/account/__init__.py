"""The pages of a signed-in parent: my children, and all that is about my own account."""

from idp.web.account import (  # noqa: F401 - each adds its pages
    activity,
    connections,
    data,
    email,
    email_links,
    factor_undo,
    guardianships,
    home,
    known_applications,
    passkeys,
    password,
    profile,
    sessions,
    step_up,
    two_factor,
)
from idp.web.account.blueprint import blueprint

__all__ = ["blueprint"]
