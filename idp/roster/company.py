"""Finds who belongs to whom, in the file and in our tables, by names and addresses: never by the
file's ids.

Meanwhile the rows in question are marked ``suspect`` in the staging tables.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import select

from idp.database import db, in_parts
from idp.people.models import Account, Child, Guardianship
from idp.roster import bulk
from idp.roster.cells import name_key
from idp.roster.scope import Scope

Keys = dict[Any, set[str]]

_GUARDIANS_IN_FILE: Final = """
SELECT p.number, g.name_key, g.email_key
FROM roster_pupils p CROSS JOIN roster_links l CROSS JOIN roster_guardians g
WHERE p.run_id = :run AND p.school_id = :school AND p.how = 'suspect'
  AND l.run_id = :run AND l.pupil_sourced_id = p.sourced_id
  AND g.run_id = :run AND g.sourced_id = l.guardian_sourced_id AND g.given_name <> ''
"""
_GUARDIANS_IN_DELTA: Final = """
SELECT p.number, a.given_name, a.family_name, a.email_key
FROM roster_pupils p CROSS JOIN roster_links l CROSS JOIN roster_identities i CROSS JOIN accounts a
WHERE p.run_id = :run AND p.school_id = :school AND p.how = 'suspect'
  AND l.run_id = :run AND l.pupil_sourced_id = p.sourced_id
  AND i.school_id = :school AND i.kind = 'guardian' AND i.sourced_id = l.guardian_sourced_id
  AND a.id = i.account_id
  AND NOT EXISTS (SELECT 1 FROM roster_guardians g WHERE g.run_id = :run
                  AND g.sourced_id = l.guardian_sourced_id)
"""
_CHILDREN_IN_FILE: Final = """
SELECT m.sourced_id, p.name_key
FROM roster_matches m CROSS JOIN roster_links l CROSS JOIN roster_pupils p
WHERE m.run_id = :run AND m.school_id = :school AND m.how = 'suspect'
  AND l.run_id = :run AND l.guardian_sourced_id = m.sourced_id
  AND p.run_id = :run AND p.sourced_id = l.pupil_sourced_id AND p.given_name <> ''
"""
_CHILDREN_IN_DELTA: Final = """
SELECT m.sourced_id, c.given_name, c.family_name
FROM roster_matches m CROSS JOIN roster_links l CROSS JOIN roster_identities i CROSS JOIN children c
WHERE m.run_id = :run AND m.school_id = :school AND m.how = 'suspect'
  AND l.run_id = :run AND l.guardian_sourced_id = m.sourced_id
  AND i.school_id = :school AND i.kind = 'pupil' AND i.sourced_id = l.pupil_sourced_id
  AND c.id = i.child_id
  AND NOT EXISTS (SELECT 1 FROM roster_pupils p WHERE p.run_id = :run
                  AND p.sourced_id = l.pupil_sourced_id)
"""


def guardians_in_file(scope: Scope) -> Keys:
    """Pupil's row → names and addresses of the guardians that the file gives the suspects."""
    keys: Keys = {}
    for number, name, email in bulk.fetch(_GUARDIANS_IN_FILE, **scope.ids()):
        _add(keys, number, name, email)
    if scope.delta:
        for number, given_name, family_name, email in bulk.fetch(
            _GUARDIANS_IN_DELTA, **scope.ids()
        ):
            _add(keys, number, name_key(given_name, family_name), email)
    return keys


def children_in_file(scope: Scope) -> Keys:
    """Guardian's id → names of the children that the file gives the suspects."""
    keys: Keys = {}
    for sourced_id, name in bulk.fetch(_CHILDREN_IN_FILE, **scope.ids()):
        _add(keys, sourced_id, name)
    if scope.delta:
        for sourced_id, given_name, family_name in bulk.fetch(_CHILDREN_IN_DELTA, **scope.ids()):
            _add(keys, sourced_id, name_key(given_name, family_name))
    return keys


def guardians_of(child_ids: Iterable[str]) -> Keys:
    """Child → names and addresses of all who are or were its guardians."""
    keys: Keys = {}
    for chunk in in_parts(sorted(set(child_ids)), 500):
        query = (
            select(
                Guardianship.child_id, Account.given_name, Account.family_name, Account.email_key
            )
            .join(Account, Account.id == Guardianship.account_id)
            .where(Guardianship.child_id.in_(chunk))
        )
        for child_id, given_name, family_name, email in db.session.execute(query):
            _add(keys, child_id, name_key(given_name, family_name), email)
    return keys


def children_of(account_ids: Iterable[str]) -> Keys:
    """Account → names of all children that are or were with it, at whichever school."""
    keys: Keys = {}
    for chunk in in_parts(sorted(set(account_ids)), 500):
        query = (
            select(Guardianship.account_id, Child.given_name, Child.family_name)
            .join(Child, Child.id == Guardianship.child_id)
            .where(Guardianship.account_id.in_(chunk))
        )
        for account_id, given_name, family_name in db.session.execute(query):
            _add(keys, account_id, name_key(given_name, family_name))
    return keys


def _add(known: Keys, who: Any, *keys: str | None) -> None:
    known.setdefault(who, set()).update(key for key in keys if key)
