"""The protocol's endpoints and the pages on the way of an authorization request."""

from idp.web.protocol import (
    account,
    authorize,
    child,
    consent,
    device,
    interaction,
    left,
    logout,
    metadata,
    par,
    registration,
    token,
    userinfo,
)
from idp.web.protocol.blueprint import blueprint, endpoints

__all__ = [
    "account",
    "authorize",
    "blueprint",
    "child",
    "consent",
    "device",
    "endpoints",
    "interaction",
    "left",
    "logout",
    "metadata",
    "par",
    "registration",
    "token",
    "userinfo",
]
