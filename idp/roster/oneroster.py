"""OneRoster 1.1 and 1.2, CSV binding: which users are pupils, guardians, and whose.

Read in an order that lets ``users.csv`` stream: what has to be known of each user (roles,
class) comes before. Birth dates, addresses, phones and passwords are not looked at (rule C5).
"""

from collections.abc import Iterator
from typing import Final

from idp.people.addresses import can_be_mailed
from idp.people.names import email_key
from idp.roster import cells, oneroster_terms, tables
from idp.roster.archives import Progress, Source
from idp.roster.oneroster_roles import (
    GUARDIAN_ROLES,
    Known,
    Lapsed,
    Passed,
    Reader,
    lapsed_role,
    read_roles,
    role_of,
)
from idp.roster.oneroster_rows import Files, cell, fits, is_deleted, listed, names_if_any, names_of
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

MOST_AGENTS: Final = 30
SHOWN: Final = frozenset(
    {
        *("sourcedid", "status", "role", "orgsourcedids", "givenname", "familyname", "email"),
        *("preferredgivenname", "preferredfamilyname", "agentsourcedids"),
    }
)
_OFF: Final = frozenset({"false", "0", "no", "n", "f", "non", "nee", "nein", "off"})


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
        raise Unusable("no_users")
    organisations = read_orgs(source)
    chosen = choose(organisations, wanted)
    version = manifest.get("oneroster.version", "1.2" if "roles.csv" in source.names else "1.1")
    if version[:3] not in {"1.0", "1.1", "1.2"}:
        raise Unusable("other_version", version=version[:10])
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
    reading.records = _records(Reader(files, known, ours, others, single_names=single_names))
    return reading


def _records(reader: Reader) -> Iterator[Record]:
    delta = reader.reading.delta
    yield from oneroster_terms.read(
        reader.files, reader.schools, lambda: _known_classes(reader) if delta else {}
    )
    read_roles(reader)
    yield from _users(reader)
    if delta:
        yield from _moved(reader)
        yield from _ended(reader)
    if "relationships.csv" in reader.reading.accounting.unread:
        yield Noticed("relationships_unread", "relationships.csv")


def _known_classes(reader: Reader) -> dict[str, tuple[str, str]]:
    return {
        sourced_id: (title, reader.reading.orgs[school])
        for sourced_id, (title, school) in reader.known.classes().items()
    }


def _manifest(source: Source) -> dict[str, str]:
    if "manifest.csv" not in source.names:
        return {}
    properties = {}
    for row in tables.rows(source, "manifest.csv", lower=True):
        properties[row.cells.get("propertyname", "").strip().lower()] = (
            row.cells.get("value", "").strip().lower()
        )
    return properties


def _users(reader: Reader) -> Iterator[Record]:
    for row in reader.files.rows("users.csv"):
        taken, why = False, ""
        for record in _user(reader, row):
            if isinstance(record, Passed):
                why = record.why
                continue
            if isinstance(record, Pupil | Guardian):
                taken |= record.present and record.given_name != ""
            yield record
        if why or not taken:
            reader.files.passes(row, why or "rejected")


def _user(reader: Reader, row: Row) -> Iterator[Record | Passed]:
    sourced_id = cells.number(cell(row, "sourcedid"))
    if not fits(sourced_id):
        yield Rejected(row, "id_missing")
        return
    role, orgs = role_of(reader, row, sourced_id)
    if sourced_id in reader.seen:
        yield Rejected(row, "id_twice", sourced_id[:80])
    elif lapsed := lapsed_role(reader, sourced_id, role, orgs):
        reader.seen.add(sourced_id)
        reader.reading.ignore("with a role that is not valid today")
        yield Passed(lapsed.why)
        yield from _gone(reader, sourced_id, lapsed, row)
    elif role == "student":
        reader.seen.add(sourced_id)
        yield from _pupil(reader, row, sourced_id, orgs)
    elif role in GUARDIAN_ROLES:
        reader.seen.add(sourced_id)
        yield from _guardian(reader, row, sourced_id, role)
    else:
        reader.reading.ignore("neither pupil nor guardian")
        yield Passed("no_role")


def _gone(
    reader: Reader, sourced_id: str, lapsed: Lapsed, row: Row | None = None
) -> Iterator[Record]:
    """Who is nobody here today: as a deleted row says it, so that a delta ends them too."""
    names = names_if_any(row) if row else ("", "")
    line = row.line if row else 0
    if lapsed.role == "student":
        for school in sorted({reader.schools[org] for org in lapsed.orgs & set(reader.schools)}):
            yield Pupil(school, sourced_id, line, *names, present=False)
    else:
        email = email_key(cell(row, "email")) if row else ""
        yield Guardian(sourced_id, line, *names, email=email or None, present=False)


def _ended(reader: Reader) -> Iterator[Record]:
    """A delta may tell of a role's end alone."""
    for sourced_id, lapsed in reader.lapsed.items():
        if sourced_id not in reader.seen | reader.roles.keys() and fits(sourced_id):
            known = reader.known.people().get(sourced_id, ("", ()))[0]
            if (known == "student") == (lapsed.role == "student") and known:
                yield from _gone(reader, sourced_id, lapsed)


def _pupil(
    reader: Reader, row: Row, sourced_id: str, orgs: tuple[str, ...]
) -> Iterator[Record | Passed]:
    schools = {reader.schools[org] for org in orgs if org in reader.schools}
    if not schools:
        reader.reading.ignore(OF_OTHER_SCHOOLS)
        yield Passed("other_school")
        return
    yield from _left_one(reader, row, sourced_id, schools)
    if is_deleted(row):
        yield Passed("deleted")
        for school in sorted(schools):
            yield Pupil(school, sourced_id, row.line, *names_if_any(row), present=False)
        return
    names = names_of(row, reader.single_names)
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


def _left_one(reader: Reader, row: Row, sourced_id: str, stays: set[str]) -> Iterator[Record]:
    """A delta's pupil who left one school of the run and is at another."""
    lapsed = reader.lapsed.get(sourced_id)
    if lapsed and reader.reading.delta:
        ended = {reader.schools[org] for org in lapsed.orgs & set(reader.schools)}
        for school in sorted(ended - stays):
            yield Pupil(school, sourced_id, row.line, *names_if_any(row), present=False)


def _guardian(reader: Reader, row: Row, sourced_id: str, role: str) -> Iterator[Record | Passed]:
    if is_deleted(row):
        email = email_key(cell(row, "email")) or None
        yield Passed("deleted")
        yield Guardian(sourced_id, row.line, *names_if_any(row), email=email, present=False)
        return
    names = names_of(row, reader.single_names)
    if isinstance(names, Rejected):
        yield names
        names = ("", "")
    # « the record is active, access is curtailed »; or the software has no log-in for parents:
    # a person is asked which it is (rule N2)
    disabled = cell(row, "enableduser").lower() in _OFF
    if disabled:
        yield Passed("disabled")
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


def _moved(reader: Reader) -> Iterator[Record]:
    """A delta may tell of a pupil's new class alone."""
    for sourced_id, (title, org) in reader.files.class_of.items():
        school = reader.schools.get(org)
        if school is not None and sourced_id not in reader.seen and fits(sourced_id):
            yield Pupil(school, sourced_id, 0, "", "", class_name=title)
