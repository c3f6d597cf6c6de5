"""``idp backup``: made, and proved; the rest is in ``idp.cli.backup_restore``."""

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from idp import settings
from idp.backup import erased_since, proving, storing, taking
from idp.backup.parts import Manifest
from idp.cli import application, backup_restore, output, upgrading
from idp.cli.backup_options import (
    PIPE,
    erasures_option,
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
from idp.cli.group import Noun
from idp.readiness import proofs

command = Noun("backup", help="Make backups, prove that they can be restored, and restore them.")
command.command("restore")(backup_restore.restore)
command.command("latest")(backup_restore.latest)
command.command("erasures")(backup_restore.list_erased)


@command.command("create")
@click.argument("target", type=click.Path(allow_dash=True))
@click.option(
    "--keep", type=click.IntRange(1, 10_000), help="How many backups stay in the folder TARGET."
)
@click.option("--verify", is_flag=True, help="Prove it too, as `idp backup verify` does.")
@output.json_option
@with_its_own_codes
def backup_create(target: str, keep: int | None, verify: bool, as_json: bool) -> None:
    """Back up the database, the signing keys and fingerprints of the secrets, encrypted.

    TARGET is a folder, in which it gets a name by time, a file, or - (standard output). The
    provider goes on serving. PostgreSQL needs pg_dump, no older than the server.

    Examples:
      idp backup create /var/lib/idp/backups --keep 14 --verify
      idp backup create - | ssh backups@elsewhere.example 'cat > idp.backup'
    """
    if target == PIPE:
        if keep or verify or sys.stdout.isatty():
            raise BadInput("- is for a pipe or a file, without --keep and --verify")
        taking.write(sys.stdout.buffer, Path.cwd())
        return
    if keep and not Path(target).is_dir():
        raise BadInput("--keep is for a folder")
    manifests: list[Manifest] = []
    file = storing.store(Path(target), lambda to, room: manifests.append(taking.write(to, room)))
    row = {"file": str(file), "bytes": file.stat().st_size, **row_of(manifests[0])}
    output.one(row, as_json)
    if verify:
        _prove(str(file), [], None, (), quiet=as_json)
    if keep:  # once it is proved, where it is to be: the older ones may be the only good ones
        storing.prune(file, keep)


@command.command("verify")
@source_argument
@key_files_option
@click.option(
    "--database-url", help="An empty PostgreSQL database, where the role may create none itself."
)
@erasures_option
@output.json_option
@with_its_own_codes
def backup_verify(
    source: str,
    key_files: tuple[Path, ...],
    database_url: str | None,
    lists: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Prove that a backup can be restored: into a database that is thrown away afterwards.

    Every byte is checked, every row counted, and what must be so of the rows is asked. For
    PostgreSQL the role needs CREATEDB, and pg_restore has to be installed. When it was proved is
    kept for `idp check` and the metrics. With --erasures-from the list is proved as a restore would
    take it, and it is told how many who are on it the backup still holds.

    Ends with 0 where it is good, 1 where something in it must not be so, 3 encrypted with another
    key, 4 damaged, 5 cut off, 6 something appended, 7 in another order, 8 of a newer release, 2
    anything else.

    Examples:
      idp backup verify /var/lib/idp/backups/idp-20261129T033000Z.idp-backup
      ssh backups@elsewhere.example cat idp.backup | idp backup verify -
    """
    row = _prove(source, list(key_files), database_url, lists, quiet=as_json)
    output.one(row, as_json)


def _prove(
    source: str,
    key_files: list[Path],
    address: str | None,
    lists: tuple[Path, ...],
    *,
    quiet: bool,
) -> dict[str, Any]:
    erasures: dict[str, Any] = {}
    with opened(source, key_files) as backup:
        gathered = erased_since.listed(backup.manifest, lists, keys_in(key_files))

        def look() -> None:
            living = still_living(gathered, backup.manifest)
            erasures["would_be_erased_again"] = len(living.ids)
            until = gathered.until
            # What ends before the backup tells a restore nothing
            is_beyond = until is not None and until > backup.manifest.moment
            erasures["erasures_known_until"] = until if is_beyond else None

        outcome = proving.prove(
            backup,
            _room(),
            create=application.build,
            upgrade=lambda: upgrading.upgrade("head", lambda _words: None),
            say=sayer(quiet),
            address=address,
            look=look if lists else lambda: None,
        )
    for sentence in outcome.notes:
        click.echo(f"idp: {sentence}", err=True)
    for sentence in outcome.wanting:
        click.echo(f"idp: {sentence}", err=True)
    if outcome.wanting:
        click.get_current_context().exit(1)
    noted = proofs.note_proof(
        outcome.manifest.database, outcome.manifest.moment, version("school-idp")
    )
    return {**row_of(outcome.manifest), "proved": True, "noted": noted, **erasures}


def _room() -> Path:
    """A folder with room for a copy of an SQLite database: its own."""
    url = settings.current().sqlalchemy_url
    if url.startswith("sqlite"):
        return Path(url.removeprefix("sqlite:///")).absolute().parent
    return Path(tempfile.gettempdir())
