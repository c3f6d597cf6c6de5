"""A fictional child's week: the same for the same child, whoever looks, whenever today is."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
MONTHS = (
    *("janvier", "février", "mars", "avril", "mai", "juin", "juillet"),
    *("août", "septembre", "octobre", "novembre", "décembre"),
)


@dataclass(frozen=True)
class Lesson:
    """One hour of the timetable. ``hue`` picks one of eight colours of the style sheet."""

    begins: str
    ends: str
    subject: str
    teacher: str
    room: str
    hue: int


@dataclass(frozen=True)
class Mark:
    """One result. ``share``: what was reached, of 100."""

    subject: str
    about: str
    reached: str
    share: int
    given_on: str


@dataclass(frozen=True)
class Homework:
    """What is to be done until when."""

    subject: str
    task: str
    due: str
    done: bool


@dataclass(frozen=True)
class SchoolLife:
    """All that the dashboard shows of one child."""

    day: str
    lessons: list[Lesson]
    homework: list[Homework]
    marks: list[Mark]
    average: int
    menu: list[tuple[str, str]]
    messages: list[tuple[str, str, str]]
    presence: list[tuple[str, str]]


@dataclass(frozen=True)
class _Programme:
    subjects: tuple[tuple[str, str, str], ...]
    """Subject, teacher, room."""
    hours: tuple[tuple[str, str], ...]
    tasks: tuple[tuple[str, str], ...]
    tests: tuple[tuple[str, str], ...]
    messages: tuple[tuple[str, str], ...]
    scale: int


COLLEGE = _Programme(
    subjects=(
        ("Français", "Mme Delvaux", "Local 204"),
        ("Mathématiques", "M. Hanquet", "Local 112"),
        ("Néerlandais", "Mme De Smet", "Local 118"),
        ("Sciences", "M. Okafor", "Labo 2"),
        ("Histoire", "Mme Georges", "Local 207"),
        ("Géographie", "M. Lejeune", "Local 209"),
        ("Éducation physique", "M. Cuvelier", "Grande salle"),
        ("Anglais", "Mme Whitaker", "Local 121"),
    ),
    hours=(
        *(("08:20", "09:10"), ("09:10", "10:00"), ("10:20", "11:10"), ("11:10", "12:00")),
        *(("13:05", "13:55"), ("13:55", "14:45")),
    ),
    tasks=(
        ("Français", "Lire les chapitres 4 et 5 de « Oscar et la dame rose »"),
        ("Mathématiques", "Exercices 12 à 15, page 87"),
        ("Néerlandais", "Vocabulaire : op de markt (20 mots)"),
        ("Sciences", "Terminer le schéma de la cellule"),
        ("Histoire", "Ligne du temps : les grandes découvertes"),
        ("Anglais", "Préparer une présentation de deux minutes"),
    ),
    tests=(
        ("Mathématiques", "Les équations du premier degré"),
        ("Français", "Dictée n° 6"),
        ("Néerlandais", "Luistertoets 2"),
        ("Sciences", "Rapport de laboratoire"),
        ("Géographie", "Les climats d'Europe"),
        ("Anglais", "Irregular verbs"),
    ),
    messages=(
        ("Mme Lacroix, direction", "Réunion des parents : choisissez votre heure"),
        ("M. Cuvelier", "Sortie à vélo du 4 décembre : pensez au casque"),
        ("Secrétariat", "Bulletins disponibles dès le 18 décembre"),
    ),
    scale=20,
)

PRIMARY = _Programme(
    subjects=(
        ("Lecture", "Mme Fabienne", "Classe verte"),
        ("Calcul", "Mme Fabienne", "Classe verte"),
        ("Éveil", "Mme Fabienne", "Classe verte"),
        ("Gymnastique", "M. Bastien", "Salle de gym"),
        ("Arts et bricolage", "Mme Rosalie", "Atelier"),
        ("Écriture", "Mme Fabienne", "Classe verte"),
        ("Musique", "M. Tanguy", "Salle du moulin"),
        ("Bibliothèque", "Mme Odette", "Bibliothèque"),
    ),
    hours=(
        *(("08:30", "09:20"), ("09:20", "10:10"), ("10:30", "11:20"), ("11:20", "12:10")),
        *(("13:30", "14:20"), ("14:20", "15:10")),
    ),
    tasks=(
        ("Lecture", "Lire dix minutes à voix haute"),
        ("Calcul", "La table de sept, jusqu'au bout"),
        ("Éveil", "Apporter une feuille d'arbre d'automne"),
        ("Écriture", "Cinq phrases sur mon animal préféré"),
        ("Musique", "Apprendre le refrain de la chanson"),
        ("Bibliothèque", "Rendre le livre emprunté"),
    ),
    tests=(
        ("Calcul", "Les multiplications"),
        ("Lecture", "Comprendre une histoire"),
        ("Éveil", "Le cycle de l'eau"),
        ("Écriture", "Dictée de mots"),
        ("Musique", "Chanter en groupe"),
        ("Arts et bricolage", "Le moulin en carton"),
    ),
    messages=(
        ("Mme Odile, direction", "Fête de Saint-Nicolas le 4 décembre"),
        ("Mme Fabienne", "Piscine jeudi : maillot, bonnet, essuie"),
        ("Garderie", "Nouveaux horaires du mercredi après-midi"),
    ),
    scale=10,
)

MENU = (
    ("Potage aux carottes", "Boulettes, purée, salade"),
    ("Velouté de potiron", "Lasagne aux légumes"),
    ("Potage tomate", "Poisson du jour, riz, épinards"),
    ("Soupe au cerfeuil", "Couscous aux pois chiches"),
    ("Potage poireaux", "Vol-au-vent, frites"),
)


def week_of(child: dict[str, Any], theme: str) -> SchoolLife:
    """The week of ``child``, as the ID token names it."""
    programme = PRIMARY if theme == "primary" else COLLEGE
    seed = f"{full_name(child)}/{child.get('class', '')}"
    chance = Random(hashlib.sha256(seed.encode()).digest())
    day = _school_day(datetime.now(UTC).date())
    marks = _marks(programme, chance, day)
    return SchoolLife(
        day=_spoken(day),
        lessons=_lessons(programme, chance, day),
        homework=_homework(programme, chance, day),
        marks=marks,
        average=sum(mark.share for mark in marks) // len(marks),
        menu=[("Entrée", MENU[day.weekday()][0]), ("Plat", MENU[day.weekday()][1])],
        messages=[
            (sender, subject, _spoken(_school_day_before(day, 1 + 2 * age)))
            for age, (sender, subject) in enumerate(programme.messages)
        ],
        presence=[
            ("Demi-jours d'absence", str(chance.choice((0, 0, 1, 2)))),
            ("Retards", str(chance.choice((0, 1, 1, 3)))),
            ("Remarques", str(chance.choice((0, 0, 0, 1)))),
        ],
    )


def full_name(child: dict[str, Any]) -> str:
    """The child's name, as far as we are told it."""
    return " ".join(str(child[key]) for key in ("given_name", "family_name") if child.get(key))


def initials(child: dict[str, Any]) -> str:
    """One letter of each name we are told, for the round picture."""
    return "".join(str(child[key])[0] for key in ("given_name", "family_name") if child.get(key))


def _lessons(programme: _Programme, chance: Random, day: date) -> list[Lesson]:
    week = [chance.sample(range(8), 6) for _ in range(5)]
    hours = programme.hours[:4] if day.weekday() == 2 else programme.hours  # Wednesday
    return [
        Lesson(begins, ends, *programme.subjects[number], hue=number + 1)
        for (begins, ends), number in zip(hours, week[day.weekday()], strict=False)
    ]


def _homework(programme: _Programme, chance: Random, day: date) -> list[Homework]:
    return [
        Homework(subject, task, _spoken(_school_day(day + timedelta(days=ahead))), ahead == 1)
        for ahead, (subject, task) in enumerate(chance.sample(programme.tasks, 3), start=1)
    ]


def _marks(programme: _Programme, chance: Random, day: date) -> list[Mark]:
    marks = []
    for age, (subject, about) in enumerate(chance.sample(programme.tests, 4)):
        half_points = chance.randint(programme.scale, 2 * programme.scale)
        points = f"{half_points / 2:g}".replace(".", ",")
        share = 50 * half_points // programme.scale
        given_on = _spoken(_school_day_before(day, 1 + 4 * age))
        marks.append(Mark(subject, about, f"{points}/{programme.scale}", share, given_on))
    return marks


def _school_day(day: date) -> date:
    """``day``, or the Monday after it at the weekend."""
    return day + timedelta(days=max(0, 7 - day.weekday())) if day.weekday() >= 5 else day


def _school_day_before(day: date, count: int) -> date:
    """The school day that was ``count`` days ago, or the Friday before it."""
    earlier = day - timedelta(days=count)
    return earlier - timedelta(days=max(0, earlier.weekday() - 4))


def _spoken(day: date) -> str:
    number = "1er" if day.day == 1 else str(day.day)
    return f"{DAYS[day.weekday()]} {number} {MONTHS[day.month - 1]}"
