"""OneRoster 1.1 and 1.2, CSV binding: which users are pupils, guardians, and whose.

Read in an order that lets ``users.csv`` stream: what has to be known of each user (roles,
class) comes before. Birth dates, addresses, phones and passwords are not looked at (rule C5).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from sys import intern
from typing import Final

from idp import clock
from idp.people.models import EMAIL_LENGTH, NAME_LENGTH
from idp.people.names import Refused, email_key, visible
from idp.roster import cells, tables
from idp.roster.archives import Progress, Source
from idp.roster.models import SOURCED_ID_LENGTH
from idp.roster.orgs import Wanted, choose, district_of, read_orgs
from idp.roster.records import (
    OF_OTHER_SCHOOLS,
    Guardian,
    Link,
    Pupil,
    Reading,
    Record,
    Rejected,
    Row,
    SchoolClass,
    Unusable,
)

GUARDIAN_ROLES: Final = frozenset(cells.RELATIONSHIP_WORDS.values()) | {"guardian", "parent"}
MOST_AGENTS: Final = 30
SHOWN: Final = frozenset(
    {
        *("sourcedid", "status", "role", "orgsourcedids", "givenname", "familyname", "email"),
        *("preferredgivenname", "preferredfamilyname", "agentsourcedids"),
    }
)
CLASS_LENGTH: Final = 40

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
class _Reader:
    source: Source
    known: Known
    progress: Progress
    reading: Reading
    schools: dict[str, str]
    """The file's id of a school → ours."""
    roles: dict[str, Roles] = field(default_factory=dict)
    class_of: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Pupil → class title and the file's id of the school; the title is empty where several."""
    homeroom: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)


def is_oneroster(source: Source) -> bool:
    """Whether these files are OneRoster's."""
    return "manifest.csv" in source.names or {"users.csv", "orgs.csv"} <= source.names


def read(
    source: Source,
    wanted: list[Wanted],
    known: Known,
    *,
    delta: bool = False,
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
    reader = _Reader(source, known, progress, reading, ours)
    reading.records = _records(reader)
    return reading


def _records(reader: _Reader) -> Iterator[Record]:
    yield from _classes(reader)
    _roles(reader)
    yield from _users(reader)
    if reader.reading.delta:
        yield from _moved(reader)


def _manifest(source: Source) -> dict[str, str]:
    if "manifest.csv" not in source.names:
        return {}
    found = {}
    for row in tables.rows(source, "manifest.csv", lower=True):
        found[row.cells.get("propertyname", "").strip().lower()] = (
            row.cells.get("value", "").strip().lower()
        )
    return found


def _rows(reader: _Reader, name: str) -> Iterator[Row]:
    if name not in reader.source.names:
        return
    for row in tables.rows(reader.source, name, reader.progress, lower=True):
        reader.reading.rows += 1
        yield row


def _classes(reader: _Reader) -> Iterator[Record]:
    """Note each pupil's class: the homeroom, or the only one of the running terms."""
    over = _terms_that_are_over(reader)
    titles: dict[str, tuple[str, str, bool]] = {}
    for row in _rows(reader, "classes.csv"):
        school = reader.schools.get(_cell(row, "schoolsourcedid"))
        terms = _list(row, "termsourcedids")
        if school is None or _is_deleted(row) or (terms and all(term in over for term in terms)):
            continue
        title = " ".join(_cell(row, "title").split())[:CLASS_LENGTH]
        homeroom = _cell(row, "classtype").lower() == "homeroom"
        org = intern(_cell(row, "schoolsourcedid"))
        titles[_cell(row, "sourcedid")] = (title, org, homeroom)
        if title and _fits(_cell(row, "sourcedid")):
            yield SchoolClass(school, _cell(row, "sourcedid"), title)
    if reader.reading.delta:
        for sourced_id, (title, school) in reader.known.classes().items():
            titles.setdefault(sourced_id, (title, reader.reading.orgs[school], True))
    _enrollments(reader, titles)


def _terms_that_are_over(reader: _Reader) -> set[str]:
    today = clock.now().date()
    over = set()
    for row in _rows(reader, "academicsessions.csv"):
        end = cells.day(_cell(row, "enddate"))
        if end is not None and end < today:
            over.add(_cell(row, "sourcedid"))
    return over


def _enrollments(reader: _Reader, titles: dict[str, tuple[str, str, bool]]) -> None:
    today = clock.now().date()
    for row in _rows(reader, "enrollments.csv"):
        found = titles.get(_cell(row, "classsourcedid"))
        if found is None or _cell(row, "role").lower() not in {"student", ""}:
            continue
        end = cells.day(_cell(row, "enddate"))
        if _is_deleted(row) or (end is not None and end < today):
            continue
        title, org, homeroom = found
        org = intern(_cell(row, "schoolsourcedid")) or org
        _note_class(reader, intern(_cell(row, "usersourcedid")), intern(title), org, homeroom)


def _note_class(reader: _Reader, user: str, title: str, org: str, homeroom: bool) -> None:
    before = reader.class_of.get(user)
    if homeroom:
        # Two homerooms: the first by title, so that the file's order does not count
        if user not in reader.homeroom or before is None or title < before[0]:
            reader.class_of[user] = (title, org)
        reader.homeroom.add(user)
    elif user not in reader.homeroom:
        reader.class_of[user] = (title, org) if before is None else ("", org)


def _roles(reader: _Reader) -> None:
    """OneRoster 1.2: who somebody is stands in a file of its own, once for each school."""
    shared: dict[Roles, Roles] = {}
    for row in _rows(reader, "roles.csv"):
        if _is_deleted(row):
            continue
        user, org = _cell(row, "usersourcedid"), intern(_cell(row, "orgsourcedid"))
        role = intern(_cell(row, "role").lower())
        before = reader.roles.get(user)
        if before is not None and before[0] in GUARDIAN_ROLES | {"student"}:
            same = role == before[0]
            made = (before[0], (*before[1], org)) if same else before
        else:
            made = (role, (org,))
        reader.roles[user] = shared.setdefault(made, made)


def _users(reader: _Reader) -> Iterator[Record]:
    for row in _rows(reader, "users.csv"):
        sourced_id = cells.number(_cell(row, "sourcedid"))
        if not _fits(sourced_id):
            yield Rejected(row, "id_missing")
            continue
        role, orgs = _role_of(reader, row, sourced_id)
        if sourced_id in reader.seen:
            yield Rejected(row, "id_twice", sourced_id[:80])
        elif role == "student":
            reader.seen.add(sourced_id)
            yield from _pupil(reader, row, sourced_id, orgs)
        elif role in GUARDIAN_ROLES:
            reader.seen.add(sourced_id)
            yield from _guardian(row, sourced_id, role)
        else:
            reader.reading.ignore("neither pupil nor guardian")


def _role_of(reader: _Reader, row: Row, sourced_id: str) -> Roles:
    if sourced_id in reader.roles:
        return reader.roles[sourced_id]
    role = _cell(row, "role").lower()
    if role:
        orgs = tuple(_list(row, "orgsourcedids")) or tuple(_list(row, "primaryorgsourcedid"))
        return role, orgs
    if reader.reading.delta:  # a changed row may leave out what did not change
        known, schools = reader.known.people().get(sourced_id, ("", ()))
        return known, tuple(reader.reading.orgs[school] for school in schools)
    return "", ()


def _pupil(reader: _Reader, row: Row, sourced_id: str, orgs: tuple[str, ...]) -> Iterator[Record]:
    schools = {reader.schools[org] for org in orgs if org in reader.schools}
    if not schools:
        reader.reading.ignore(OF_OTHER_SCHOOLS)
        return
    if _is_deleted(row):
        for school in sorted(schools):
            yield Pupil(school, sourced_id, row.line, *_names_if_any(row), present=False)
        return
    names = _names(row)
    if isinstance(names, Rejected):
        yield names  # and whoever is known by this id stays as they are
        names = ("", "")
    agents = _list(row, "agentsourcedids")
    if len(agents) > MOST_AGENTS:
        keeps = tuple((school, sourced_id) for school in sorted(schools))
        yield Rejected(row, "too_many_guardians", str(len(agents)), keeps)
        agents, names = [], ("", "")
    title = reader.class_of.pop(sourced_id, (None, ""))[0]
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


def _guardian(row: Row, sourced_id: str, role: str) -> Iterator[Record]:
    # enabledUser false: « the record is active, access is curtailed »; the safe reading
    if _is_deleted(row) or _cell(row, "enableduser").lower() == "false":
        email = email_key(_cell(row, "email")) or None
        yield Guardian(sourced_id, row.line, *_names_if_any(row), email=email, present=False)
        return
    names = _names(row)
    if isinstance(names, Rejected):
        yield names
        names = ("", "")
    email = _cell(row, "email")
    if email and (not email_key(email) or len(email) > EMAIL_LENGTH):
        yield Rejected(row, "email_wrong")  # the person is taken over, the address is not
        email = ""
    pupils = _list(row, "agentsourcedids")
    yield Guardian(
        sourced_id,
        row.line,
        *names,
        email=email or None,
        relationship=role,
        lists_agents=bool(pupils),
    )
    for pupil in dict.fromkeys(pupils[: 10 * MOST_AGENTS]):
        yield Link(cells.number(pupil), sourced_id, role)


def _moved(reader: _Reader) -> Iterator[Record]:
    """A delta may tell of a pupil's new class alone."""
    for sourced_id, (title, org) in reader.class_of.items():
        school = reader.schools.get(org)
        if school is not None and sourced_id not in reader.seen and _fits(sourced_id):
            yield Pupil(school, sourced_id, 0, "", "", class_name=title)


def _names(row: Row) -> tuple[str, str] | Rejected:
    # 1.2 lets people choose the name that they go by
    given = _cell(row, "preferredgivenname") or _cell(row, "givenname")
    family = _cell(row, "preferredfamilyname") or _cell(row, "familyname")
    for name, text in (("givenName", given), ("familyName", family)):
        if not text:
            return Rejected(row, "name_missing", name)
    try:
        return (
            cells.cleaned("givenName", given, NAME_LENGTH),
            cells.cleaned("familyName", family, NAME_LENGTH),
        )
    except Refused as refused:
        return Rejected(row, "name_wrong", refused.field)


def _names_if_any(row: Row) -> tuple[str, str]:
    """Who is meant by a row that ends somebody, where it says so: a witness beside the id."""
    names = _names(row)
    return ("", "") if isinstance(names, Rejected) else names


def _is_deleted(row: Row) -> bool:
    return _cell(row, "status").lower() in {"tobedeleted", "inactive"}


def _cell(row: Row, name: str) -> str:
    return visible(row.cells.get(name, "")).strip()


def _list(row: Row, name: str) -> list[str]:
    return [each.strip() for each in _cell(row, name).split(",") if each.strip()]


def _fits(sourced_id: str) -> bool:
    return (
        0 < len(sourced_id) <= SOURCED_ID_LENGTH
        and sourced_id.isprintable()
        and (not sourced_id.startswith("~"))
    )
