"""``idp notify``: what applications are told of, and the worker that tells them."""

from pathlib import Path

import click

from idp.cli import output, workers
from idp.cli.group import Noun
from idp.cli.output import counted
from idp.deliveries import listing, worker
from idp.deliveries.models import STATUSES, EventDelivery

COLUMNS = (
    "id",
    "client_id",
    "event",
    "account_id",
    "status",
    "attempts",
    "created_at",
    "finished_at",
    "answer",
)

command = Noun("notify", help="What applications are told of, and the worker that tells them.")


@command.command("work")
@workers.options("Tell what is due and stop.", "Seconds between two looks where nothing is due.")
def notify_work(once: bool, pause: float, heart: Path | None) -> None:
    """Tell applications what has ended, until stopped (Ctrl-C or SIGTERM). Several may run.

    Examples:
      idp notify work
      idp notify work --once
    """
    done = workers.run("delivery", worker.deliver_due, worker.work, None if once else pause, heart)
    if once:
        click.echo(counted(done, "delivery found its fate.", "deliveries found their fate."))


@command.command("list")
@click.option("--status", type=click.Choice(STATUSES))
@click.option("--client", "client_id", help="An application's id.")
@click.option("--account", "account_id", help="An account's id.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@output.json_option
def notify_list(
    status: str | None, client_id: str | None, account_id: str | None, limit: int, as_json: bool
) -> None:
    """List what applications were told, the newest first: when, after how many tries, or why not.

    Examples:
      idp notify list
      idp notify list --status waiting --json
    """
    wanted = {
        EventDelivery.status: status,
        EventDelivery.client_id: client_id,
        EventDelivery.account_id: account_id,
    }
    which = [column == value for column, value in wanted.items() if value is not None]
    shown = listing.newest(*which, limit=limit + 1)
    rows = [row_of(each.row) for each in shown]
    output.rows(list(output.limited(rows, limit, "--limit")), COLUMNS, as_json)


def row_of(row: EventDelivery) -> dict[str, object]:
    """A delivery as the terminal shows it."""
    return {name: getattr(row, name) for name in (*COLUMNS, "session_id", "child_id", "due_at")}
