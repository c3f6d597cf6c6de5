"""Finds pupils of the file whose id, or name, alone does not say who they are.

Four kinds: an id that comes with another person's name and guardians; a known person who comes
with another number; a row whose name several known pupils have, or several rows one known pupil's;
a second row of one name and class.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from idp.roster import asking, bulk, company
from idp.roster.asking import Candidate, Doubt, candidates_by_name
from idp.roster.cells import name_key
from idp.roster.scope import Scope
from idp.roster.witnesses import Name, Says, compare, compare_places, is_pupil

RENUMBERED: Final = "renumbered"

_OF_RUN: Final = "roster_pupils.run_id = :run AND roster_pupils.school_id = :school"

_SUSPECT: Final = f"""
UPDATE roster_pupils SET how = 'suspect'
FROM children c
WHERE {_OF_RUN} AND roster_pupils.how IN ('known', 'number') AND c.id = roster_pupils.child_id
  AND roster_pupils.given_name <> ''
  AND (roster_pupils.given_name <> c.given_name OR roster_pupils.family_name <> c.family_name
       OR coalesce(roster_pupils.class_name, c.class_name) <> c.class_name)
"""
_SUSPECTS: Final = """
SELECT p.number, p.number, p.name_key, p.class_name, c.id, c.class_name, 0,
       p.given_name, p.family_name, c.given_name, c.family_name
FROM roster_pupils p CROSS JOIN children c
WHERE p.run_id = :run AND p.school_id = :school AND p.how = 'suspect' AND c.id = p.child_id
ORDER BY p.number
"""
_BELIEVED: Final = f"""
UPDATE roster_pupils SET how = CASE WHEN EXISTS (
         SELECT 1 FROM roster_identities i WHERE i.school_id = :school AND i.kind = 'pupil'
           AND i.sourced_id = roster_pupils.sourced_id) THEN 'known' ELSE 'number' END
WHERE {_OF_RUN} AND how = 'suspect'
"""
_UNSUSPECTED: Final = f"UPDATE roster_pupils SET how = NULL WHERE {_OF_RUN} AND how = 'suspect'"

_CANDIDATES: Final = """
SELECT c.id, c.given_name, c.family_name, c.class_name,
       CASE WHEN EXISTS (SELECT 1 FROM roster_pupils p WHERE p.run_id = :run
                           AND p.school_id = :school AND p.child_id = c.id
                           AND p.how IN ('known', 'number')) THEN 1 ELSE 0 END
FROM children c WHERE c.school_id = :school AND c.left_at IS NULL
"""

_UNKNOWN: Final = """
SELECT p.number, p.name_key, p.class_name, p.twin_of FROM roster_pupils p
WHERE p.run_id = :run AND p.school_id = :school AND p.child_id IS NULL AND p.how IS NULL
  AND p.present AND p.given_name <> ''
"""
_UNMATCHED: Final = """
SELECT c.id, c.given_name, c.family_name, c.class_name,
       CASE WHEN c.sourced_id IS NOT NULL OR EXISTS (
              SELECT 1 FROM roster_identities i WHERE i.child_id = c.id AND i.kind = 'pupil'
                AND i.sourced_id NOT LIKE '~%') THEN 1 ELSE 0 END
FROM children c
WHERE c.school_id = :school AND c.left_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM roster_pupils p WHERE p.run_id = :run AND p.school_id = :school
                  AND p.child_id = c.id AND coalesce(p.how, '') <> 'held')
"""
_TWINS: Final = """
SELECT p.number, p.twin_of, p.child_id, p.new_child_id FROM roster_pupils p
WHERE p.run_id = :run AND p.school_id = :school AND p.twin_of IS NOT NULL AND p.present
  AND p.given_name <> ''
ORDER BY CASE WHEN p.child_id IS NULL THEN 1 ELSE 0 END, p.number
"""


_Row = tuple[int, str | None, str | None]
"""A row's number, class, and group of rows that may be one pupil."""


def of_known(scope: Scope) -> list[Doubt]:
    """Judge every pupil whom an id or a number knows, and in whom something has changed."""
    if not bulk.execute(_SUSPECT, **scope.ids()):
        return []
    rows = asking.suspects(bulk.fetch(_SUSPECTS, **scope.ids()))
    theirs = company.guardians_in_file(scope)
    renamed = any(each.name is not Name.SAME for each in rows)
    candidates = candidates_by_name(bulk.fetch(_CANDIDATES, **scope.ids())) if renamed else {}
    bulk.execute(_BELIEVED, **scope.ids())
    doubts = [
        Doubt("pupil", each.number, each.ours, likely, also=also)
        for each, likely, also in asking.doubted(
            rows, theirs, company.guardians_of, candidates, is_pupil
        )
    ]
    _settle(scope, doubts)
    return doubts


def of_names(scope: Scope) -> list[Doubt]:
    """Know people by name, class and guardians; returns who comes with another number, and whose
    name fits several rows.
    """
    unknown = list(bulk.fetch(_UNKNOWN, **scope.ids()))
    if not unknown:
        return []
    rows: dict[str, list[_Row]] = {}
    for number, key, class_name, group in unknown:
        rows.setdefault(key, []).append((number, class_name, group))
    free = candidates_by_name(
        row for row in bulk.fetch(_UNMATCHED, **scope.ids()) if name_key(row[1], row[2]) in rows
    )
    if not free:
        return []
    theirs = _guardians_of_rows(scope, [row[0] for key in free for row in rows[key]])
    ours = company.guardians_of(each.id for candidates in free.values() for each in candidates)
    doubts: list[Doubt] = []
    known: list[tuple[int, str, str]] = []
    unsure: list[tuple[int, str]] = []
    for key, candidates in free.items():
        pairs, uncertain = _paired(rows[key], candidates, theirs, ours)
        numbered = {each.id for each in candidates if each.taken}
        for number, child_id in pairs:
            if child_id in numbered:
                doubts.append(Doubt("renumbered", number, child_id, key=RENUMBERED))
            else:
                known.append((number, child_id, "name"))
        unsure += uncertain
    _set(scope, known)
    _settle(scope, doubts, how="renumber")
    return [*doubts, *_of_namesakes(scope, unsure)]


def _of_namesakes(scope: Scope, pairs: list[tuple[int, str]]) -> list[Doubt]:
    """Rows that may be about several children: each of these is asked about, and held."""
    rows: dict[int, list[Doubt]] = {}
    for number, child_id in pairs:
        about = asking.ending(child_id)  # the answer is about this child, whoever else is asked
        rows.setdefault(number, []).append(Doubt("namesake", number, child_id, about=about))
    doubts: list[Doubt] = []
    changed: list[tuple[int, str | None, str | None]] = []
    for number, candidates in rows.items():
        chosen = [each for each in candidates if each.answer(scope) == asking.SAME]
        if len(chosen) == 1:
            changed.append((number, chosen[0].ours, "renumber"))
            doubts += chosen
            continue
        # A row is one child: answers that say several say nothing
        still = [replace(each, contradicted=True) if chosen else each for each in candidates]
        held = next((each.ours for each in still if each.answer(scope) is None), None)
        changed.append((number, held, "held" if held else None))
        doubts += still
    _set(scope, changed)
    return doubts


def of_twins(scope: Scope) -> list[Doubt]:
    """Rows of one name and class that may be one pupil: the first is, the others are asked."""
    first: dict[str, str] = {}
    made, doubts = [], []
    for number, group, child_id, new_child_id in bulk.fetch(_TWINS, **scope.ids()):
        if group in first:
            if child_id is None:
                doubts.append(Doubt("twin", number, first[group]))
            continue
        first[group] = child_id or new_child_id
        if child_id is None:
            made.append((number, new_child_id, "new"))
    _set(scope, made)
    _settle(scope, doubts, how="twin")
    return doubts


def _paired(
    rows: list[_Row], candidates: list[Candidate], theirs: company.Keys, ours: company.Keys
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Rows and children of one name: who is whom, and who may be."""
    groups: dict[str, int] = {}
    for number, _, group in rows:
        if group is not None:
            groups.setdefault(group, number)
    alone = {number for number, _, group in rows if group is None or groups[group] == number}
    certain, likely = [], []
    for number, class_name, _ in rows:
        for each in candidates:
            if compare(theirs.get(number, set()), ours.get(each.id, set())) is Says.SAME:
                certain.append((number, each.id))
            elif compare_places(class_name, each.place) is Says.SAME:
                likely.append((number, each.id))
    pairs = asking.one_to_one(certain)
    left = _left(certain + likely, pairs, alone)
    pairs += asking.one_to_one(left)
    return pairs, sorted(set(_left(left, pairs, alone)))


def _left(
    pairs: list[tuple[int, str]], done: list[tuple[int, str]], alone: set[int]
) -> list[tuple[int, str]]:
    sides = {side for pair in done for side in pair}
    return [pair for pair in pairs if pair[0] in alone and not sides & set(pair)]


def _settle(scope: Scope, doubts: list[Doubt], how: str = "") -> None:
    """Hold the rows back, or do what somebody has said of them.

    ``how``: what an id is to its person that did not mean them before.
    """
    changed: list[tuple[int, str | None, str | None]] = []
    for each in doubts:
        match each.answer(scope):
            case asking.SAME:
                if each.kind != "pupil" or how:
                    changed.append((each.number, each.ours, how or None))
            case asking.ANOTHER:
                moved = "moved" if each.other else None
                changed.append((each.number, each.other, moved))
            case _:
                changed.append((each.number, each.ours, "held"))
    _set(scope, changed)


def _set(scope: Scope, rows: Iterable[tuple[int, str | None, str | None]]) -> None:
    bulk.execute_many(
        "UPDATE roster_pupils SET child_id = :child, how = :how"
        " WHERE run_id = :run AND number = :number",
        (
            {"run": scope.run_id, "number": number, "child": child_id, "how": how}
            for number, child_id, how in rows
        ),
    )


def _guardians_of_rows(scope: Scope, numbers: list[int]) -> company.Keys:
    _set(scope, ((number, None, "suspect") for number in numbers))
    guardians = company.guardians_in_file(scope)
    bulk.execute(_UNSUSPECTED, **scope.ids())
    return guardians
