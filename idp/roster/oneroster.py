"""OneRoster 1.1 and 1.2, CSV binding: which users are pupils, guardians, and whose.

Read in an order that lets ``users.csv`` stream: what has to be known of each user (roles,
class) comes before. Birth dates, addresses, phones and passwords are not looked at (rule C5).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from sys import intern
from typing import Final

from idp.people.addresses import can_be_mailed
from idp.people.models import NAME_LENGTH
from idp.people.names import Refused, email_key
from idp.roster import cells, oneroster_terms, tables
from idp.roster.archives import Progress, Source
from idp.roster.oneroster_rows import Files, cell, fits, is_deleted, listed
from idp.roster.orgs import Wanted, choose, district_of, read_orgs
from idp.roster.records import (
    OF_OTHER_SCHOOLS,
    Guardian,
    Link,
    Noticed,
    Pupil,
    Reading,
    Record,
    Rejected,
    Row,
    Unusable,
)
from idp.roster.validity import When

GUARDIAN_ROLES: Final = frozenset(cells.RELATIONSHIP_WORDS.values()) | {"guardian", "parent"}
MOST_AGENTS: Final = 30
SHOWN: Final = frozenset(
    {
        *("sourcedid", "status", "role", "orgsourcedids", "givenname", "familyname", "email"),
        *("preferredgivenname", "preferredfamilyname", "agentsourcedids"),
    }
)
_OFF: Final = frozenset({"false", "0", "no", "n", "f", "non", "nee", "nein", "off"})

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
class _Lapsed:
    """A role that does not hold today: which, of which schools, and why."""

    role: str
    orgs: set[str]
    why: str


@dataclass(frozen=True)
class _Passed:
    """That a row is not taken over, and why."""

    why: str


@dataclass
class _Reader:
    files: Files
    known: Known
    schools: dict[str, str]
    """The file's id of a school → ours."""
    others: set[str]
    """The file's ids of schools that the run is not for."""
    roles: dict[str, Roles] = field(default_factory=dict)
    lapsed: dict[str, _Lapsed] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    single_names: bool = False

    @property
    def reading(self) -> Reading:
        return self.files.reading


def is_oneroster(source: Source) -> bool:
    """Whether these files are OneRoster's."""
    return "manifest.csv" in source.names or {"users.csv", "orgs.csv"} <= source.names


def read(
    source: Source,
    wanted: list[Wanted],
    known: Known,
    *,
    delta: bool = False,
    single_names: bool = False,
    progress: Progress = lambda _: None,
) -> Reading:
    """The records of the wanted schools. Raises ``Unusable`` where the file is not theirs."""
    manifest = _manifest(source)
    delta = delta or "delta" in {manifest.get(f"file.{name}") for name in ("users", "enrollments")}
    if not delta and "users.csv" not in source.names:
        raise Unusable("users.csv is missing", "no_users")
    organisations = read_orgs(source)
    chosen = choose(organisations, wanted)
    version = manifest.get("oneroster.version", "1.2" if "roles.csv" in source.names else "1.1")
    if version[:3] not in {"1.0", "1.1", "1.2"}:
        raise Unusable(
            f"this is OneRoster {version[:10]}; we read 1.1 and 1.2",
            "other_version",
            version=version[:10],
        )
    reading = Reading(
        format=f"oneroster-{version[:3]}",
        records=iter(()),
        delta=delta,
        district=district_of(organisations, list(chosen.values())),
        orgs=chosen,
        shown=SHOWN,
        names={
            school: organisations[org].name
            for school, org in chosen.items()
            if org in organisations
        },
    )
    ours = {org: school for school, org in chosen.items()}
    files = Files(source, progress, reading)
    files.leave_others()
    others = {sid for sid, org in organisations.items() if org.type == "school"} - set(ours)
    reading.records = _records(_Reader(files, known, ours, others, single_names=single_names))
    return reading


def _records(reader: _Reader) -> Iterator[Record]:
    delta = reader.reading.delta
    yield from oneroster_terms.read(
        reader.files, reader.schools, lambda: _known_classes(reader) if delta else {}
    )
    _roles(reader)
    yield from _users(reader)
    if delta:
        yield from _moved(reader)
        yield from _ended(reader)
    if "relationships.csv" in reader.reading.accounting.unread:
        yield Noticed("relationships_unread", "relationships.csv")


def _known_classes(reader: _Reader) -> dict[str, tuple[str, str]]:
    return {
        sourced_id: (title, reader.reading.orgs[school])
        for sourced_id, (title, school) in reader.known.classes().items()
    }


def _manifest(source: Source) -> dict[str, str]:
    if "manifest.csv" not in source.names:
        return {}
    found = {}
    for row in tables.rows(source, "manifest.csv", lower=True):
        found[row.cells.get("propertyname", "").strip().lower()] = (
            row.cells.get("value", "").strip().lower()
        )
    return found


def _roles(reader: _Reader) -> None:
    """OneRoster 1.2: who somebody is stands in a file of its own, once for each school."""
    shared: dict[Roles, Roles] = {}
    for row in reader.files.rows("roles.csv"):
        user, org = cell(row, "usersourcedid"), intern(cell(row, "orgsourcedid"))
        role = intern(cell(row, "role").lower())
        if why := _why_not(reader, row):
            lapsed = reader.lapsed.setdefault(user, _Lapsed(role, set(), why))
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


def _why_not(reader: _Reader, row: Row) -> str:
    """Why a role does not count today; empty: it does."""
    if is_deleted(row):
        return "deleted"
    # School Data Sync calls them otherwise
    begin = "begindate" if "begindate" in row.cells else "rolestartdate"
    when = reader.files.when(row, begin, begin.replace("begin", "end").replace("start", "end"))
    return "" if when is When.NOW else when.value


def _users(reader: _Reader) -> Iterator[Record]:
    for row in reader.files.rows("users.csv"):
        taken, why = False, ""
        for record in _user(reader, row):
            if isinstance(record, _Passed):
                why = record.why
                continue
            if isinstance(record, Pupil | Guardian):
                taken |= record.present and record.given_name != ""
            yield record
        if why or not taken:
            reader.files.passes(row, why or "rejected")


def _user(reader: _Reader, row: Row) -> Iterator[Record | _Passed]:
    sourced_id = cells.number(cell(row, "sourcedid"))
    if not fits(sourced_id):
        yield Rejected(row, "id_missing")
        return
    role, orgs = _role_of(reader, row, sourced_id)
    if sourced_id in reader.seen:
        yield Rejected(row, "id_twice", sourced_id[:80])
    elif lapsed := _lapsed(reader, sourced_id, role, orgs):
        reader.seen.add(sourced_id)
        reader.reading.ignore("with a role that is not valid today")
        yield _Passed(lapsed.why)
        yield from _gone(reader, sourced_id, lapsed, row)
    elif role == "student":
        reader.seen.add(sourced_id)
        yield from _pupil(reader, row, sourced_id, orgs)
    elif role in GUARDIAN_ROLES:
        reader.seen.add(sourced_id)
        yield from _guardian(reader, row, sourced_id, role)
    else:
        reader.reading.ignore("neither pupil nor guardian")
        yield _Passed("no_role")


def _lapsed(reader: _Reader, sourced_id: str, role: str, orgs: tuple[str, ...]) -> _Lapsed | None:
    """The role that is over or not yet, where none of today's counts at these schools."""
    found = reader.lapsed.get(sourced_id)
    if found is None or found.role not in GUARDIAN_ROLES | {"student"}:
        return None
    if sourced_id not in reader.roles:
        return found
    ended_here = bool(found.orgs & set(reader.schools)) and found.role in GUARDIAN_ROLES
    # A guardian of another school alone is none here; one of the district is
    return found if ended_here and role in GUARDIAN_ROLES and set(orgs) <= reader.others else None


def _gone(
    reader: _Reader, sourced_id: str, lapsed: _Lapsed, row: Row | None = None
) -> Iterator[Record]:
    """Who is nobody here today: as a deleted row says it, so that a delta ends them too."""
    names = _names_if_any(row) if row else ("", "")
    line = row.line if row else 0
    if lapsed.role == "student":
        for school in sorted({reader.schools[org] for org in lapsed.orgs & set(reader.schools)}):
            yield Pupil(school, sourced_id, line, *names, present=False)
    else:
        email = email_key(cell(row, "email")) if row else ""
        yield Guardian(sourced_id, line, *names, email=email or None, present=False)


def _ended(reader: _Reader) -> Iterator[Record]:
    """A delta may tell of a role's end alone."""
    for sourced_id, lapsed in reader.lapsed.items():
        if sourced_id not in reader.seen | reader.roles.keys() and fits(sourced_id):
            known = reader.known.people().get(sourced_id, ("", ()))[0]
            if (known == "student") == (lapsed.role == "student") and known:
                yield from _gone(reader, sourced_id, lapsed)


def _role_of(reader: _Reader, row: Row, sourced_id: str) -> Roles:
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


def _pupil(
    reader: _Reader, row: Row, sourced_id: str, orgs: tuple[str, ...]
) -> Iterator[Record | _Passed]:
    schools = {reader.schools[org] for org in orgs if org in reader.schools}
    if not schools:
        reader.reading.ignore(OF_OTHER_SCHOOLS)
        yield _Passed("other_school")
        return
    yield from _left_one(reader, row, sourced_id, schools)
    if is_deleted(row):
        yield _Passed("deleted")
        for school in sorted(schools):
            yield Pupil(school, sourced_id, row.line, *_names_if_any(row), present=False)
        return
    names = _names(row, reader.single_names)
    if isinstance(names, Rejected):
        yield names  # and whoever is known by this id stays as they are
        names = ("", "")
    agents = listed(row, "agentsourcedids")
    if len(agents) > MOST_AGENTS:
        keeps = tuple((school, sourced_id) for school in sorted(schools))
        yield Rejected(row, "too_many_guardians", str(len(agents)), keeps)
        agents, names = [], ("", "")
    title = reader.files.class_of.pop(sourced_id, (None, ""))[0]
    for school in sorted(schools):
        yield Pupil(
            school,
            sourced_id,
            row.line,
            *names,
            class_name=title if title is not None or reader.reading.delta else "",
            pupil_number=sourced_id if len(sourced_id) <= 64 else None,
            lists_agents=bool(agents),
        )
    for agent in dict.fromkeys(agents):
        yield Link(sourced_id, cells.number(agent))


def _left_one(reader: _Reader, row: Row, sourced_id: str, stays: set[str]) -> Iterator[Record]:
    """A delta's pupil who left one school of the run and is at another."""
    lapsed = reader.lapsed.get(sourced_id)
    if lapsed and reader.reading.delta:
        ended = {reader.schools[org] for org in lapsed.orgs & set(reader.schools)}
        for school in sorted(ended - stays):
            yield Pupil(school, sourced_id, row.line, *_names_if_any(row), present=False)


def _guardian(reader: _Reader, row: Row, sourced_id: str, role: str) -> Iterator[Record | _Passed]:
    if is_deleted(row):
        email = email_key(cell(row, "email")) or None
        yield _Passed("deleted")
        yield Guardian(sourced_id, row.line, *_names_if_any(row), email=email, present=False)
        return
    names = _names(row, reader.single_names)
    if isinstance(names, Rejected):
        yield names
        names = ("", "")
    # « the record is active, access is curtailed »; or the software has no log-in for parents:
    # a person is asked which it is (rule N2)
    disabled = cell(row, "enableduser").lower() in _OFF
    if disabled:
        yield _Passed("disabled")
    email = cell(row, "email")
    if email and not can_be_mailed(email):
        yield Rejected(row, "email_wrong")  # the person is taken over, the address is not
        email = ""
    pupils = listed(row, "agentsourcedids")
    yield Guardian(
        sourced_id,
        row.line,
        *names,
        email=email or None,
        relationship=role,
        lists_agents=bool(pupils),
        disabled=disabled,
    )
    for pupil in dict.fromkeys(pupils[: 10 * MOST_AGENTS]):
        yield Link(cells.number(pupil), sourced_id, role)


def _moved(reader: _Reader) -> Iterator[Record]:
    """A delta may tell of a pupil's new class alone."""
    for sourced_id, (title, org) in reader.files.class_of.items():
        school = reader.schools.get(org)
        if school is not None and sourced_id not in reader.seen and fits(sourced_id):
            yield Pupil(school, sourced_id, 0, "", "", class_name=title)


def _names(row: Row, single: bool = False) -> tuple[str, str] | Rejected:
    # 1.2 lets people choose the name that they go by
    given = cell(row, "preferredgivenname") or cell(row, "givenname")
    family = cell(row, "preferredfamilyname") or cell(row, "familyname")
    for name, text in (("givenName", given), ("familyName", family)):
        if not text and not (single and given + family):
            return Rejected(row, "name_missing", name)
    if not given:  # whoever has one name only has it as the given name
        given, family = family, ""
    try:
        return (
            cells.cleaned("givenName", given, NAME_LENGTH),
            cells.cleaned("familyName", family, NAME_LENGTH) if family else "",
        )
    except Refused as refused:
        return Rejected(row, "name_wrong", refused.field)


def _names_if_any(row: Row) -> tuple[str, str]:
    """Who is meant by a row that ends somebody, where it says so: a witness beside the id."""
    names = _names(row, single=True)
    return ("", "") if isinstance(names, Rejected) else names
