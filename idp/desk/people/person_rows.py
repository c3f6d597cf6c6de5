"""People as a list shows them, read in a few queries, whatever their number.

Of a guardian no more is read than what they have within the scope (security rule C3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import SchoolScope
from idp.desk.people.onboarding import Onboarding, OnboardingStep, onboarding_of_named
from idp.people import guardianships
from idp.people.models import Child, Guardianship, School, full_name

GUARDIAN: Final = "guardian"
PUPIL: Final = "pupil"


@dataclass(frozen=True)
class Pupil:
    """A pupil as a list names them."""

    id: str
    name: str
    class_name: str
    school_id: str
    school: str
    left: bool = False


@dataclass(frozen=True)
class Person:
    """A guardian, with their pupils within the scope; or a pupil, who is the only one of these."""

    kind: str
    id: str
    name: str
    username: str = ""
    pupils: tuple[Pupil, ...] = ()
    onboarding: Onboarding | None = None

    @property
    def schools(self) -> list[str]:
        """The names of the schools within the scope, each once."""
        return list(dict.fromkeys(each.school for each in self.pupils))


def listed(people: Sequence[tuple[str, str]], school_scope: SchoolScope) -> list[Person]:
    """The people of these kinds and ids in this order; who is not within the scope is left out."""
    ids: dict[str, list[str]] = {GUARDIAN: [], PUPIL: []}
    for kind, person_id in people:
        ids[kind].append(person_id)
    rows = {**_guardians(ids[GUARDIAN], school_scope), **_pupils(ids[PUPIL], school_scope)}
    return [rows[each] for each in people if each in rows]


def _guardians(ids: list[str], school_scope: SchoolScope) -> dict[tuple[str, str], Person]:
    if not ids:
        return {}
    pupils: dict[str, list[Pupil]] = {}
    for account_id, pupil in _pupils_of(ids, school_scope):
        pupils.setdefault(account_id, []).append(pupil)
    # Whoever is or was guardian within the scope, nobody else
    accounts, onboarding = onboarding_of_named(ids, school_scope)
    return {
        (GUARDIAN, row.id): Person(
            GUARDIAN,
            row.id,
            full_name(row.given_name, row.family_name),
            row.username if onboarding[row.id].step is not OnboardingStep.ENDED else "",
            tuple(pupils.get(row.id, ())),
            onboarding[row.id],
        )
        for row in accounts
    }


def _pupils_of(account_ids: list[str], school_scope: SchoolScope) -> list[tuple[str, Pupil]]:
    """The pupils whose guardians these are now, by given name."""
    rows = db.session.execute(
        select(Guardianship.account_id, *_COLUMNS)
        .join(Child, Child.id == Guardianship.child_id)
        .join(School, School.id == Child.school_id)
        .where(
            Guardianship.account_id.in_(account_ids),
            guardianships.live(),
            scope.children(school_scope),
        )
        .order_by(Child.given_name, Child.id)
    )
    return [(row.account_id, _pupil(row)) for row in rows]


def _pupils(ids: list[str], school_scope: SchoolScope) -> dict[tuple[str, str], Person]:
    if not ids:
        return {}
    rows = db.session.execute(
        select(*_COLUMNS)
        .join(School, School.id == Child.school_id)
        .where(Child.id.in_(ids), scope.children(school_scope))
    )
    pupils = [_pupil(row) for row in rows]
    return {(PUPIL, each.id): Person(PUPIL, each.id, each.name, pupils=(each,)) for each in pupils}


_COLUMNS: Final = (
    Child.id,
    Child.given_name,
    Child.family_name,
    Child.class_name,
    Child.school_id,
    Child.left_at,
    School.name.label("school"),
)


def _pupil(row: Any) -> Pupil:
    return Pupil(
        row.id,
        full_name(row.given_name, row.family_name),
        row.class_name,
        row.school_id,
        row.school,
        row.left_at is not None,
    )
