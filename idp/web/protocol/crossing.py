"""What a form of another site asks for, on its way through the address of our own redirect.

Such a form comes without our SameSite=Lax cookies; a redirect to ourselves brings them. An
``id_token_hint`` stays out of that address: it may hold a name and an address, which every proxy
on the way would write down (rule N8). What it proved goes along sealed instead.
"""

from typing import Any, Final

from itsdangerous import BadSignature, URLSafeTimedSerializer

from idp import settings

_LASTS: Final = 60
"""Seconds: as long as a redirect may take."""


def seal(*known: str | None) -> str:
    """What was understood; it can be read on the way, but not forged."""
    return str(_serializer().dumps(known))


def unseal(sealed: str) -> list[Any] | None:
    """What ``seal`` was given a moment ago; None for anything else."""
    try:
        known: list[Any] = _serializer().loads(sealed, max_age=_LASTS)
    except BadSignature:
        return None
    return known


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.current().session_secret.oldest_first, salt="crossing")
