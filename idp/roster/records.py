"""What a file says, whatever its format: pupils, guardians, links, and rows that are refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from idp.errors import Invalid
from idp.roster.accounting import Accounting

OF_OTHER_SCHOOLS: Final = "of other schools"
"""Rows that are passed over because the run is not for their schools."""


class Unusable(Invalid):
    """The file as a whole can't be taken over."""

    def __init__(self, code: str, **values: str | int) -> None:
        super().__init__("file", code, **values)


class Hostile(Unusable):
    """The file would cost more than any roster: a zip bomb, endless cells (security rule A6)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of one file; ``cells`` by the header's own words, ``line`` as an editor counts.

    ``sheet``: of which sheet, where a list is made of several.
    """

    file: str
    line: int
    cells: dict[str, str]
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class Pupil:
    """A pupil of one of the run's schools. ``class_name`` None: the file does not say.

    Names are empty where a delta tells no more than that the pupil left or changed class.
    """

    school_id: str
    sourced_id: str
    line: int
    given_name: str
    family_name: str
    class_name: str | None = None
    pupil_number: str | None = None
    present: bool = True
    lists_agents: bool = False
    twin_of: str | None = None
    """What rows of one name and class share that may be one pupil."""


@dataclass(frozen=True, slots=True)
class Guardian:
    """A guardian; whose, the links tell. ``disabled``: switched off in the school's software."""

    sourced_id: str
    line: int
    given_name: str
    family_name: str
    email: str | None = None
    relationship: str | None = None
    present: bool = True
    lists_agents: bool = False
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """That the file links a pupil and a guardian; ``relationship`` None: it does not say how."""

    pupil: str
    guardian: str
    relationship: str | None = None


@dataclass(frozen=True, slots=True)
class SchoolClass:
    """A class of a school, kept because a delta may name it by its id alone."""

    school_id: str
    sourced_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row, or a part of one, that is not taken over: a code of ``reasons``, and about what.

    ``keeps``: pupils (school, id) whose guardianships this may hide, so that none ends by it.
    """

    row: Row
    code: str
    about: str = ""
    keeps: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something that is taken over, and yet looks wrong; ``sample`` names one case."""

    code: str
    sample: str


Record = Pupil | Guardian | Link | SchoolClass | Rejected | Noticed


@dataclass
class Reading:
    """A file that is being read: its records, and what is known of it as a whole."""

    format: str
    records: Iterator[Record]
    delta: bool = False
    district: str | None = None
    orgs: dict[str, str] = field(default_factory=dict)
    """School id → the file's own id of that school."""
    names: dict[str, str] = field(default_factory=dict)
    """School id → what the file calls it."""
    rows: int = 0
    ignored: dict[str, int] = field(default_factory=dict)
    """Why rows were passed over, and how many: other schools, teachers."""
    mapping: dict[str, Any] | None = None
    shown: frozenset[str] = frozenset()
    """Columns whose cells a rejected row may show: no birth date, no password (rule C5)."""
    facts: dict[str, Any] = field(default_factory=dict)
    """How the list was read: its encoding, header, sheets, columns that are not read."""
    accounting: Accounting = field(default_factory=Accounting)
    """What became of every row, sheet and file."""

    def header_again(self, file: str) -> None:
        """A row of a file, or sheet, is its header once more."""
        self.rows += 1
        self.accounting.row(file)
        self.accounting.passes(file, "header")

    def ignore(self, why: str) -> None:
        self.ignored[why] = self.ignored.get(why, 0) + 1
