"""How surely we know who signed in: methods (RFC 8176) and the context class they amount to."""

from collections.abc import Collection
from typing import Final

LONG_LIVED_COOKIE: Final = "0"
"""Nobody proved anything now: a browser that stays signed in has come back. OpenID Connect Core §2
has this very word for it, and for this very case."""
SINGLE_FACTOR: Final = "urn:school-idp:acr:single-factor"
"""A password, a mailed token, or another provider's word."""
TWO_FACTOR: Final = "urn:school-idp:acr:two-factor"
"""Two different factors, one of which may be phished."""
PHISHING_RESISTANT: Final = "phr"
"""A key bound to our address (OpenID Connect EAP ACR Values 1.0 §2)."""

ACRS: Final = (SINGLE_FACTOR, TWO_FACTOR, PHISHING_RESISTANT)
"""What a sign-in amounts to, from the weakest to the strongest."""
ALL_ACRS: Final = (LONG_LIVED_COOKIE, *ACRS)
"""What a session may amount to."""

_KEYS: Final = frozenset({"hwk", "swk"})


def acr_of(amr: Collection[str]) -> str:
    """What these methods amount to, and no more (security rule F9).

    A key counts as phishing-resistant where its device verified its owner (``user``), so that
    having it and being its owner are proved at once.
    """
    if "user" in amr and _KEYS & set(amr):
        return PHISHING_RESISTANT
    return TWO_FACTOR if "mfa" in amr else SINGLE_FACTOR


def meets(have: str, wanted: str) -> bool:
    """Whether ``have`` is at least ``wanted``; a class that we don't know is never met."""
    known = have in ALL_ACRS and wanted in ALL_ACRS
    return known and ALL_ACRS.index(have) >= ALL_ACRS.index(wanted)
