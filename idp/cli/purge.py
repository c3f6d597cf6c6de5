"""``idp purge``: deletes what has expired, ends and erases who has left."""

from collections import Counter

import click
from flask.cli import with_appcontext

from idp import purge
from idp.cli import output
from idp.cli.group import Command
from idp.people import schools

MOST_LISTED = 1_000


@click.command("purge", cls=Command)
@click.option(
    "--batch",
    type=click.IntRange(1, 10_000),
    default=purge.BATCH,
    show_default=True,
    help="Rows in one transaction.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what it would do now, and to whom; change nothing."
)
@output.json_option
@with_appcontext
def command(batch: int, dry_run: bool, as_json: bool) -> None:
    """Delete what has expired from every table that grows; end and erase who has left.

    Children who left, and accounts without a child, are kept as long as their school says; parents
    are told 30 days before. Safe beside traffic; run it daily.

    Examples:
      idp purge --dry-run
      idp purge --json
    """
    if dry_run:
        _report(as_json)
        return
    removed = purge.run(batch=batch, warn=lambda doubt: click.echo(doubt, err=True))
    rows = [{"table": table, "removed": count} for table, count in removed.items()]
    output.rows(rows, ("table", "removed"), as_json)


def _report(as_json: bool) -> None:
    """Counts by school and rule, everybody by id, and the rows of each table."""
    names = {school.id: school.name for school in schools.list_schools()}
    people = [
        {
            "rule": each.rule,
            "does": each.does,
            "id": each.id,
            "school_id": each.school_id,
            "school": names.get(each.school_id or "", ""),
        }
        for each in purge.list_due()
    ]
    keys = ("rule", "does", "school_id", "school")
    counted = Counter(tuple(row[key] for key in keys) for row in people)
    counts = [{**dict(zip(keys, key, strict=True)), "count": n} for key, n in counted.items()]
    tables = [
        {"table": name, "would_remove": count} for name, count in purge.count_useless().items()
    ]
    if as_json:
        report = {
            "ends_nobody_before": purge.begins_at(),
            "counts": counts,
            "people": people,
            "tables": tables,
        }
        output.one(report, as_json)
        return
    output.rows(counts, ("rule", "does", "school", "count"), as_json)
    if people:
        click.echo(
            f"\nNobody is ended or erased by these rules before {purge.begins_at():%Y-%m-%d}.\n"
        )
        more = "--json names all"
        listed = output.limited(people, MOST_LISTED, more)
        output.rows(list(listed), ("rule", "does", "id", "school"), as_json)
    click.echo("")
    output.rows([row for row in tables if row["would_remove"]], ("table", "would_remove"), as_json)
