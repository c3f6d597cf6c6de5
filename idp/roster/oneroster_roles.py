"""OneRoster: who has which role at which school today."""

from collections.abc import Callable
from dataclasses import dataclass, field
from sys import intern
from typing import Final

from idp.roster import cells
from idp.roster.oneroster_rows import Files, cell, is_deleted, listed
from idp.roster.records import Reading, Row
from idp.roster.validity import When

GUARDIAN_ROLES: Final = frozenset(cells.RELATIONSHIP_WORDS.values()) | {"guardian", "parent"}

Roles = tuple[str, tuple[str, ...]]
"""A user's role, and the file's ids of the schools where it has it."""


@dataclass(frozen=True)
class Known:
    """What earlier imports of these schools left: loaded only if a delta needs it."""

    people: Callable[[], dict[str, Roles]]
    """A person's id → « student » or « guardian », and the ids of our schools."""
    classes: Callable[[], dict[str, tuple[str, str]]]
    """A class's id → its title, and the id of our school."""


@dataclass
class Lapsed:
    """A role that does not hold today: which, of which schools, and why."""

    role: str
    orgs: set[str]
    why: str


@dataclass(frozen=True)
class Passed:
    """That a row is not taken over, and why."""

    why: str


@dataclass
class Reader:
    """A file that is being read, and what is known of its people."""

    files: Files
    known: Known
    schools: dict[str, str]
    """The file's id of a school → ours."""
    others: set[str]
    """The file's ids of schools that the run is not for."""
    roles: dict[str, Roles] = field(default_factory=dict)
    lapsed: dict[str, Lapsed] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    single_names: bool = False

    @property
    def reading(self) -> Reading:
        """What came of it so far."""
        return self.files.reading


def read_roles(reader: Reader) -> None:
    """OneRoster 1.2: who somebody is stands in a file of its own, once for each school."""
    shared: dict[Roles, Roles] = {}
    for row in reader.files.rows("roles.csv"):
        user, org = cell(row, "usersourcedid"), intern(cell(row, "orgsourcedid"))
        role = intern(cell(row, "role").lower())
        if why := _why_not(reader, row):
            lapsed = reader.lapsed.setdefault(user, Lapsed(role, set(), why))
            lapsed.orgs.add(org)
            reader.files.passes(row, why)
            continue
        before = reader.roles.get(user)
        if before is not None and before[0] in GUARDIAN_ROLES | {"student"}:
            same = role == before[0]
            made = (before[0], (*before[1], org)) if same else before
        else:
            made = (role, (org,))
        reader.roles[user] = shared.setdefault(made, made)


def _why_not(reader: Reader, row: Row) -> str:
    """Why a role does not count today; empty: it does."""
    if is_deleted(row):
        return "deleted"
    # School Data Sync calls them otherwise
    begin = "begindate" if "begindate" in row.cells else "rolestartdate"
    when = reader.files.when(row, begin, begin.replace("begin", "end").replace("start", "end"))
    return "" if when is When.NOW else when.value


def lapsed_role(reader: Reader, sourced_id: str, role: str, orgs: tuple[str, ...]) -> Lapsed | None:
    """The role that is over or not yet, where none of today's counts at these schools."""
    lapsed = reader.lapsed.get(sourced_id)
    if lapsed is None or lapsed.role not in GUARDIAN_ROLES | {"student"}:
        return None
    if sourced_id not in reader.roles:
        return lapsed
    ended_here = bool(lapsed.orgs & set(reader.schools)) and lapsed.role in GUARDIAN_ROLES
    # A guardian of another school alone is none here; one of the district is
    return lapsed if ended_here and role in GUARDIAN_ROLES and set(orgs) <= reader.others else None


def role_of(reader: Reader, row: Row, sourced_id: str) -> Roles:
    """The role of a user, and where."""
    if sourced_id in reader.roles:
        return reader.roles[sourced_id]
    role = cell(row, "role").lower()
    if role:
        orgs = tuple(listed(row, "orgsourcedids")) or tuple(listed(row, "primaryorgsourcedid"))
        return role, orgs
    if reader.reading.delta:  # a changed row may leave out what did not change
        known, schools = reader.known.people().get(sourced_id, ("", ()))
        return known, tuple(reader.reading.orgs[school] for school in schools)
    return "", ()
