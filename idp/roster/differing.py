"""Lists guardians whose name or address in the file differs from ours, whether or not the import
takes it over.

What it takes over depends on which other schools trust the account: a school must not learn that
(security rule C3). It may learn that the file differs from what its own desk shows.
"""

from typing import Final

from idp.roster import bulk
from idp.roster.concerned import Person
from idp.roster.scope import Scope

KIND: Final = "guardian_differs"

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


def list_people(scope: Scope) -> list[Person]:
    """Them, before anything is carried out; in the transaction that planned it."""
    return [
        Person(name, _both(old_name, old, new), _both(name, new, old), str(line))
        for name, old_name, old, new, line in bulk.fetch(_DIFFERING, **scope.ids())
    ]


def _both(name: str, address: str, other: str) -> str:
    return f"{name}, {address}" if address != other and address else name
