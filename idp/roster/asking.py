"""Keeps a doubt as a question until somebody has answered it.

The answer is ``same`` (the id still means the person whom it meant) or ``another``; see
``question_models``.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idp.roster import bulk
from idp.roster.cells import name_key
from idp.roster.company import Keys
from idp.roster.question_models import RosterQuestion
from idp.roster.scope import Scope
from idp.roster.witnesses import Says, compare, compare_places

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


@dataclass(frozen=True)
class Candidate:
    """An account or a child of this school that a row may be about.

    ``place``: the account's e-mail key, or the child's class. ``taken``: another row that is
    believed, or for a child its number, is about it already.
    """

    id: str
    place: str | None
    taken: bool


def candidates_by_name(rows: Iterable[Any]) -> dict[str, list[Candidate]]:
    """Key of the name → the candidates, from rows of id, both names, place, and whether taken."""
    by_name: dict[str, list[Candidate]] = {}
    for candidate_id, given_name, family_name, place, taken in rows:
        by_name.setdefault(name_key(given_name, family_name), []).append(
            Candidate(candidate_id, place, bool(taken))
        )
    return by_name


def likeliest(
    doubted: Iterable[tuple[int, str | None, set[str]]],
    others: Mapping[int, list[Candidate]],
    company_of: Callable[[Iterable[str]], Keys],
) -> dict[int, str]:
    """Row → the one of its other candidates with whom its place or its company agrees.

    ``doubted``: a row's number, its place, and its company in the file.
    """
    ours = company_of(each.id for candidates in others.values() for each in candidates)
    likely = {}
    for number, place, company in doubted:
        agreeing = [
            each.id
            for each in others[number]
            if compare_places(place, each.place) is Says.SAME
            or compare(company, ours.get(each.id, set())) is Says.SAME
        ]
        if len(agreeing) == 1:
            likely[number] = agreeing[0]
    return likely


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
