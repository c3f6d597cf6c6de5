"""Carries out a plan: each statement reads its rows from ``roster_changes``.

It runs in the transaction that made the plan, so that it does exactly what the plan says.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Insert, Select, String, insert, literal, select, tuple_

from idp.audit import events
from idp.database import UtcDateTime, db
from idp.lifecycle import endings
from idp.mail import spread
from idp.people import link_questions
from idp.people.guardianships import BY_ROSTER, sql_not_ended
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child
from idp.roster import bulk, former, reindex
from idp.roster.claims import unclaimed
from idp.roster.models import RosterChange
from idp.roster.planned_links import SEPARATED
from idp.roster.planning import Plan
from idp.roster.scope import Scope

_OF_KIND: Final = "x.run_id = :run AND x.school_id = :school AND x.kind = :kind"

_CHILD_CHANGED: Final = f"""
UPDATE children SET given_name = x.given_name, family_name = x.family_name,
       class_name = x.class_name, sourced_id = x.pupil_number, left_at = NULL
FROM roster_changes x
WHERE {_OF_KIND} AND children.id = x.child_id AND children.school_id = :school
"""

# Whoever claimed the account since the plan was made owns its address
_NEW_ADDRESSES: Final = f"""
UPDATE accounts SET email = x.email, email_key = x.email_key, updated_at = :now
FROM roster_changes x
WHERE {_OF_KIND} AND accounts.id = x.account_id
  AND coalesce(x.email_key, '') <> coalesce(x.old_email_key, '')
  AND coalesce(accounts.email_key, '') = coalesce(x.old_email_key, '')
  AND {unclaimed("accounts")}
"""

_DEEDS: Final = {
    "account_changed": f"""
UPDATE accounts SET given_name = x.given_name, family_name = x.family_name, updated_at = :now
FROM roster_changes x WHERE {_OF_KIND} AND accounts.id = x.account_id
""",
    "account_revived": f"""
UPDATE accounts SET updated_at = :now, closed_at = NULL,
       status = CASE WHEN accounts.claimed_at IS NULL THEN 'invited' ELSE 'active' END
FROM roster_changes x
WHERE {_OF_KIND} AND accounts.id = x.account_id AND accounts.status = 'disabled'
""",
    "child_changed": _CHILD_CHANGED,
    "child_returned": _CHILD_CHANGED,
    "child_left": f"""
UPDATE children SET left_at = :now
FROM roster_changes x
WHERE {_OF_KIND} AND children.id = x.child_id AND children.school_id = :school
""",
    # Somebody at the desk may have linked the same two meanwhile
    "guardianship_made": f"""
INSERT INTO guardianships (id, account_id, child_id, relationship, created_at)
SELECT x.guardianship_id, x.account_id, x.child_id, x.relationship, :now
FROM roster_changes x WHERE {_OF_KIND}
ON CONFLICT DO NOTHING
""",
    "guardianship_changed": f"""
UPDATE guardianships SET relationship = x.relationship
FROM roster_changes x WHERE {_OF_KIND} AND guardianships.id = x.guardianship_id
""",
}
"""Kind of change → how it is done; accounts and children are made by ``_made``, and ends are
``lifecycle.endings``'s to do."""

_ENABLED_AGAIN: Final = f"""
UPDATE roster_identities SET undone_at = NULL
FROM roster_changes x WHERE {_OF_KIND} AND roster_identities.account_id = x.account_id
"""

_IS_THE_ROSTERS: Final = f"""
INSERT INTO roster_guardianships (guardianship_id, run_id)
SELECT w.id, :run
FROM roster_pairs r
JOIN guardianships w ON w.account_id = r.account_id AND w.child_id = r.child_id
                    AND {sql_not_ended("w")}
WHERE r.run_id = :run AND r.school_id = :school
  AND NOT EXISTS (SELECT 1 FROM roster_guardianships o WHERE o.guardianship_id = w.id)
"""

_IDENTITIES: Final = (
    """
INSERT INTO roster_identities (school_id, kind, sourced_id, child_id, lists_agents, run_id)
SELECT :school, 'pupil', p.sourced_id, p.child_id, p.lists_agents, :run
FROM roster_pupils p
WHERE p.run_id = :run AND p.school_id = :school AND p.how NOT IN ('known', 'held')
ON CONFLICT (school_id, kind, sourced_id)
DO UPDATE SET child_id = excluded.child_id, lists_agents = excluded.lists_agents,
              run_id = excluded.run_id, undone_at = NULL
""",
    """
INSERT INTO roster_identities (school_id, kind, sourced_id, account_id, lists_agents, run_id)
SELECT :school, 'guardian', m.sourced_id, m.account_id, g.lists_agents, :run
FROM roster_matches m CROSS JOIN roster_guardians g
WHERE m.run_id = :run AND m.school_id = :school AND m.how NOT IN ('known', 'held', 'ended')
  AND g.run_id = :run AND g.sourced_id = m.sourced_id
ON CONFLICT (school_id, kind, sourced_id)
DO UPDATE SET account_id = excluded.account_id, lists_agents = excluded.lists_agents,
              run_id = excluded.run_id, undone_at = NULL
""",
    """
UPDATE roster_identities SET lists_agents = p.lists_agents
FROM roster_pupils p
WHERE p.run_id = :run AND p.school_id = :school AND p.how = 'known' AND p.given_name <> ''
  AND roster_identities.school_id = :school AND roster_identities.kind = 'pupil'
  AND roster_identities.sourced_id = p.sourced_id
  AND roster_identities.lists_agents <> p.lists_agents
""",
    """
UPDATE roster_identities SET lists_agents = g.lists_agents
FROM roster_matches m CROSS JOIN roster_guardians g
WHERE m.run_id = :run AND m.school_id = :school AND m.how = 'known'
  AND g.run_id = :run AND g.sourced_id = m.sourced_id AND g.given_name <> ''
  AND roster_identities.school_id = :school AND roster_identities.kind = 'guardian'
  AND roster_identities.sourced_id = g.sourced_id
  AND roster_identities.lists_agents <> g.lists_agents
""",
    """
INSERT INTO roster_identities (school_id, kind, sourced_id, label, lists_agents, run_id)
SELECT :school, 'class', k.sourced_id, k.title, FALSE, :run
FROM roster_classes k WHERE k.run_id = :run AND k.school_id = :school
ON CONFLICT (school_id, kind, sourced_id) DO UPDATE SET label = excluded.label
""",
)

# A number is one child's: whoever gets another gives the own one back first
_NUMBERS_GIVEN_BACK: Final = """
UPDATE children SET sourced_id = NULL
FROM roster_changes x
WHERE x.run_id = :run AND x.school_id = :school
  AND children.id = x.child_id AND children.school_id = :school
  AND (x.kind = 'identity_moved' AND x.pupil_number IS NOT NULL
       OR x.kind IN ('child_changed', 'child_returned') AND x.pupil_number <> x.old_pupil_number)
"""

_EVENTS: Final = {
    "account_made": "account_created",
    "account_changed": "account_changed",
    "account_revived": "account_enabled",
    "child_made": "child_created",
    "child_changed": "child_changed",
    "child_returned": "child_returned",
    "child_left": "child_left",
    "guardianship_made": "guardianship_made",
    "guardianship_changed": "guardianship_changed",
}
"""Kind of change → what the audit log calls it, in the order in which they are done."""

_TO_INVITE: Final = """
SELECT a.id, a.email_key FROM roster_changes x
JOIN accounts a ON a.id = x.account_id AND a.status = 'invited' AND a.email_key IS NOT NULL
WHERE x.run_id = :run AND x.school_id = :school
  AND (x.kind IN ('account_made', 'account_revived')
       OR (x.kind = 'account_changed' AND x.email_key <> coalesce(x.old_email_key, '')))
ORDER BY a.username_key
"""


def carry_out(scope: Scope, plan: Plan, now: datetime) -> None:
    """Do what the plan says, in the caller's transaction; ``now`` stamps every row."""
    ids, detail = scope.ids(), {"run": scope.run_id}
    to_ask = former.pairs(scope, SEPARATED)
    bulk.execute(_NUMBERS_GIVEN_BACK, **ids)
    made = {"account_made": _accounts(scope, now), "child_made": _children(scope, now)}
    if plan.counts.get("account_changed"):
        bulk.execute(_NEW_ADDRESSES, **ids, kind="account_changed", now=now)
        endings.end_former_addresses(readdressed(scope, now), **detail)
    if plan.counts.get("guardianship_made"):
        settle_questions(scope, "guardianship_made")
    for kind, event in _EVENTS.items():
        if plan.counts.get(kind):
            if kind in made:
                db.session.execute(made[kind])
            else:
                bulk.execute(_DEEDS[kind], **ids, kind=kind, now=now)
            events.record_each(event, people(scope, kind), **detail)
    if plan.counts.get("account_revived"):
        bulk.execute(_ENABLED_AGAIN, **ids, kind="account_revived")
        revived = _conditions(scope, "account_revived")
        endings.tell_enabled(select(RosterChange.account_id).where(*revived))
    for statement in (_IS_THE_ROSTERS, *_IDENTITIES):
        bulk.execute(statement, **ids)
    if plan.counts.get("guardianship_ended"):
        endings.end_guardianships(changed(scope, "guardianship_ended"), BY_ROSTER, **detail)
    former.request_links(to_ask, now)
    reindex.refresh(scope)


def invite(scope: Scope, per_hour: int) -> int:
    """Queue invitations for the accounts that this import made; returns how many."""
    recipients = [(row[0], row[1]) for row in bulk.fetch(_TO_INVITE, **scope.ids())]
    return spread.enqueue_spread("invitation", recipients, per_hour=per_hour)


def changed(scope: Scope, kind: str) -> Select[Any]:
    """The guardianships of one kind of change."""
    return select(RosterChange.guardianship_id).where(*_conditions(scope, kind))


def settle_questions(scope: Scope, kind: str) -> None:
    """What was asked about the pairs of one kind of change is answered: they are being linked."""
    pairs = select(RosterChange.account_id, RosterChange.child_id)
    pair = tuple_(LinkRequest.account_id, LinkRequest.child_id)
    link_questions.settle(pair.in_(pairs.where(*_conditions(scope, kind))))


def readdressed(scope: Scope, now: datetime) -> Select[Any]:
    """The accounts whose address was set, or set back, at the moment ``now``."""
    return (
        select(RosterChange.account_id)
        .join(Account, Account.id == RosterChange.account_id)
        .where(
            *_conditions(scope, "account_changed"),
            RosterChange.email_key.is_distinct_from(RosterChange.old_email_key),
            Account.updated_at == now,
        )
    )


def people(scope: Scope, kind: str) -> Select[*tuple[Any, ...]]:
    """Whom one kind of change is about: account and child."""
    query = select(RosterChange.account_id, RosterChange.child_id).where(*_conditions(scope, kind))
    if kind != "account_changed":
        return query
    # Of an address the audit log tells by itself
    names = tuple_(RosterChange.given_name, RosterChange.family_name)
    return query.where(names != tuple_(RosterChange.old_given_name, RosterChange.old_family_name))


def _conditions(scope: Scope, kind: str) -> tuple[Any, ...]:
    return *reindex.changes_of(scope), RosterChange.kind == kind


def _accounts(scope: Scope, now: datetime) -> Insert:
    same = "subject_id username email email_key given_name family_name"
    others = {
        "id": RosterChange.account_id,
        "username_key": RosterChange.username,
        "status": literal("invited", String),
        "updated_at": literal(now, UtcDateTime),
    }
    return _made(Account, same, others, scope, now, "account_made")


def _children(scope: Scope, now: datetime) -> Insert:
    same = "school_id subject_id given_name family_name class_name"
    others = {"id": RosterChange.child_id, "sourced_id": RosterChange.pupil_number}
    return _made(Child, same, others, scope, now, "child_made")


def _made(
    model: Any, same: str, others: dict[str, Any], scope: Scope, now: datetime, kind: str
) -> Insert:
    """Rows from changes of one kind; columns that are not named get the model's defaults.

    ``same``: the columns that changes call by the same names.
    """
    values = {name: getattr(RosterChange, name) for name in same.split()} | others
    values["created_at"] = literal(now, UtcDateTime)
    rows = select(*values.values()).where(*_conditions(scope, kind))
    return insert(model.__table__).from_select(list(values), rows)
