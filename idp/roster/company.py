"""Finds who belongs to whom, in the file and in our tables, by names and addresses: never by the
file's ids.

Meanwhile the rows in question are marked ``suspect`` in the staging tables.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from sqlalchemy import Select, select

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
    return _in_file(scope, _GUARDIANS_IN_FILE, _GUARDIANS_IN_DELTA)


def children_in_file(scope: Scope) -> Keys:
    """Guardian's id → names of the children that the file gives the suspects."""
    return _in_file(scope, _CHILDREN_IN_FILE, _CHILDREN_IN_DELTA)


def _in_file(scope: Scope, whole: str, delta: str) -> Keys:
    keys = _gathered({}, bulk.fetch(whole, **scope.ids()))
    return _gathered(keys, _keyed(bulk.fetch(delta, **scope.ids()))) if scope.delta else keys


def guardians_of(child_ids: Iterable[str]) -> Keys:
    """Child → names and addresses of all who are or were its guardians."""
    whom = select(Guardianship.child_id, Account.given_name, Account.family_name, Account.email_key)
    whom = whom.join(Account, Account.id == Guardianship.account_id)
    return _ours(whom, Guardianship.child_id, child_ids)


def children_of(account_ids: Iterable[str]) -> Keys:
    """Account → names of all children that are or were with it, at whichever school."""
    whom = select(Guardianship.account_id, Child.given_name, Child.family_name)
    whom = whom.join(Child, Child.id == Guardianship.child_id)
    return _ours(whom, Guardianship.account_id, account_ids)


def _ours(whom: Select[*tuple[Any, ...]], owner: Any, ids: Iterable[str]) -> Keys:
    keys: Keys = {}
    for chunk in in_parts(sorted(set(ids)), 500):
        _gathered(keys, _keyed(db.session.execute(whom.where(owner.in_(chunk)))))
    return keys


def _keyed(rows: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    for who, given_name, family_name, *rest in rows:
        yield who, name_key(given_name, family_name), *rest


def _gathered(keys: Keys, rows: Iterable[Any]) -> Keys:
    for who, *more in rows:
        keys.setdefault(who, set()).update(key for key in more if key)
    return keys
