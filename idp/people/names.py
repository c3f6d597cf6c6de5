"""How names are read: what may be stored, and the keys by which people are found again.

A key is what two spellings of the same thing share. Text that could never be stored has the
key ``""``, which nobody has, so that a look-up costs the same whatever was typed.
"""

import re
import unicodedata

import idna

from idp.errors import Invalid
from idp.people.models import EMAIL_LENGTH, NAME_LENGTH

USERNAME_SHORTEST = 3
USERNAME_LENGTH = 64
LOCAL_PART_LENGTH = 64  # RFC 5321 §4.5.3.1.1

_NOT_IN_NAMES = {"Cc", "Cs", "Co", "Zl", "Zp"}
_NOT_IN_USERNAMES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"}
_UNSEEN = {"Cf", "Zs"}
_TYPOGRAPHIC = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201b\u02bc\u00b4\u2032", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
)
"""What phones and word processors write in place of ' and -."""
_BIDI_CONTROLS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LAST_OF_EUROPE = 0x58F  # Latin, Greek, Cyrillic and Armenian letters join nothing
_INVISIBLE = dict.fromkeys(
    [
        *(0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF),
        *(*range(0x2060, 0x2065), *range(0xE0000, 0xE0080)),
    ]
)
_JOINERS = re.compile("[\u200c\u200d]")
_DOT_ATOM = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_IN_INTERNATIONAL_LOCAL_PARTS = {"L", "M", "N"}


def clean_text(field: str, text: str, *, longest: int = NAME_LENGTH, required: bool = False) -> str:
    """A name as it is stored: NFC, single spaces, nothing that nobody sees; raises ``Invalid``.

    Control characters and text-direction overrides are refused: they forge mail headers,
    log lines and what a page seems to say (security rules L2 and M1).
    """
    if len(text) > 4 * longest:
        raise Invalid(field, "too_long", most=longest)
    if any(unicodedata.category(c) in _NOT_IN_NAMES or c in _BIDI_CONTROLS for c in text):
        raise Invalid(field, "control_character")
    text = visible(text)
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if len(text) > longest:
        raise Invalid(field, "too_long", most=longest)
    if required and not text:
        raise Invalid(field, "missing")
    return text


def stored_names(given_name: str, family_name: str) -> tuple[str, str]:
    """Given and family name as they are stored: one of both is enough; raises ``Invalid``.

    Whoever has one name only has it as the given name, whichever field it was typed into: no
    claim says then that it is a family's (OpenID Connect Core §5.1).
    """
    given_name = clean_text("given_name", given_name)
    family_name = clean_text("family_name", family_name)
    if not given_name and not family_name:
        raise Invalid("given_name", "no_name")
    return (given_name, family_name) if given_name else (family_name, "")


def visible(text: str) -> str:
    """The text without what nobody sees: zero-width spaces, marks of direction, soft hyphens.

    Joiners stay where they shape letters, as in Persian and in the scripts of India.
    """
    if text.isascii():
        return text
    text = text.translate(_INVISIBLE)
    return _JOINERS.sub(lambda match: match[0] if _shapes(text, match.start()) else "", text)


def username_key(text: str) -> str:
    """The key of a user name: case and compatibility forms don't count; ``""`` if impossible.

    Letters of other scripts that merely look alike give another key (security rule P16).
    """
    text = text[: 4 * USERNAME_LENGTH + 1].strip()
    if len(text) > USERNAME_LENGTH:
        return ""
    folded = unicodedata.normalize("NFKC", text).casefold()
    key = unicodedata.normalize("NFKC", folded)
    if not USERNAME_SHORTEST <= len(key) <= USERNAME_LENGTH or "@" in key:
        return ""
    if any(unicodedata.category(c) in _NOT_IN_USERNAMES for c in key):
        return ""
    return key


def checked_username(text: str) -> tuple[str, str]:
    """A user name as it is stored, and its key; raises ``Invalid``."""
    key = username_key(text)
    if not key:
        raise Invalid("username", "no_user_name", least=USERNAME_SHORTEST, most=USERNAME_LENGTH)
    return clean_text("username", text, longest=USERNAME_LENGTH), key


def as_meant(text: str) -> str:
    """What somebody meant who typed or pasted a user name or an address, which hold no spaces:
    without invisible characters and spaces, with the keyboard's apostrophe and dash.

    A line break within stays, for the rules to refuse: two lines are not one address.
    """
    seen = (c for c in text.strip() if unicodedata.category(c) not in _UNSEEN)
    return "".join(seen).translate(_TYPOGRAPHIC)


def email_key(text: str) -> str:
    """The key of an e-mail address: NFC, lower case, the domain in IDNA; ``""`` if impossible.

    RFC 5321 lets the part before the @ depend on case; no provider of a parent's mail does.
    """
    text = text[: 4 * EMAIL_LENGTH + 1].strip()
    if len(text) > EMAIL_LENGTH or text.count("@") != 1:
        return ""
    if any(_turns_into_ascii(c) for c in text):
        return ""
    local, domain = unicodedata.normalize("NFC", text).lower().split("@")
    host = _host_key(domain)
    key = f"{local}@{host}"
    if not host or not _is_local_part(local) or len(key) > EMAIL_LENGTH:
        return ""
    return key


def unaccented(text: str) -> str:
    """The letters without their marks, as people type them in a hurry."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def sort_key(text: str) -> str:
    """What people sort by: accents and case don't count, whatever the database's collation."""
    return unaccented(text).casefold()


def _shapes(text: str, place: int) -> bool:
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    return all(
        each and unicodedata.category(each)[0] in "LM" and ord(each) > _LAST_OF_EUROPE
        for each in (before, after)
    )


def _turns_into_ascii(character: str) -> bool:
    # The Kelvin sign becomes "k" in lower case: a mail for one address would go by another
    # (security rule P16; the same happened to a large forge's password resets in 2019).
    if character.isascii():
        return False
    return any(c.isascii() for c in unicodedata.normalize("NFC", character).lower())


def _is_local_part(local: str) -> bool:
    ascii_only = "".join(c if c.isascii() else "a" for c in local)
    others = (c for c in local if not c.isascii())
    return (
        0 < len(local.encode()) <= LOCAL_PART_LENGTH
        and _DOT_ATOM.fullmatch(ascii_only) is not None
        and all(unicodedata.category(c)[0] in _IN_INTERNATIONAL_LOCAL_PARTS for c in others)
    )


def _host_key(domain: str) -> str:
    if domain.endswith(".") or ("." not in domain and domain != "localhost"):
        return ""
    try:
        return idna.encode(domain, strict=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return ""
