"""Recognises cells that hold no name: signs of a wrong encoding, and words for nobody.

A list that was saved in another encoding than it is read in has « L‚a » and « LŽger »; one whose
look-ups failed has « #N/A », one made from a pivot table « (vide) », one that people filled in
« idem », « overleden », « parent 1 ». None of these may become a person, an account and a user
name.
"""

import re
import unicodedata
from typing import Final

from idp.people.names import sort_key
from idp.roster import guessing


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
_BLANK: Final = _listed("vide vides leeg leer blank blanco empty")
"""What pivot tables write for an empty cell, in brackets or without."""
_BOOLEANS: Final = _listed("true false vrai faux waar onwaar wahr falsch")
_ANSWERS: Final = _listed(
    "idem ibid ibidem ditto dito anonyme anoniem anonym anonymous overleden overl. decede"
    " decedee dcd deceased verstorben gestorben"
) | frozenset(
    (
        *("non renseigne", "non communique", "pas communique", "non connu", "pas connu"),
        *("pere inconnu", "a completer", "voir ci-dessus", "niet ingevuld", "niet bekend"),
        *("niet gekend", "niet meegedeeld", "in te vullen", "zie boven", "vader onbekend"),
        *("keine angabe", "k. a.", "nicht bekannt", "siehe oben"),
        *("vater unbekannt", "not known", "not provided", "to be completed", "see above"),
        *("non-renseigne", "a remplir"),
    )
)
"""What people write who have no name to give, or whose bearer is dead."""
_SHORT_ANSWERS: Final = _listed(
    "nc n.c. nd n.d. np n.p. nr n.r. nsp k.a. oui non ja nee nein yes no"
)
_LABELS: Final = _listed("nom prenom naam voornaam achternaam familienaam name vorname nachname")
"""Such answers, and words of a header, that somebody may be called, or whose initials they are."""
_SURNAMES: Final = (
    _listed(
        "null nil nan na test none keiner kein geen y x z sum total abc som somme unknown ohne"
        " vide leer leeg blank true vrai faux waar wahr falsch dito"
    )
    | _SHORT_ANSWERS - {"nc"}
    | _LABELS
)
"""Of them, what somebody may be called: nobody's only where the other name says nothing either."""
_ROLES: Final = _listed(
    "parent parents ouder ouders eltern elternteil tuteur tutrice voogd vormund responsable"
    " guardian verzorger moeder mutter mother vader vater father"
)
_ONLY_AS_FAMILY: Final = (
    _listed("null x none vide leer leeg vrai faux waar wahr falsch nom naam") | _ROLES
)
"""Surnames that are nobody's given name. « Papa », « Maman » and « Pere » are somebody's."""


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
    """Whether a cell says that there is nobody, or nothing: « n.v.t. », « - », « (vide) »."""
    key = sort_key(text.strip())
    bare = _unbracketed(key)
    return key in _NONE or (bare != key and (bare in _NONE or bare in _BLANK))


def why_nobody(given_name: str, family_name: str) -> str:
    """The reason why two cells of a name are no person's, such as « #N/A », « 0 » or « Total »;
    empty: they may be somebody's.
    """
    keys = [sort_key(each.strip()) for each in (given_name, family_name) if each.strip()]
    nothing = [key for key in keys if _is_nothing_of_a_name(key)]
    if not nothing:
        return ""
    certain = any(key not in _SURNAMES and key not in _NONE and not _may_be(key) for key in nothing)
    if len(nothing) == len(keys) or certain or sort_key(given_name.strip()) in _ONLY_AS_FAMILY:
        return _kind(nothing)
    return ""


def _kind(nothing: list[str]) -> str:
    if any(_is_role(key) for key in nothing):
        return "role_for_name"
    return "no_answer" if any(_is_answer(key) for key in nothing) else "nobody"


def _is_nothing_of_a_name(key: str) -> bool:
    return _is_nothing(key) or key in _SHORT_ANSWERS or key in _LABELS or _is_role(key)


def _may_be(key: str) -> bool:
    """« Parent », « Pere », « Kind »: a role that is somebody's name, unless it has a number."""
    return _is_role(key) and not any(c.isdigit() for c in key)


def _is_role(key: str) -> bool:
    """« parent 1 », « moeder », « pas de père »: who somebody is to a child, or is not."""
    words = _NOT_ONE.sub("", key)
    return len(key) < _LONGEST_ROLE and guessing.is_person(words)


_NOT_ONE: Final = re.compile(r"^(pas de|sans|geen|keine?|no) ")
_LONGEST_ROLE: Final = 40


def _is_answer(key: str) -> bool:
    return key in _SHORT_ANSWERS or key in _ANSWERS or bool(_REMARKED.search(key))


_REMARKED: Final = re.compile(r"\((overleden|overl\.|decedee?|dcd|deceased|verstorben)\)")
"""« Marc (overleden) » gets no account, and no letter."""


def is_nothing(text: str) -> bool:
    """Whether a number's or a class's cell holds a word for none: « - », « #N/A », « 0 »."""
    key = sort_key(text.strip())
    return bool(key) and _is_nothing(key) and not key.strip("0").isdigit()


def _is_nothing(key: str) -> bool:
    words = (_NONE, _UNKNOWN, _TOTAL, _BLANK, _BOOLEANS, _ANSWERS)
    bare = _unbracketed(key)
    return (
        any(key in each or bare in each for each in words)
        or bool(_NOBODY.fullmatch(key))
        or bool(_REMARKED.search(key))
        or not any(c.isalnum() for c in key)
        or (key.replace(".", "").replace(",", "").isdigit())
    )


def _unbracketed(key: str) -> str:
    return key[1:-1].strip() if key[:1] + key[-1:] in {"()", "[]", "<>"} else key
