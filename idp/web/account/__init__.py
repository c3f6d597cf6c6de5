"""The pages of a signed-in parent: my children, and all that is about my own account."""

from idp.web.account import (
    connections,
    data,
    email,
    email_links,
    history,
    home,
    known_applications,
    password,
    profile,
    sessions,
    step_up,
)
from idp.web.account.blueprint import blueprint

__all__ = [
    "blueprint",
    "connections",
    "data",
    "email",
    "email_links",
    "history",
    "home",
    "known_applications",
    "password",
    "profile",
    "sessions",
    "step_up",
]
