"""What an import would do at one school: rows of ``roster_changes``, by one statement a kind.

The same statements plan a dry run (rolled back) and an import (carried out in the transaction
that planned it), so that the two can't differ.
"""

from dataclasses import dataclass
from typing import Any, Final

from idp.roster import bulk, former, planned_links, planned_people, questions
from idp.roster.matching import SamePerson, match
from idp.roster.scope import Scope

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
        "SELECT count(*) FROM live_guardianships WHERE school_id = :school",
        school=school_id,
    )
    return pupils, guardianships
