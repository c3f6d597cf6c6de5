"""Plans what an import would do at one school: rows of ``roster_changes``, by one statement for
each kind; and a few names of each kind for its dry run.

The same statements plan a dry run (rolled back) and an import (carried out in the transaction that
planned it), so that the two can't differ.
"""

from dataclasses import dataclass
from typing import Final

from idp.roster import bulk, former, planned_links, planned_people, questions
from idp.roster.matching import SamePerson, match
from idp.roster.scope import Scope
from idp.roster.staging import SAMPLES

LARGE: Final = 0.10
"""More than this share of a school's pupils or guardianships ending at once is confirmed, and of
its guardians' addresses becoming others."""
FEW_ADDRESSES: Final = 3
"""So many other addresses are a week's, at however small a school; a column that slipped has
more."""


@dataclass(frozen=True)
class Plan:
    """What an import does at one school."""

    counts: dict[str, int]
    """Kind of change → how many."""
    pupils: int
    guardianships: int
    """Live ones before the import: what the shares are shares of."""
    same_people: list[SamePerson]
    open_questions: int = 0
    """Questions that wait for an answer: whom they are about stays as they are."""
    other_addresses: int = 0
    """Guardians of the school, not in question, whose accounts are nobody's yet, and to whom the
    file gives another address."""
    addresses: int = 0
    """Guardians of the school with an address, before the import."""

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
    def share_readdressed(self) -> float:
        """The share of guardians with another address; none while they are few."""
        many = self.other_addresses > FEW_ADDRESSES
        return self.other_addresses / max(self.addresses, 1) if many else 0.0

    @property
    def share_at_once(self) -> float:
        """What is confirmed: the greatest of the shares."""
        return max(self.share_ending, self.share_readdressed)

    @property
    def is_large(self) -> bool:
        return self.share_at_once > LARGE


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
    bulk.execute(planned_links.PAIRS, **ids)
    for statement in planned_links.PAIRS_OF_DELTA if scope.delta else ():
        bulk.execute(statement, **ids)
    for statement in planned_people.IDENTITIES_MOVED:
        bulk.execute(statement, **ids)
    for statement in (
        planned_people.ACCOUNTS_MADE,
        planned_people.CHILDREN_MADE,
        planned_people.CHILDREN_CHANGED,
    ):
        bulk.execute(statement, **ids)
    asked_first = former.values()
    bulk.execute(planned_people.ACCOUNTS_REVIVED, **ids, **asked_first)
    bulk.execute(planned_people.ACCOUNTS_CHANGED, **ids, **asked_first, district=district)
    bulk.execute(
        planned_people.CHILDREN_LEFT_IN_DELTA if scope.delta else planned_people.CHILDREN_LEFT,
        **ids,
    )
    bulk.execute(planned_links.GUARDIANSHIPS_OF_THE_LEFT, **ids)
    ended = (
        planned_links.GUARDIANSHIPS_ENDED_IN_DELTA
        if scope.delta
        else planned_links.GUARDIANSHIPS_ENDED
    )
    bulk.execute(ended, **ids)
    bulk.execute(planned_links.GUARDIANSHIPS_MADE, **ids, **asked_first)
    bulk.execute(planned_links.GUARDIANSHIPS_CHANGED, **ids)
    open_questions = questions.open_ones(scope)
    return Plan(
        *(count_changes(scope), *_live(scope.school_id), same_people, open_questions),
        other_addresses=bulk.count(_OTHER_ADDRESSES, **ids),
        addresses=bulk.count(_ADDRESSES, school=scope.school_id),
    )


def count_changes(scope: Scope) -> dict[str, int]:
    """Kind of change → how many the plan, or the journal that it becomes, has at this school."""
    rows = bulk.fetch(
        "SELECT kind, count(*) FROM roster_changes"
        " WHERE run_id = :run AND school_id = :school GROUP BY kind",
        **scope.ids(),
    )
    return {row[0]: row[1] for row in rows}


_ADDRESSES: Final = """
SELECT count(DISTINCT w.account_id) FROM live_guardianships w JOIN accounts a ON a.id = w.account_id
WHERE w.school_id = :school AND a.email_key IS NOT NULL
"""
# Whether another school trusts the account, and it keeps its address, is nothing for this one to
# learn by a share (rule C3): it counts all the same
_OTHER_ADDRESSES: Final = f"""
SELECT count(DISTINCT a.id)
FROM roster_matches m CROSS JOIN roster_guardians g CROSS JOIN accounts a
WHERE m.run_id = :run AND m.school_id = :school AND m.how NOT IN ('new', 'held', 'ended')
  AND g.run_id = :run AND g.sourced_id = m.sourced_id AND g.present AND g.given_name <> ''
  AND a.id = m.account_id AND a.email_key IS NOT NULL AND {planned_people.NEW_ADDRESS}
  AND EXISTS (SELECT 1 FROM live_guardianships w
              WHERE w.account_id = a.id AND w.school_id = :school)
"""


def _live(school_id: str) -> tuple[int, int]:
    pupils = bulk.count(
        "SELECT count(*) FROM children WHERE school_id = :school AND left_at IS NULL",
        school=school_id,
    )
    guardianships = bulk.count(
        "SELECT count(*) FROM live_guardianships WHERE school_id = :school",
        school=school_id,
    )
    return pupils, guardianships


_LOOKED_AT: Final = 1_000

_NEW: Final = "SELECT x.given_name || ' ' || x.family_name FROM roster_changes x WHERE {}"
_CHILD: Final = """
SELECT c.given_name || ' ' || c.family_name FROM roster_changes x
JOIN children c ON c.id = x.child_id WHERE {}
"""
_CHANGED: Final = """
SELECT x.old_given_name || ' ' || x.old_family_name, x.given_name || ' ' || x.family_name,
       {0}
FROM roster_changes x WHERE {{}}
"""
_CHANGED_CHILD: Final = _CHANGED.format(
    "x.old_class_name, x.class_name, x.old_pupil_number, x.pupil_number"
)
_CHANGED_ACCOUNT: Final = _CHANGED.format("x.old_email, x.email")
_ACCOUNT: Final = """
SELECT a.given_name || ' ' || a.family_name FROM roster_changes x
JOIN accounts a ON a.id = x.account_id WHERE {}
"""
_PAIR: Final = """
SELECT a.given_name || ' ' || a.family_name || ' → ' || c.given_name || ' ' || c.family_name
FROM roster_changes x
JOIN guardianships w ON w.id = x.guardianship_id
JOIN accounts a ON a.id = w.account_id
JOIN children c ON c.id = w.child_id WHERE {}
"""
_OF_KIND: Final = "x.run_id = :run AND x.school_id = :school AND x.kind = :kind"

_QUERIES: Final = {
    "child_made": _NEW,
    "child_changed": _CHANGED_CHILD,
    "child_returned": _CHANGED_CHILD,
    "child_left": _CHILD,
    "account_made": _NEW,
    "account_changed": _CHANGED_ACCOUNT,
    "account_revived": _ACCOUNT,
    "guardianship_changed": _PAIR,
    "guardianship_ended": _PAIR,
}


_NAMES: Final = """
SELECT given_name || ' ' || family_name FROM roster_{} WHERE run_id = :run
ORDER BY number LIMIT {}
"""


def accented(run_id: str) -> list[str]:
    """Names with letters beyond ASCII: whether they are read rightly, a person sees."""
    names_seen: dict[str, None] = {}
    for table in ("pupils", "guardians"):
        names = bulk.fetch(_NAMES.format(table, _LOOKED_AT), run=run_id)
        names_seen.update({row[0].strip(): None for row in names if not row[0].isascii()})
    return list(names_seen)[:SAMPLES]


def sample_names(scope: Scope, plan: Plan) -> dict[str, list[str]]:
    """Kind of change → a few names, of what changes as it is and as it would be; new
    guardianships have none, their people are named.
    """
    return {
        kind: [
            _shown(*row)
            for row in bulk.fetch(
                f"{query.format(_OF_KIND)} ORDER BY x.id LIMIT {SAMPLES}", **scope.ids(), kind=kind
            )
        ]
        for kind, query in _QUERIES.items()
        if plan.counts.get(kind)
    }


def _shown(name: str, new_name: str | None = None, *pairs: str | None) -> str:
    """« Lina Dubois, 3B → Lina Maes, 4B »: what stays the same beside the name is left out."""
    if new_name is None:
        return name
    differing = [
        (old or "–", new or "–")
        for old, new in zip(pairs[::2], pairs[1::2], strict=True)
        if (old or "") != (new or "")
    ]
    before = ", ".join([name, *(old for old, _ in differing)])
    after = ", ".join([new_name, *(new for _, new in differing)])
    return f"{before} → {after}" if before != after else name
