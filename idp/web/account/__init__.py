"""The page of a signed-in parent: who I am, my children, my password, my sessions."""

from idp.web.account import connections, home, password, sessions, step_up
from idp.web.account.blueprint import blueprint

__all__ = ["blueprint", "connections", "home", "password", "sessions", "step_up"]
