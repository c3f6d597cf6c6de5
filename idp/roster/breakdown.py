"""What changes about people whom an import changes: by field, and from which class to which.

Asked in the transaction that planned it. Numbers and classes, no names: they are kept.
"""

from typing import Any, Final

from idp.roster import bulk
from idp.roster.scope import Scope

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
    found: dict[str, int] = {}
    for kind, count, *numbers in bulk.found(_COUNTED, run=run_id, school=school_id):
        if kind not in FIELDS:
            found[kind] = count
            continue
        by_field = dict(zip(DIFFERS, map(int, numbers), strict=True))
        found |= {f"{kind}.{name}": by_field[name] for name in FIELDS[kind] if by_field[name]}
    return found


def fields(scope: Scope) -> dict[str, int]:
    """« kind.field » → how many people it changes for."""
    return {
        kind: count for kind, count in counted(scope.run_id, scope.school_id).items() if "." in kind
    }


def moves(scope: Scope) -> list[list[Any]]:
    """Former class, new class, how many pupils: the most first."""
    return [list(row) for row in bulk.found(_MOVES, **scope.ids())]
