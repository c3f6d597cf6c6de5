"""``idp alive``: whether a worker goes on. A health check: it needs no setting and no database."""

from pathlib import Path

import click

from idp import heartbeat
from idp.cli.group import Command


@click.command("alive", cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--within",
    "longest_silence",
    type=click.FloatRange(min=5),
    default=heartbeat.LONGEST_SILENCE,
    show_default=True,
    help="Seconds after which a worker that said nothing hangs.",
)
def command(file: Path, longest_silence: float) -> int:
    """Say whether a worker goes on, by the file of its `--heartbeat`. Code 1: it hangs, or is gone.

    Examples:
      idp mail work --heartbeat /tmp/mail.alive
      idp alive /tmp/mail.alive
    """
    try:
        silence = heartbeat.silent_for(file)
    except OSError as error:
        click.echo(f"nobody is known to be alive: {file}: {error.strerror}")
        return 1
    if silence is None:
        click.echo(f"nobody is known to be alive: {file} is of before this machine started")
        return 1
    if silence > longest_silence:
        click.echo(f"hangs, or is gone: nothing was heard for {silence:.0f} s")
        return 1
    click.echo(f"alive: heard {silence:.0f} s ago")
    return 0
