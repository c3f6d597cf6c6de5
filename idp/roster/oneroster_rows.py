"""Reads OneRoster's files row by row and counts every row; holds what all these files share."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from idp.errors import Invalid
from idp.people.models import NAME_LENGTH
from idp.people.names import visible
from idp.roster import cells, odd_names, tables, validity
from idp.roster.archives import Progress, Source
from idp.roster.models import SOURCED_ID_LENGTH
from idp.roster.records import Reading, Rejected, Row
from idp.roster.validity import When

READ: Final = frozenset(
    {
        *("manifest.csv", "orgs.csv", "academicsessions.csv", "classes.csv"),
        *("enrollments.csv", "users.csv", "roles.csv"),
    }
)
_NOT_NEEDED: Final = frozenset(
    {
        *("courses.csv", "demographics.csv", "resources.csv", "classresources.csv"),
        *("courseresources.csv", "categories.csv", "lineitems.csv", "results.csv"),
        *("userprofiles.csv", "userresources.csv", "scorescales.csv"),
        *("lineitemlearningobjectiveids.csv", "lineitemscorescales.csv"),
        *("resultlearningobjectiveids.csv", "resultscorescales.csv"),
    }
)


@dataclass
class Files:
    """The files of one reading, and what was found in those that come before ``users.csv``."""

    source: Source
    progress: Progress
    reading: Reading
    class_of: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Pupil → class title and the file's id of the school."""
    today: date = field(default_factory=validity.today)

    def rows(self, name: str) -> Iterator[Row]:
        """The rows of a file, each counted as taken over until ``passes`` says otherwise."""
        if name not in self.source.names:
            return
        again = self.reading.header_again
        for row in tables.rows(self.source, name, self.progress, lower=True, again=again):
            self.reading.rows += 1
            self.reading.accounting.row(name)
            yield row

    def passes(self, row: Row, why: str) -> None:
        """A row is not taken over."""
        self.reading.accounting.passes(row.file, why)

    def leave_others(self) -> None:
        """Account for the files that are not read."""
        for name in self.source.names - READ:
            why = "not_needed" if name in _NOT_NEEDED else "unknown"
            self.reading.accounting.leave(
                name, "relationships" if name == "relationships.csv" else why
            )

    def when(self, row: Row, begin: str, end: str) -> When:
        """Whether what the row says holds today."""
        days = validity.day(cell(row, begin)), validity.day(cell(row, end))
        return validity.when(*days, self.today)


def is_deleted(row: Row) -> bool:
    """Whether the row says that it counts no more."""
    return cell(row, "status").lower() in {"tobedeleted", "inactive"}


def cell(row: Row, name: str) -> str:
    """The cell of a column; empty where there is none."""
    return visible(row.cells.get(name, "")).strip()


def listed(row: Row, name: str) -> list[str]:
    """A cell that lists ids."""
    return [each.strip() for each in cell(row, name).split(",") if each.strip()]


def fits(sourced_id: str) -> bool:
    """Whether an id can be one."""
    return (
        0 < len(sourced_id) <= SOURCED_ID_LENGTH
        and sourced_id.isprintable()
        and (not sourced_id.startswith("~"))
    )


def names_of(row: Row, single: bool = False) -> tuple[str, str] | Rejected:
    """Somebody's names as they are stored; ``single``: one is enough."""
    # 1.2 lets people choose the name that they go by
    given_name = cell(row, "preferredgivenname") or cell(row, "givenname")
    family_name = cell(row, "preferredfamilyname") or cell(row, "familyname")
    for name, text in (("givenName", given_name), ("familyName", family_name)):
        if not text and not (single and given_name + family_name):
            return Rejected(row, "name_missing", name)
    if not given_name:  # whoever has one name only has it as the given name
        given_name, family_name = family_name, ""
    try:
        names = (
            cells.cleaned("givenName", given_name, NAME_LENGTH),
            cells.cleaned("familyName", family_name, NAME_LENGTH) if family_name else "",
        )
    except Invalid as refused:
        return Rejected(row, "name_wrong", refused.field)
    why = odd_names.why_nobody(*names)
    return Rejected(row, why, "givenName") if why else names


def names_if_any(row: Row) -> tuple[str, str]:
    """Who is meant by a row that ends somebody, where it says so: a witness beside the id."""
    names = names_of(row, single=True)
    return ("", "") if isinstance(names, Rejected) else names
