"""``idp overview``: the numbers of the whole platform, which are counted beside the pages."""

import click

from idp.cli.group import Noun
from idp.cli.output import counted
from idp.desk.overview import counting

command = Noun("overview", help="The figures of the whole platform, for operators.")


@command.command("refresh")
def overview_refresh() -> None:
    """Count the figures of the whole platform, for the overview and the applications' pages.

    Needed where there are more than 20,000 accounts: run it every quarter of an hour.

    Example:
      idp overview refresh
    """
    done = counted(counting.refresh(), "application", "applications")
    click.echo(f"Counted the platform, and the use of {done}.")
