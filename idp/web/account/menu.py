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
)
"""In the order in which parents look for them."""
