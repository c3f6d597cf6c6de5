"""Reads single cells: dates, numbers, names, and words for the relationship to a child."""

import re
from datetime import date, datetime
from typing import Final

from idp.errors import Invalid
from idp.people.models import NAME_LENGTH
from idp.people.names import clean_text, sort_key
from idp.people.normalise import comparable

_WHOLE_NUMBER: Final = re.compile(r"(\d+)[.,]0+")
_DRESSED: Final = re.compile(r"""="([^"]*)"|'([^']*)'?""")
"""What keeps a spreadsheet from taking a number for one."""
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")

RELATIONSHIP_WORDS: Final[dict[str, str]] = {
    word: relationship
    for relationship, words in {
        "mother": "mother mere maman moeder mama mutter mutti mom mum",
        "father": "father pere papa vader vati dad",
        "parent": "parent parents ouder ouders eltern elternteil personensorgeberechtigte",
        "guardian": "guardian tuteur tutrice voogd vormund carer responsable verantwoordelijke"
        " erziehungsberechtigte erziehungsberechtigter sorgeberechtigte sorgeberechtigter"
        " pleegouder pleegmoeder pleegvader pflegemutter pflegevater",
        "aunt": "aunt tante",
        "uncle": "uncle oncle oom onkel",
        "relative": "relative grandmother grandfather grand-mere grand-pere grandparent oma opa"
        " grootmoeder grootvader grossmutter grossvater soeur frere zus broer schwester bruder"
        " familie famille verwandte sister brother",
        "other": "other autre andere andere(r) sonstige stepmother stepfather belle-mere"
        " beau-pere stiefmoeder stiefvader plusmama pluspapa stiefmutter stiefvater",
    }.items()
    for word in words.split()
}
"""Words of school software in four languages, as ``sort_key`` makes them."""


def relationship(text: str) -> str | None:
    """OneRoster's word for who somebody is to a child; None for one that we don't know."""
    return RELATIONSHIP_WORDS.get(sort_key(text).strip(" .").replace(" ", "-"))


def number(text: str) -> str:
    """An id as the school means it: Excel's ``1234,0`` is 1234, ``="0417"`` and ``'0417`` 0417."""
    text = " ".join(text.split())
    if dressed := _DRESSED.fullmatch(text):
        text = dressed[1] or dressed[2]
    whole = _WHOLE_NUMBER.fullmatch(text)
    return whole[1] if whole else text


def day(text: str) -> date | None:
    """A day as ``dd/mm/yyyy`` or ISO 8601; None where it is neither."""
    text = text.strip()
    try:
        if match := _DAY_FIRST.fullmatch(text):
            return date(int(match[3]), int(match[2]), int(match[1]))
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def split_name(text: str) -> tuple[str, str] | None:
    """Given and family name from one cell: « DUBOIS Lina », « Dubois, Lina »; else None.

    Anything else would be a guess about which word is the family's.
    """
    if text.count(",") == 1:
        family, given_name = (part.strip() for part in text.split(","))
        return (given_name, family) if given_name and family else None
    words = text.split()
    upper = [word for word in words if word.isupper() and len(word) > 1]
    if not upper or len(upper) == len(words):
        return None
    given_name = " ".join(word for word in words if word not in upper)
    return given_name, " ".join(_in_title(word) for word in upper)


def name_key(given_name: str, family_name: str) -> str:
    """What two spellings of one full name share; see ``folding.comparable``."""
    return f"{comparable(given_name)[:NAME_LENGTH]}|{comparable(family_name)[:NAME_LENGTH]}"


def cleaned(field: str, text: str, longest: int) -> str:
    """A name as people's own rules store it; raises ``Invalid``."""
    if "\ufffd" in text:
        raise Invalid(field, "wrong_encoding")
    return clean_text(field, text, longest=longest, required=True)


def _in_title(word: str) -> str:
    return "-".join(
        "'".join(bit.capitalize() for bit in part.split("'")) for part in word.split("-")
    )
