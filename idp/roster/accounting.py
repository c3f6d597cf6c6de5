"""Counts what the import did with every row, sheet and file: nothing is left out in silence
(security rule N2).

The rows of a file are those that were taken over and those that were passed over, by reason.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from flask_babel import lazy_gettext as _

PASSED: Final = {
    "other_school": _("of another school"),
    "no_role": _("neither pupil nor guardian"),
    "left": _("pupils whose last day has passed"),
    "deleted": _("marked as deleted"),
    "over": _("valid no longer"),
    "later": _("not valid yet"),
    "disabled": _("guardians switched off in the school's software"),
    "no_class": _("of a class that is not read"),
    "twice": _("the same row once more"),
    "header": _("the header once more"),
    "rejected": _("not taken over: see the list of rows with reasons"),
}
UNREAD: Final = {
    "not_needed": _("holds nothing that is kept here"),
    "relationships": _(
        "is not read: who belongs to whom is taken from “agentSourcedIds” in users.csv"
    ),
    "unknown": _("is not known here, and was not read"),
    "hidden": _("a hidden sheet, not read"),
    "empty": _("an empty sheet"),
    "other": _("a sheet with other columns, not read"),
}
"""Why a row, and why a file or a sheet: in the languages of schools."""


@dataclass
class Accounting:
    """The account of one reading."""

    rows: Counter[str] = field(default_factory=Counter)
    """File or sheet → rows that it holds."""
    passed: dict[str, Counter[str]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    """File or sheet → why it was not read."""

    def row(self, file: str) -> None:
        self.rows[file] += 1

    def passes(self, file: str, why: str) -> None:
        """A row that was counted is not taken over."""
        self.passed.setdefault(file, Counter())[why] += 1

    def leave(self, file: str, why: str) -> None:
        """A file, or a sheet, is not read."""
        self.unread[file[:80]] = why

    def as_json(self) -> dict[str, Any]:
        files = [
            {
                "name": file[:80],
                "rows": rows,
                "taken": rows - sum(self.passed.get(file, Counter()).values()),
                "passed": dict(self.passed.get(file, Counter())),
            }
            for file, rows in self.rows.items()
        ]
        unread = [{"name": name, "why": why} for name, why in sorted(self.unread.items())]
        return {"files": files, "unread": unread}
