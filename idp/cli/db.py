"""``idp db``: the schema of the database."""

import alembic.command
import click

from idp import readiness
from idp.cli import output, upgrading
from idp.cli.group import Noun
from idp.lifecycle import restored
from idp.readiness import agreement

command = Noun("db", help="Bring the database to the schema of this version.")


@command.command("upgrade")
@click.argument("revision", default="head")
def db_upgrade(revision: str) -> None:
    """Upgrade to the newest schema, or to REVISION. Nothing to do is fine.

    Safe beside traffic of the former version: one step after the other, none of which waits long
    for a lock. Whatever stops it, run it again.

    Example:
      idp db upgrade
    """
    upgrading.upgrade(revision, lambda words: click.echo(words, err=True))
    click.echo(f"The schema is at {readiness.schema().current}.")


@command.command("downgrade")
@click.argument("revision")
@click.confirmation_option(prompt="Data of newer tables and columns is lost. Go on?")
def db_downgrade(revision: str) -> None:
    """Go back to REVISION (`base`: an empty database), after a backup.

    Example:
      idp db downgrade 0001
    """
    upgrading.migrate(alembic.command.downgrade, revision)
    click.echo(f"The schema is at {readiness.schema().current or 'base'}.")


@command.command("current")
@output.json_option
def db_current(as_json: bool) -> None:
    """Show the database's schema and the newest one.

    Example:
      idp db current --json
    """
    schema = readiness.schema()
    row = {"current": schema.current, "newest": schema.newest, "up_to_date": schema.up_to_date}
    output.one(row, as_json)


@command.command("restored")
@click.confirmation_option(
    prompt="Every parent and application has to sign in again. Was the database restored?"
)
@output.json_option
def db_restored(as_json: bool) -> None:
    """After a restore from a backup: end every session, grant and token.

    What was ended or revoked after the backup is alive again in it. The provider notices, and
    serves nobody until this was run. Read "Backup and restore" in docs/operator.md first.

    Example:
      idp db restored --yes
    """
    readiness.refuse_other_schema()
    output.one(restored.end_what_came_back(), as_json)


@command.command("agree")
@click.confirmation_option(
    prompt="Other machines are refused until they have the same secrets and keys. Go on?"
)
def db_agree() -> None:
    """After a change of secrets, issuer or keys: take those of this machine for all.

    Read "Several machines" in docs/operator.md first.

    Example:
      idp db agree --yes
    """
    readiness.refuse_other_schema()
    changed = agreement.differences()
    agreement.settle()
    click.echo("\n".join(changed) or "Nothing differed.")
