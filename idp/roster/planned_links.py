"""Plans the guardianships that an import makes, changes or ends, from the file's pairs and ours."""

from typing import Final

from idp.people.guardianships import sql_not_ended
from idp.roster import former
from idp.roster.planned_people import ASKED_ABOUT, CHILD_NOT_ASKED_ABOUT

PAIRS: Final = """
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

PAIRS_OF_DELTA: Final = (
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

_LINK_NOT_ASKED_ABOUT: Final = f"""
{CHILD_NOT_ASKED_ABOUT}
AND w.account_id NOT IN ({ASKED_ABOUT.format("").replace("child_id", "account_id")})
AND w.account_id NOT IN ({ASKED_ABOUT.format("other_").replace("child_id", "account_id")})
AND c.id NOT IN (SELECT k.child_id FROM roster_matches h CROSS JOIN roster_links l
                 CROSS JOIN roster_pupils k
                 WHERE h.run_id = :run AND h.school_id = :school AND h.how = 'held'
                   AND l.run_id = :run AND l.guardian_sourced_id = h.sourced_id
                   AND k.run_id = :run AND k.school_id = :school
                   AND k.sourced_id = l.pupil_sourced_id)
"""
"""What is unsure is asked before anything ends (rule N2): nothing of whom a question is about,
nor of a pupil whom somebody in question may be with."""

SEPARATED: Final = f"""EXISTS (
  SELECT 1 FROM guardianships w WHERE w.account_id = r.account_id AND w.child_id = r.child_id
  AND w.ended_code IN ('court', 'family', 'request', 'mistake', 'other')
  AND NOT EXISTS (SELECT 1 FROM guardianships later WHERE later.account_id = w.account_id
                  AND later.child_id = w.child_id
                  AND ({sql_not_ended("later")} OR later.ended_at > w.ended_at)))"""
"""A pair of the file that somebody at the school has separated: a file does not know of a court's
decision, and a person links them again."""

GUARDIANSHIPS_MADE: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, account_id, child_id, guardianship_id,
                            relationship)
SELECT :run, :school, 'guardianship_made', r.account_id, r.child_id, r.new_guardianship_id,
       coalesce(r.relationship, 'parent')
FROM roster_pairs r
WHERE r.run_id = :run AND r.school_id = :school
  AND NOT EXISTS (SELECT 1 FROM guardianships w WHERE w.account_id = r.account_id
                  AND w.child_id = r.child_id AND {sql_not_ended("w")})
  AND NOT {SEPARATED} AND NOT {former.IS_FORMER.format("r.account_id")}
"""

GUARDIANSHIPS_CHANGED: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, account_id, child_id, guardianship_id,
                            relationship, old_relationship)
SELECT :run, :school, 'guardianship_changed', w.account_id, w.child_id, w.id,
       r.relationship, w.relationship
FROM roster_pairs r
JOIN guardianships w ON w.account_id = r.account_id AND w.child_id = r.child_id
                    AND {sql_not_ended("w")}
WHERE r.run_id = :run AND r.school_id = :school AND r.relationship <> w.relationship
  AND NOT (r.relationship IN ('parent', 'guardian') AND w.relationship IN ('mother', 'father'))
"""

_ENDED: Final = """
INSERT INTO roster_changes (run_id, school_id, kind, account_id, child_id, guardianship_id,
                            old_relationship)
SELECT DISTINCT :run, :school, 'guardianship_ended', w.account_id, w.child_id, w.id, w.relationship
FROM children c
JOIN live_guardianships w ON w.child_id = c.id
"""

GUARDIANSHIPS_OF_THE_LEFT: Final = (
    _ENDED
    + """
JOIN roster_changes l ON l.run_id = :run AND l.school_id = :school AND l.kind = 'child_left'
                     AND l.child_id = c.id
WHERE c.school_id = :school
"""
)

_IS_THE_ROSTERS: Final = f"""
JOIN roster_guardianships rg ON rg.guardianship_id = w.id
WHERE c.school_id = :school
  AND NOT EXISTS (SELECT 1 FROM roster_pairs r WHERE r.run_id = :run AND r.school_id = :school
                  AND r.child_id = w.child_id AND r.account_id = w.account_id)
  AND NOT EXISTS (SELECT 1 FROM roster_changes l WHERE l.run_id = :run AND l.school_id = :school
                  AND l.kind = 'child_left' AND l.child_id = c.id)
  AND NOT EXISTS (SELECT 1 FROM roster_pupils k WHERE k.run_id = :run AND k.school_id = :school
                  AND k.child_id = c.id AND k.keeps_guardians)
  AND {_LINK_NOT_ASKED_ABOUT}
"""

GUARDIANSHIPS_ENDED: Final = _ENDED + _IS_THE_ROSTERS

GUARDIANSHIPS_ENDED_IN_DELTA: Final = (
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
