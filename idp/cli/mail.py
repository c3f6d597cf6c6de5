"""``idp mail``: the outbox and its worker."""

from pathlib import Path

import click

from idp.cli import output, workers
from idp.cli.group import Noun
from idp.cli.output import counted
from idp.mail import delivery, outbox
from idp.mail.models import STATUSES

COLUMNS = (
    *("id", "kind", "account_id", "status", "attempts", "created_at", "due_at"),
    *("meaning", "answer"),
)

command = Noun("mail", help="The outbox and the worker that empties it.")


@command.command("work")
@workers.options("Deliver what is due and stop.", "Seconds between two looks into an empty outbox.")
def mail_work(once: bool, pause: float, heart: Path | None) -> None:
    """Send what waits in the outbox, until stopped (Ctrl-C or SIGTERM). Several may run.

    Examples:
      idp mail work
      idp mail work --once
    """
    done = workers.run("mail", delivery.deliver_due, delivery.work, None if once else pause, heart)
    if once:
        click.echo(counted(done, "message found its fate.", "messages found their fate."))


@command.command("list")
@click.option("--status", type=click.Choice(STATUSES))
@click.option("--account", "account_id", help="An account's id.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@output.json_option
def mail_list(status: str | None, account_id: str | None, limit: int, as_json: bool) -> None:
    """List messages, the newest first: what waits, what left, what was refused and why.

    Examples:
      idp mail list
      idp mail list --status refused --json
    """
    messages = outbox.list_messages(status=status, account_id=account_id, limit=limit + 1)
    rows = [output.fields(message, *COLUMNS, "finished_at") for message in messages]
    output.rows(list(output.limited(rows, limit, "--limit")), COLUMNS, as_json)
