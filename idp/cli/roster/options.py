"""Options that commands of ``idp roster`` share, and what they mean to the import."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from idp.cli import named, output
from idp.cli.errors import BadInput
from idp.roster import layout as layouts
from idp.roster import service
from idp.roster.encodings import CHOICES
from idp.roster.layout import Layout
from idp.settings import LOCALES

FILE = click.Path(path_type=Path, exists=True)

_LAYOUT = (
    click.option(
        "--encoding", type=click.Choice(CHOICES), help="Of a CSV file. Default: by its content."
    ),
    click.option(
        "--header-row", default="", help="The header's line: 4, or 3-4 for one of two lines."
    ),
    click.option("--sheet", "sheets", multiple=True, help="A workbook's sheet; repeatable."),
    click.option("--single-names", is_flag=True, help="People with one name only are taken over."),
)


_OWN_NUMBERS = click.option(
    "--own-numbers",
    is_flag=True,
    help="Numbers that count 1, 2, 3… are the school's own all the same.",
)


def layout_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How a list lies in its file."""
    for option in (*_LAYOUT, _OWN_NUMBERS):
        function = option(function)
    return function


PEOPLE = click.option("--people", is_flag=True, help="Name everybody whom it is about, by kind.")


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How a file is read, and how what came of it is told."""
    for option in (
        click.option(
            "--school",
            "schools",
            multiple=True,
            help="A school's name or id, or SCHOOL=ORG with the file's own id of it; repeatable.",
        ),
        click.option("--delta", is_flag=True, help="The file holds changes only."),
        click.option(
            "--column", "columns", multiple=True, help='"Header=target"; see `idp roster map`.'
        ),
        click.option("--usernames", help='Pattern of user names, such as "{given}.{family}".'),
        click.option(
            "--link-same-people",
            is_flag=True,
            help="Who has name and address of a guardian elsewhere is that guardian.",
        ),
        click.option(
            "--rejected",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Where rejected rows go, .csv or .xlsx. Default: rejected-<run>.csv.",
        ),
        click.option(
            "--language",
            type=click.Choice(LOCALES),
            default="en",
            show_default=True,
            help="Of the reasons in that file.",
        ),
        PEOPLE,
        output.json_option,
    ):
        function = option(function)
    return layout_options(function)


def wish_from_options(
    schools: tuple[str, ...],
    delta: bool,
    columns: tuple[str, ...],
    usernames: str | None,
    link_same_people: bool,
    **how: Any,
) -> service.Wish:
    """How the file is to be read."""
    if not schools:
        raise BadInput("--school is missing: which school is the file for?")
    return service.Wish(
        by_operator=True,
        schools=tuple(_choice(text) for text in schools),
        delta=delta,
        link_same_people=link_same_people,
        username_pattern=usernames,
        mapping=columns_of(columns),
        layout=layout(**how),
    )


def layout(
    encoding: str | None,
    header_row: str,
    sheets: tuple[str, ...],
    single_names: bool,
    own_numbers: bool,
) -> Layout:
    """How somebody says that the list lies in its file."""
    chosen = layouts.layout_from_input(encoding or "", header_row, sheets, single=single_names)
    return replace(chosen, own_numbers=own_numbers)


def _choice(text: str) -> service.Choice:
    school, _, org = text.partition("=")
    return service.Choice(named.school(school), org or None)


def columns_of(texts: Sequence[str]) -> dict[str, str]:
    """Header → target; raises ``BadInput``."""
    targets = {}
    for text in texts:
        name, sign, target = text.rpartition("=")
        if not sign:
            raise BadInput(f"{text[:60]!r} is not written as Header=target")
        targets[name] = target
    return targets
