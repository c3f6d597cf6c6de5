"""``idp purge``: deletes what has expired."""

import click
from flask.cli import with_appcontext

from idp import purge
from idp.cli import output
from idp.cli.group import Command


@click.command("purge", cls=Command)
@click.option(
    "--batch",
    type=click.IntRange(1, 10_000),
    default=purge.BATCH,
    show_default=True,
    help="Rows in one transaction.",
)
@output.json_option
@with_appcontext
def command(batch: int, as_json: bool) -> None:
    """Delete what has expired from every table that grows. Safe beside traffic; run it daily.

    Example:
      idp purge --json
    """
    removed = purge.run(batch=batch)
    rows = [{"table": table, "removed": count} for table, count in removed.items()]
    output.rows(rows, ("table", "removed"), as_json)
