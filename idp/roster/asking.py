"""Keeps a doubt as a question until somebody has answered it.

The answer is ``same`` (the id still means the person whom it meant) or ``another``; see
``question_models``.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from idp.roster import bulk
from idp.roster.cells import name_key
from idp.roster.company import Keys
from idp.roster.question_models import RosterQuestion
from idp.roster.scope import Scope
from idp.roster.witnesses import (
    Name,
    Says,
    Witnesses,
    compare,
    compare_names,
    compare_places,
)

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
    row's name, or has its address. ``key``: several rows are one question under it. ``about``:
    which of several questions about one row it is. ``also``: others of the row's name, of whom
    none is likelier: held as well.
    """

    kind: str
    number: int
    ours: str | None
    other: str | None = None
    key: str = ""
    of_guardian: bool = False
    about: str = ""
    also: tuple[str, ...] = ()
    contradicted: bool = False
    """Whether answers contradict each other: then none counts."""

    @property
    def subject(self) -> str:
        row = f"{'g' if self.of_guardian else 'p'}{self.number}"
        return f"{row}.{self.about}" if self.about else row

    def answer(self, scope: Scope) -> str | None:
        """What somebody has said about it."""
        return None if self.contradicted else scope.answers.get(self.key or self.subject)


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


@dataclass(frozen=True)
class Suspect:
    """A row whose id is known, and in whom something has changed.

    ``who``: by which its company in the file is found. ``key``: of its name. ``place``: its
    address or class. ``ours``, ``our_place``: whom the id means.
    """

    name: Name
    number: int
    who: Any
    key: str
    place: str | None
    ours: str
    our_place: str | None
    claimed: bool


def suspects(rows: Iterable[Any]) -> list[Suspect]:
    """From rows of all but the name, and then the row's two names, and ours."""
    return [Suspect(compare_names(*row[-2:], *row[-4:-2]), *row[:-4]) for row in rows]


def doubted(
    rows: list[Suspect],
    theirs: Keys,
    company_of: Callable[[Iterable[str]], Keys],
    candidates: Mapping[str, list[Candidate]],
    is_theirs: Callable[[Witnesses], bool],
) -> list[tuple[Suspect, str | None, tuple[str, ...]]]:
    """Those of the rows whose ids the witnesses speak against, each with whom it is likely about,
    and with the others of that name.

    ``theirs``: the rows' company in the file.
    """
    ours = company_of(each.ours for each in rows)
    doubtful = [
        each
        for each in rows
        if not is_theirs(
            Witnesses(
                name=each.name,
                place=compare_places(each.place, each.our_place),
                company=compare(theirs.get(each.who, set()), ours.get(each.ours, set())),
                is_anothers=any(one.id != each.ours for one in candidates.get(each.key, ())),
                claimed=each.claimed,
            )
        )
    ]
    believed = {each.ours for each in rows} - {each.ours for each in doubtful}
    others = [
        [
            one
            for one in candidates.get(each.key, ())
            if one.id not in {each.ours, *believed} and not one.taken
        ]
        for each in doubtful
    ]
    known = company_of(one.id for those in others for one in those)
    likely = [
        _likely(each, theirs, those, known) for each, those in zip(doubtful, others, strict=True)
    ]
    return [
        (each, one, tuple(other.id for other in those if other.id != one))
        for each, one, those in zip(doubtful, likely, others, strict=True)
    ]


def _likely(row: Suspect, theirs: Keys, others: list[Candidate], ours: Keys) -> str | None:
    """The one of its other candidates with whom its place or its company agrees."""
    agreeing = [
        each.id
        for each in others
        if compare_places(row.place, each.place) is Says.SAME
        or compare(theirs.get(row.who, set()), ours.get(each.id, set())) is Says.SAME
    ]
    return agreeing[0] if len(agreeing) == 1 else None


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
            for doubt in doubts
            for each in (doubt, *_held_with(doubt))
        ),
    )


def _held_with(doubt: Doubt) -> list[Doubt]:
    key = doubt.key or doubt.subject
    return [replace(doubt, other=one, key=key, about=ending(one)) for one in doubt.also]


def ending(person_id: str) -> str:
    """Enough of an account's or a child's id to tell a few people of one name apart."""
    return person_id[-6:]


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
