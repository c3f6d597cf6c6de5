"""The test school: families that are awkward, each under the name of its case.

No two people share a name, and no name is a word that an application would show anyway: what
stands on a page tells whom the application takes somebody for. All are invented (RFC 2606).
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

SIXTY: Final = "Vanderheyden-de Montpellier-Vauxcelle d'Oultremarche-Hautive"
FIRST_SCHOOL: Final = "École d'essai Les Cerisiers"
SECOND_SCHOOL: Final = "École d'essai La Rivière"


@dataclass(frozen=True)
class Pupil:
    """A child of the first school, or of the second."""

    given_name: str
    family_name: str
    second_school: bool = False


@dataclass(frozen=True)
class Parent:
    """A guardian of every pupil of the family, but for those that ``ended`` names."""

    given_name: str
    family_name: str
    login: str
    email: str | None = ""
    """Empty: one of their own; None: none at all."""
    invited: bool = False
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Family:
    """One case. ``about`` is what somebody who signs in by hand reads."""

    case: str
    about: str
    parents: tuple[Parent, ...]
    pupils: tuple[Pupil, ...] = ()


CASES: Final = (
    Family(
        "one_child",
        "one child",
        (Parent("Gwendoline", "Hautecoeur", "gwendoline"),),
        (Pupil("Balthazar", "Quersin"),),
    ),
    Family(
        "four_children",
        "four children",
        (Parent("Théophane", "Marchandeau", "theophane"),),
        (
            Pupil("Clothilde", "Zwaenepoel"),
            Pupil("Isidore", "Zwaenepoel"),
            Pupil("Fantine", "Zwaenepoel"),
            Pupil("Octavien", "Zwaenepoel"),
        ),
    ),
    Family("no_child", "no child", (Parent("Hippolyte", "Sansonnier", "hippolyte"),)),
    Family(
        "two_schools",
        "a child in each of two schools",
        (Parent("Apolline", "Deuxville", "apolline"),),
        (Pupil("Léopoldine", "Brabançon"), Pupil("Sigismond", "Brabançon", second_school=True)),
    ),
    Family(
        "shared_address",
        "shares an e-mail address with the next",
        (Parent("Ludivine", "Boîtelle", "ludivine", "famille"),),
        (Pupil("Eustache", "Vankeirsbilck"),),
    ),
    Family(
        "shared_address_too",
        "shares it",
        (Parent("Barnabé", "Courrielle", "barnabe", "famille"),),
        (Pupil("Philomène", "Rommelaere"),),
    ),
    Family(
        "no_address",
        "no e-mail address",
        (Parent("Ermeline", "Sansadresse", "ermeline", None),),
        (Pupil("Archibald", "Wauthoz"),),
    ),
    Family(
        "ended_link",
        "a guardianship that has ended: of two children one is left",
        (Parent("Melchior", "Naguerre", "melchior", ended=frozenset({"Zéphyrine"})),),
        (Pupil("Zéphyrine", "Tillemans"), Pupil("Gontran", "Tillemans")),
    ),
    Family(
        "long_name",
        "a family name of 60 characters",
        (Parent("Cunégonde", SIXTY, "cunegonde"),),
        (Pupil("Anselme", "Coudenberg"),),
    ),
    Family(
        "other_letters",
        "a name in Cyrillic letters",
        (Parent("Соломія", "Ковальчук", "solomiya"),),
        (Pupil("Любомир", "Мельниченко"),),
    ),
    Family(
        "first_sign_in",
        "never signed in: has a token from the school's letter",
        (Parent("Perpétue", "Jamaisvue", "perpetue", invited=True),),
        (Pupil("Wenceslas", "Verhaegen"),),
    ),
    Family(
        "refused_consent",
        "will refuse consent",
        (Parent("Casimir", "Nonmerci", "casimir"),),
        (Pupil("Eugénie-Rose", "Slachmuylders"),),
    ),
    Family(
        "switched",
        "switches between two children",
        (Parent("Séverine", "Aiguillier", "severine"),),
        (Pupil("Hyacinthe", "Opdebeeck"), Pupil("Tancrède", "Opdebeeck")),
    ),
    Family(
        "both_parents",
        "two parents of one child",
        (
            Parent("Domitille", "Encommun", "domitille"),
            Parent("Évariste", "Partageur", "evariste"),
        ),
        (Pupil("Ombeline", "Huysmans"),),
    ),
    Family(
        "siblings",
        "two parents of two children; one of them loses one of these",
        (
            Parent("Guenièvre", "Deuxpages", "guenievre"),
            Parent("Lancelin", "Autrepage", "lancelin"),
        ),
        (Pupil("Aldegonde", "Moerkerke"), Pupil("Théodule", "Moerkerke")),
    ),
    Family(
        "ended",
        "loses the child while the page is open",
        (Parent("Fulbert", "Bientôtfini", "fulbert"),),
        (Pupil("Rosemonde", "Lauwereyns"),),
    ),
)


@dataclass(frozen=True)
class Person:
    """Somebody of the test school as they were enrolled."""

    id: str
    given_name: str
    family_name: str
    username: str = ""
    token: str = ""
    """What stands in the school's letter, for who never signed in."""
    marks: frozenset[str] = field(default=frozenset(), compare=False)
    """What on a page can only mean this person."""

    @property
    def full_name(self) -> str:
        return f"{self.given_name} {self.family_name}"

    def stands_in(self, text: str) -> bool:
        """Whether a page's text names this person; in whole words, however they are composed."""
        plain = folded(text)
        return any(
            re.search(rf"(?<!\w){re.escape(folded(mark))}(?!\w)", plain) for mark in self.marks
        )


@dataclass(frozen=True)
class Household:
    """A family as it was enrolled."""

    case: str
    about: str
    parents: Sequence[Person]
    children: Sequence[Person]

    @property
    def parent(self) -> Person:
        return self.parents[0]


@dataclass(frozen=True)
class TestSchool:
    """Every family by its case."""

    __test__ = False  # a name that pytest would collect

    homes_by_case: dict[str, Household]

    def __getitem__(self, case: str) -> Household:
        return self.homes_by_case[case]

    def named_in(self, text: str) -> "Named":
        """Who of the school stands in a text."""
        homes = self.homes_by_case.values()
        return Named(
            _mentioned(text, (each for home in homes for each in home.parents)),
            _mentioned(text, (each for home in homes for each in home.children)),
        )


@dataclass(frozen=True)
class Named:
    """Parents and children whom a page names."""

    parents: tuple[Person, ...] = ()
    children: tuple[Person, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parents or self.children)

    def __str__(self) -> str:
        names = ", ".join(each.full_name for each in (*self.parents, *self.children))
        return names or "nobody of the test school"


def folded(text: str) -> str:
    """Letters as they are compared: composed, without case."""
    return unicodedata.normalize("NFC", text).casefold()


def _mentioned(text: str, people: Iterable[Person]) -> tuple[Person, ...]:
    return tuple(each for each in people if each.stands_in(text))
