"""Passkeys on a page: offered where they can work, asked for by a small script.

The script sends the browser's answer in an ordinary form; the challenge alone is fetched,
because making one is no matter for GET (security rule P7).
"""

from typing import Any, Final

from flask import jsonify
from werkzeug import Response

from idp.credentials import passkeys
from idp.credentials.passkeys import Purpose
from idp.credentials.relying_party import RelyingParty
from idp.people.models import AccountRow
from idp.web import browser, headers
from idp.web.errors import PageError

NOT_NOW: Final = "no_passkey_offer"
"""What a browser remembers in which a passkey was declined."""


def offered() -> bool:
    """Whether the present page may offer passkeys; if so, its headers allow them."""
    if passkeys.relying_party() is None:
        return False
    headers.allow_passkeys()
    return True


def use_options(purpose: Purpose, account: AccountRow | None = None) -> Response:
    """What the browser is asked in order to prove a passkey."""
    who = account.id if account else ""
    return _json(passkeys.options_to_use(_party(), browser.browser_id(), purpose, who))


def add_options(account: AccountRow) -> Response:
    """What the browser is asked in order to make a passkey."""
    return _json(passkeys.options_to_add(_party(), browser.browser_id(), account))


def _party() -> RelyingParty:
    party = passkeys.relying_party()
    if party is None:
        raise PageError("not_found", 404)
    return party


def _json(options: dict[str, Any]) -> Response:
    return jsonify(options)
