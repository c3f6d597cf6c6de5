"""``idp roster work``: the worker that does what pages ask for."""

import logging

import click

from idp import settings
from idp.audit import continuity
from idp.cli import application
from idp.cli.output import counted
from idp.cli.roster.noun import command
from idp.readiness import agreement
from idp.roster import work

log = logging.getLogger(__name__)


@command.command("work")
@click.option("--once", is_flag=True, help="Do what waits and stop.")
@click.option(
    "--pause",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two looks when nothing waits.",
)
def roster_work(once: bool, pause: float) -> None:
    """Read, check, carry out and undo what the desk asks for, until stopped (Ctrl-C or SIGTERM).

    Several may run; each machine that serves the desk needs one, beside its spool folder.

    Examples:
      idp roster work
      idp roster work --once
    """
    application.speak(settings.current().log_level)
    agreement.join()
    if once:
        continuity.refuse_other_history()
        count = 0
        while work.work_once():
            count += 1
        click.echo(f"{counted(count, 'task', 'tasks')} done.")
        return
    stop = application.stopped_by_signals()
    log.info("the import worker is at work")
    work.work(stop, pause)
