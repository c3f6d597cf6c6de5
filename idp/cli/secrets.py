"""``idp secrets``: the secrets of the settings, and what hangs on each."""

from typing import Any

import click

from idp import readiness
from idp.cli import output
from idp.cli.group import Noun
from idp.doctor import hanging
from idp.doctor.hanging import Hanging
from idp.settings import variable

COLUMNS = ("secret", "place", "fingerprint", "hanging", "until", "waits_for", "may_go")

command = Noun("secrets", help="The secrets of the settings, and what hangs on each.")


@command.command("status")
@output.json_option
@click.pass_context
def secrets_status(ctx: click.Context, as_json: bool) -> None:
    """Say what hangs on each secret, and which former one may go. Ends with 1 while any may not.

    Place 1 is the newest of a list, place 0 one that is in no list any more: what hangs on that is
    lost, and ends with 1 too. `until` is when time has ended what it can end; the rest is made anew
    when it is used.

    Examples:
      idp secrets status
      idp secrets status --json
    """
    readiness.refuse_other_schema()
    secrets = hanging.load_all()
    if as_json:
        output.rows([_row(each) for each in secrets], (), as_json=True)
    else:
        output.rows([_line(each) for each in secrets], COLUMNS, as_json=False)
    waits = any(each.place > 1 and not each.may_go for each in secrets)
    lost = any(each.place == 0 for each in secrets)
    ctx.exit(1 if waits or lost else 0)


def _row(each: Hanging) -> dict[str, Any]:
    return {
        "secret": variable(each.name),
        "place": each.place,
        "fingerprint": each.fingerprint or None,
        "hanging": each.counts,
        "until": each.until,
        "waits_for": each.waits_for,
        "may_go": each.may_go and each.place > 1,
    }


def _line(each: Hanging) -> dict[str, Any]:
    row = _row(each)
    row["hanging"] = ", ".join(f"{count} {name}" for name, count in each.counts.items())
    row["waits_for"] = ", ".join(f"{name}: {what}" for name, what in each.waits_for.items())
    return row
