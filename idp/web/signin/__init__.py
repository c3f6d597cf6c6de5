"""Signing in: figures 1 to 5 of the parents' tutorial, one file for each page; other providers."""

from idp.web.signin import (  # noqa: F401 - each adds its pages
    enrol,
    forgotten,
    login,
    passkey_offer,
    password,
    provider_callback,
    provider_connect,
    provider_deletion,
    provider_offers,
    provider_start,
    second_factor,
    token,
)
from idp.web.signin.blueprint import blueprint, provider_callbacks, provider_pages

__all__ = ["blueprint", "provider_callbacks", "provider_pages"]
