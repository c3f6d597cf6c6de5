"""``idp keys``: the signing keys."""

from datetime import datetime
from typing import Any

import click

from idp import readiness, settings
from idp.audit import events
from idp.cli import output
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.database import db
from idp.oidc.keyring import keyring, store_of
from idp.oidc.keys import KeyEntry, KeyTrouble
from idp.readiness import agreement

COLUMNS = ("kid", "alg", "state", "created_at", "signs_since", "retired_at")

command = Noun("keys", help="Signing keys.")


@command.command("list")
@output.json_option
def keys_list(as_json: bool) -> None:
    """List the keys: the next, the current and the retired.

    Example:
      idp keys list
    """
    _print(keyring().entries(), as_json)


@command.command("ensure")
@click.option("--anew", is_flag=True, help="Other machines have keys, and all of them are lost.")
@output.json_option
def keys_ensure(anew: bool, as_json: bool) -> None:
    """Make the keys that are missing; prints those that were made.

    An empty folder beside a database that knows keys is refused: copy the folder of another
    machine there.

    Example:
      idp keys ensure
    """
    readiness.refuse_other_schema()  # what is done to keys must be on record
    if not anew:
        _refuse_second_beginning()
    made = keyring().ensure()
    for entry in made:
        events.record("key_made", kid=entry.kid, alg=entry.alg)
    if made:
        agreement.note_keys()
    _print(made, as_json)


@command.command("rotate")
@click.option("--force", is_flag=True, help="Even if applications may not know the next keys yet.")
@output.json_option
def keys_rotate(force: bool, as_json: bool) -> None:
    """Sign with the next keys from now on; the former ones verify until their tokens expired.

    Running workers notice by themselves.

    Example:
      idp keys rotate
    """
    readiness.refuse_other_schema()  # what is done to keys must be on record
    entries = keyring().rotate(force=force)
    events.record("key_rotated", forced=force)
    agreement.note_keys()
    _print(entries, as_json)


@command.command("retire")
@click.argument("kids", metavar="KID…", nargs=-1, required=True)
def keys_retire(kids: tuple[str, ...]) -> None:
    """Take keys out at once, because they were disclosed: their tokens verify no more.

    Example:
      idp keys retire rs256-NzbLsXh8uDCcd-6M
    """
    readiness.refuse_other_schema()  # what is done to keys must be on record
    for kid in kids:
        entry = keyring().retire(kid)
        events.record("key_retired", kid=entry.kid, alg=entry.alg)
        agreement.note_keys()
        click.echo(f"{entry.kid} ({entry.alg}) is gone.")


@command.command("move")
@click.option(
    "--to",
    "where",
    type=click.Choice(["folder", "database"]),
    required=True,
    help="Where the keys are to lie too.",
)
@output.json_option
def keys_move(where: str, as_json: bool) -> None:
    """Put the keys where IDP_KEYS_IN does not look yet; they stay where they are as well.

    Safe while serving. Then set IDP_KEYS_IN on every machine and restart; until all have it, rotate
    nothing. Read "Signing keys" in docs/operator.md first.

    Example:
      idp keys move --to database
    """
    readiness.refuse_other_schema()
    now = settings.current()
    if where == now.keys_in:
        raise BadInput(f"IDP_KEYS_IN is {where} already")
    if not now.keys_encryption_key:
        raise BadInput("IDP_KEYS_ENCRYPTION_KEY is missing, under which the database's are sealed")
    entries = keyring().copy_to(store_of(now, where, lambda: db.engine))
    events.record("keys_moved", to=where)
    _print(entries, as_json)


def _refuse_second_beginning() -> None:
    try:
        keyring().entries()
    except KeyTrouble:
        if agreement.knows_keys():
            copy = (
                "copy their folder of keys"
                if settings.current().keys_in == "folder"
                else "set IDP_KEYS_IN=folder again, and run `idp keys move --to database`"
            )
            raise BadInput(
                f"other machines sign with keys that are not here: {copy}; "
                "if all of them are lost, add --anew"
            ) from None


def _print(entries: list[KeyEntry], as_json: bool) -> None:
    output.rows([_row(entry) for entry in entries], COLUMNS, as_json)


def _row(entry: KeyEntry) -> dict[str, Any]:
    moments = {
        name: text and datetime.fromisoformat(text)
        for name in ("created_at", "signs_since", "retired_at")
        for text in [getattr(entry, name)]
    }
    return {**output.fields(entry, "kid", "alg", "state"), **moments}
