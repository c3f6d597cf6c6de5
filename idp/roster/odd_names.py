"""What stands in a list where a name should: signs of a wrong encoding, and words for nobody.

A list that was saved in another encoding than it is read in has « L‚a » and « LŽger »; one whose
look-ups failed has « #N/A ». Neither may become a person, an account and a user name.
"""

import re
import unicodedata
from typing import Final

from idp.people.names import sort_key


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SIGNS: Final = frozenset(" '’‘ʼ´`-‐‑–.,·()/\"“”«»&+ªº")
"""What stands in names beside letters, marks and digits."""
_BEFORE_CAPITALS: Final = _listed(
    "mc mac fitz de di da du del della la le lo van von den der el al ben bint"
)
_NOBODY: Final = re.compile(
    r"#\s?(n/?[av]|nv|ref|value|valeur|wert|waarde|name\??|nom\??|naam\??|null|nul|div/0|num|zahl"
    r"|getal|bezug|verw|spill|calc)[!?]?"
)
"""What spreadsheets write where a formula failed, in four languages."""
_NONE: Final = _listed(
    "n.v.t. nvt n/a n.a. geen aucun aucune neant keine keiner kein nihil / - -- --- – — . .. "
    "... _ s.o. entfallt entf. ohne"
)
"""Words of people for « there is none »."""
_UNKNOWN: Final = _listed(
    "? ?? ??? unknown inconnu inconnue onbekend unbekannt null nul nil none nan na x xx xxx "
    "xxxx y yy z zz tbd todo undefined test xyz abc"
)
_TOTAL: Final = _listed(
    "total totaal totaux gesamt summe somme som sum aantal nombre anzahl totals subtotal "
    "sous-total subtotaal zwischensumme"
)
_SURNAMES: Final = _listed(
    "null nil nan na test none keiner kein geen y x z sum total abc som somme unknown ohne"
)
"""Of them, what somebody may be called: nobody's only where the other name says nothing either."""


def is_broken(text: str) -> bool:
    """Whether a name holds letters that no name has, or a capital where no name has one."""
    return any(not _is_of_a_name(c) for c in text) or any(
        _is_misplaced(word) for word in re.split(r"[^\w]+", text)
    )


def _is_of_a_name(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd" or character in _SIGNS or category == "Cf"


def _is_misplaced(word: str) -> bool:
    """« LŽger », « ZoŽ »: a capital beyond ASCII inside a word of small letters."""
    if word.isascii() or not any(c.islower() for c in word):
        return False
    return any(
        c.isupper() and not c.isascii() and word[:place].lower() not in _BEFORE_CAPITALS
        for place, c in enumerate(word)
        if place
    )


def says_none(text: str) -> bool:
    """Whether a cell says that there is nobody, or nothing: « n.v.t. », « - »."""
    return sort_key(text.strip()) in _NONE


def is_nobody(given: str, family: str) -> bool:
    """Whether two cells of a name are no person's: « #N/A », « 0 », « NULL », « Total », « ? »."""
    cells = [sort_key(each.strip()) for each in (given, family) if each.strip()]
    if not cells:
        return False
    nothing = [cell for cell in cells if _is_nothing(cell)]
    if len(nothing) == len(cells):
        return True
    if sort_key(given.strip()) in _ONLY_AS_FAMILY:
        return True
    return any(cell not in _SURNAMES and cell not in _NONE for cell in nothing)


_ONLY_AS_FAMILY: Final = frozenset({"null", "x", "none"})
"""Surnames that are nobody's given name."""


def is_nothing(text: str) -> bool:
    """Whether a number's or a class's cell holds a word for none: « - », « #N/A », « 0 »."""
    key = sort_key(text.strip())
    return bool(key) and _is_nothing(key) and not key.strip("0").isdigit()


def _is_nothing(key: str) -> bool:
    listed = key in _NONE or key in _UNKNOWN or key in _TOTAL
    return (
        listed
        or bool(_NOBODY.fullmatch(key))
        or not any(c.isalnum() for c in key)
        or (key.replace(".", "").replace(",", "").isdigit())
    )
