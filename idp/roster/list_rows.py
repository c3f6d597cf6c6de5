"""Reads a row of a list by the list's mapping: its cells, and the names of people.

A person with one name only is taken for a typing error, unless somebody says that the list has such
people.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from idp.errors import Invalid
from idp.people.models import NAME_LENGTH
from idp.people.names import email_key, visible
from idp.roster import cells, odd_names, validity
from idp.roster.derived_ids import DerivedIds
from idp.roster.mapping import Mapping
from idp.roster.namesakes import Namesakes
from idp.roster.records import Noticed, Reading, Rejected, Row

_MOST_CLASSES: Final = 5


@dataclass
class Reader:
    """A list that is being read: how, and what was met so far."""

    school_id: str
    mapping: Mapping
    reading: Reading
    namesakes: Namesakes = field(default_factory=Namesakes)
    single_names: bool = False
    lists_agents: bool = True
    pupils: dict[str, str] = field(default_factory=dict)
    """Pupil's id → key of its name: a number that stands for two pupils is an error."""
    classes: dict[str, list[str]] = field(default_factory=dict)
    """Pupil's id → the classes of its rows: the first counts, and others are told."""
    guardians: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    """Guardian's id → the address of its first row that has one."""
    links: set[tuple[str, str]] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    """Hashes of the rows that were read: the same once more says nothing new."""
    today: date = field(default_factory=validity.today)

    def __post_init__(self) -> None:
        self.ids = DerivedIds(self.school_id)

    def other_classes(self, pupil: str, class_name: str) -> str:
        """All classes of a pupil, where this is another than those that were met before."""
        met = self.classes.setdefault(pupil, [])
        if not class_name or class_name in met:
            return ""
        met.append(class_name)
        return ", ".join(met[:_MOST_CLASSES]) if len(met) > 1 else ""

    def other_address(self, guardian: str, email: str, named: "Named") -> Iterator[Noticed]:
        """Tells that a guardian has another address than in the rows before."""
        key = email_key(email) if email else None
        if key and self.addresses.setdefault(guardian, key) != key:
            yield Noticed("two_addresses", f"{named.given_name} {named.family_name}: {email}")


@dataclass(frozen=True)
class Named:
    """Somebody's names as they are stored."""

    given_name: str
    family_name: str

    @property
    def key(self) -> str:
        """What two spellings of it share."""
        return cells.name_key(self.given_name, self.family_name)


def get_cell(reader: Reader, row: Row, target: str) -> str:
    """The cell of what is meant by this target, or the mapping's constant."""
    for column, at in reader.mapping.columns.items():
        if at == target:
            return " ".join(visible(row.cells.get(column, "")).split()) or (
                reader.mapping.constants.get(target, "")
            )
    return reader.mapping.constants.get(target, "")


def name_of(reader: Reader, row: Row, whose: str) -> Named | Rejected | None:
    """The name as people's own rules store it; None where the cells say that there is nobody."""
    given_name, prefix, family_name, whole = (
        get_cell(reader, row, f"{whose}.{what}") for what in ("given", "prefix", "family", "name")
    )
    names = [each for each in (given_name, family_name, whole) if each]
    if whose != "pupil":
        names = [each for each in names if not odd_names.says_none(each)]
    if not names:
        return None
    if why := odd_names.why_nobody(given_name or whole, family_name):
        return Rejected(row, why, whose)
    if whole and not (given_name and family_name):
        parts = cells.split_name(whole) or _single(reader, whole)
        if parts is None:
            return Rejected(row, "name_in_one", whose)
        given_name, family_name = parts
    elif any(not each or odd_names.says_none(each) for each in (given_name, family_name)):
        if not reader.single_names:
            return Rejected(row, "name_missing", whose)
        # One name is kept as the given name: no claim says that it is a family's
        if not given_name or odd_names.says_none(given_name):
            given_name = family_name
        family_name = ""
    family_name = f"{prefix} {family_name}" if prefix and family_name else family_name
    return _cleaned(row, whose, given_name, family_name)


def _single(reader: Reader, whole: str) -> tuple[str, str] | None:
    one_word = len(whole.split()) == 1
    return (whole, "") if reader.single_names and one_word else None


def _cleaned(row: Row, whose: str, given_name: str, family_name: str) -> Named | Rejected:
    if "\ufffd" in given_name + family_name or odd_names.is_broken(f"{given_name} {family_name}"):
        return Rejected(row, "letters_wrong", whose)
    try:
        return Named(
            cells.cleaned(whose, given_name, NAME_LENGTH),
            cells.cleaned(whose, family_name, NAME_LENGTH) if family_name else "",
        )
    except Invalid:
        return Rejected(row, "name_wrong", whose)
