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
        "profile-link",
        "account.profile",
        _("My profile"),
        _("Your name, your children, and the language of pages and mails."),
        "people",
    ),
    Page(
        "email-link",
        "account.email",
        _("My e-mail address"),
        _("Where connection tokens and notices are sent."),
        "mail",
    ),
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
    Page(
        "connections-link",
        "account.connections",
        _("Linked accounts"),
        _("Sign in with Google, Facebook and others, or stop doing so."),
        "people",
    ),
    Page(
        "sessions-link",
        "account.session_list",
        _("Where I am signed in"),
        _("Your devices. Sign out one that you have lost."),
        "device",
    ),
    Page(
        "applications-link",
        "account.known_applications",
        _("Applications that know me"),
        _("What each may see, and how to end it."),
        "apps",
    ),
    Page(
        "history-link",
        "account.history",
        _("What happened to my account"),
        _("Sign-ins and changes, the newest first."),
        "clock",
    ),
    Page(
        "data-link",
        "account.data",
        _("My data"),
        _("Download what we keep about you, or ask for it to be erased."),
        "download",
    ),
)
"""In the order in which parents look for them."""
