"""What an import would do at one school: rows of ``roster_changes``, by one statement a kind.

The same statements plan a dry run (rolled back) and an import (carried out in the transaction
that planned it), so that the two can't differ.
"""

from dataclasses import dataclass
from typing import Any, Final

from idp.roster import bulk, former, questions
from idp.roster.claims import unclaimed
from idp.roster.matching import SamePerson, match
from idp.roster.scope import Scope

LARGE: Final = 0.10
"""More than this share of a school's pupils or guardianships ending at once is confirmed."""

_PAIRS: Final = """
INSERT INTO roster_pairs (run_id, school_id, child_id, account_id, relationship,
                          new_guardianship_id)
SELECT :run, :school, p.child_id, m.account_id, max(coalesce(l.relationship, g.relationship)),
       min(l.new_guardianship_id)
FROM roster_pupils p CROSS JOIN roster_links l CROSS JOIN roster_matches m
CROSS JOIN roster_guardians g
WHERE p.run_id = :run AND p.school_id = :school AND p.present AND p.how <> 'held'
  AND l.run_id = :run AND l.pupil_sourced_id = p.sourced_id
  AND m.run_id = :run AND m.school_id = :school AND m.sourced_id = l.guardian_sourced_id
  AND m.how NOT IN ('held', 'ended')
  AND g.run_id = :run AND g.sourced_id = m.sourced_id AND g.present
GROUP BY p.child_id, m.account_id
"""

_PAIRS_OF_DELTA: Final = (
    # The guardian's row names a pupil who did not change
    """
INSERT INTO roster_pairs (run_id, school_id, child_id, account_id, relationship,
                          new_guardianship_id)
SELECT :run, :school, i.child_id, m.account_id, max(coalesce(l.relationship, g.relationship)),
       min(l.new_guardianship_id)
FROM roster_links l
JOIN roster_matches m ON m.run_id = :run AND m.school_id = :school
                     AND m.sourced_id = l.guardian_sourced_id
                     AND m.how NOT IN ('held', 'ended')
JOIN roster_guardians g ON g.run_id = :run AND g.sourced_id = m.sourced_id AND g.present
JOIN roster_identities i ON i.school_id = :school AND i.kind = 'pupil'
                        AND i.sourced_id = l.pupil_sourced_id
JOIN children c ON c.id = i.child_id AND c.left_at IS NULL
WHERE l.run_id = :run
  AND NOT EXISTS (SELECT 1 FROM roster_pupils p WHERE p.run_id = :run
                  AND p.school_id = :school AND p.child_id = i.child_id)
GROUP BY i.child_id, m.account_id
ON CONFLICT DO NOTHING
""",
    # The pupil's row names a guardian who did not change
    """
INSERT INTO roster_pairs (run_id, school_id, child_id, account_id, relationship,
                          new_guardianship_id)
SELECT :run, :school, p.child_id, i.account_id, max(l.relationship), min(l.new_guardianship_id)
FROM roster_pupils p
JOIN roster_links l ON l.run_id = :run AND l.pupil_sourced_id = p.sourced_id
JOIN roster_identities i ON i.school_id = :school AND i.kind = 'guardian'
                        AND i.sourced_id = l.guardian_sourced_id
WHERE p.run_id = :run AND p.school_id = :school AND p.present AND p.how <> 'held'
  AND NOT EXISTS (SELECT 1 FROM roster_guardians g WHERE g.run_id = :run
                  AND g.sourced_id = i.sourced_id)
GROUP BY p.child_id, i.account_id
ON CONFLICT DO NOTHING
""",
)

_IDENTITIES_MOVED: Final = (
    """
INSERT INTO roster_changes (run_id, school_id, kind, account_id, sourced_id, subject_id)
SELECT :run, :school, 'identity_moved', i.account_id, i.sourced_id, i.run_id
FROM roster_matches m CROSS JOIN roster_identities i
WHERE m.run_id = :run AND m.school_id = :school AND m.how NOT IN ('known', 'held', 'ended')
  AND i.school_id = :school AND i.kind = 'guardian' AND i.sourced_id = m.sourced_id
  AND i.account_id <> m.account_id
""",
    """
INSERT INTO roster_changes (run_id, school_id, kind, child_id, sourced_id, pupil_number,
                            subject_id)
SELECT :run, :school, 'identity_moved', i.child_id, i.sourced_id, c.sourced_id, i.run_id
FROM roster_pupils p CROSS JOIN roster_identities i CROSS JOIN children c
WHERE p.run_id = :run AND p.school_id = :school AND p.how NOT IN ('known', 'held')
  AND i.school_id = :school AND i.kind = 'pupil' AND i.sourced_id = p.sourced_id
  AND i.child_id <> p.child_id AND c.id = i.child_id
""",
)
"""Ids that somebody has said mean somebody else: whom they meant, and by which run."""

_ACCOUNTS_MADE: Final = """
INSERT INTO roster_changes (run_id, school_id, kind, account_id, subject_id, username,
                            given_name, family_name, email, email_key)
SELECT :run, :school, 'account_made', m.account_id, m.subject_id, m.username,
       g.given_name, g.family_name, g.email, g.email_key
FROM roster_matches m CROSS JOIN roster_guardians g
WHERE m.run_id = :run AND m.school_id = :school AND m.how = 'new'
  AND g.run_id = :run AND g.sourced_id = m.sourced_id
"""

OF_THIS_SCHOOL_ALONE: Final = """
NOT EXISTS (SELECT 1 FROM guardianships w CROSS JOIN children c
            LEFT JOIN roster_sources s ON s.school_id = c.school_id
            WHERE w.account_id = a.id AND w.ended_at IS NULL AND c.id = w.child_id
              AND c.school_id <> :school AND (s.district IS NULL OR s.district <> :district))
AND NOT EXISTS (SELECT 1 FROM staff_roles s WHERE s.account_id = a.id)
"""
"""No school changes an account that another one trusts, nor one of the staff (rule A2): an
address decides who may set the password. Schools of the operator's district are one source."""


_NEW_ADDRESS: Final = f"""
({unclaimed("a")} AND g.email_key IS NOT NULL AND g.email_key <> coalesce(a.email_key, ''))
"""

_ACCOUNTS_CHANGED: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, account_id, given_name, family_name, email,
                            email_key, old_given_name, old_family_name, old_email, old_email_key)
SELECT :run, :school, 'account_changed', a.id, g.given_name, g.family_name,
       CASE WHEN {_NEW_ADDRESS} THEN g.email ELSE a.email END,
       CASE WHEN {_NEW_ADDRESS} THEN g.email_key ELSE a.email_key END,
       a.given_name, a.family_name, a.email, a.email_key
FROM roster_matches m CROSS JOIN roster_guardians g CROSS JOIN accounts a
WHERE m.run_id = :run AND m.school_id = :school AND m.how NOT IN ('new', 'held', 'ended')
  AND g.run_id = :run AND g.sourced_id = m.sourced_id AND g.present AND g.given_name <> ''
  AND a.id = m.account_id
  AND (g.given_name <> a.given_name OR g.family_name <> a.family_name OR {_NEW_ADDRESS})
  AND NOT EXISTS (SELECT 1 FROM roster_matches o WHERE o.run_id = :run AND o.school_id = :school
                  AND o.account_id = m.account_id AND o.how NOT IN ('held', 'ended')
                  AND o.sourced_id || '' < m.sourced_id)
  AND {OF_THIS_SCHOOL_ALONE}
  AND NOT {former.IS_FORMER.format("a.id")}
"""

_ACCOUNTS_REVIVED: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, account_id)
SELECT DISTINCT :run, :school, 'account_revived', a.id
FROM roster_matches m CROSS JOIN roster_identities i CROSS JOIN roster_guardians g
CROSS JOIN accounts a
WHERE m.run_id = :run AND m.school_id = :school AND m.how NOT IN ('held', 'ended')
  AND i.school_id = :school AND i.kind = 'guardian' AND i.account_id = m.account_id
  AND g.run_id = :run AND g.sourced_id = m.sourced_id AND g.present
  AND a.id = m.account_id AND a.status = 'disabled'
  AND (a.updated_at = i.undone_at OR a.closed_at IS NOT NULL)
  AND NOT {former.IS_FORMER.format("a.id")}
"""

_NUMBER_IS_FREE: Final = """
NOT EXISTS (SELECT 1 FROM children o WHERE o.school_id = :school AND o.sourced_id = p.pupil_number
            AND NOT EXISTS (SELECT 1 FROM roster_changes y WHERE y.run_id = :run
                            AND y.school_id = :school AND y.kind = 'identity_moved'
                            AND y.child_id = o.id AND y.pupil_number = p.pupil_number))
"""

_CHILDREN_MADE: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, child_id, subject_id, given_name,
                            family_name, class_name, pupil_number)
SELECT :run, :school, 'child_made', p.child_id, p.new_subject_id, p.given_name, p.family_name,
       coalesce(p.class_name, ''), CASE WHEN {_NUMBER_IS_FREE} THEN p.pupil_number END
FROM roster_pupils p
WHERE p.run_id = :run AND p.school_id = :school AND p.how = 'new'
"""

_TAKES_NUMBER: Final = f"""
((c.sourced_id IS NULL OR p.how IN ('moved', 'renumber')) AND p.pupil_number IS NOT NULL
 AND p.pupil_number <> coalesce(c.sourced_id, '') AND {_NUMBER_IS_FREE})
"""

_CHILDREN_CHANGED: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, child_id, given_name, family_name,
                            class_name, pupil_number, old_given_name, old_family_name,
                            old_class_name, old_pupil_number, old_left_at)
SELECT :run, :school, CASE WHEN c.left_at IS NULL THEN 'child_changed' ELSE 'child_returned' END,
       c.id,
       CASE WHEN p.given_name = '' THEN c.given_name ELSE p.given_name END,
       CASE WHEN p.given_name = '' THEN c.family_name ELSE p.family_name END,
       coalesce(p.class_name, c.class_name),
       CASE WHEN {_TAKES_NUMBER} THEN p.pupil_number ELSE c.sourced_id END,
       c.given_name, c.family_name, c.class_name, c.sourced_id, c.left_at
FROM roster_pupils p
JOIN children c ON c.id = p.child_id
WHERE p.run_id = :run AND p.school_id = :school AND p.how NOT IN ('new', 'held') AND p.present
  AND NOT EXISTS (SELECT 1 FROM roster_pupils o WHERE o.run_id = :run AND o.school_id = :school
                  AND o.child_id = p.child_id AND o.how <> 'held' AND o.present
                  AND o.number < p.number)
  AND (c.left_at IS NOT NULL OR coalesce(p.class_name, c.class_name) <> c.class_name
       OR (p.given_name <> '' AND (p.given_name <> c.given_name OR p.family_name <> c.family_name))
       OR {_TAKES_NUMBER})
"""

_ASKED_ABOUT: Final = """
SELECT q.{0}child_id FROM roster_questions q WHERE q.run_id = :run AND q.school_id = :school
AND q.answer IS NULL AND q.{0}child_id IS NOT NULL
"""
_CHILD_NOT_ASKED_ABOUT: Final = f"""
c.id NOT IN ({_ASKED_ABOUT.format("")}) AND c.id NOT IN ({_ASKED_ABOUT.format("other_")})
"""
_LINK_NOT_ASKED_ABOUT: Final = f"""
{_CHILD_NOT_ASKED_ABOUT}
AND w.account_id NOT IN ({_ASKED_ABOUT.format("").replace("child_id", "account_id")})
AND w.account_id NOT IN ({_ASKED_ABOUT.format("other_").replace("child_id", "account_id")})
AND c.id NOT IN (SELECT k.child_id FROM roster_matches h CROSS JOIN roster_links l
                 CROSS JOIN roster_pupils k
                 WHERE h.run_id = :run AND h.school_id = :school AND h.how = 'held'
                   AND l.run_id = :run AND l.guardian_sourced_id = h.sourced_id
                   AND k.run_id = :run AND k.school_id = :school
                   AND k.sourced_id = l.pupil_sourced_id)
"""
"""What is unsure is asked before anything ends (rule N2): nothing of whom a question is about,
nor of a pupil whom somebody in question may be with."""

_CHILDREN_LEFT: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, child_id)
SELECT DISTINCT :run, :school, 'child_left', c.id
FROM children c
JOIN roster_identities i ON i.child_id = c.id AND i.school_id = :school AND i.kind = 'pupil'
WHERE c.school_id = :school AND c.left_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM roster_pupils p WHERE p.run_id = :run
                  AND p.school_id = :school AND p.child_id = c.id AND p.present)
  AND {_CHILD_NOT_ASKED_ABOUT}
"""

_CHILDREN_LEFT_IN_DELTA: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, child_id)
SELECT DISTINCT :run, :school, 'child_left', c.id
FROM roster_pupils p
JOIN children c ON c.id = p.child_id AND c.left_at IS NULL
WHERE p.run_id = :run AND p.school_id = :school AND NOT p.present AND p.how <> 'held'
  AND {_CHILD_NOT_ASKED_ABOUT}
"""

SEPARATED: Final = """EXISTS (
  SELECT 1 FROM guardianships w WHERE w.account_id = r.account_id AND w.child_id = r.child_id
  AND w.ended_code IN ('court', 'family', 'request', 'mistake', 'other')
  AND NOT EXISTS (SELECT 1 FROM guardianships later WHERE later.account_id = w.account_id
                  AND later.child_id = w.child_id
                  AND (later.ended_at IS NULL OR later.ended_at > w.ended_at)))"""
"""A pair of the file that somebody at the school has separated: a file does not know of a court's
decision, and a person links them again."""

_GUARDIANSHIPS_MADE: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, account_id, child_id, guardianship_id,
                            relationship)
SELECT :run, :school, 'guardianship_made', r.account_id, r.child_id, r.new_guardianship_id,
       coalesce(r.relationship, 'parent')
FROM roster_pairs r
WHERE r.run_id = :run AND r.school_id = :school
  AND NOT EXISTS (SELECT 1 FROM guardianships w WHERE w.account_id = r.account_id
                  AND w.child_id = r.child_id AND w.ended_at IS NULL)
  AND NOT {SEPARATED} AND NOT {former.IS_FORMER.format("r.account_id")}
"""

_GUARDIANSHIPS_CHANGED: Final = """
INSERT INTO roster_changes (run_id, school_id, kind, account_id, child_id, guardianship_id,
                            relationship, old_relationship)
SELECT :run, :school, 'guardianship_changed', w.account_id, w.child_id, w.id,
       r.relationship, w.relationship
FROM roster_pairs r
JOIN guardianships w ON w.account_id = r.account_id AND w.child_id = r.child_id
                    AND w.ended_at IS NULL
WHERE r.run_id = :run AND r.school_id = :school AND r.relationship <> w.relationship
  AND NOT (r.relationship IN ('parent', 'guardian') AND w.relationship IN ('mother', 'father'))
"""

_ENDED: Final = """
INSERT INTO roster_changes (run_id, school_id, kind, account_id, child_id, guardianship_id,
                            old_relationship)
SELECT DISTINCT :run, :school, 'guardianship_ended', w.account_id, w.child_id, w.id, w.relationship
FROM children c
JOIN guardianships w ON w.child_id = c.id AND w.ended_at IS NULL
"""

_GUARDIANSHIPS_OF_THE_LEFT: Final = (
    _ENDED
    + """
JOIN roster_changes l ON l.run_id = :run AND l.school_id = :school AND l.kind = 'child_left'
                     AND l.child_id = c.id
WHERE c.school_id = :school
"""
)

_IS_THE_ROSTERS: Final = f"""
JOIN roster_guardianships rg ON rg.guardianship_id = w.id
WHERE c.school_id = :school AND c.left_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM roster_pairs r WHERE r.run_id = :run AND r.school_id = :school
                  AND r.child_id = w.child_id AND r.account_id = w.account_id)
  AND NOT EXISTS (SELECT 1 FROM roster_changes l WHERE l.run_id = :run AND l.school_id = :school
                  AND l.kind = 'child_left' AND l.child_id = c.id)
  AND NOT EXISTS (SELECT 1 FROM roster_pupils k WHERE k.run_id = :run AND k.school_id = :school
                  AND k.child_id = c.id AND k.keeps_guardians)
  AND {_LINK_NOT_ASKED_ABOUT}
"""

_GUARDIANSHIPS_ENDED: Final = _ENDED + _IS_THE_ROSTERS

_GUARDIANSHIPS_ENDED_IN_DELTA: Final = (
    _ENDED
    + _IS_THE_ROSTERS
    + """
  AND (
    EXISTS (SELECT 1 FROM roster_matches m
            JOIN roster_guardians g ON g.run_id = :run AND g.sourced_id = m.sourced_id
            LEFT JOIN roster_identities i ON i.school_id = :school AND i.kind = 'guardian'
                                         AND i.sourced_id = m.sourced_id
            WHERE m.run_id = :run AND m.school_id = :school AND m.account_id = w.account_id
              AND (NOT g.present OR m.how = 'ended'
                   OR (g.given_name <> '' AND (g.lists_agents OR i.lists_agents))))
    OR EXISTS (SELECT 1 FROM roster_pupils p
               LEFT JOIN roster_identities i ON i.school_id = :school AND i.kind = 'pupil'
                                            AND i.sourced_id = p.sourced_id
               WHERE p.run_id = :run AND p.school_id = :school AND p.child_id = w.child_id
                 AND p.present AND p.given_name <> '' AND (p.lists_agents OR i.lists_agents))
  )
"""
)


@dataclass(frozen=True)
class Plan:
    """What an import does at one school."""

    counts: dict[str, int]
    """Kind of change → how many."""
    pupils: int
    guardianships: int
    """Live ones before the import: what the shares are shares of."""
    same_people: list[SamePerson]
    asked: int = 0
    """Questions that wait for an answer: whom they are about stays as they are."""

    @property
    def changes(self) -> int:
        return sum(self.counts.values())

    @property
    def share_ending(self) -> float:
        """The greater share of pupils and of guardianships that would end."""
        left = self.counts.get("child_left", 0) / max(self.pupils, 1)
        ended = self.counts.get("guardianship_ended", 0) / max(self.guardianships, 1)
        return max(left, ended)

    @property
    def is_large(self) -> bool:
        return self.share_ending > LARGE


def plan(scope: Scope) -> Plan:
    """Write what would change at this school, in the caller's transaction."""
    ids = scope.ids()
    for table in ("roster_changes", "roster_pairs"):
        bulk.execute(
            f"DELETE FROM {table} WHERE run_id = :run AND school_id = :school",
            **ids,
        )
    same_people = match(scope)
    district = scope.district or ""
    bulk.execute(_PAIRS, **ids)
    for statement in _PAIRS_OF_DELTA if scope.delta else ():
        bulk.execute(statement, **ids)
    for statement in _IDENTITIES_MOVED:
        bulk.execute(statement, **ids)
    for statement in (_ACCOUNTS_MADE, _CHILDREN_MADE, _CHILDREN_CHANGED):
        bulk.execute(statement, **ids)
    asked_first = former.values()
    bulk.execute(_ACCOUNTS_REVIVED, **ids, **asked_first)
    bulk.execute(_ACCOUNTS_CHANGED, **ids, **asked_first, district=district)
    bulk.execute(_CHILDREN_LEFT_IN_DELTA if scope.delta else _CHILDREN_LEFT, **ids)
    bulk.execute(_GUARDIANSHIPS_OF_THE_LEFT, **ids)
    ended = _GUARDIANSHIPS_ENDED_IN_DELTA if scope.delta else _GUARDIANSHIPS_ENDED
    bulk.execute(ended, **ids)
    bulk.execute(_GUARDIANSHIPS_MADE, **ids, **asked_first)
    bulk.execute(_GUARDIANSHIPS_CHANGED, **ids)
    asked = questions.open_ones(scope)
    return Plan(_counts(ids), *_live(scope.school_id), same_people, asked)


def _counts(ids: dict[str, Any]) -> dict[str, int]:
    rows = bulk.found(
        "SELECT kind, count(*) FROM roster_changes"
        " WHERE run_id = :run AND school_id = :school GROUP BY kind",
        **ids,
    )
    return {row[0]: row[1] for row in rows}


def _live(school_id: str) -> tuple[int, int]:
    pupils = bulk.count(
        "SELECT count(*) FROM children WHERE school_id = :school AND left_at IS NULL",
        school=school_id,
    )
    guardianships = bulk.count(
        "SELECT count(*) FROM guardianships w JOIN children c ON c.id = w.child_id"
        " WHERE c.school_id = :school AND c.left_at IS NULL AND w.ended_at IS NULL",
        school=school_id,
    )
    return pupils, guardianships
