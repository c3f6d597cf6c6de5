"""Plans the accounts and pupils that an import makes, changes or lets go: one statement a kind."""

from typing import Final

from idp.roster import former
from idp.roster.claims import unclaimed

IDENTITIES_MOVED: Final = (
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

_ADDRESS_REFUSED: Final = """
EXISTS (SELECT 1 FROM roster_questions q WHERE q.run_id = :run AND q.school_id = :school
        AND q.kind = 'address' AND q.number = g.number AND q.answer = 'another')
"""
"""Somebody has said that the file's address is another guardian's."""

ACCOUNTS_MADE: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, account_id, subject_id, username,
                            given_name, family_name, email, email_key)
SELECT :run, :school, 'account_made', m.account_id, m.subject_id, m.username,
       g.given_name, g.family_name,
       CASE WHEN {_ADDRESS_REFUSED} THEN NULL ELSE g.email END,
       CASE WHEN {_ADDRESS_REFUSED} THEN NULL ELSE g.email_key END
FROM roster_matches m CROSS JOIN roster_guardians g
WHERE m.run_id = :run AND m.school_id = :school AND m.how = 'new'
  AND g.run_id = :run AND g.sourced_id = m.sourced_id
"""

OF_THIS_SCHOOL_ALONE: Final = """
NOT EXISTS (SELECT 1 FROM live_guardianships w
            LEFT JOIN roster_sources s ON s.school_id = w.school_id
            WHERE w.account_id = a.id AND w.school_id <> :school
              AND (s.district IS NULL OR s.district <> :district))
AND NOT EXISTS (SELECT 1 FROM staff_roles s WHERE s.account_id = a.id)
"""
"""No school changes an account that another one trusts, nor one of the staff (rule A2): an
address decides who may set the password. Schools of the operator's district are one source."""


NEW_ADDRESS: Final = f"""
({unclaimed("a")} AND g.email_key IS NOT NULL AND g.email_key <> coalesce(a.email_key, '')
 AND NOT {_ADDRESS_REFUSED})
"""
"""Whether the row of ``g`` has another address than the account ``a``, which is nobody's yet."""

ACCOUNTS_CHANGED: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, account_id, given_name, family_name, email,
                            email_key, old_given_name, old_family_name, old_email, old_email_key)
SELECT :run, :school, 'account_changed', a.id, g.given_name, g.family_name,
       CASE WHEN {NEW_ADDRESS} THEN g.email ELSE a.email END,
       CASE WHEN {NEW_ADDRESS} THEN g.email_key ELSE a.email_key END,
       a.given_name, a.family_name, a.email, a.email_key
FROM roster_matches m CROSS JOIN roster_guardians g CROSS JOIN accounts a
WHERE m.run_id = :run AND m.school_id = :school AND m.how NOT IN ('new', 'held', 'ended')
  AND g.run_id = :run AND g.sourced_id = m.sourced_id AND g.present AND g.given_name <> ''
  AND a.id = m.account_id
  AND (g.given_name <> a.given_name OR g.family_name <> a.family_name OR {NEW_ADDRESS})
  AND NOT EXISTS (SELECT 1 FROM roster_matches o WHERE o.run_id = :run AND o.school_id = :school
                  AND o.account_id = m.account_id AND o.how NOT IN ('held', 'ended')
                  AND o.sourced_id || '' < m.sourced_id)
  AND {OF_THIS_SCHOOL_ALONE}
  AND NOT {former.IS_FORMER.format("a.id")}
"""

ACCOUNTS_REVIVED: Final = f"""
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

CHILDREN_MADE: Final = f"""
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

CHILDREN_CHANGED: Final = f"""
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

ASKED_ABOUT: Final = """
SELECT q.{0}child_id FROM roster_questions q WHERE q.run_id = :run AND q.school_id = :school
AND q.answer IS NULL AND q.{0}child_id IS NOT NULL
"""
CHILD_NOT_ASKED_ABOUT: Final = f"""
c.id NOT IN ({ASKED_ABOUT.format("")}) AND c.id NOT IN ({ASKED_ABOUT.format("other_")})
AND c.id NOT IN (SELECT w.child_id FROM roster_questions q
                 JOIN live_guardianships w ON w.account_id = q.other_account_id
                 WHERE q.run_id = :run AND q.school_id = :school AND q.kind = 'address'
                   AND q.answer IS NULL)
"""
"""What is unsure is asked before anything ends (rule N2): nothing of whom a question is about. Who
left with an address that is in question would make it nobody's, and the next file take it over."""

CHILDREN_LEFT: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, child_id)
SELECT DISTINCT :run, :school, 'child_left', c.id
FROM children c
JOIN roster_identities i ON i.child_id = c.id AND i.school_id = :school AND i.kind = 'pupil'
WHERE c.school_id = :school AND c.left_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM roster_pupils p WHERE p.run_id = :run
                  AND p.school_id = :school AND p.child_id = c.id AND p.present)
  AND {CHILD_NOT_ASKED_ABOUT}
"""

CHILDREN_LEFT_IN_DELTA: Final = f"""
INSERT INTO roster_changes (run_id, school_id, kind, child_id)
SELECT DISTINCT :run, :school, 'child_left', c.id
FROM roster_pupils p
JOIN children c ON c.id = p.child_id AND c.left_at IS NULL
WHERE p.run_id = :run AND p.school_id = :school AND NOT p.present AND p.how <> 'held'
  AND {CHILD_NOT_ASKED_ABOUT}
"""
