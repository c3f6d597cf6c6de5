"""The pages about a parent's own account, as their page lists them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from idp.credentials import passkeys


@dataclass(frozen=True)
class Page:
    """A page of the account: where it is, what it is called, what it is good for."""

    id: str
    """The id of its link on the parent's page."""
    endpoint: str
    label: LazyString
    purpose: LazyString
    icon: str
    shown: Callable[[], bool] = lambda: True
    """Whether it is of use in this installation."""


PAGES: Final = (
    Page(
        "change-password-link",
        "account.password",
        _("Change my password"),
        _("Change it if somebody else may know it."),
        "key",
    ),
    Page(
        "passkeys-link",
        "account.passkeys",
        _("My passkeys"),
        _("Sign in with your fingerprint, your face or your screen lock."),
        "passkey",
        shown=lambda: passkeys.relying_party() is not None,
    ),
    Page(
        "two-factor-link",
        "account.two_factor",
        _("Two-step sign-in"),
        _("Ask for a code besides the password."),
        "shield",
    ),
)
"""In the order in which parents look for them."""
