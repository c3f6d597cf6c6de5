"""Proves a backup: restores it into a database that is thrown away, and asks what must be so."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning

from idp.backup import elsewhere, reading, taking
from idp.backup.elsewhere import Create
from idp.backup.parts import Manifest
from idp.backup.reading import Backup
from idp.database import db
from idp.oidc.keyring import keyring
from idp.oidc.keys import NEEDED, KeyTrouble
from idp.readiness import invariants, schema

Say = Callable[[str], object]


@dataclass
class Outcome:
    """What a proof came to. ``wanting``: sentences, none where the backup is good; ``notes``: what
    differs from the running installation, and is no fault of the backup.
    """

    manifest: Manifest
    wanting: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def prove(
    backup: Backup,
    room: Path,
    *,
    create: Create,
    upgrade: Callable[[], None],
    say: Say,
    address: str | None = None,
    look: Callable[[], object] = lambda: None,
) -> Outcome:
    """Restore the backup beside, ask everything, and remove what was restored.

    ``room``: a folder for an SQLite database. ``address``: of an empty PostgreSQL database, where
    the role may not create one. ``look`` is called where it is restored. Raises
    ``BackupTrouble`` where it can't be read to its end.
    """
    manifest = backup.manifest
    reading.refuse_newer(manifest)
    reading.refuse_other_kind(manifest)
    taking.refuse_pooled()
    outcome = Outcome(manifest)
    with elsewhere.throw_away(room, address) as beside:
        say(f"… restoring the state of {manifest.moment:%Y-%m-%d %H:%M}Z beside")
        backup.into(beside)
        keys = reading.keys_into(beside.folder / "keys", backup.keys)
        history = beside.folder / "history.json"
        with elsewhere.looking_at(create, beside.address, keys=keys, history=history):
            outcome.wanting += different_counts(manifest)
            if outcome.wanting:
                return outcome
            if not schema().up_to_date:
                say(f"… upgrading it from schema {manifest.revision}")
                upgrade()
            say("… asking what must be so")
            outcome.wanting += contradicted(manifest)
            outcome.notes += other_secrets(manifest)
            look()
    return outcome


def different_counts(manifest: Manifest) -> list[str]:
    """Tables that have not the rows that the backup says."""
    with db.engine.connect() as now:
        there = {table: taking.count(now, table) for table in taking.tables(now)}
    return [
        f"{table} has {there.get(table, 'no such table')}, not the {rows} rows that were backed up"
        for table, rows in manifest.rows.items()
        if there.get(table) != rows
    ]


def contradicted(manifest: Manifest) -> list[str]:
    """What must be so of a restored database, and is not; as sentences."""
    sentences = [
        f"{each.sentence} (such as {each.example})"
        for each in (*invariants.contradictions(), *invariants.orphans())
    ]
    return [*sentences, *_audit_log(manifest), *_keys()]


def other_secrets(manifest: Manifest) -> list[str]:
    """Secrets of the running installation that the backup was not made with."""
    names = reading.other_secrets(manifest)
    return [f"{name} is not what it was when the backup was made" for name in names]


def _audit_log(manifest: Manifest) -> Iterator[str]:
    with db.engine.connect() as now:
        newest = taking.newest_event(now)
    if newest != manifest.newest_event:
        yield "the audit trail does not end with the event that was the newest"
    for sentence in invariants.changes_of_audit_log():
        yield f"the audit trail: {sentence}"


def _keys() -> Iterator[str]:
    """Each key that signs is read, signs, and what it signed is verified by what is published."""
    for alg in NEEDED:
        try:
            key = keyring().signing_key(alg)
            header = {"alg": alg, "kid": str(key.kid)}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)  # EdDSA is called Ed25519 by now
                signed = jwt.encode(header, {"is": "signed"}, key, algorithms=[alg])
                jwt.decode(signed, keyring().verification_keys(), algorithms=[alg])
        except (KeyTrouble, JoseError) as error:
            yield f"the key for {alg} does not sign: {error}"
