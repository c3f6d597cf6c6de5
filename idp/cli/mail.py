"""``idp mail``: the outbox and its worker."""

import logging

import click

from idp import settings
from idp.audit import continuity
from idp.cli import application, output
from idp.cli.group import Noun
from idp.cli.output import counted
from idp.mail import delivery, outbox
from idp.mail.models import STATUSES
from idp.readiness import agreement

log = logging.getLogger(__name__)

COLUMNS = (
    "id",
    "kind",
    "account_id",
    "status",
    "attempts",
    "created_at",
    "due_at",
    "meaning",
    "answer",
)

command = Noun("mail", help="The outbox and the worker that empties it.")


@command.command("work")
@click.option("--once", is_flag=True, help="Deliver what is due and stop.")
@click.option(
    "--pause",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two looks into an empty outbox.",
)
def mail_work(once: bool, pause: float) -> None:
    """Send what waits in the outbox, until stopped (Ctrl-C or SIGTERM). Several may run.

    Examples:
      idp mail work
      idp mail work --once
    """
    application.speak(settings.current().log_level)
    agreement.join()  # it makes tokens that the others have to believe
    if once:
        click.echo(counted(_deliver_all(), "message found its fate.", "messages found their fate."))
        return
    stop = application.stopped_by_signals()
    log.info("the mail worker is at work")
    delivery.work(stop, pause)


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
    rows = [
        {name: getattr(message, name) for name in (*COLUMNS, "finished_at")} for message in messages
    ]
    output.rows(list(output.limited(rows, limit, "--limit")), COLUMNS, as_json)


def _deliver_all() -> int:
    continuity.refuse_other_history()  # its outbox may hold mails that were sent before
    total = 0
    while handled := delivery.deliver_due():
        total += handled
    return total
