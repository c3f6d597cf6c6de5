"""Signing in: figures 1 to 5 of the parents' tutorial, one file for each page."""

from idp.web.signin import (
    cancel,
    enrol,
    forgotten,
    login,
    passkey,
    password,
    second_factor,
    token,
    welcome,
)
from idp.web.signin.blueprint import blueprint

__all__ = [
    "blueprint",
    "cancel",
    "enrol",
    "forgotten",
    "login",
    "passkey",
    "password",
    "second_factor",
    "token",
    "welcome",
]
