"""Who arrives at a page: who is signed in, or comes back to a browser that stays signed in."""

from typing import Final

from flask import request

from idp.sessions.service import SignedIn
from idp.web import browser

_FORMS_TOO: Final = "oauth2.authorize"
"""A request of an application may come by POST (OpenID Connect Core §3.1.2.1)."""


def arriving() -> SignedIn | None:
    """Who is signed in in this browser; a device key that it brings is used where nobody is.

    A browser without a key, or with a session, costs nothing more.
    """
    signed_in = browser.signed_in()
    if signed_in is None and (key := browser.device_key()) is not None and _goes_there():
        browser.come_back(key)
        signed_in = browser.signed_in()
    return signed_in


def _goes_there() -> bool:
    """Whether the browser really goes to the page, and will keep the cookies of the answer: not
    where it only looks ahead, nor where a script asks (Fetch Metadata; Speculation Rules).
    """
    if request.method != "GET" and not (
        request.method == "POST" and request.endpoint == _FORMS_TOO
    ):
        return False
    headers = request.headers
    ahead = f"{headers.get('Sec-Purpose', '')} {headers.get('Purpose', '')}"
    return "prefetch" not in ahead and headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
