"""What the commands of ``idp backup`` share: their options, their codes, how a backup is opened."""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from idp.backup import erased_since, reading
from idp.backup.parts import Manifest
from idp.backup.troubles import BackupTrouble
from idp.cli import errors
from idp.purge import erasing
from idp.settings.secrets import Secrets

PIPE: Final = "-"

key_files_option = click.option(
    "--key-file",
    "key_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with keys of before, one a line, where IDP_BACKUP_KEY has none of them by now.",
)
erasures_option = click.option(
    "--erasures-from",
    "lists",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A newer backup, or what `idp backup erasures` wrote: who was erased since.",
)
erasures_unknown_option = click.option(
    "--erasures-unknown", is_flag=True, help="Nobody knows who was erased since: I see to it."
)
source_argument = click.argument("source", metavar="FILE", type=click.Path(allow_dash=True))


def with_its_own_codes(function: Callable[..., None]) -> Callable[..., None]:
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


def row_of(manifest: Manifest) -> dict[str, Any]:
    """What a command prints of a backup."""
    return {
        "made_at": manifest.moment,
        "release": manifest.release,
        "schema": manifest.revision,
        "kind": manifest.kind,
        "rows": sum(manifest.rows.values()),
    }


def sayer(quiet: bool) -> Callable[[str], object]:
    """Tells each step on standard error, unless it is to be quiet."""
    return (lambda _words: None) if quiet else (lambda words: click.echo(words, err=True))


@contextmanager
def opened(source: str, key_files: list[Path]) -> Iterator[reading.Backup]:
    """The backup that an argument names. Raises ``BackupTrouble``."""
    place = sys.stdin.buffer if source == PIPE else Path(source)
    with reading.opened(place, keys_in(key_files)) as backup:
        yield backup


def still_living(gathered: erased_since.Gathered, older: erased_since.Older) -> erasing.Living:
    """Those who were erased since, and are there in what is put back: a restore erases them again.

    Changes nothing. Raises ``BackupTrouble`` where a list is contradicted by what is put back.
    """
    living = erasing.living(gathered.ids)
    erased_since.refuse_contradicted(gathered, older, living.ids)
    return living


def keys_in(files: Iterable[Path]) -> list[bytes]:
    """As the setting has them: one a line, the newest first."""
    texts = [file.read_text(encoding="utf-8", errors="replace").strip() for file in files]
    return [bytes(each) for text in texts for each in Secrets.of_text(text).all]
