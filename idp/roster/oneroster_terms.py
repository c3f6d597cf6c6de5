"""OneRoster: which class each pupil is in today, from terms, classes and enrolments."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from sys import intern
from typing import Final

from idp.roster.oneroster_rows import Files, cell, fits, is_deleted, listed
from idp.roster.records import Record, SchoolClass
from idp.roster.validity import When

CLASS_LENGTH: Final = 40


@dataclass
class Classes:
    """Pupil → class title and the file's id of the school; the title is empty where several."""

    of: dict[str, tuple[str, str]] = field(default_factory=dict)
    homeroom: set[str] = field(default_factory=set)

    def note(self, user: str, title: str, org: str, homeroom: bool) -> None:
        before = self.of.get(user)
        if homeroom:
            # Two homerooms: the first by title, so that the file's order does not count
            if user not in self.homeroom or before is None or title < before[0]:
                self.of[user] = (title, org)
            self.homeroom.add(user)
        elif user not in self.homeroom:
            self.of[user] = (title, org) if before is None else ("", org)


@dataclass
class _Named:
    title: str
    org: str
    homeroom: bool
    when: When


def read(
    files: Files, schools: dict[str, str], kept: Callable[[], dict[str, tuple[str, str]]]
) -> Iterator[Record]:
    """The classes, and into ``files.class_of`` who is in which.

    ``kept``: classes that earlier imports brought, where a delta may name them by their ids.
    A class whose terms have not begun counts for whoever has no other: in August a school's file
    is of the year to come.
    """
    terms = _terms(files)
    named: dict[str, _Named] = {}
    for row in files.rows("classes.csv"):
        sourced_id, org = cell(row, "sourcedid"), intern(cell(row, "schoolsourcedid"))
        school = schools.get(org)
        when = _of_terms([terms.get(term, When.NOW) for term in listed(row, "termsourcedids")])
        if school is None:
            files.passes(row, "other_school")
        elif is_deleted(row):
            files.passes(row, "deleted")
        elif when is When.OVER:
            files.passes(row, "over")
        else:
            title = " ".join(cell(row, "title").split())[:CLASS_LENGTH]
            homeroom = cell(row, "classtype").lower() == "homeroom"
            named[sourced_id] = _Named(title, org, homeroom, when)
            if title and fits(sourced_id):
                yield SchoolClass(school, sourced_id, title)
    for sourced_id, (title, org) in kept().items():
        named.setdefault(sourced_id, _Named(title, org, homeroom=True, when=When.NOW))
    _enrolments(files, named)


def _terms(files: Files) -> dict[str, When]:
    terms = {}
    for row in files.rows("academicsessions.csv"):
        when = files.when(row, "startdate", "enddate")
        terms[cell(row, "sourcedid")] = when
        if is_deleted(row):
            files.passes(row, "deleted")
        elif when is not When.NOW:
            files.passes(row, when.value)
    return terms


def _of_terms(terms: list[When]) -> When:
    """Of a class: now where one of its terms is, or it has none."""
    if not terms or When.NOW in terms:
        return When.NOW
    return When.LATER if When.LATER in terms else When.OVER


def _enrolments(files: Files, named: dict[str, _Named]) -> None:
    now, later = Classes(files.class_of), Classes()
    for row in files.rows("enrollments.csv"):
        named_class = named.get(cell(row, "classsourcedid"))
        when = files.when(row, "begindate", "enddate")
        if named_class is None:
            files.passes(row, "no_class")
        elif cell(row, "role").lower() not in {"student", ""}:
            files.passes(row, "no_role")
        elif is_deleted(row):
            files.passes(row, "deleted")
        elif when is When.OVER:
            files.passes(row, "over")
        else:
            org = intern(cell(row, "schoolsourcedid")) or named_class.org
            begun = when is When.NOW and named_class.when is When.NOW
            into = now if begun else later
            into.note(
                intern(cell(row, "usersourcedid")),
                intern(named_class.title),
                org,
                named_class.homeroom,
            )
    for user, later_class in later.of.items():
        files.class_of.setdefault(user, later_class)
