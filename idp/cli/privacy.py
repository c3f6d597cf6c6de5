"""``idp privacy``: papers for a data protection officer, made from the program."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import click
from flask.cli import with_appcontext

from idp.cli.group import Noun
from idp.database import db
from idp.purge import categories, periods

command = Noun("privacy", help="Papers for a data protection officer, made from the program.")


@command.command("retention")
@with_appcontext
def retention() -> None:
    """Print how long everything is kept, with this installation's settings, as Markdown.

    Example:
      idp privacy retention > retention.md
    """
    click.echo("\n".join(retention_lines()))


@command.command("data")
@with_appcontext
def data() -> None:
    """Print which kinds of data are kept, and in which tables and columns, as Markdown.

    Example:
      idp privacy data > data.md
    """
    click.echo("\n".join(data_lines()))


def retention_lines() -> Iterator[str]:
    """A part for each purpose: who, why, who sees it, on which ground, and for how long."""
    for topic in periods.TOPICS:
        yield f"### {topic.name}\n"
        yield "| | |\n|---|---|"
        yield f"| whose data | {topic.people} |"
        yield f"| what for | {topic.purpose} |"
        yield f"| kinds of data | {', '.join(_kinds(topic.tables.split()))} |"
        yield f"| who sees them | {topic.seen_by} |"
        yield f"| legal ground (a proposal) | {topic.ground} |"
        yield f"| where the period is changed | {topic.changed_by} |\n"
        yield "| table | kept |\n|---|---|"
        rows = [(periods.describe_period(each), each) for each in topic.tables.split()]
        for words, group in groupby(rows, key=lambda row: row[0]):
            yield f"| {', '.join(f'`{table}`' for _words, table in group)} | {words} |"
        yield ""


def data_lines() -> Iterator[str]:
    """A row for each kind of data, then one for each table."""
    yield "| kind of data | what it is | of a person |\n|---|---|---|"
    for each in categories.CATEGORIES:
        yield f"| {each.name} | {each.words} | {'yes' if each.is_personal else 'no'} |"
    for topic in periods.TOPICS:
        yield f"\n### {topic.name}\n"
        yield "| table | columns, by kind |\n|---|---|"
        for table in topic.tables.split():
            yield f"| `{table}` | {'; '.join(_columns(table))} |"


def _kinds(tables: list[str]) -> list[str]:
    theirs = {_category(table, column.name) for table in tables for column in _columns_of(table)}
    return [each.name for each in categories.CATEGORIES if each.name in theirs]


def _columns(table: str) -> Iterator[str]:
    names = [column.name for column in _columns_of(table)]
    for each in categories.CATEGORIES:
        if theirs := [name for name in names if _category(table, name) == each.name]:
            yield f"**{each.name}**: {', '.join(theirs)}"


def _columns_of(table: str) -> list[Any]:
    return list(db.metadata.tables[table].columns)


def _category(table: str, column: str) -> str:
    category = categories.find_category(table, column)
    assert category is not None, f"{table}.{column}"
    return category.name
