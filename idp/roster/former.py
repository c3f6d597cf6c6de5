"""Finds guardians whom a file would bring back to a school that they had left (security rule N4).

A file is one witness. Where the last guardianship at the school ended long ago, or was ended by a
court or by the guardian, neither the file nor the desk makes a new one. The guardian is asked
instead, once in a year, however often the file names them.
"""

from datetime import datetime
from typing import Any, Final

from idp import clock, settings
from idp.lifecycle import file_requests, link_requests
from idp.people.guardianships import sql_over_since
from idp.people.models import FOR_GOOD
from idp.roster import bulk
from idp.roster.concerned import Person
from idp.roster.scope import Scope

KIND: Final = "former_guardians"

_ENDED: Final = sql_over_since("w", "c")
_AT_SCHOOL: Final = """
FROM guardianships w JOIN children c ON c.id = w.child_id
WHERE w.account_id = {0} AND c.school_id = :school
"""
IS_FORMER: Final = f"""
(NOT EXISTS (SELECT 1 {_AT_SCHOOL} AND {_ENDED} IS NULL)
 AND EXISTS (SELECT 1 {_AT_SCHOOL}
             AND (w.ended_code IN ({", ".join(f"'{each}'" for each in FOR_GOOD)})
                  OR {_ENDED} < :long_ago)
             AND {_ENDED} = (SELECT max({sql_over_since("v", "d")})
                             FROM guardianships v JOIN children d ON d.id = v.child_id
                             WHERE v.account_id = {{0}} AND d.school_id = :school)))
"""
"""Whether ``{0}``, an account's id, was guardian at the school and is to be asked first."""

_NAMED: Final = f"""
FROM roster_pairs r
WHERE r.run_id = :run AND r.school_id = :school AND {IS_FORMER.format("r.account_id")}
"""
_PAIRS: Final = f"SELECT r.account_id, r.child_id, coalesce(r.relationship, 'parent') {_NAMED}"
_PEOPLE: Final = f"""
SELECT a.given_name || ' ' || a.family_name,
       coalesce(c.given_name || ' ' || c.family_name, p.given_name || ' ' || p.family_name)
FROM roster_pairs r JOIN accounts a ON a.id = r.account_id
LEFT JOIN children c ON c.id = r.child_id
LEFT JOIN roster_changes p ON p.run_id = :run AND p.school_id = :school
                          AND p.kind = 'child_made' AND p.child_id = r.child_id
WHERE r.run_id = :run AND r.school_id = :school AND {IS_FORMER.format("r.account_id")}
  AND NOT {{0}}
ORDER BY 1, 2
"""


def values() -> dict[str, datetime]:
    """What ``IS_FORMER`` is asked with, beside the school."""
    return {"long_ago": clock.now() - link_requests.LONG_AGO}


def list_people(scope: Scope, separated: str) -> list[Person]:
    """Whom the file names and who will be asked, and about which pupil, before it is done.

    ``separated``: the pairs of which the file is never believed.
    """
    rows = bulk.fetch(_PEOPLE.format(separated), **scope.ids(), **values())
    return [Person(f"{guardian}, {pupil}") for guardian, pupil in rows]


def pairs(scope: Scope, separated: str) -> list[Any]:
    """Account, child, relationship of each; to be read before anything is carried out."""
    rows = bulk.fetch(f"{_PAIRS} AND NOT {separated}", **scope.ids(), **values())
    return [tuple(row) for row in rows]


def request_links(pairs: list[Any], now: datetime) -> int:
    """Ask them in the caller's transaction, in which the pupils are made by now."""
    return file_requests.ask_once(pairs, now, per_hour=settings.current().invitations_per_hour)
