"""Signing in: figures 1 to 5 of the parents' tutorial, one file for each page."""

from idp.web.signin import cancel, forgotten, login, password, token, welcome
from idp.web.signin.blueprint import blueprint

__all__ = ["blueprint", "cancel", "forgotten", "login", "password", "token", "welcome"]
