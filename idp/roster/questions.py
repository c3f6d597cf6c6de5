"""Describes the questions of a run: the person whom the id meant, and the person in the file.

The queries run in the transaction that planned the run. They name people of this school only (rule
C3).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from idp.roster import bulk
from idp.roster.claims import unclaimed
from idp.roster.concerned import Person
from idp.roster.scope import Scope

MOST_SHOWN: Final = 200
"""Questions of one school that a page shows; the others come when these are answered."""
SAMPLES: Final = 20
_EVERYBODY: Final = 1_000_000
GROUPS: Final = frozenset({"renumbered", "disabled", "address"})
"""Kinds that are one question, however many rows it is about."""

_OF: Final = "q.run_id = :run AND q.school_id = :school"

_COUNTED: Final = f"""
SELECT q.key, q.kind, max(q.answer), count(*) FROM roster_questions q WHERE {_OF}
GROUP BY q.key, q.kind ORDER BY min(q.number)
"""
OPEN: Final = f"""
SELECT count(DISTINCT q.key) FROM roster_questions q WHERE {_OF} AND q.answer IS NULL
"""
_PUPILS: Final = f"""
SELECT q.key, q.kind, q.answer, p.line, p.given_name, p.family_name, p.class_name, p.pupil_number,
       p.sourced_id, c.id, c.given_name, c.family_name, c.class_name, c.sourced_id,
       o.given_name, o.family_name, o.class_name, o.sourced_id
FROM roster_questions q
JOIN roster_pupils p ON p.run_id = :run AND p.number = q.number
LEFT JOIN children c ON c.id = q.child_id AND c.school_id = :school
LEFT JOIN children o ON o.id = q.other_child_id AND o.school_id = :school
WHERE {_OF} AND q.subject LIKE 'p%' ORDER BY q.number, q.subject LIMIT {{}}
"""
_GUARDIANS: Final = f"""
SELECT q.key, q.kind, q.answer, g.line, g.given_name, g.family_name, g.email, g.sourced_id,
       a.id, a.given_name, a.family_name,
       CASE WHEN EXISTS (SELECT 1 FROM live_guardianships w
                         WHERE w.account_id = a.id AND w.school_id = :school) THEN a.email END,
       CASE WHEN a.id IS NULL OR {unclaimed("a")} THEN 0 ELSE 1 END,
       o.id, o.given_name, o.family_name, o.email
FROM roster_questions q
JOIN roster_guardians g ON g.run_id = :run AND g.number = q.number
LEFT JOIN accounts a ON a.id = q.account_id
LEFT JOIN accounts o ON o.id = q.other_account_id
WHERE {_OF} AND q.subject LIKE 'g%' ORDER BY q.number, q.subject LIMIT {{}}
"""
_CHILDREN_IN_FILE: Final = f"""
SELECT g.sourced_id, p.given_name, p.family_name FROM roster_questions q
JOIN roster_guardians g ON g.run_id = :run AND g.number = q.number
JOIN roster_links l ON l.run_id = :run AND l.guardian_sourced_id = g.sourced_id
JOIN roster_pupils p ON p.run_id = :run AND p.school_id = :school
                    AND p.sourced_id = l.pupil_sourced_id AND p.given_name <> ''
WHERE {_OF} AND q.subject LIKE 'g%'
"""
_GUARDIANS_IN_FILE: Final = f"""
SELECT p.sourced_id, g.given_name, g.family_name FROM roster_questions q
JOIN roster_pupils p ON p.run_id = :run AND p.number = q.number
JOIN roster_links l ON l.run_id = :run AND l.pupil_sourced_id = p.sourced_id
JOIN roster_guardians g ON g.run_id = :run AND g.sourced_id = l.guardian_sourced_id
                       AND g.given_name <> ''
WHERE {_OF} AND q.subject LIKE 'p%'
"""
_OUR_CHILDREN: Final = f"""
SELECT w.account_id, c.given_name, c.family_name FROM roster_questions q
JOIN live_guardianships w ON w.account_id IN (q.account_id, q.other_account_id)
                         AND w.school_id = :school
JOIN children c ON c.id = w.child_id
WHERE {_OF}
"""
_OUR_GUARDIANS: Final = f"""
SELECT q.child_id, a.given_name, a.family_name FROM roster_questions q
JOIN live_guardianships w ON w.child_id = q.child_id AND w.school_id = :school
JOIN accounts a ON a.id = w.account_id
WHERE {_OF}
"""


def open_ones(scope: Scope) -> int:
    """How many questions wait for an answer."""
    return bulk.count(OPEN, **scope.ids())


def list_questions(scope: Scope) -> list[dict[str, Any]]:
    """The questions as a page and ``--json`` show them, the answered ones too."""
    counted = {row[0]: row for row in bulk.fetch(_COUNTED, **scope.ids())}
    if not counted:
        return []
    rows: dict[str, list[dict[str, Any]]] = {}
    for each in (*_pupils(scope), *_guardians(scope)):
        rows.setdefault(each["key"], []).append(each)
    questions = []
    for key, kind, answer, count in counted.values():
        question = {"key": key, "kind": kind, "answer": answer, "count": count}
        if kind in GROUPS and key in rows:
            questions.append({**question, "people": rows[key][:SAMPLES]})
        elif key in rows and len(questions) < MOST_SHOWN:
            questions.append({**rows[key][0], **question})
    return questions


def held_back(scope: Scope) -> dict[str, list[Person]]:
    """Kind of question, behind ``asked_`` → everybody who waits for an answer."""
    people: dict[str, list[Person]] = {}
    keys: set[str] = set()
    for each in (*_pupils(scope, _EVERYBODY), *_guardians(scope, _EVERYBODY)):
        if each["answer"] is None and (each["kind"] in GROUPS or each["key"] not in keys):
            keys.add(each["key"])
            old, new = each["old"] or each["other"], each["new"]
            people.setdefault(f"asked_{each['kind']}", []).append(
                Person(
                    new["name"], _described(old) if old else "", _described(new), str(each["line"])
                )
            )
    return people


def _described(person: dict[str, Any]) -> str:
    return ", ".join(filter(None, (person["name"], person["place"], person["number"])))


def _pupils(scope: Scope, most: int = MOST_SHOWN) -> Iterable[dict[str, Any]]:
    rows = list(bulk.fetch(_PUPILS.format(most), **scope.ids()))
    if not rows:
        return
    theirs, ours = _named(_GUARDIANS_IN_FILE, scope), _named(_OUR_GUARDIANS, scope)
    for key, kind, answer, line, given_name, family_name, *rest in rows:
        class_name, number, sourced_id, child_id = rest[:4]
        old, other = rest[4:8], rest[8:]
        yield {
            "key": key,
            "kind": kind,
            "answer": answer,
            "of": "pupil",
            "line": line,
            "new": _one((given_name, family_name, class_name, number), theirs.get(sourced_id)),
            "old": _one(old, ours.get(child_id)) if child_id else None,
            "other": _one(other) if other[0] else None,
        }


def _guardians(scope: Scope, most: int = MOST_SHOWN) -> Iterable[dict[str, Any]]:
    rows = list(bulk.fetch(_GUARDIANS.format(most), **scope.ids()))
    if not rows:
        return
    theirs, ours = _named(_CHILDREN_IN_FILE, scope), _named(_OUR_CHILDREN, scope)
    for key, kind, answer, line, given_name, family_name, email, *ids in rows:
        sourced_id, account_id, *rest = ids
        (old_given_name, old_family_name, old_email, claimed), (other_id, *other) = (
            rest[:4],
            rest[4:],
        )
        number = None if sourced_id.startswith("~") else sourced_id
        yield {
            "key": key,
            "kind": kind,
            "answer": answer,
            "of": "guardian",
            "line": line,
            "new": _one((given_name, family_name, email, number), theirs.get(sourced_id)),
            "old": (
                {
                    **_one(
                        (old_given_name, old_family_name, old_email, None), ours.get(account_id)
                    ),
                    "claimed": bool(claimed),
                }
                if account_id
                else None
            ),
            "other": _one((*other, None), ours.get(other_id)) if other_id else None,
        }


def _one(person: Sequence[str | None], company: list[str] | None = None) -> dict[str, Any]:
    given_name, family_name, place, number = person
    return {
        "name": f"{given_name} {family_name}",
        "place": place or "",
        "number": number or "",
        "with": sorted(company or [])[:6],
    }


def _named(query: str, scope: Scope) -> dict[str, list[str]]:
    names_of: dict[str, list[str]] = {}
    for who, given_name, family_name in bulk.fetch(query, **scope.ids()):
        names = names_of.setdefault(who, [])
        if f"{given_name} {family_name}" not in names:
            names.append(f"{given_name} {family_name}")
    return names_of
