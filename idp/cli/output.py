"""What commands print: aligned tables for people, JSON for programs."""

import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from textwrap import indent
from typing import Any, BinaryIO, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])
Row = Mapping[str, Any]
PIECE = 500
"""Rows that are printed at once."""

_WIDE = "idp.cli.output.wide"
_NARROWEST = 8
_ID = re.compile(r"[a-z]{1,4}_[\w-]{20,}", re.ASCII)
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


def json_option(function: Function) -> Function:
    """Give a command its ``--json``, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def rows(members: Sequence[Row], columns: Sequence[str], as_json: bool) -> None:
    """Print a list: every member as JSON, or the named columns as a table."""
    if as_json:
        _print_json(list(members))
    elif not members:
        click.echo("(none)")
    else:
        lines = [[row.get(column) for column in columns] for row in members]
        click.echo(fitting(columns, lines, _width_of_terminal()))


def stream(members: Iterable[Row], columns: Sequence[str], as_json: bool) -> None:
    """Print a list of any length as ``rows`` does, a piece at a time: memory stays bounded."""
    if as_json:
        separator = "["
        for row in members:
            click.echo(f"{separator}\n{indent(_json(row), '  ')}", nl=False)
            separator = ","
        click.echo("[]" if separator == "[" else "\n]")
        return
    source = iter(members)
    pieces = iter(lambda: list(islice(source, PIECE)), [])
    printed = False
    for piece in pieces:
        lines = [[row.get(column) for column in columns] for row in piece]
        shown = fitting(columns, lines, _width_of_terminal())
        in_columns = shown.count("\n") == len(lines)
        click.echo(shown.split("\n", 1)[1] if printed and in_columns else shown)
        printed = True
    if not printed:
        click.echo("(none)")


def limited(members: Iterable[Row], limit: int | None, how: str) -> Iterator[Row]:
    """The first rows; where there are more, a line on standard error says so, and ``how`` to get
    them.
    """
    for number, row in enumerate(members):
        if number == limit:
            click.echo(f"idp: cut after {limit}; there are more: {how}", err=True)
            return
        yield row


def one(thing: Row, as_json: bool) -> None:
    """Print one thing: a member a line, or JSON."""
    if as_json:
        _print_json(thing)
        return
    width = max(len(name) for name in thing)
    for name, value in thing.items():
        click.echo(f"{_heading(name):<{width}}  {_cell(value)}".rstrip())


def wide_option(function: Function) -> Function:
    """Give the program its ``--wide``: tables are then as wide as what stands in them."""

    def keep(context: click.Context, _option: click.Parameter, wide: bool) -> None:
        context.find_root().meta[_WIDE] = wide

    help_text = "Tables as wide as they are, also on a terminal."
    return click.option(
        "--wide", is_flag=True, expose_value=False, is_eager=True, callback=keep, help=help_text
    )(function)


def fitting(columns: Sequence[str], lines: Sequence[Sequence[Any]], width: int | None) -> str:
    """A table of at most ``width`` characters (None: as wide as it is).

    Long texts are cut; ids, which are copied, never are: where these alone are too wide, each row
    is told line by line.
    """
    cells = _cells(columns, lines)
    widths = _widths(cells)
    while width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        shrinkable = [n for n, column in enumerate(zip(*cells, strict=True)) if _may_cut(column)]
        widest = max(shrinkable, key=widths.__getitem__, default=None)
        if widest is None or widths[widest] <= _NARROWEST:
            return _told_by_row(cells)
        widths[widest] -= 1
    return _aligned(cells, widths)


def table(columns: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """Columns aligned by what a terminal shows, not by what a string counts."""
    return fitting(columns, lines, None)


def _cells(columns: Sequence[str], lines: Sequence[Sequence[Any]]) -> list[list[str]]:
    headings = [_heading(column) for column in columns]
    return [headings, *([_cell(value) for value in line] for line in lines)]


def _widths(cells: list[list[str]]) -> list[int]:
    return [max(map(_width, column)) for column in zip(*cells, strict=True)]


def _may_cut(column: Sequence[str]) -> bool:
    return not any(_ID.fullmatch(cell) for cell in column)


def _told_by_row(cells: list[list[str]]) -> str:
    headings, *lines = cells
    most = max(map(_width, headings))
    return "\n\n".join(
        "\n".join(
            f"{heading:<{most}}  {cell}" for heading, cell in zip(headings, line, strict=True)
        )
        for line in lines
    )


def _aligned(cells: list[list[str]], widths: list[int]) -> str:
    cells = [
        [_cut(cell, width) for cell, width in zip(line, widths, strict=True)] for line in cells
    ]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in cells
    )


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    while _width(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def _width_of_terminal() -> int | None:
    """How wide tables may be; None where a program reads them, or ``--wide`` was said."""
    context = click.get_current_context(silent=True)
    wide = context is not None and context.find_root().meta.get(_WIDE)
    return None if wide or not sys.stdout.isatty() else shutil.get_terminal_size().columns


def _print_json(value: Any) -> None:
    # ASCII, so that no terminal's locale can break the document.
    click.echo(_json(value))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, default=_plain)


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


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A file that only the user who ran the command may read, also where one was there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        yield file


def fields(thing: Any, *names: str) -> dict[str, Any]:
    """These of its attributes, to be printed."""
    return {name: getattr(thing, name) for name in names}


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


def counted(number: int, one: str, many: str) -> str:
    """« 1 question is open », « 2 questions are open »."""
    return f"{number} {one if number == 1 else many}"
