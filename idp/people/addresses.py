"""E-mail addresses: which ones mail can reach, and slips that look like one of the large providers.

One answer for the desk, imports, the command line, the account page and the mailer. What is known
of an address that nobody could be written to is its key alone (``names.email_key``).
"""

from functools import lru_cache
from typing import Final

from idp.errors import Invalid
from idp.people.models import EMAIL_LENGTH
from idp.people.names import email_key

_PROVIDERS: Final = tuple(
    f"{name}.{ending}"
    for name, endings in {
        "gmail": ("com",),
        "hotmail": ("com", "be", "fr", "nl", "de"),
        "outlook": ("com", "be", "fr", "nl", "de"),
        "live": ("com", "be", "fr", "nl"),
        "yahoo": ("com", "fr", "de"),
        "icloud": ("com",),
        "protonmail": ("com",),
        "skynet": ("be",),
        "telenet": ("be",),
        "proximus": ("be",),
        "belgacom": ("be",),
        "scarlet": ("be",),
        "wanadoo": ("fr",),
        "orange": ("fr",),
        "laposte": ("net",),
        "t-online": ("de",),
        "freenet": ("de",),
        "ziggo": ("nl",),
        "kpnmail": ("nl",),
    }.items()
    for ending in endings
)
_OTHERS: Final = frozenset({"mail", "email", "ymail", "jmail", "line", "love", "olive", "tiscali"})
"""Names of mail providers, or of anything, that are one letter from a known one and no slip."""
_ENDINGS: Final = {
    "com": frozenset({"con", "cmo", "ocm", "vom", "cim", "comm", "coom", "om", "cm", "co", "xom"}),
    "be": frozenset({"bee", "ben", "eb", "bel"}),
    "fr": frozenset({"frr", "rf", "ft"}),
    "net": frozenset({"ner", "nte", "nett"}),
    "de": frozenset({"dee", "ed"}),
    "nl": frozenset({"nll", "ln"}),
}
_SHORTEST: Final = 5
"""Shorter names have too many neighbours that are somebody's own."""


def can_be_mailed(text: str) -> bool:
    """Whether a mail to the address can leave us.

    The domain may be international (it leaves in IDNA), the part before the @ is ASCII: it would
    need SMTPUTF8 (RFC 6531) at every server on the way.
    """
    key = email_key(text)
    return bool(key) and key.isascii() and len(text.strip()) <= EMAIL_LENGTH


def clean_email(field: str, text: str) -> str:
    """An address as it is stored; raises ``Invalid``."""
    if not can_be_mailed(text):
        raise Invalid(field, "no_address")
    return text.strip()


def meant(text: str) -> str | None:
    """The address that was meant, where the domain looks like a slip: « gmial.com »."""
    local, _, domain = text.strip().rpartition("@")
    corrected = _meant_domain(domain.lower()) if local else None
    return f"{local}@{corrected}" if corrected else None


@lru_cache(maxsize=4096)
def _meant_domain(domain: str) -> str | None:
    from rapidfuzz.distance import OSA

    name, dot, ending = domain.rpartition(".")
    if not dot or domain in _PROVIDERS or name in _OTHERS:
        return None
    for each in _PROVIDERS:
        known, _, right = each.rpartition(".")
        same_name = name == known or (
            len(known) >= _SHORTEST and OSA.distance(name, known, score_cutoff=1) == 1
        )
        same_ending = ending == right or ending in _ENDINGS[right]
        if same_name and same_ending:
            return each
    return None
