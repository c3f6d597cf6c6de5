"""What an event of the audit log is made of: fields, words, and who may read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


def N_(msgid: str) -> str:  # noqa: N802 - the name that Babel knows
    """Mark a sentence for the catalogues; whoever shows it translates it."""
    return msgid


ANY: Final = object()
"""Whatever the field holds."""


@dataclass(frozen=True)
class Depending:
    """Words that depend on a field of the event, or on its result."""

    field: str
    words: Mapping[Any, str]
    otherwise: str

    def of(self, value: Any) -> str:
        """The words for this value; None: the event has no such field."""
        if value is None:
            return self.otherwise
        return self.words.get(value) or self.words.get(ANY) or self.otherwise


@dataclass(frozen=True, kw_only=True)
class Event:
    """A kind of event. Without words for a reader, that reader is not told of it by name."""

    fields: str = ""
    """What its detail may hold, beside ids in columns of their own: names, separated by spaces."""
    own: str | Depending = ""
    """For the account's owner, in their history. Their download holds every event on them."""
    person: str = ""
    """At the desk, on the page of the person whom the act was on."""
    school: str = ""
    """In the audit log of the school whose id it carries."""
    is_platforms: bool = False
    """Operators read it where it is no school's."""
    is_surprising: bool = False
    """The owner should have a look."""


def told_alike(words: str, **more: Any) -> Event:
    """What a person's page and the school's audit log tell in the same words."""
    return Event(person=words, school=words, **more)
