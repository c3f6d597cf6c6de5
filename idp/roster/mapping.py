"""Says what each column of a spreadsheet holds: guessed from its header (``guessing``), or chosen.

A target is ``pupil.<field>`` or ``guardian.<n>.<field>``.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from flask_babel import gettext as _

from idp.errors import Invalid

MOST_GUARDIANS: Final = 6
PUPIL_FIELDS: Final = ("number", "given", "prefix", "family", "name", "class", "left_on")
GUARDIAN_FIELDS: Final = (
    *("number", "given", "prefix", "family", "name", "email", "relationship"),
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
        numbers = {
            int(target.split(".")[1]) for target in self.columns.values() if "guardian" in target
        }
        return sorted(numbers)

    def as_json(self) -> dict[str, Any]:
        return {
            "columns": dict(self.columns),
            "constants": dict(self.constants),
            "unused": list(self.unused),
        }

    def problems(self) -> list[str]:
        """Why nothing can be read by it, as sentences; none: it will do.

        In the language of the page, or of ``force_locale``.
        """
        targets = set(self.columns.values())
        sentences = []
        if not _has_name(targets, "pupil"):
            sentences.append(_("No column holds the pupil's given name and family name."))
        if not self.guardians:
            sentences.append(_("No column is about a guardian."))
        sentences += [
            _("Guardian %(number)d has no name.", number=number)
            for number in self.guardians
            if not _has_name(targets, f"guardian.{number}")
        ]
        return [str(each) for each in sentences]


def from_json(document: dict[str, Any]) -> Mapping:
    """A mapping as it was saved."""
    return Mapping(
        dict(document["columns"]),
        dict(document.get("constants", {})),
        tuple(document.get("unused", ())),
    )


def changed(mapping: Mapping, wishes: dict[str, str], header: list[str]) -> Mapping:
    """The mapping with columns set to targets, or to ``-`` for « not read »; raises ``Invalid``."""
    columns = dict(mapping.columns)
    for name, target in wishes.items():
        if name not in header:
            raise Invalid("column", "no_column", name=name[:60], header=", ".join(header)[:300])
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
    raise Invalid(
        "target",
        "no_target",
        of_pupil="|".join(PUPIL_FIELDS),
        of_guardian="|".join(GUARDIAN_FIELDS),
        most=MOST_GUARDIANS,
    )
