"""What the page that names a list's columns shows."""

from dataclasses import dataclass, replace
from typing import Any, Final

from idp.desk.imports.service import Import
from idp.roster import guessing, layout, mapping, refusals
from idp.roster.encodings import CHOICES
from idp.web.admin import import_words
from idp.web.forms import Form

ENCODINGS: Final = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "cp1252": "Windows (CSV)",
    "cp850": "MS-DOS (CSV)",
    "mac_roman": "Macintosh (CSV)",
}


@dataclass(frozen=True)
class Column:
    """A column: its header, what it is taken for, a few of its cells, and what is to be said."""

    name: str
    target: str
    cells: list[str]
    remark: str


@dataclass(frozen=True)
class Listed:
    """A list whose columns somebody names."""

    columns: list[Column]
    targets: list[tuple[str, str]]
    names: list[str]
    encoding: str
    header: str
    sheets: list[dict[str, Any]]
    trouble: str
    single_names: bool
    encodings: dict[str, str]

    @property
    def left_out(self) -> list[str]:
        """Sheets that are not read, and why, as sentences."""
        return [
            str(import_words.SHEETS_LEFT_OUT[each["why"]]) % {"name": each["name"]}
            for each in self.sheets
            if not each["read"]
        ]


def list_of(roster_import: Import, form: Form) -> Listed | None:
    """The list of an import that waits for its columns; None where none does."""
    job = roster_import.job
    if job is None or job.state != "mapping" or not roster_import.whole:
        return None
    sheet, facts = job.result, job.result.get("facts", {})
    wanted = layout.from_json(job.how.get("layout"))
    encoding = _named(facts.get("encoding", ""))
    return Listed(
        columns=_columns(sheet, form),
        targets=import_words.targets(mapping.MOST_GUARDIANS),
        names=sheet.get("names", []),
        encoding=form.values.get("encoding") or encoding,
        header=form.values.get("header") or _lines(facts.get("header")),
        sheets=facts.get("sheets", []),
        trouble=refusals.sentence(sheet["trouble"]) if sheet.get("trouble") else "",
        single_names=wanted.single_names or form.values.get("single") == "yes",
        encodings={name: ENCODINGS[name] for name in CHOICES} if encoding else {},
    )


def beyond(roster_import: Import, wanted: layout.Layout) -> layout.Layout:
    """What somebody says of a list beyond what was found: the rest is found again."""
    facts = roster_import.job.result.get("facts", {}) if roster_import.job else {}
    same_lines = list(wanted.header or ()) == facts.get("header")
    same_encoding = wanted.encoding == _named(facts.get("encoding", ""))
    return replace(
        wanted,
        header=None if same_lines else wanted.header,
        encoding=None if same_encoding else wanted.encoding,
    )


def _columns(sheet: dict[str, Any], form: Form) -> list[Column]:
    return [
        Column(
            name,
            form.values.get(f"column-{place}") or sheet["columns"].get(name, "-"),
            [row.get(name, "") for row in sheet["rows"]],
            _remark(sheet, name),
        )
        for place, name in enumerate(sheet["header"])
    ]


def _remark(sheet: dict[str, Any], name: str) -> str:
    if guessing.is_private(name):
        return str(import_words.REMARKS["private"])
    if name in sheet.get("counted", ()):
        return str(import_words.REMARKS["counted"])
    return str(import_words.REMARKS["new"]) if name in sheet.get("new", ()) else ""


def _named(encoding: str) -> str:
    plain = encoding.removesuffix("-sig")
    return "utf-16" if plain.startswith("utf-16") else plain


def _lines(header: list[int] | None) -> str:
    if not header:
        return ""
    first, last = header
    return str(first) if first == last else f"{first}-{last}"
