"""The way to another provider and back, and what a parent sees on it."""

from idp.web.federation import callback, connect, deletion, logos, start
from idp.web.federation.blueprint import blueprint, callbacks

__all__ = ["blueprint", "callback", "callbacks", "connect", "deletion", "logos", "start"]
