"""``idp backup restore``, ``latest``, ``erasures``: what is needed once a database is lost."""

from functools import partial
from pathlib import Path

import click

from idp import clock, readiness
from idp.backup import choosing, erased_since, erasures, places, putting_back
from idp.backup.putting_back import Restored, Wishes
from idp.cli import application, output, upgrading
from idp.cli.backup_options import (
    erasures_option,
    erasures_unknown_option,
    key_files_option,
    keys_in,
    opened,
    row_of,
    sayer,
    source_argument,
    still_living,
    with_its_own_codes,
)
from idp.cli.errors import BadInput
from idp.purge import erasing
from idp.readiness import agreement, marks


@source_argument
@key_files_option
@click.option("--replace", is_flag=True, help="Put it in the place of the database that is there.")
@click.option("--keep-keys", is_flag=True, help="The signing keys that are there stay.")
@click.option(
    "--without-grants", is_flag=True, help="PostgreSQL: leave out what other roles may do."
)
@erasures_option
@erasures_unknown_option
@click.confirmation_option(
    prompt="Every parent and application has to sign in again. Restore the backup?"
)
@output.json_option
@with_its_own_codes
def restore(
    source: str,
    key_files: tuple[Path, ...],
    lists: tuple[Path, ...],
    erasures_unknown: bool,
    as_json: bool,
    **wishes: bool,
) -> None:
    """Put a backup in the database's place, whole or not at all, with all that a restore owes.

    An older schema is upgraded, who was erased since is erased again, and every session, grant and
    token ends, before it takes the place of what was there. That stays beside under another name.
    Stop the provider, its workers and timers first. Read "Backup and restore" in docs/operator.md.

    Example:
      idp backup restore /var/lib/idp/backups/idp-20261129T033000Z.idp-backup --replace
    """
    there, wanted = places.place(), Wishes(**wishes)
    with opened(source, list(key_files)) as backup:
        putting_back.refuse_unfit(backup.manifest, there, wanted)
        gathered = erased_since.gather(backup.manifest, there, lists, keys_in(key_files))
        if not erasures_unknown:
            erased_since.refuse_unknown(gathered, backup.manifest)

        def erase() -> int:
            still_living(gathered, backup.manifest)
            return erasing.erase_again(gathered.ids)

        outcome = putting_back.restore(
            backup,
            there,
            wanted,
            create=application.build,
            upgrade=lambda: upgrading.upgrade("head", lambda _words: None),
            erase=erase,
            say=sayer(as_json),
        )
    for sentence in (*outcome.notes, *filter(None, [erased_since.gap(gathered)])):
        click.echo(f"idp: {sentence}", err=True)
    row = {
        **row_of(backup.manifest),
        "erased_again": outcome.erased,
        "erasures_known_until": gathered.until,
        "former": outcome.former,
        **outcome.ended,
    }
    output.one(row, as_json)
    click.echo(_next_steps(outcome), err=True)


def _next_steps(outcome: Restored) -> str:
    agree = "run `idp db agree --yes`, " if outcome.notes else ""
    former = (
        f" The former database is {outcome.former}: it holds people's data, so remove it once"
        " nothing of it is needed."
        if outcome.former
        else ""
    )
    return (
        f"Restored. Next: {agree}repeat what was ended since the backup (docs/operator.md, « What a"
        f" restored database brings back »), start the provider, run `idp check`.{former}"
    )


@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@key_files_option
@with_its_own_codes
def latest(folder: Path, key_files: tuple[Path, ...]) -> None:
    """Print the newest backup of FOLDER of which every byte is as it was written.

    Not its name counts, but the number of the last audit event in it, which only grows; what was
    made after a restore is newer than what that undid. The time that stands in it decides where
    numbers are the same. Each that is passed over is told where it is damaged, cannot be read, is
    of another database, or says a later time though it is older: a clock went ahead.

    Ends with 3 or 8, and prints none, where one with a later name was encrypted with another key or
    made by a newer release: it may be the newest. With an earlier name it is passed over, and told.

    Example:
      idp backup restore "$(idp backup latest /var/lib/idp/backups)" --replace
    """
    say = partial(click.echo, err=True)
    click.echo(choosing.latest(folder, keys_in(key_files), lambda words: say(f"idp: {words}")))


def list_erased() -> None:
    """Print who was erased, by ids alone: for a restore where the database is lost.

    Each backup holds the list, too. The last line is its seal, under IDP_SUBJECT_KEY: a restore
    refuses a list that was written or changed by anybody else.

    Example:
      idp backup erasures > erasures.new && mv erasures.new erasures.txt
    """
    readiness.refuse_other_schema()
    if "subject_key" in agreement.differing(marks.read()):
        raise BadInput(f"{agreement.not_the_one('subject_key')}: they could not prove the list")
    with erasures.reading() as now:
        for line in erasures.sealed(erasures.lines_of(now, clock.now())):
            click.echo(line)
