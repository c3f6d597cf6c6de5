"""The random key that every form of a page carries, and whom it was written for."""

import re
import secrets
from dataclasses import dataclass
from typing import Final

from flask import Flask, g, request

from idp.database import hashes
from idp.web import browser

FIELD: Final = "once"
_OWNER: Final = "form owner"
_KEY: Final = re.compile(r"([\w-]{22})(?:\.([\w-]{43}))?", re.ASCII)


@dataclass(frozen=True)
class FormKey:
    """``owner`` is None where nobody was signed in on the page."""

    random: str
    owner: str | None

    def is_of(self, account_id: str | None) -> bool:
        """Whether what was typed there may be shown to this account: only to who typed it."""
        if self.owner is None:
            return True
        return account_id is not None and hashes.is_derived(
            self.owner, _OWNER, f"{self.random}|{account_id}"
        )


def init_app(app: Flask) -> None:
    """Give templates ``once_key()``."""
    app.jinja_env.globals["once_key"] = of_page


def of_page() -> str:
    """The key of this page's forms."""
    if "once_key" not in g:
        browser.browser_id()  # an answer is kept for a browser: it needs its cookie
        random, signed_in = secrets.token_urlsafe(16), browser.known_signed_in()
        g.once_key = f"{random}.{_owner(random, signed_in.account.id)}" if signed_in else random
    return str(g.once_key)


def sent() -> FormKey | None:
    """The key that came with the present request's form."""
    if request.method != "POST":
        return None
    match = _KEY.fullmatch(request.form.get(FIELD, ""))
    return FormKey(match[1], match[2]) if match else None


def _owner(random: str, account_id: str) -> str:
    return hashes.derived(_OWNER, f"{random}|{account_id}")
