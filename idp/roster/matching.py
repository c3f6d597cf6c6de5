"""Matches the people of the file with ours, for one school, in the caller's transaction.

It tries in this order: the school's own id, where other facts of the file agree (``witnesses``);
the same id in the operator's district; at this school, the same name with the same address or the
same child. An address alone is never enough: two parents may share one. A person who is known only
at another school is linked where the operator says so (``link_same_people``); the school does not
learn it (security rule C3).

CROSS JOIN tells SQLite in which order to look; PostgreSQL chooses for itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from idp.database import opaque_id
from idp.roster import (
    asking,
    bulk,
    doubtful_addresses,
    doubtful_guardians,
    doubtful_pupils,
    usernames,
)
from idp.roster.asking import Doubt
from idp.roster.cells import name_key
from idp.roster.models import RosterMatch
from idp.roster.scope import Scope

_account_id, _subject_id = opaque_id("a"), opaque_id("g")

_FORGET: Final = (
    "DELETE FROM roster_matches WHERE run_id = :run AND school_id = :school",
    """
UPDATE roster_pupils SET child_id = NULL, how = NULL WHERE run_id = :run AND school_id = :school
""",
)

_PUPILS_BY_ID: Final = """
UPDATE roster_pupils SET child_id = i.child_id, how = 'known'
FROM roster_identities i
WHERE roster_pupils.run_id = :run AND roster_pupils.school_id = :school
  AND i.school_id = :school AND i.kind = 'pupil' AND i.sourced_id = roster_pupils.sourced_id
"""

_PUPILS_BY_NUMBER: Final = """
UPDATE roster_pupils SET child_id = c.id, how = 'number'
FROM children c
WHERE roster_pupils.run_id = :run AND roster_pupils.school_id = :school
  AND roster_pupils.child_id IS NULL AND roster_pupils.pupil_number IS NOT NULL
  AND c.school_id = :school AND c.sourced_id = roster_pupils.pupil_number
  AND NOT EXISTS (SELECT 1 FROM roster_identities i
                  WHERE i.child_id = c.id AND i.school_id = :school AND i.kind = 'pupil')
"""

_PUPILS_NEW: Final = (
    """
UPDATE roster_pupils SET child_id = new_child_id, how = 'new'
WHERE run_id = :run AND school_id = :school AND child_id IS NULL AND present AND given_name <> ''
""",
    # Nobody that we know, and nothing to make somebody of
    "DELETE FROM roster_pupils WHERE run_id = :run AND school_id = :school AND child_id IS NULL",
)

_GUARDIANS_BY_ID: Final = """
INSERT INTO roster_matches (run_id, school_id, sourced_id, account_id, how)
SELECT :run, :school, g.sourced_id, i.account_id, 'known'
FROM roster_identities i CROSS JOIN roster_guardians g
WHERE i.school_id = :school AND i.kind = 'guardian'
  AND g.run_id = :run AND g.sourced_id = i.sourced_id
"""

_WANTED: Final = """
INSERT INTO roster_matches (run_id, school_id, sourced_id, how)
SELECT DISTINCT :run, :school, g.sourced_id, 'wanted'
FROM roster_pupils p CROSS JOIN roster_links l CROSS JOIN roster_guardians g
WHERE p.run_id = :run AND p.school_id = :school AND p.present AND p.how <> 'held'
  AND l.run_id = :run AND l.pupil_sourced_id = p.sourced_id
  AND g.run_id = :run AND g.sourced_id = l.guardian_sourced_id AND g.present
  AND g.given_name <> ''
ON CONFLICT DO NOTHING
"""
_WANTED_BY_DELTA: Final = """
INSERT INTO roster_matches (run_id, school_id, sourced_id, how)
SELECT DISTINCT :run, :school, g.sourced_id, 'wanted'
FROM roster_links l CROSS JOIN roster_guardians g CROSS JOIN roster_identities i
WHERE l.run_id = :run AND g.run_id = :run AND g.sourced_id = l.guardian_sourced_id
  AND g.present AND g.given_name <> ''
  AND i.school_id = :school AND i.kind = 'pupil' AND i.sourced_id = l.pupil_sourced_id
  AND NOT EXISTS (SELECT 1 FROM roster_pupils p WHERE p.run_id = :run AND p.school_id = :school
                  AND p.sourced_id = i.sourced_id)
ON CONFLICT DO NOTHING
"""

_OF_WANTED: Final = "m.run_id = :run AND m.school_id = :school AND m.how = 'wanted'"

_BY_DISTRICT: Final = f"""
SELECT m.sourced_id, min(i.account_id)
FROM roster_matches m CROSS JOIN roster_identities i CROSS JOIN roster_sources s
WHERE {_OF_WANTED} AND i.kind = 'guardian' AND i.sourced_id = m.sourced_id
  AND s.school_id = i.school_id AND s.district = :district AND i.account_id IS NOT NULL
GROUP BY m.sourced_id
"""

_THE_WANTED: Final = "roster_matches m CROSS JOIN roster_guardians g"
_IN_FILE: Final = f"{_OF_WANTED} AND g.run_id = :run AND g.sourced_id = m.sourced_id"

_SAME_ADDRESS_HERE: Final = f"""
SELECT g.sourced_id, g.name_key, a.id, a.given_name, a.family_name
FROM {_THE_WANTED} CROSS JOIN accounts a
WHERE {_IN_FILE} AND a.email_key = g.email_key
  AND EXISTS (SELECT 1 FROM live_guardianships w
              WHERE w.account_id = a.id AND w.school_id = :school)
"""

_SAME_CHILD: Final = f"""
SELECT DISTINCT g.sourced_id, g.name_key, a.id, a.given_name, a.family_name
FROM {_THE_WANTED} CROSS JOIN roster_links l CROSS JOIN roster_pupils p
CROSS JOIN live_guardianships w CROSS JOIN accounts a
WHERE {_IN_FILE} AND l.run_id = :run AND l.guardian_sourced_id = g.sourced_id
  AND p.run_id = :run AND p.school_id = :school AND p.sourced_id = l.pupil_sourced_id
  AND p.how <> 'new' AND w.child_id = p.child_id AND a.id = w.account_id
"""

_SAME_PERSON_ELSEWHERE: Final = f"""
SELECT g.sourced_id, g.name_key, a.id, a.given_name, a.family_name
FROM {_THE_WANTED} CROSS JOIN accounts a
WHERE {_IN_FILE} AND a.email_key = g.email_key AND a.status <> 'disabled'
"""

_NUMBERS: Final = f"""
SELECT g.sourced_id, g.number FROM {_THE_WANTED} WHERE {_IN_FILE}
"""

_NEW: Final = f"""
SELECT g.sourced_id, g.given_name, g.family_name FROM {_THE_WANTED}
WHERE {_IN_FILE} ORDER BY g.number
"""

_TAKEN_HERE: Final = """
SELECT account_id FROM roster_matches
WHERE run_id = :run AND school_id = :school AND account_id IS NOT NULL AND how <> 'held'
"""
_HAVE_OTHER_IDS: Final = """
SELECT i.account_id FROM roster_identities i
WHERE i.school_id = :school AND i.kind = 'guardian' AND i.sourced_id NOT LIKE '~%'
"""


@dataclass(frozen=True)
class SamePerson:
    """A guardian of the file who has the name and address of somebody known elsewhere."""

    sourced_id: str
    account_id: str


def match(scope: Scope) -> list[SamePerson]:
    """Fill ``roster_matches`` and the pupils' ``child_id``; returns who looks the same.

    Of whom the file alone is not believed, it keeps questions, and holds the rows back.
    """
    asking.forget(scope)
    for statement in _FORGET:
        bulk.execute(statement, **scope.ids())
    doubts = [*_pupils(scope), *_guardians_by_id(scope)]
    doubts += _guardians_by_name(scope)
    doubts += _guardians_of_others_addresses(scope)
    asking.keep(scope, doubts)
    elsewhere = _elsewhere(scope)
    if scope.link_same_people:
        _add(scope, ((each.sourced_id, each.account_id) for each in elsewhere), "same")
    _new(scope)
    return [] if scope.link_same_people else elsewhere


def _pupils(scope: Scope) -> list[Doubt]:
    bulk.execute(_PUPILS_BY_ID, **scope.ids())
    bulk.execute(_PUPILS_BY_NUMBER, **scope.ids())
    doubts = doubtful_pupils.of_known(scope)
    doubts += doubtful_pupils.of_names(scope)
    doubts += doubtful_pupils.of_twins(scope)
    for statement in _PUPILS_NEW:
        bulk.execute(statement, **scope.ids())
    # An answer that makes one row two questions leaves the later one
    return list({each.subject: each for each in doubts}.values())


def _guardians_by_id(scope: Scope) -> list[Doubt]:
    bulk.execute(_GUARDIANS_BY_ID, **scope.ids())
    doubts = doubtful_guardians.of_known(scope)
    doubtful_guardians.settle(scope, doubts)
    for statement in (_WANTED, *([_WANTED_BY_DELTA] if scope.delta else [])):
        bulk.execute(statement, **scope.ids())
    disabled = doubtful_guardians.of_disabled(scope)
    doubtful_guardians.settle(scope, disabled)
    if scope.district:
        rows = bulk.fetch(_BY_DISTRICT, **scope.ids(), district=scope.district)
        _add(scope, [(row[0], row[1]) for row in rows], "district")
        # Somebody of another school is nobody to ask this one about (rule C3)
        doubtful_guardians.strangers(scope, doubtful_guardians.of_known(scope, "district"))
    kept = {each.subject: each for each in doubts}
    return [*doubts, *(each for each in disabled if each.subject not in kept)]


def _guardians_by_name(scope: Scope) -> list[Doubt]:
    doubts: list[Doubt] = []
    for query in (_SAME_ADDRESS_HERE, _SAME_CHILD):
        same, renumbered = _same_names(scope, query)
        _add(scope, same, "name")
        doubtful = doubtful_guardians.renumbered(_numbers(scope, renumbered), renumbered)
        doubtful_guardians.settle(scope, doubtful)
        doubts += doubtful
    return list({each.subject: each for each in doubts}.values())


def _guardians_of_others_addresses(scope: Scope) -> list[Doubt]:
    doubts = doubtful_addresses.of_others(scope)
    doubtful_guardians.settle(scope, doubts)
    return doubts


def _same_names(scope: Scope, query: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Guardians whose one candidate at this school has their very name, and no other claim; and
    those whose candidate has another id of the school's, which the file does not have.
    """
    free = _free(scope, query)
    if not free:
        return [], []
    # Two people of one name in one family: another id of the school's says that it is another
    other = {row[0] for row in bulk.fetch(_HAVE_OTHER_IDS, school=scope.school_id)}
    return (
        asking.one_to_one(pair for pair in free if pair[1] not in other),
        asking.one_to_one(pair for pair in free if pair[1] in other),
    )


def _free(scope: Scope, query: str) -> list[tuple[str, str]]:
    """Guardians and candidates of their very name whom no other row is about."""
    candidates = [
        (sourced_id, account_id)
        for sourced_id, key, account_id, given_name, family_name in bulk.fetch(query, **scope.ids())
        if name_key(given_name, family_name) == key
    ]
    if not candidates:
        return []
    taken = {row[0] for row in bulk.fetch(_TAKEN_HERE, **scope.ids())}
    return [pair for pair in candidates if pair[1] not in taken]


def _numbers(scope: Scope, pairs: list[tuple[str, str]]) -> dict[str, int]:
    if not pairs:
        return {}
    return {row[0]: row[1] for row in bulk.fetch(_NUMBERS, **scope.ids())}


def _elsewhere(scope: Scope) -> list[SamePerson]:
    pairs = asking.one_to_one(_free(scope, _SAME_PERSON_ELSEWHERE))
    return [SamePerson(*pair) for pair in pairs]


def _new(scope: Scope) -> None:
    """Ids and user names for whoever is not known."""
    rows = list(bulk.fetch(_NEW, **scope.ids()))
    bulk.execute(
        "DELETE FROM roster_matches WHERE run_id = :run AND school_id = :school AND how = 'wanted'",
        **scope.ids(),
    )
    wanted = [
        usernames.base(scope.pattern, given_name, family_name)
        for _, given_name, family_name in rows
    ]
    free = usernames.free(wanted)
    bulk.insert_rows(
        RosterMatch,
        ("run_id", "school_id", "sourced_id", "account_id", "how", "subject_id", "username"),
        (
            (scope.run_id, scope.school_id, row[0], _account_id(), "new", _subject_id(), username)
            for row, username in zip(rows, free, strict=True)
        ),
    )


def _add(scope: Scope, pairs: Iterable[tuple[str, str]], how: str) -> None:
    bulk.execute_many(
        "UPDATE roster_matches SET account_id = :account, how = :how"
        " WHERE run_id = :run AND school_id = :school AND sourced_id = :sourced_id",
        [
            {**scope.ids(), "sourced_id": sourced_id, "account": account_id, "how": how}
            for sourced_id, account_id in pairs
        ],
    )
