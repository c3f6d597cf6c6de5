"""Undoes an import at one school, from its journal, in the caller's transaction.

What the import made ends, what it changed is as it was, what it ended is live again. Where somebody
has changed it since, it is left and counted. Ended grants and tokens stay ended (rule R13).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select, text

from idp.audit import events
from idp.lifecycle import endings, file_requests
from idp.people.guardianships import BY_ROSTER, sql_not_ended
from idp.people.models import Account, StaffRole
from idp.roster import bulk, reindex
from idp.roster.applying import changed, readdressed, settle_questions
from idp.roster.claims import unclaimed
from idp.roster.models import RosterChange, RosterRunSchool
from idp.roster.planning import count_changes
from idp.roster.scope import Scope

_OF_SCHOOL: Final = "x.run_id = :run AND x.school_id = :school"
_LIVE: Final = "EXISTS (SELECT 1 FROM live_guardianships w WHERE {})"

_CHILDREN: Final = (
    f"""
UPDATE children SET left_at = NULL
FROM roster_changes x
WHERE {_OF_SCHOOL} AND x.kind = 'child_left' AND children.id = x.child_id
  AND children.left_at = :applied
""",
    f"""
UPDATE children SET given_name = x.old_given_name, family_name = x.old_family_name,
       class_name = x.old_class_name, sourced_id = x.old_pupil_number, left_at = x.old_left_at
FROM roster_changes x
WHERE {_OF_SCHOOL} AND x.kind IN ('child_changed', 'child_returned') AND children.id = x.child_id
  AND children.given_name = x.given_name AND children.family_name = x.family_name
  AND children.class_name = x.class_name AND children.left_at IS NULL
  AND (x.kind = 'child_changed' OR NOT {_LIVE.format("w.child_id = x.child_id")})
""",
    f"""
UPDATE children SET left_at = :now
FROM roster_changes x
WHERE {_OF_SCHOOL} AND x.kind = 'child_made' AND children.id = x.child_id
  AND children.given_name = x.given_name AND children.family_name = x.family_name
  AND children.class_name = x.class_name AND children.left_at IS NULL
  AND NOT {_LIVE.format("w.child_id = x.child_id")}
""",
)

_RELATIONSHIPS: Final = f"""
UPDATE guardianships SET relationship = x.old_relationship
FROM roster_changes x
WHERE {_OF_SCHOOL} AND x.kind = 'guardianship_changed' AND guardianships.id = x.guardianship_id
  AND guardianships.relationship = x.relationship AND {sql_not_ended("guardianships")}
"""

_CAN_LIVE_AGAIN: Final = f"""
SELECT x.id FROM roster_changes x
JOIN guardianships w ON w.id = x.guardianship_id AND NOT {sql_not_ended("w")}
                    AND w.ended_reason = :reason
JOIN children c ON c.id = w.child_id AND c.left_at IS NULL
WHERE {_OF_SCHOOL} AND x.kind = 'guardianship_ended'
  AND NOT EXISTS (SELECT 1 FROM guardianships o WHERE o.account_id = w.account_id
                  AND o.child_id = w.child_id AND {sql_not_ended("o")})
"""

_RESTORED: Final = f"""
UPDATE roster_changes SET kind = 'guardianship_restored' WHERE id IN ({_CAN_LIVE_AGAIN})
"""
_LIVE_AGAIN: Final = f"""
UPDATE guardianships SET ended_at = NULL, ended_reason = NULL
FROM roster_changes x
WHERE {_OF_SCHOOL} AND x.kind = 'guardianship_restored' AND guardianships.id = x.guardianship_id
"""

_SAME_ADDRESS: Final = "coalesce(x.email_key, '') = coalesce(x.old_email_key, '')"
_ACCOUNTS_AS_BEFORE: Final = f"""
UPDATE accounts SET given_name = x.old_given_name, family_name = x.old_family_name,
       email = CASE WHEN {_SAME_ADDRESS} THEN accounts.email ELSE x.old_email END,
       email_key = CASE WHEN {_SAME_ADDRESS} THEN accounts.email_key ELSE x.old_email_key END,
       updated_at = :now
FROM roster_changes x
WHERE {_OF_SCHOOL} AND x.kind = 'account_changed' AND accounts.id = x.account_id
  AND accounts.updated_at = :applied
  AND ({_SAME_ADDRESS}
       OR ({unclaimed("accounts")} AND coalesce(accounts.email_key, '') = x.email_key))
  AND NOT EXISTS (SELECT 1 FROM staff_roles s WHERE s.account_id = accounts.id)
"""

_REMEMBER_UNDONE: Final = """
UPDATE roster_identities SET undone_at = a.updated_at
FROM roster_changes x
JOIN accounts a ON a.id = x.account_id AND a.status = 'disabled'
WHERE x.run_id = :run AND x.kind IN ('account_made', 'account_revived')
  AND roster_identities.account_id = x.account_id
"""
"""At every school of the run: one may have made the account, another have linked it."""

_FORGET: Final = (
    f"""
DELETE FROM roster_identities
WHERE school_id = :school AND run_id = :run AND kind <> 'class'
  AND NOT EXISTS (SELECT 1 FROM roster_changes x WHERE x.run_id = :run
                  AND x.kind = 'account_made' AND x.account_id = roster_identities.account_id)
  AND NOT EXISTS (SELECT 1 FROM roster_changes x WHERE {_OF_SCHOOL}
                  AND x.kind = 'child_made' AND x.child_id = roster_identities.child_id)
""",
    """
DELETE FROM roster_guardianships WHERE run_id = :run
  AND guardianship_id IN (SELECT w.id FROM guardianships w JOIN children c ON c.id = w.child_id
                          WHERE c.school_id = :school)
""",
)


_NUMBERS_GIVEN_BACK: Final = f"""
UPDATE children SET sourced_id = NULL
FROM roster_changes x
WHERE {_OF_SCHOOL} AND children.id = x.child_id AND children.school_id = :school
  AND children.sourced_id = x.pupil_number
  AND (x.kind = 'child_made' OR (x.kind IN ('child_changed', 'child_returned')
                                 AND x.pupil_number <> x.old_pupil_number))
  AND EXISTS (SELECT 1 FROM roster_changes y WHERE y.run_id = :run AND y.school_id = :school
              AND (y.kind = 'identity_moved' OR y.old_pupil_number <> y.pupil_number)
              AND coalesce(y.old_pupil_number, y.pupil_number) = x.pupil_number)
"""
_NUMBERS_AS_BEFORE: Final = f"""
UPDATE children SET sourced_id = x.pupil_number
FROM roster_changes x
WHERE {_OF_SCHOOL} AND x.kind = 'identity_moved' AND x.pupil_number IS NOT NULL
  AND children.id = x.child_id AND children.sourced_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM children o WHERE o.school_id = :school
                  AND o.sourced_id = x.pupil_number)
"""
_IDENTITIES_AS_BEFORE: Final = f"""
UPDATE roster_identities SET account_id = x.account_id, child_id = x.child_id,
                             run_id = x.subject_id
FROM roster_changes x
WHERE {_OF_SCHOOL} AND x.kind = 'identity_moved'
  AND roster_identities.school_id = :school AND roster_identities.sourced_id = x.sourced_id
  AND roster_identities.kind = CASE WHEN x.child_id IS NULL THEN 'guardian' ELSE 'pupil' END
  AND roster_identities.run_id = :run
"""

_ACCOUNTS_LEFT: Final = f"""
SELECT count(*) FROM roster_changes x JOIN accounts a ON a.id = x.account_id
WHERE {_OF_SCHOOL} AND x.kind IN ('account_made', 'account_revived') AND a.status <> 'disabled'
  AND NOT EXISTS (SELECT 1 FROM roster_changes o
                  JOIN live_guardianships w ON w.id = o.guardianship_id
                  WHERE o.run_id = :run AND o.school_id <> :school
                    AND o.kind = 'guardianship_made' AND o.account_id = a.id)
"""
"""Not those that another school of the run still has: they end with its undo."""


@dataclass(frozen=True)
class Undone:
    """What an undo did at one school; ``left``: what somebody changed since, and stays."""

    counts: dict[str, int]
    left: dict[str, int]


def undo(scope: Scope, applied_at: datetime, now: datetime) -> Undone:
    """Take the import back. ``applied_at`` is the stamp that its rows carry."""
    planned = _planned(scope)
    times = {"applied": applied_at, "now": now}
    done = {
        "guardianship_made": endings.end_guardianships(
            _unchanged(scope), "the import was undone", run=scope.run_id
        ),
        "guardianship_changed": bulk.execute(_RELATIONSHIPS, **scope.ids()),
    }
    bulk.execute(_NUMBERS_GIVEN_BACK, **scope.ids())
    left, changed_, made = (bulk.execute(each, **scope.ids(), **times) for each in _CHILDREN)
    done |= {"child_left": left, "child_made": made, "child_changed": changed_}
    done["guardianship_ended"] = bulk.execute(_RESTORED, **scope.ids(), reason=BY_ROSTER)
    bulk.execute(_LIVE_AGAIN, **scope.ids())
    settle_questions(scope, "guardianship_restored")
    restored = select(RosterChange.account_id, RosterChange.child_id).where(
        RosterChange.run_id == scope.run_id,
        RosterChange.school_id == scope.school_id,
        RosterChange.kind == "guardianship_restored",
    )
    events.record_each("guardianship_restored", restored, run=scope.run_id)
    done["account_changed"] = bulk.execute(_ACCOUNTS_AS_BEFORE, **scope.ids(), **times)
    endings.end_former_addresses(readdressed(scope, now), run=scope.run_id)
    done["account_made"] = endings.close_accounts(_nobodys(scope), run=scope.run_id)
    bulk.execute(_REMEMBER_UNDONE, **scope.ids())
    bulk.execute(_NUMBERS_AS_BEFORE, **scope.ids())
    done["identity_moved"] = bulk.execute(_IDENTITIES_AS_BEFORE, **scope.ids())
    for statement in _FORGET:
        bulk.execute(statement, **scope.ids())
    file_requests.withdraw(scope.school_id, applied_at)
    reindex.refresh(scope)
    left_alone = {kind: planned.get(kind, 0) - count for kind, count in done.items()}
    left_alone["account_made"] = bulk.count(_ACCOUNTS_LEFT, **scope.ids())
    return Undone(
        {kind: count for kind, count in done.items() if count},
        {kind: count for kind, count in left_alone.items() if count > 0},
    )


def _planned(scope: Scope) -> dict[str, int]:
    merged = {"child_returned": "child_changed", "account_revived": "account_made"}
    counts: dict[str, int] = {}
    for planned, count in count_changes(scope).items():
        kind = merged.get(planned, planned)
        counts[kind] = counts.get(kind, 0) + count
    return counts


def _unchanged(scope: Scope) -> Select[Any]:
    """Guardianships that the import made, and whose relationship nobody has corrected since."""
    same = text(
        "EXISTS (SELECT 1 FROM guardianships w WHERE w.id = roster_changes.guardianship_id"
        " AND w.relationship = roster_changes.relationship)"
    )
    return changed(scope, "guardianship_made").where(same)


def _nobodys(scope: Scope) -> Select[Any]:
    """Accounts that the run made, that nobody claimed, changed or linked since."""
    made = select(RosterChange.account_id).where(
        RosterChange.run_id == scope.run_id,
        RosterChange.kind.in_(("account_made", "account_revived")),
    )
    stamps = select(RosterRunSchool.applied_at).where(RosterRunSchool.run_id == scope.run_id)
    return select(Account.id).where(
        Account.id.in_(made),
        Account.status == "invited",
        Account.updated_at.in_(stamps),
        Account.id.not_in(select(StaffRole.account_id)),
        text(f"NOT {_LIVE.format('w.account_id = accounts.id')}"),
    )
