"""``idp backup``: made, proved, restored."""

import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click

from idp import clock, readiness, settings
from idp.backup import (
    choosing,
    erased_since,
    erasures,
    places,
    proving,
    putting_back,
    reading,
    storing,
    taking,
)
from idp.backup.parts import Manifest
from idp.backup.putting_back import Restored, Wishes
from idp.backup.troubles import BackupTrouble
from idp.cli import application, errors, output, upgrading
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.purge import erasing
from idp.readiness import proofs
from idp.settings.secrets import Secrets

PIPE: Final = "-"

command = Noun("backup", help="Make backups, prove that they can be restored, and restore them.")

_key_files = click.option(
    "--key-file",
    "key_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with keys of before, one a line, where IDP_BACKUP_KEY has none of them by now.",
)
_source = click.argument("source", metavar="FILE", type=click.Path(allow_dash=True))


def _with_its_own_codes(function: Callable[..., None]) -> Callable[..., None]:
    """What can be wrong with a backup ends the command with a code of its own, and SIGTERM lets it
    clear up.
    """

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> None:
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            function(*args, **kwargs)
        except BackupTrouble as trouble:
            click.echo(f"idp: {errors.sentence(trouble)}", err=True)
            click.get_current_context().exit(trouble.code)
        finally:
            signal.signal(signal.SIGTERM, before)

    return called


@command.command("create")
@click.argument("target", type=click.Path(allow_dash=True))
@click.option(
    "--keep", type=click.IntRange(1, 10_000), help="How many backups stay in the folder TARGET."
)
@click.option("--verify", is_flag=True, help="Prove it too, as `idp backup verify` does.")
@output.json_option
@_with_its_own_codes
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
    row = {"file": str(file), "bytes": file.stat().st_size, **_row(manifests[0])}
    output.one(row, as_json)
    if verify:
        _prove(str(file), [], None, quiet=as_json)
    if keep:  # once it is proved, where it is to be: the older ones may be the only good ones
        storing.prune(file, keep)


@command.command("verify")
@_source
@_key_files
@click.option(
    "--database-url", help="An empty PostgreSQL database, where the role may create none itself."
)
@output.json_option
@_with_its_own_codes
def backup_verify(
    source: str, key_files: tuple[Path, ...], database_url: str | None, as_json: bool
) -> None:
    """Prove that a backup can be restored: into a database that is thrown away afterwards.

    Every byte is checked, every row counted, and what must be so of the rows is asked. For
    PostgreSQL the role needs CREATEDB, and pg_restore has to be installed. When it was proved is
    kept for `idp check` and the metrics.

    Ends with 0 where it is good, 1 where something in it must not be so, 3 encrypted with another
    key, 4 damaged, 5 cut off, 6 something appended, 7 in another order, 8 of a newer release, 2
    anything else.

    Examples:
      idp backup verify /var/lib/idp/backups/idp-20261129T033000Z.idp-backup
      ssh backups@elsewhere.example cat idp.backup | idp backup verify -
    """
    row = _prove(source, list(key_files), database_url, quiet=as_json)
    output.one(row, as_json)


@command.command("restore")
@_source
@_key_files
@click.option("--replace", is_flag=True, help="Put it in the place of the database that is there.")
@click.option("--keep-keys", is_flag=True, help="The signing keys that are there stay.")
@click.option(
    "--without-grants", is_flag=True, help="PostgreSQL: leave out what other roles may do."
)
@click.option(
    "--erasures-from",
    "lists",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A newer backup, or what `idp backup erasures` wrote: who was erased since.",
)
@click.option(
    "--erasures-unknown", is_flag=True, help="Nobody knows who was erased since: I see to it."
)
@click.confirmation_option(
    prompt="Every parent and application has to sign in again. Restore the backup?"
)
@output.json_option
@_with_its_own_codes
def backup_restore(
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
    with _opened(source, list(key_files)) as backup:
        putting_back.refuse_unfit(backup.manifest, there, wanted)
        gathered = erased_since.gather(backup.manifest, there, lists, _keys_in(key_files))
        if not erasures_unknown:
            erased_since.refuse_unknown(gathered, backup.manifest)
        outcome = putting_back.restore(
            backup,
            there,
            wanted,
            create=application.build,
            upgrade=lambda: upgrading.upgrade("head", lambda _words: None),
            erase=lambda: _erase_again(gathered.ids),
            say=_say(as_json),
        )
    for sentence in (*outcome.notes, *filter(None, [erased_since.gap(gathered)])):
        click.echo(f"idp: {sentence}", err=True)
    row = {
        **_row(backup.manifest),
        "erased_again": outcome.erased,
        "erasures_known_until": gathered.until,
        "former": outcome.former,
        **outcome.ended,
    }
    output.one(row, as_json)
    click.echo(_next_steps(outcome), err=True)


def _erase_again(ids: set[str]) -> int:
    if not ids:
        return 0
    moment = clock.now()
    done = erasing.erase_again(erasing.Erased(each, moment) for each in ids)
    erasing.scrub()
    return done


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


@command.command("latest")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_key_files
@_with_its_own_codes
def backup_latest(folder: Path, key_files: tuple[Path, ...]) -> None:
    """Print the newest backup of FOLDER of which every byte is as it was written.

    The time that stands in a backup counts, not its name. One that is damaged is passed over, and
    so is one of a time to come, where there is another: a clock went ahead. Each is told.

    Ends with 3 or 8, and prints none, where one with a later name was encrypted with another key or
    made by a newer release: it may be the newest.

    Example:
      idp backup restore "$(idp backup latest /var/lib/idp/backups)" --replace
    """
    say = partial(click.echo, err=True)
    click.echo(choosing.latest(folder, _keys_in(key_files), lambda words: say(f"idp: {words}")))


@command.command("erasures")
def backup_erasures() -> None:
    """Print who was erased, by ids alone: for a restore where the database is lost.

    Each backup holds the list, too.

    Example:
      idp backup erasures > erasures.new && mv erasures.new erasures.txt
    """
    readiness.refuse_other_schema()
    with erasures.reading() as now:
        for line in erasures.lines_of(now, clock.now()):
            click.echo(line)


def _prove(
    source: str, key_files: list[Path], address: str | None, *, quiet: bool
) -> dict[str, Any]:
    with _opened(source, key_files) as backup:
        outcome = proving.prove(
            backup,
            _room(),
            create=application.build,
            upgrade=lambda: upgrading.upgrade("head", lambda _words: None),
            say=_say(quiet),
            address=address,
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
    return {**_row(outcome.manifest), "proved": True, "noted": noted}


def _row(manifest: Manifest) -> dict[str, Any]:
    return {
        "made_at": manifest.moment,
        "release": manifest.release,
        "schema": manifest.revision,
        "kind": manifest.kind,
        "rows": sum(manifest.rows.values()),
    }


def _say(quiet: bool) -> Callable[[str], object]:
    return (lambda _words: None) if quiet else (lambda words: click.echo(words, err=True))


def _room() -> Path:
    """A folder with room for a copy of an SQLite database: its own."""
    url = settings.current().sqlalchemy_url
    if url.startswith("sqlite"):
        return Path(url.removeprefix("sqlite:///")).absolute().parent
    return Path(tempfile.gettempdir())


@contextmanager
def _opened(source: str, key_files: list[Path]) -> Iterator[reading.Backup]:
    place = sys.stdin.buffer if source == PIPE else Path(source)
    with reading.opened(place, _keys_in(key_files)) as backup:
        yield backup


def _keys_in(files: Iterable[Path]) -> list[bytes]:
    """As the setting has them: one a line, the newest first."""
    texts = [file.read_text(encoding="utf-8", errors="replace").strip() for file in files]
    return [bytes(each) for text in texts for each in Secrets.of_text(text).all]
