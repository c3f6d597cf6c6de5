"""Finds guardians of a file who share an address or a name.

The queries run in the transaction that planned the import.
"""

from collections.abc import Callable
from itertools import groupby
from typing import Any, Final

from idp.roster import bulk
from idp.roster.concerned import Person
from idp.roster.scope import Scope

# The groups alone are brought here: a district has hundreds of thousands of guardians
_IN_GROUPS: Final = """
SELECT g.{0}, g.name_key, g.given_name, g.family_name, g.email, g.line
FROM roster_matches m CROSS JOIN roster_guardians g
WHERE m.run_id = :run AND m.school_id = :school AND g.run_id = :run
  AND g.sourced_id = m.sourced_id AND g.present AND g.given_name <> '' AND g.{0} IN (
    SELECT k.{0} FROM roster_matches n CROSS JOIN roster_guardians k
    WHERE n.run_id = :run AND n.school_id = :school AND k.run_id = :run
      AND k.sourced_id = n.sourced_id AND k.present AND k.given_name <> ''
      AND k.{0} IS NOT NULL
    GROUP BY k.{0} HAVING {1})
ORDER BY g.{0}, g.number
"""
_SHARED_ADDRESS: Final = _IN_GROUPS.format("email_key", "count(DISTINCT k.name_key) > 1")
_TWICE: Final = _IN_GROUPS.format(
    "name_key", "count(*) > 1 AND count(DISTINCT k.email_key) < count(*)"
)


def people_by_finding(scope: Scope) -> dict[str, list[Person]]:
    """Finding → the groups, each as one case with all its lines."""
    return {
        "shared_address": _cases(_SHARED_ADDRESS, scope, lambda row: row[4]),
        "duplicate_guardians": _cases(_TWICE, scope, lambda _: ""),
    }


def _cases(query: str, scope: Scope, shared: Callable[[Any], str]) -> list[Person]:
    rows = bulk.fetch(query, **scope.ids())
    return [_case(list(group), shared) for _, group in groupby(rows, key=lambda row: row[0])]


def _case(rows: list[Any], shared: Callable[[Any], str]) -> Person:
    names = dict.fromkeys(f"{row[2]} {row[3]}" for row in rows)
    lines = ", ".join(str(row[5]) for row in rows)
    return Person(", ".join(names), new=shared(rows[0]), lines=lines)
