"""The families that show something, each under the name of its case.

All people, schools and addresses are invented (RFC 2606 domains).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pupil:
    """A child of one school. ``school`` is a key of ``school_year.SCHOOLS``."""

    given_name: str
    family_name: str
    school: str
    class_name: str
    left: bool = False


@dataclass(frozen=True)
class Guardian:
    """An account. ``ended`` names the children whose guardianship is over."""

    given_name: str
    family_name: str
    relationship: str
    username: str
    email: str
    status: str = "active"
    case: str = ""
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Family:
    """Pupils, and the guardians of all of them."""

    pupils: tuple[Pupil, ...]
    guardians: tuple[Guardian, ...]


SIXTY = "Van Denbroucke-de Montmorency-Laval d'Oultremont-Schaerbeeck"
"""A family name of 60 characters: pages and tokens have to hold it."""


def _guardian(
    case: str, given_name: str, family_name: str, relationship: str, username: str, **more: object
) -> Guardian:
    email = str(more.pop("email", f"{username}@familles.example"))
    return Guardian(given_name, family_name, relationship, username, email, case=case, **more)  # type: ignore[arg-type]


CASES = (
    Family(
        (Pupil("Lina", "Lambert", "tilleuls", "3B"),),
        (
            _guardian("one-child", "Sophie", "Lambert", "mother", "sophie.lambert"),
            _guardian("", "Olivier", "Lambert", "father", "olivier.lambert"),
        ),
    ),
    Family(
        (
            Pupil("Yanis", "Benali", "tilleuls", "2A"),
            Pupil("Inès", "Benali", "tilleuls", "1B"),
        ),
        (
            _guardian("several-children", "Karim", "Benali", "father", "karim.benali"),
            _guardian("", "Samira", "Benali", "mother", "samira.benali"),
        ),
    ),
    Family(
        (
            Pupil("Arthur", "Dubois", "tilleuls", "6A"),
            Pupil("Juliette", "Dubois", "tilleuls", "4A"),
            Pupil("Gaspard", "Dubois", "tilleuls", "2B"),
            Pupil("Rose", "Dubois", "tilleuls", "1A"),
        ),
        (
            _guardian("four-children", "Marie-Anne", "Dubois", "mother", "marie-anne.dubois"),
            _guardian("", "Benoît", "Dubois", "father", "benoit.dubois"),
        ),
    ),
    Family(
        (
            Pupil("Emma", "Vanderstraeten", "tilleuls", "3A"),
            Pupil("Noah", "Vanderstraeten", "moulin", "P4"),
        ),
        (
            _guardian(
                "both-schools", "Élodie", "Vanderstraeten", "mother", "elodie.vanderstraeten"
            ),
            _guardian("", "Wim", "Vanderstraeten", "father", "wim.vanderstraeten"),
        ),
    ),
    Family(
        (
            Pupil("Maxime", "Claes", "tilleuls", "5A"),
            Pupil("Clara", "Claes", "tilleuls", "2A"),
            Pupil("Basile", "Claes", "moulin", "P6"),
        ),
        (_guardian("", "Inge", "Claes", "mother", "inge.claes"),),
    ),
    Family(
        (Pupil("Victor", "Peeters", "tilleuls", "6B", left=True),),
        (_guardian("no-child", "Marc", "Peeters", "father", "marc.peeters"),),
    ),
    Family(
        (Pupil("Louise", "Janssens", "moulin", "P3"),),
        (
            _guardian(
                *("shared-email", "Luc", "Janssens", "father", "luc.janssens"),
                email="famille.janssens@familles.example",
            ),
            _guardian(
                *("shared-email", "Anne", "Janssens", "mother", "anne.janssens"),
                email="famille.janssens@familles.example",
            ),
        ),
    ),
    Family(
        (
            Pupil("Hugo", "Moreau", "tilleuls", "4B"),
            Pupil("Jeanne", "Moreau", "tilleuls", "1A"),
        ),
        (
            _guardian(
                *("ended-guardianship", "Pierre", "Moreau", "father", "pierre.moreau"),
                ended=frozenset({"Hugo"}),
            ),
            _guardian("", "Claire", "Fontaine", "mother", "claire.fontaine"),
        ),
    ),
    Family(
        (Pupil("Sami", "El Amrani", "moulin", "P1"),),
        (
            _guardian(
                *("invited", "Nadia", "El Amrani", "mother", "nadia.elamrani"), status="invited"
            ),
            _guardian("", "Youssef", "El Amrani", "father", "youssef.elamrani", status="invited"),
        ),
    ),
    Family(
        (Pupil("Théodore", SIXTY, "tilleuls", "5B"),),
        (_guardian("long-name", "Marie-Charlotte", SIXTY, "mother", "mc.vandenbroucke"),),
    ),
    Family(
        (Pupil("Софія", "Шевченко", "moulin", "P2"),),
        (
            _guardian(
                *("non-latin", "Олена", "Шевченко", "mother", "олена.шевченко"),
                email="olena.shevchenko@familles.example",
            ),
        ),
    ),
    Family(
        (Pupil("小明", "王", "moulin", "P5"),),
        (
            _guardian("", "秀英", "王", "mother", "wang.xiuying"),
            _guardian("", "伟", "王", "father", "wang.wei", status="invited"),
        ),
    ),
    Family(
        (Pupil("ليلى", "حداد", "tilleuls", "1B"),),
        (_guardian("", "رنا", "حداد", "mother", "rana.haddad"),),
    ),
    Family(
        (Pupil("Maëlys", "D'Hœkelaere-N'Guessan", "moulin", "P4"),),
        (
            _guardian(
                *("accents-apostrophe", "Zoë", "D'Hœkelaere-N'Guessan", "mother"),
                "zoé.d'hoekelaere",
                email="zoe.dhoekelaere@familles.example",
            ),
            _guardian("", "Kouadio", "N’Guessan", "father", "kouadio.nguessan"),
        ),
    ),
    Family(
        (
            Pupil("Ella", "Van den Bossche", "moulin", "P6"),
            Pupil("Lars", "Van den Bossche", "moulin", "P3"),
            Pupil("Fien", "Van den Bossche", "moulin", "P1"),
        ),
        (
            _guardian("", "Katrien", "Van den Bossche", "mother", "katrien.vandenbossche"),
            _guardian("", "Rita", "Maes", "relative", "rita.maes"),
        ),
    ),
)
