"""What commands print: aligned tables for people, JSON for programs."""

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])
Row = Mapping[str, Any]

_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


def json_option(function: Function) -> Function:
    """Give a command its ``--json``, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def rows(found: Sequence[Row], columns: Sequence[str], as_json: bool) -> None:
    """Print a list: every member as JSON, or the named columns as a table."""
    if as_json:
        _print_json(list(found))
    elif not found:
        click.echo("(none)")
    else:
        click.echo(table(columns, [[row.get(column) for column in columns] for row in found]))


def one(thing: Row, as_json: bool) -> None:
    """Print one thing: a member a line, or JSON."""
    if as_json:
        _print_json(thing)
        return
    width = max(len(name) for name in thing)
    for name, value in thing.items():
        click.echo(f"{_heading(name):<{width}}  {_cell(value)}".rstrip())


def table(columns: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """Columns aligned by what a terminal shows, not by what a string counts."""
    cells = [[_heading(column) for column in columns]]
    cells += [[_cell(value) for value in line] for line in lines]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in cells
    )


def _print_json(value: Any) -> None:
    # ASCII, so that no terminal's locale can break the document.
    click.echo(json.dumps(value, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)


def _heading(name: str) -> str:
    return name.replace("_", " ")


def _cell(value: Any) -> str:
    match value:
        case None | "" | []:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}Z"
        case list() | tuple():
            return ", ".join(_cell(each) for each in value)
        case dict():
            return json.dumps(value, default=_plain)
    return shown(str(value))


def shown(text: str) -> str:
    """The text without what moves a terminal's cursor or turns its direction."""
    return "".join("?" if _unprintable(character) else character for character in text)


def _unprintable(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"} or character in _DIRECTION


def _width(text: str) -> int:
    return sum(
        0
        if unicodedata.combining(character) or unicodedata.category(character) == "Cf"
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )
