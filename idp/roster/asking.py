"""Keeps a doubt as a question until somebody has answered it.

The answer is ``same`` (the id still means the person whom it meant) or ``another``; see
``question_models``.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from idp.roster import bulk
from idp.roster.question_models import RosterQuestion
from idp.roster.scope import Scope

SAME: Final = "same"
ANOTHER: Final = "another"

_COLUMNS: Final = (
    *("run_id", "school_id", "subject", "kind", "key", "number"),
    *("child_id", "account_id", "other_child_id", "other_account_id", "answer"),
)


@dataclass(frozen=True)
class Doubt:
    """A row of the file about whom a person is asked.

    ``ours``: the account or child that its id means, or that it may be; ``other``: who bears the
    row's name. ``key``: several rows are one question under it.
    """

    kind: str
    number: int
    ours: str | None
    other: str | None = None
    key: str = ""
    of_guardian: bool = False

    @property
    def subject(self) -> str:
        return f"{'g' if self.of_guardian else 'p'}{self.number}"

    def answer(self, scope: Scope) -> str | None:
        """What somebody has said about it."""
        return scope.answers.get(self.key or self.subject)


def keep(scope: Scope, doubts: Iterable[Doubt]) -> None:
    """Write the questions down, with their answers."""
    bulk.insert_rows(
        RosterQuestion,
        _COLUMNS,
        (
            (
                *(scope.run_id, scope.school_id, each.subject, each.kind),
                *(each.key or each.subject, each.number),
                *(
                    (None, each.ours, None, each.other)
                    if each.of_guardian
                    else (each.ours, None, each.other, None)
                ),
                each.answer(scope),
            )
            for each in doubts
        ),
    )


def forget(scope: Scope) -> None:
    """Begin anew: the answers stay."""
    bulk.execute(
        "DELETE FROM roster_questions WHERE run_id = :run AND school_id = :school", **scope.ids()
    )


def one_to_one(pairs: Iterable[tuple[Any, str]]) -> list[tuple[Any, str]]:
    """The pairs whose either side stands in no other: anything else is for a person to say."""
    every = sorted(set(pairs))
    left = Counter(one for one, _ in every)
    right = Counter(other for _, other in every)
    return [(one, other) for one, other in every if left[one] == 1 and right[other] == 1]
