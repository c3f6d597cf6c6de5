"""The pages about a parent's own account, as their page lists them."""

from dataclasses import dataclass
from typing import Final

from flask_babel import LazyString
from flask_babel import lazy_gettext as _


@dataclass(frozen=True)
class Page:
    """A page of the account: where it is, what it is called, what it is good for."""

    id: str
    """The id of its link on the parent's page."""
    endpoint: str
    label: LazyString
    purpose: LazyString
    icon: str


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
        _("Your devices; sign one out that you lost."),
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
