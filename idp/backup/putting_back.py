"""Puts a backup back: everything happens beside, and takes the place of what was in one step.

A restore that is stopped at any moment leaves the former database, or none at all: never half of
one. What a restore owes (security rules R9, R13 and R16) is done before anybody can be served: all
that proves who somebody is ends, and who was erased since is erased again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from idp import settings
from idp.audit import continuity
from idp.backup import elsewhere, key_rows, proving, reading, taking
from idp.backup.elsewhere import Create
from idp.backup.parts import Manifest
from idp.backup.places import Place
from idp.backup.reading import Backup
from idp.backup.troubles import BackupTrouble
from idp.lifecycle import restored
from idp.oidc import key_files
from idp.readiness import agreement, schema

Say = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What whoever restores has said."""

    replace: bool = False
    keep_keys: bool = False
    without_grants: bool = False


@dataclass
class Restored:
    """What a restore came to: what was ended, who was erased again, and what is left to do."""

    manifest: Manifest
    ended: dict[str, int] = field(default_factory=dict)
    erased: int = 0
    notes: list[str] = field(default_factory=list)
    former: str | None = None
    """Where the database lies that was replaced."""


def restore(
    backup: Backup,
    place: Place,
    wishes: Wishes,
    *,
    create: Create,
    upgrade: Callable[[], None],
    erase: Callable[[], int],
    say: Say,
) -> Restored:
    """Put it in the place of the database; raises ``BackupTrouble`` where it can't be, and leaves
    everything as it was then.

    ``erase``: erases in the present database whoever was erased since the backup was made.
    """
    manifest = backup.manifest
    outcome = Restored(manifest)
    keys = settings.current().keys_folder
    present = _present_keys(place, wishes)
    with place.beside() as beside:
        say(f"… restoring the state of {manifest.moment:%Y-%m-%d %H:%M}Z beside")
        backup.into(
            beside,
            grants=not wishes.without_grants,
            judge=lambda files: _judge_keys(keys, files, wishes),
        )
        chosen = _keys_beside(beside.folder, keys, backup.keys)
        history = beside.folder / "history.json"
        with elsewhere.looking_at(create, beside.address, keys=chosen, history=history) as leave:
            _refuse_different(manifest)
            if not schema().up_to_date:
                say(f"… upgrading it from schema {manifest.revision}")
                upgrade()
            if present:
                key_rows.write(present, keep=wishes.keep_keys)
            outcome.notes += proving.contradicted(manifest)
            outcome.erased = erase()
            if wishes.keep_keys or present:
                agreement.note_keys()  # those that are there stay: all others are to have them
            say("… ending what came back to life")
            outcome.ended = restored.end_what_came_back(manifest.moment)
            outcome.notes += [*proving.other_secrets(manifest), *agreement.differences()]
            leave()
        if chosen not in {None, keys}:
            reading.keys_into(keys, backup.keys)
        say("… putting it in the database's place")
        outcome.former = place.take(beside)
    continuity.begin_anew()  # this machine has seen more, of what is no more
    return outcome


def refuse_unfit(manifest: Manifest, place: Place, wishes: Wishes) -> None:
    """Raise ``BackupTrouble`` where it can't be restored here, before anything is done."""
    reading.refuse_newer(manifest)
    reading.refuse_other_kind(manifest, place.kind)
    taking.refuse_pooled()
    if place.is_full() and not wishes.replace:
        raise BackupTrouble(
            "the database is not empty: with --replace the backup takes its place, and it stays"
            " beside under another name"
        )
    place.refuse_others()


def _refuse_different(manifest: Manifest) -> None:
    different = proving.different_counts(manifest)
    if different:
        raise BackupTrouble(f"not all of the backup came back: {'; '.join(different)}")


def _present_keys(place: Place, wishes: Wishes) -> key_rows.Rows | None:
    """The keys of the database that is replaced, where keys are in databases.

    Raises ``BackupTrouble`` where they are to stay and can't be read.
    """
    if settings.current().keys_in == "folder" or not place.is_full():
        return None
    present = key_rows.read()
    if present is None and wishes.keep_keys:
        raise BackupTrouble(
            "--keep-keys: the keys of the database that is there can't be read; without it those of"
            " the backup sign (retire again what was retired since: idp keys retire)"
        )
    return present


def _judge_keys(folder: Path, files: dict[str, bytes], wishes: Wishes) -> None:
    """Raise ``BackupTrouble`` where the keys of the backup can't be those that sign here."""
    in_folder = settings.current().keys_in == "folder"
    if in_folder != bool(files):
        there, word = ("a folder", "folder") if files else ("the database", "database")
        raise BackupTrouble(
            f"the backup's signing keys were in {there}: restore it with IDP_KEYS_IN={word}, then"
            " move them (idp keys move)"
        )
    ours = {entry.kid for entry in key_files.read_index(folder)} if in_folder else set()
    theirs = {Path(name).stem for name in files if name.endswith(".pem")}
    if ours and not theirs <= ours and not wishes.keep_keys:
        raise BackupTrouble(
            f"{folder} holds other keys than the backup: with --keep-keys the keys that are there"
            " stay (they were rotated since); else move the folder away"
        )


def _keys_beside(folder: Path, keys: Path, files: dict[str, bytes]) -> Path | None:
    """The folder of the keys that will sign: those that are there, else the backup's; None: they
    are in the database.
    """
    if files and key_files.read_index(keys):
        return keys
    return reading.keys_into(folder / "keys", files)
