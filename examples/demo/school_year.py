"""A fictional school year: 2 schools, 60 pupils, 80 guardians, the same at every start."""

import unicodedata
from dataclasses import dataclass, replace
from itertools import cycle

from examples.demo.families import CASES, Family, Guardian, Pupil

PUPILS = 60
GUARDIANS = 80
MOST_GUARDIANS = 3
INVITED_EVERY = 6
"""Of the guardians without a story, every sixth has not signed in yet."""


@dataclass(frozen=True)
class FictionalSchool:
    """A school as its parents see it. ``logo``: a PNG beside this file."""

    name: str
    colour: str
    contact_name: str
    contact_email: str
    contact_phone: str
    logo: str
    theme: str
    classes: tuple[str, ...]


SCHOOLS = {
    "tilleuls": FictionalSchool(
        name="Collège Les Tilleuls",
        colour="#14503c",
        contact_name="Mme Bénédicte Lacroix",
        contact_email="secretariat@tilleuls.example",
        contact_phone="+32 4 555 01 20",
        logo="tilleuls.png",
        theme="college",
        classes=("1A", "1B", "2A", "2B", "3A", "3B", "4A", "4B", "5A", "5B", "6A", "6B"),
    ),
    "moulin": FictionalSchool(
        name="École du Moulin",
        colour="#a33a17",
        contact_name="M. Thierry Odile",
        contact_email="direction@moulin.example",
        contact_phone="+32 81 55 51 30",
        logo="moulin.png",
        theme="primary",
        classes=("P1", "P2", "P3", "P4", "P5", "P6"),
    ),
}

FAMILY_NAMES = (
    *("Mertens", "Willems", "Jacobs", "Leroy", "Lefèvre", "Goossens", "Simon", "Hermans"),
    *("Denis", "Renard", "Gérard", "Bodart", "Collignon", "Dumont", "Evrard", "Ferreira"),
    *("Gonçalves", "Hubert", "Kowalski", "Łukasiewicz", "Öztürk", "Popescu", "Rossi", "Saïdi"),
)
GIVEN_NAMES = (
    *("Alice", "Adam", "Anaïs", "Aymeric", "Camille", "Céleste", "Cyril", "Diego", "Éléonore"),
    *("Elias", "Émile", "Eva", "Félix", "Gabrielle", "Hélène", "Ibrahim", "Jade", "Jules"),
    *("Léa", "Léon", "Liam", "Lou", "Manon", "Mathéo", "Mila", "Nathan", "Nora", "Oscar"),
    *("Pauline", "Raphaël", "Romane", "Sacha", "Thibault", "Valentine", "Zélie"),
)
MOTHERS = (
    *("Aurélie", "Béatrice", "Caroline", "Delphine", "Émilie", "Françoise", "Géraldine", "Hanna"),
    *("Isabelle", "Joëlle", "Laetitia", "Magali", "Nathalie", "Ornella", "Patricia", "Sabine"),
)
FATHERS = (
    *("Alain", "Bruno", "Cédric", "Didier", "Éric", "Frédéric", "Grégory", "Henri", "Ivan"),
    *("Jérôme", "Laurent", "Michaël", "Nicolas", "Philippe", "Rémi", "Stéphane", "Tomasz"),
)
GRANDPARENTS = ("Monique", "Jacques", "Ginette", "André", "Lucienne", "Roger")


def families() -> list[Family]:
    """Every family: those with a story first, then as many more as make the school year."""
    pupils_left = PUPILS - sum(len(family.pupils) for family in CASES)
    guardians_left = GUARDIANS - sum(len(family.guardians) for family in CASES)
    sizes = _family_sizes(pupils_left)
    counts = _guardian_counts(len(sizes), guardians_left)
    given_names, classes = cycle(GIVEN_NAMES), {key: cycle(s.classes) for key, s in SCHOOLS.items()}
    made = []
    for number, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        school = "moulin" if number % 5 < 2 else "tilleuls"
        name = FAMILY_NAMES[number]
        pupils = tuple(
            Pupil(next(given_names), name, school, next(classes[school])) for _ in range(size)
        )
        made.append(Family(pupils, _guardians(number, name, count)))
    return [*CASES, *_some_invited(made)]


def _family_sizes(pupils: int) -> list[int]:
    sizes: list[int] = []
    for size in cycle((1, 2, 1, 1, 3, 1)):
        if sum(sizes) + size >= pupils:
            return [*sizes, pupils - sum(sizes)]
        sizes.append(size)
    return sizes


def _guardian_counts(families: int, guardians: int) -> list[int]:
    """One guardian for each family, then a second, then a third, until all have a place."""
    counts = [1] * families
    for number in range(guardians - families):
        counts[number % families] += 1
    if max(counts) > MOST_GUARDIANS:
        raise ValueError("too few families for so many guardians")
    return counts


def _guardians(number: int, family_name: str, count: int) -> tuple[Guardian, ...]:
    people = (
        (MOTHERS[number % len(MOTHERS)], "mother"),
        (FATHERS[number % len(FATHERS)], "father"),
        (GRANDPARENTS[number % len(GRANDPARENTS)], "relative"),
    )
    return tuple(
        Guardian(
            given_name,
            family_name,
            relationship,
            username := f"{_plain(given_name)}.{_plain(family_name)}",
            f"{username}@familles.example",
        )
        for given_name, relationship in people[:count]
    )


def _some_invited(made: list[Family]) -> list[Family]:
    numbers = iter(range(1, GUARDIANS))

    def turn(guardian: Guardian) -> Guardian:
        invited = next(numbers) % INVITED_EVERY == 0
        return replace(guardian, status="invited") if invited else guardian

    return [replace(family, guardians=tuple(map(turn, family.guardians))) for family in made]


def _plain(name: str) -> str:
    """A name as schools write it into user names: ASCII, no accents."""
    letters = unicodedata.normalize("NFKD", name.replace("Ł", "L"))
    return "".join(letter for letter in letters if letter.isascii() and letter.isalpha()).lower()
