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
"""More than this share of a school's pupils or guardianships ending at once is confirmed."""


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
    return Plan(count_changes(scope), *_live(scope.school_id), same_people, open_questions)


def count_changes(scope: Scope) -> dict[str, int]:
    """Kind of change → how many the plan, or the journal that it becomes, has at this school."""
    rows = bulk.fetch(
        "SELECT kind, count(*) FROM roster_changes"
        " WHERE run_id = :run AND school_id = :school GROUP BY kind",
        **scope.ids(),
    )
    return {row[0]: row[1] for row in rows}


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
