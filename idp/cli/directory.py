"""``idp directory``: by what the desk finds people."""

import click

from idp.cli import output
from idp.cli.group import Noun
from idp.cli.output import counted
from idp.people import search_index

command = Noun("directory", help="The index by which people are found.")


@command.command("rebuild")
@output.json_option
def directory_rebuild(as_json: bool) -> None:
    """Make the index anew from what is stored; says how many lines of it were wrong.

    It is kept up to date by itself: needed after an upgrade during which servers of an earlier
    version went on serving, and harmless at any time, beside traffic.

    Example:
      idp directory rebuild
    """
    done = search_index.rebuild()
    if as_json:
        output.one(vars(done), as_json)
        return
    click.echo(f"{counted(done.entries, 'line', 'lines')}; mended: {done.mended}.")
