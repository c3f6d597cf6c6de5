"""The page of a signed-in parent: who I am, my children, my password, my sessions."""

from idp.web.account import (
    home,
    passkeys,
    password,
    sessions,
    step_up,
    step_up_factors,
    two_factor,
)
from idp.web.account.blueprint import blueprint

__all__ = [
    "blueprint",
    "home",
    "passkeys",
    "password",
    "sessions",
    "step_up",
    "step_up_factors",
    "two_factor",
]
