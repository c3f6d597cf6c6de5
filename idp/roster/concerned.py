"""Lists the people whom an import concerns: who changes and how, what differs about them, and who
stands behind a finding.

Changes are read from the plan, which becomes the journal; findings and questions are read from
``roster_remarks``. Both are kept from the check until the import can no longer be undone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idp.roster import bulk
from idp.roster.question_models import RosterRemark
from idp.roster.scope import Scope

_COLUMNS: Final = ("run_id", "school_id", "kind", "number", "who", "old", "new", "lines")
_NEW_NAME: Final = "x.given_name || ' ' || x.family_name"
_OLD_NAME: Final = "x.old_given_name || ' ' || x.old_family_name"
_ACCOUNT: Final = "JOIN accounts a ON a.id = x.account_id"
_CHILD: Final = "JOIN children c ON c.id = x.child_id"
_PAIR: Final = f"{_ACCOUNT} {_CHILD}"
# Before the import new people stand in the plan alone
_PLANNED_PAIR: Final = """
LEFT JOIN accounts a ON a.id = x.account_id LEFT JOIN children c ON c.id = x.child_id
LEFT JOIN roster_changes y ON y.run_id = :run AND y.school_id = :school
                          AND y.kind = 'account_made' AND y.account_id = x.account_id
LEFT JOIN roster_changes z ON z.run_id = :run AND z.school_id = :school
                          AND z.kind = 'child_made' AND z.child_id = x.child_id
"""
_NAME: Final = "{0}.given_name || ' ' || {0}.family_name"
_A: Final = _NAME.format("a")
_C: Final = _NAME.format("c")
_NUMBER: Final = "CASE WHEN x.sourced_id LIKE '~%' THEN '' ELSE x.sourced_id END"

_SELECTS: Final = {
    "child_made": (_NEW_NAME, "''", "x.class_name", ""),
    "child_changed.class": (_NEW_NAME, "x.old_class_name", "x.class_name", ""),
    "child_changed.name": (_NEW_NAME, _OLD_NAME, _NEW_NAME, ""),
    "child_changed.number": (_NEW_NAME, "x.old_pupil_number", "x.pupil_number", ""),
    "child_returned": (_NEW_NAME, "x.old_class_name", "x.class_name", ""),
    "child_left": (_C, "c.class_name", "''", _CHILD),
    "account_made": (_NEW_NAME, "''", "x.email", ""),
    "account_changed.name": (_NEW_NAME, _OLD_NAME, _NEW_NAME, ""),
    "account_changed.email": (_NEW_NAME, "x.old_email", "x.email", ""),
    "account_revived": (_A, "''", "''", _ACCOUNT),
    "guardianship_made": (
        f"coalesce({_A}, {_NAME.format('y')})",
        "''",
        f"coalesce({_C}, {_NAME.format('z')})",
        _PLANNED_PAIR,
    ),
    "guardianship_changed": (
        f"{_A} || ' – ' || {_C}",
        "x.old_relationship",
        "x.relationship",
        _PAIR,
    ),
    "guardianship_ended": (_A, _C, "''", _PAIR),
    "identity_moved": (
        f"coalesce({_A}, {_C})",
        _NUMBER,
        "''",
        "LEFT JOIN accounts a ON a.id = x.account_id LEFT JOIN children c ON c.id = x.child_id",
    ),
}
"""Kind of change, and its field → who, what stood, what is wanted; and what it is joined with."""
SAID_IN_WORDS: Final = frozenset({"guardianship_changed"})
"""Kinds whose old and new are words of ours, to be said in the reader's language."""

_REMARKS: Final = """
SELECT r.who, r.old, r.new, r.lines FROM roster_remarks r
WHERE r.run_id = :run AND r.school_id = :school AND r.kind = :kind ORDER BY r.number
"""
_REMARKED: Final = """
SELECT r.kind, count(*) FROM roster_remarks r WHERE r.run_id = :run AND r.school_id = :school
GROUP BY r.kind ORDER BY r.kind
"""


@dataclass(frozen=True)
class Person:
    """Somebody whom a change, a finding or a question is about."""

    who: str
    old: str = ""
    new: str = ""
    lines: str = ""


def remember(run_id: str, school_id: str, remarks: Mapping[str, Iterable[Person]]) -> None:
    """Keep who stands behind findings and questions, in the caller's transaction."""
    forget(run_id, school_id)
    add(run_id, school_id, remarks)


def add(run_id: str, school_id: str, remarks: Mapping[str, Iterable[Person]]) -> None:
    """Keep more kinds beside those that are kept, in the caller's transaction."""
    bulk.insert_rows(
        RosterRemark,
        _COLUMNS,
        (
            (run_id, school_id, kind, number, each.who, each.old, each.new, each.lines[:80])
            for kind, people in remarks.items()
            for number, each in enumerate(people, 1)
        ),
    )


def forget(run_id: str, school_id: str | None = None, kind: str | None = None) -> None:
    """Delete them: of the run, of one school, of one kind there."""
    values = {"run": run_id}
    where = "run_id = :run"
    for column, name, value in (("school_id", "school", school_id), ("kind", "kind", kind)):
        if value is not None:
            values[name] = value
            where += f" AND {column} = :{name}"
    bulk.execute(f"DELETE FROM roster_remarks WHERE {where}", **values)


def kinds(run_id: str, school_id: str) -> dict[str, int]:
    """What there is to be listed: kind of change, with its field, or of remark → how many."""
    ids = {"run": run_id, "school": school_id}
    counts = counted(run_id, school_id)
    ordered = {kind: counts[kind] for kind in _SELECTS if kind in counts}
    return ordered | {row[0]: row[1] for row in bulk.fetch(_REMARKED, **ids)}


def list_people(run_id: str, school_id: str, kind: str, most: int, begin: int = 0) -> list[Person]:
    """The people of one kind, ``most`` of them from the ``begin``th on, in the file's order."""
    ids = {"run": run_id, "school": school_id}
    page = f" LIMIT {int(most)} OFFSET {int(begin)}"
    if kind not in _SELECTS:
        return [Person(*row) for row in bulk.fetch(_REMARKS + page, **ids, kind=kind)]
    plain, _, field = kind.partition(".")
    rows = bulk.fetch(_changes(kind, field) + page, **ids, kind=plain)
    return [Person(*(each or "" for each in row)) for row in rows]


def everybody(run_id: str, school_id: str) -> Iterator[tuple[str, Person]]:
    """Everybody of a school's part of a run, kind by kind."""
    for kind, count in kinds(run_id, school_id).items():
        for each in list_people(run_id, school_id, kind, count):
            yield kind, each


def as_json(people: Iterable[tuple[str, Person]]) -> list[dict[str, Any]]:
    """For programs."""
    return [{"kind": kind, **vars(each)} for kind, each in people]


def _changes(kind: str, field: str) -> str:
    who, old, new, joined = _SELECTS[kind]
    only = f" AND {DIFFERS[field]}" if field else ""
    return (
        f"SELECT {who}, {old}, {new} FROM roster_changes x {joined}"
        f" WHERE x.run_id = :run AND x.school_id = :school AND x.kind = :kind{only} ORDER BY x.id"
    )


DIFFERS: Final = {
    "class": "coalesce(x.class_name, '') <> coalesce(x.old_class_name, '')",
    "name": "(x.given_name <> x.old_given_name OR x.family_name <> x.old_family_name)",
    "number": "coalesce(x.pupil_number, '') <> coalesce(x.old_pupil_number, '')",
    "email": "coalesce(x.email_key, '') <> coalesce(x.old_email_key, '')",
}
"""Field → whether a row of ``roster_changes`` changes it."""
FIELDS: Final = {
    "child_changed": ("class", "name", "number"),
    "account_changed": ("name", "email"),
}
"""Kind of change → what it may be about; one person may stand under several."""
MOST_MOVES: Final = 500

_COUNTED: Final = f"""
SELECT x.kind, count(*),
       {", ".join(f"sum(CASE WHEN {each} THEN 1 ELSE 0 END)" for each in DIFFERS.values())}
FROM roster_changes x WHERE x.run_id = :run AND x.school_id = :school GROUP BY x.kind
"""
_MOVES: Final = f"""
SELECT coalesce(x.old_class_name, ''), coalesce(x.class_name, ''), count(*)
FROM roster_changes x
WHERE x.run_id = :run AND x.school_id = :school AND x.kind = 'child_changed'
  AND {DIFFERS["class"]}
GROUP BY coalesce(x.old_class_name, ''), coalesce(x.class_name, '')
ORDER BY count(*) DESC, 1, 2 LIMIT {MOST_MOVES}
"""


def counted(run_id: str, school_id: str) -> dict[str, int]:
    """Kind of change → how many people; of those in ``FIELDS``, « kind.field »."""
    counts: dict[str, int] = {}
    for kind, count, *numbers in bulk.fetch(_COUNTED, run=run_id, school=school_id):
        if kind not in FIELDS:
            counts[kind] = count
            continue
        by_field = dict(zip(DIFFERS, map(int, numbers), strict=True))
        counts |= {f"{kind}.{name}": by_field[name] for name in FIELDS[kind] if by_field[name]}
    return counts


def fields(scope: Scope) -> dict[str, int]:
    """« kind.field » → how many people it changes for."""
    return {
        kind: count for kind, count in counted(scope.run_id, scope.school_id).items() if "." in kind
    }


def moves(scope: Scope) -> list[list[Any]]:
    """Former class, new class, how many pupils: the most first."""
    return [list(row) for row in bulk.fetch(_MOVES, **scope.ids())]


GUARDIAN_DIFFERS: Final = "guardian_differs"

_DIFFERING: Final = """
SELECT g.given_name || ' ' || g.family_name,
       a.given_name || ' ' || a.family_name, coalesce(a.email, ''),
       coalesce(g.email, a.email, ''), g.line
FROM roster_matches m CROSS JOIN roster_guardians g CROSS JOIN accounts a
WHERE m.run_id = :run AND m.school_id = :school AND m.how NOT IN ('new', 'held', 'ended')
  AND g.run_id = :run AND g.sourced_id = m.sourced_id AND g.present AND g.given_name <> ''
  AND a.id = m.account_id
  AND (g.given_name <> a.given_name OR g.family_name <> a.family_name
       OR g.email_key <> coalesce(a.email_key, ''))
  AND EXISTS (SELECT 1 FROM live_guardianships w
              WHERE w.account_id = a.id AND w.school_id = :school)
ORDER BY g.number
"""


def differing(scope: Scope) -> list[Person]:
    """Guardians whose name or address in the file differs from ours, taken over or not.

    Before anything is carried out, in the transaction that planned it.
    What it takes over depends on which other schools trust the account: a school must not learn
    that (security rule C3). It may learn that the file differs from what its own desk shows.
    """
    return [
        Person(name, _both(old_name, old, new), _both(name, new, old), str(line))
        for name, old_name, old, new, line in bulk.fetch(_DIFFERING, **scope.ids())
    ]


def _both(name: str, address: str, other: str) -> str:
    return f"{name}, {address}" if address != other and address else name
