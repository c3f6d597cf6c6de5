"""A school's own words in the letters that parents get at first: found, changed."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from idp import clock
from idp.database import db, transaction, update_all
from idp.errors import Conflict, Invalid
from idp.people.models import TEXT_KINDS, TEXT_LENGTH, SchoolText
from idp.people.names import clean_text
from idp.settings import LOCALES

MOST_LINES: Final = 20


@dataclass(frozen=True)
class Words:
    """What a school says before and after our own words. ``version`` 0: it never said any."""

    opening: str = ""
    closing: str = ""
    version: int = 0

    @property
    def any(self) -> bool:
        return bool(self.opening or self.closing)


def words_of(school_id: str, kind: str, locale: str) -> Words:
    """The school's words for this kind of letter in this language."""
    row = db.session.get(SchoolText, (school_id, kind, locale), populate_existing=True)
    return Words(row.opening, row.closing, row.version) if row else Words()


def all_words(school_id: str) -> dict[tuple[str, str], Words]:
    """Every text of a school, by kind and language."""
    rows = db.session.scalars(select(SchoolText).where(SchoolText.school_id == school_id))
    return {(row.kind, row.locale): Words(row.opening, row.closing, row.version) for row in rows}


def set_words(
    school_id: str, kind: str, locale: str, *, opening: str, closing: str, version: int | None
) -> tuple[Words, Words]:
    """Keep a school's words; returns them as they were and as they are. Joins a transaction.

    ``version``: the one that the editor saw, None where it does not matter. Raises ``Invalid``
    for words that can't be stored, ``Conflict`` where the version is another by now.
    """
    if kind not in TEXT_KINDS or locale not in LOCALES:
        raise Invalid("kind", "no_letter")
    opening, closing = clean_words("opening", opening), clean_words("closing", closing)
    with transaction():
        before = words_of(school_id, kind, locale)
        seen = before.version if version is None else version
        if seen == 0:
            _add(school_id, kind, locale, opening, closing)
        else:
            changed = update_all(
                SchoolText,
                SchoolText.school_id == school_id,
                SchoolText.kind == kind,
                SchoolText.locale == locale,
                SchoolText.version == seen,
                opening=opening,
                closing=closing,
                version=seen + 1,
                updated_at=clock.now(),
            )
            if changed != 1:
                raise Conflict("changed_meanwhile")
        return before, words_of(school_id, kind, locale)


def clean_words(field: str, text: str) -> str:
    """The words in lines without forged characters, at most one empty line between two.

    Raises ``Invalid``: control characters and text-direction overrides make a text look like
    another (security rule M1).
    """
    lines = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).split("\n")
    cleaned = [clean_text(field, line, longest=TEXT_LENGTH) for line in lines]
    whole = re.sub(r"\n{3,}", "\n\n", "\n".join(cleaned)).strip("\n")
    if len(whole) > TEXT_LENGTH:
        raise Invalid(field, "too_long", most=TEXT_LENGTH)
    if whole.count("\n") >= MOST_LINES:
        raise Invalid(field, "too_many_lines", most=MOST_LINES)
    return whole


def _add(school_id: str, kind: str, locale: str, opening: str, closing: str) -> None:
    made = SchoolText(
        school_id=school_id, kind=kind, locale=locale, opening=opening, closing=closing
    )
    with transaction() as writes:
        try:
            with writes.begin_nested():
                writes.add(made)
        except IntegrityError:  # somebody was first
            raise Conflict("changed_meanwhile") from None
