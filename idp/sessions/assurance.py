"""How surely we know who signed in: methods (RFC 8176) and the context class they amount to."""

from collections.abc import Collection
from typing import Final

SINGLE_FACTOR: Final = "urn:school-idp:acr:single-factor"
"""A password, a mailed token, or another provider's word."""
TWO_FACTOR: Final = "urn:school-idp:acr:two-factor"
"""Two different factors, one of which may be phished."""
PHISHING_RESISTANT: Final = "phr"
"""A key bound to our address (OpenID Connect EAP ACR Values 1.0 §2)."""

ACRS: Final = (SINGLE_FACTOR, TWO_FACTOR, PHISHING_RESISTANT)
"""From the weakest to the strongest."""

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
    return have in ACRS and wanted in ACRS and ACRS.index(have) >= ACRS.index(wanted)
