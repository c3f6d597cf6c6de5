"""Finds which of a file's schools are the named ones: nothing else in the file counts (rule A2)."""

from collections.abc import Mapping
from dataclasses import dataclass

from idp.people.normalise import comparable
from idp.roster import tables
from idp.roster.archives import Source
from idp.roster.records import Unusable


@dataclass(frozen=True)
class Wanted:
    """A school that this import is for. ``org``: the file's id of it, where it is known."""

    school_id: str
    name: str
    org: str | None = None


@dataclass(frozen=True)
class Org:
    """An organisation of ``orgs.csv``."""

    sourced_id: str
    name: str
    type: str
    parent: str


def read_orgs(source: Source) -> dict[str, Org]:
    """The file's organisations by their ids."""
    if "orgs.csv" not in source.names:
        return {}
    orgs = {}
    for row in tables.rows(source, "orgs.csv", lower=True):
        org = Org(
            row.cells.get("sourcedid", "").strip(),
            row.cells.get("name", "").strip(),
            row.cells.get("type", "").strip().lower(),
            row.cells.get("parentsourcedid", "").strip(),
        )
        if org.sourced_id:
            orgs[org.sourced_id] = org
    return orgs


def choose(orgs: Mapping[str, Org], wanted: list[Wanted]) -> dict[str, str]:
    """Our school → the file's id of it. Raises ``Unusable`` where that is not certain."""
    schools = {sid: org for sid, org in orgs.items() if org.type in {"school", ""}}
    chosen = {each.school_id: _one(each, schools, len(wanted), orgs) for each in wanted}
    if len(set(chosen.values())) < len(chosen):
        raise Unusable("same_rows")
    return chosen


def district_of(orgs: Mapping[str, Org], chosen: list[str]) -> str | None:
    """The district that the file puts all these schools into, if it is one and the same."""
    districts = {_district(orgs, sourced_id) for sourced_id in chosen}
    return districts.pop() if len(districts) == 1 else None


def _one(wanted: Wanted, schools: Mapping[str, Org], count: int, orgs: Mapping[str, Org]) -> str:
    if wanted.org is not None:
        if orgs and wanted.org not in orgs:
            raise Unusable("other_school", org=wanted.org[:60])
        return wanted.org
    same = [sid for sid, org in schools.items() if comparable(org.name) == comparable(wanted.name)]
    if len(same) == 1:
        return same[0]
    if count == 1 and len(schools) == 1:
        return next(iter(schools))
    listed = ", ".join(f"{sid[:40]} ({org.name[:40]})" for sid, org in list(schools.items())[:8])
    raise Unusable("which_school", school=wanted.name, found=listed)


def _district(orgs: Mapping[str, Org], sourced_id: str) -> str | None:
    for _ in range(10):  # a circle of parents ends here
        org = orgs.get(sourced_id)
        if org is None:
            return None
        if org.type == "district":
            return org.sourced_id
        sourced_id = org.parent
    return None
