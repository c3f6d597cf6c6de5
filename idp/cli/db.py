"""``idp db``: the schema of the database."""

from dataclasses import asdict
from pathlib import Path

import alembic.command
import click
from sqlalchemy.exc import IntegrityError

from idp import readiness
from idp.backup import erased_since, put_back
from idp.cli import output, upgrade_plan, upgrading
from idp.cli.backup_options import (
    erasures_option,
    erasures_unknown_option,
    key_files_option,
    keys_in,
    still_living,
    with_its_own_codes,
)
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.database import db
from idp.lifecycle import restored
from idp.purge import erasing
from idp.readiness import agreement

PLANNED = ("step", "locks", "rows", "seconds", "serves", "does")

command = Noun("db", help="Bring the database to the schema of this version.")


@command.command("upgrade")
@click.argument("revision", default="head")
@click.option(
    "--plan",
    "only_plan",
    is_flag=True,
    help="Change nothing: say each step, what it locks, how many rows it goes through, and about "
    "how long it takes. Ends with 1 if there is any.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_context
def db_upgrade(ctx: click.Context, revision: str, only_plan: bool, as_json: bool) -> None:
    """Upgrade to the newest schema, or to REVISION. Nothing to do is fine.

    Safe beside traffic of the former version: one step after the other, none of which waits long
    for a lock. Whatever stops it, run it again.

    Examples:
      idp db upgrade --plan
      idp db upgrade
    """
    if as_json and not only_plan:
        raise click.UsageError("--json goes with --plan")
    if only_plan:
        steps = upgrade_plan.plan(revision)
        _print_plan(steps, as_json)
        ctx.exit(1 if steps else 0)
    upgrading.upgrade(revision, lambda words: click.echo(words, err=True))
    click.echo(f"The schema is at {readiness.schema().current}.")


def _print_plan(steps: list[upgrade_plan.Step], as_json: bool) -> None:
    if as_json:
        output.rows([asdict(step) for step in steps], (), as_json=True)
        return
    if not steps:
        click.echo("Nothing to do.")
        return
    output.rows([asdict(step) for step in steps], PLANNED, as_json=False)
    click.echo(upgrade_plan.summary(steps))


@command.command("downgrade")
@click.argument("revision")
@click.confirmation_option(prompt="Data of newer tables and columns is lost. Go on?")
def db_downgrade(revision: str) -> None:
    """Go back to REVISION, after a backup: to the schema of the release before this one.

    Further back, rows may not fit what was there then, on SQLite above all: it stops at that step.
    `base` is for a database without people.

    Example:
      idp db downgrade 0050
    """
    try:
        upgrading.migrate(alembic.command.downgrade, revision)
    except IntegrityError as error:
        db.session.remove()
        raise BadInput(
            f"the rows that are there do not fit an older schema: it stays at"
            f" {readiness.schema().current}. Going back is made for one release; beyond it, restore"
            " a backup with the release that made it"
        ) from error
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
@erasures_option
@erasures_unknown_option
@key_files_option
@click.option("--yes", is_flag=True, help="Confirm the action without prompting.")
@output.json_option
@with_its_own_codes
def db_restored(
    lists: tuple[Path, ...],
    erasures_unknown: bool,
    key_files: tuple[Path, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """After a restore by other means than `idp backup restore`: do what a restore owes.

    What was ended or revoked after the backup is alive again in it, and who was erased is there
    again. The provider notices, and serves nobody until this was run. It erases again whom the
    lists name, and ends every session, grant and token. It may be run again, with a list that
    turned up later. Read "Backup and restore" in docs/operator.md first.

    Examples:
      idp db restored --erasures-from erasures.txt
      idp db restored --erasures-unknown --yes
    """
    readiness.refuse_other_schema()
    state = put_back.present()
    if lists:
        put_back.refuse_lists(state)
    gathered = erased_since.listed(state, lists, keys_in(key_files))
    # All that was seen is there: nobody came back
    if not (erasures_unknown or (state.goes_on and not lists)):
        erased_since.refuse_unknown(gathered, state)
    living = still_living(gathered, state)
    if not yes:
        click.confirm(_question(living), abort=True)
    # First: what stops here leaves a database that serves nobody
    erased = erasing.erase_again(gathered.ids)
    output.one({"erased_again": erased, **restored.end_what_came_back(state.moment)}, as_json)
    if state.goes_on and not state.is_acknowledged:
        return
    since = gathered.until or state.moment
    click.echo(
        f"idp: nobody has told who was erased after {since:%Y-%m-%d %H:%M}Z: run it again with"
        " --erasures-from and a newer backup or what `idp backup erasures` wrote (of the former"
        " database too, where it can be read); or ask the schools, and erase them again by hand",
        err=True,
    )


def _question(living: erasing.Living) -> str:
    desk = f", {living.at_a_desk} of them with a role at a desk" if living.at_a_desk else ""
    erased = f"{len(living.ids)} people who are there are erased for good{desk}. "
    return (
        f"{erased if living.ids else ''}Every parent and application has to sign in again. Was the"
        " database restored?"
    )


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
