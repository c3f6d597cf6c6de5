"""Which column of a spreadsheet is what: guessed from its header in four languages, or told.

A target is ``pupil.<field>`` or ``guardian.<n>.<field>``. What is about a column that we must not
store – national numbers, birth dates, addresses – is recognised so that it is left alone (C5).
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from flask_babel import gettext as _

from idp.people.names import Refused, sort_key

MOST_GUARDIANS: Final = 6
PUPIL_FIELDS: Final = ("number", "given", "family", "name", "class", "left_on")
GUARDIAN_FIELDS: Final = ("number", "given", "family", "name", "email", "relationship")

_NEVER: Final = re.compile(
    r"\b(niss|insz|rrn|national(nummer)?|registre|rijksregister\w*|ssn|bis|naissance|ne le|nee le"
    r"|geboorte\w*|geburt\w*|birth\w*|dob|rue|straat|strasse|street|code postal|postcode|plz|zip"
    r"|commune|gemeente|ville|stad|ort|city|gsm|tel\w*|phone|mobile|handy|sexe|geslacht"
    r"|geschlecht|gender|nationalit\w*|pays|land|country|iban|password|mot de passe)\b"
)
_ADDRESS: Final = re.compile(r"\b(adresse|adres|address|anschrift|domicile)\b")
_EMAIL: Final = re.compile(r"\b(e ?mails?|mails?|courriels?|mel|emailadres|mailadresse)\b")
_PUPIL: Final = re.compile(
    r"\b(eleves?|enfants?|leerlingen|leerling|kind(er)?|kindes|schuler(s|in|innen)?|pupils?|students?|child)\b"
)
_GUARDIAN: Final = re.compile(
    r"\b(responsables?|resp|parents?|tuteur|tutrice|guardians?|ouders?|voogd|verantwoordelijke"
    r"|eltern\w*|vormund|erziehungsberechtigte\w*|sorgeberechtigte\w*|contact(persoon)?|agent)\b"
)
_MOTHER: Final = re.compile(r"\b(mere|maman|moeder|mama|mutter|mother)\b")
_FATHER: Final = re.compile(r"\b(pere|papa|vader|vater|father)\b")
_NAMES: Final = {
    "given": re.compile(
        r"\b(prenoms?|voornaam|voornamen|vorname\w*|given|first ?name|forename|firstname)\b"
    ),
    "family": re.compile(
        r"\b(nom de famille|familienaam|achternaam|nachname|familienname|surname|last ?name"
        r"|family ?name|family|nom|naam|name)\b"
    ),
    "name": re.compile(
        r"\b(nom (et )?prenom|prenom (et )?nom|nom complet|naam (en )?voornaam|volledige naam"
        r"|name (und )?vorname|full ?name|nom et prenom)\b"
    ),
}
_CLASS: Final = re.compile(r"\b(classe|klas|klasse|class|groupe classe|klasgroep)\b")
_NUMBER: Final = re.compile(
    r"\b(matricule|numero|num|nr|no|id|identifiant|stamnummer|leerlingnummer|leerlingennummer"
    r"|schulernummer|number|sourcedid|nummer|n)\b"
)
_RELATIONSHIP: Final = re.compile(
    r"\b(lien|relation\w*|parente|verwantschap|relatie|band|beziehung|verhaltnis|qualite"
    r"|hoedanigheid)\b"
)
_LEFT: Final = re.compile(
    r"\b(date de sortie|sortie|date de depart|depart|uitschrijv\w*|uitstroom|einddatum|abgang\w*"
    r"|austritt\w*|left on|leaving date|leave date|end date)\b"
)


@dataclass(frozen=True)
class Mapping:
    """Columns by their header, and constants such as « this column's owner is the mother »."""

    columns: dict[str, str]
    constants: dict[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    """Columns that are not read."""

    @property
    def guardians(self) -> list[int]:
        """The numbers of the guardians that have columns."""
        found = {
            int(target.split(".")[1]) for target in self.columns.values() if "guardian" in target
        }
        return sorted(found)

    def as_json(self) -> dict[str, Any]:
        return {"columns": dict(self.columns), "constants": dict(self.constants)}

    def problems(self) -> list[str]:
        """Why nothing can be read by it, as sentences; none: it will do.

        In the language of the page, or of ``force_locale``.
        """
        targets = set(self.columns.values())
        found = []
        if not _has_name(targets, "pupil"):
            found.append(_("No column holds the pupil's given name and family name."))
        if not self.guardians:
            found.append(_("No column is about a guardian."))
        found += [
            _("Guardian %(number)d has no name.", number=number)
            for number in self.guardians
            if not _has_name(targets, f"guardian.{number}")
        ]
        return [str(each) for each in found]


def from_json(document: dict[str, Any]) -> Mapping:
    """A mapping as it was saved."""
    return Mapping(dict(document["columns"]), dict(document.get("constants", {})))


def changed(mapping: Mapping, wishes: dict[str, str], header: list[str]) -> Mapping:
    """The mapping with columns set to targets, or to ``-`` for « not read »; raises ``Refused``."""
    columns = dict(mapping.columns)
    for name, target in wishes.items():
        if name not in header:
            raise Refused("column", f"« {name[:60]} » is none of {', '.join(header)[:300]}")
        columns.pop(name, None)
        if target == "-":
            continue
        _check_target(target)
        columns = {each: at for each, at in columns.items() if at != target}
        columns[name] = target
    unused = tuple(name for name in header if name and name not in columns)
    kept = {
        target: word
        for target, word in mapping.constants.items()
        if any(at.startswith(target.rpartition(".")[0]) for at in columns.values())
    }
    return Mapping(columns, kept, unused)


def is_private(name: str) -> bool:
    """Whether a column's header says that its cells are none of ours (rule C5)."""
    words = _plain(name)
    return not _EMAIL.search(words) and bool(_NEVER.search(words) or _ADDRESS.search(words))


def guess(header: list[str]) -> Mapping:
    """What the header's words say; a column that says nothing certain is not read."""
    columns: dict[str, str] = {}
    constants: dict[str, str] = {}
    unused = []
    people = _Guardians()
    for name in filter(None, header):
        target = _target(_plain(name), people, constants)
        if target is None or target in columns.values():
            unused.append(name)
        else:
            columns[name] = target
    return Mapping(_whole_names(columns), constants, tuple(unused))


def _whole_names(columns: dict[str, str]) -> dict[str, str]:
    """« Nom » without « Prénom » holds both."""
    targets = set(columns.values())
    return {
        name: target.removesuffix("family") + "name"
        if target.endswith(".family") and target.removesuffix("family") + "given" not in targets
        else target
        for name, target in columns.items()
    }


class _Guardians:
    """Which guardian a column is about: by number, as mother or father, else the one before."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.current: int | None = None

    def of(self, words: str) -> int | None:
        if _MOTHER.search(words):
            key = "mother"
        elif _FATHER.search(words):
            key = "father"
        elif _GUARDIAN.search(words):
            digit = re.search(r"[1-6]", words)
            key = f"guardian{digit[0] if digit else ''}"
        else:
            return None
        self.current = self._numbers.setdefault(key, len(self._numbers) + 1)
        return self.current


def _target(words: str, people: _Guardians, constants: dict[str, str]) -> str | None:
    if _LEFT.search(words):
        return "pupil.left_on"
    email = _EMAIL.search(words)
    if not email and (_NEVER.search(words) or _ADDRESS.search(words)):
        return None
    of_pupil = bool(_PUPIL.search(words))
    number = None if of_pupil and not re.search(r"[1-6]", words) else people.of(words)
    if number is None and not of_pupil and (email or _RELATIONSHIP.search(words)):
        number = people.current  # « Courriel », after the guardian's name
    if number is None:
        return None if email else _of_pupil(words, of_pupil)
    if number > MOST_GUARDIANS:
        return None
    for word, pattern in (("mother", _MOTHER), ("father", _FATHER)):
        if pattern.search(words):
            constants[f"guardian.{number}.relationship"] = word
    if email:
        return f"guardian.{number}.email"
    what = _field(_GUARDIAN.sub(" ", words))
    return f"guardian.{number}.{what or 'name'}" if what != "class" else None


def _of_pupil(words: str, certain: bool) -> str | None:
    what = _field(_PUPIL.sub(" ", words))
    if what is None and certain:
        return "pupil.name"
    return f"pupil.{what}" if what in PUPIL_FIELDS else None


def _field(words: str) -> str | None:
    words = " ".join(words.split())
    if _RELATIONSHIP.search(words):
        return "relationship"
    if _NAMES["name"].search(words):
        return "name"
    for what in ("given", "family"):
        if _NAMES[what].search(words):
            return what
    if _CLASS.search(words):
        return "class"
    return "number" if _NUMBER.search(words) else None


def _plain(name: str) -> str:
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # givenName
    words = re.sub(r"[^a-z0-9]+", " ", sort_key(split).replace("ß", "ss"))
    return " ".join(re.sub(r"(?<=[a-z])(?=[0-9])", " ", words).split())


def _has_name(targets: set[str], whose: str) -> bool:
    return f"{whose}.name" in targets or {f"{whose}.given", f"{whose}.family"} <= targets


def _check_target(target: str) -> None:
    parts = target.split(".")
    if len(parts) == 2 and parts[0] == "pupil" and parts[1] in PUPIL_FIELDS:
        return
    numbers = {str(number) for number in range(1, MOST_GUARDIANS + 1)}
    of_guardian = len(parts) == 3 and parts[0] == "guardian" and parts[2] in GUARDIAN_FIELDS
    if of_guardian and parts[1] in numbers:
        return
    raise Refused(
        "target",
        f"is pupil.<{'|'.join(PUPIL_FIELDS)}> or guardian.<1-{MOST_GUARDIANS}>."
        f"<{'|'.join(GUARDIAN_FIELDS)}>, or -",
    )
