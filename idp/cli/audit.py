"""``idp audit``: the audit trail."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
from sqlalchemy import select

from idp.audit.models import AuditEvent
from idp.audit.vocabulary import VOCABULARY
from idp.cli import inputs, output
from idp.cli.group import Noun
from idp.database import db

COLUMNS = ("at", "event", "result", "actor", "account_id", "child_id", "client_id", "detail")
ALL = (*COLUMNS, "id", "session_id", "address", "correlation_id")

PIECE = 1000

command = Noun("audit", help="The audit trail.")


@command.command("list")
@click.option(
    "--event", "events", multiple=True, type=click.Choice(sorted(VOCABULARY)), metavar="EVENT"
)
@click.option("--result", help="Such as ok or refused.")
@click.option("--account", "account_id", help="On which account.")
@click.option("--child", "child_id", help="On which child.")
@click.option("--client", "client_id", help="Through which application.")
@click.option("--actor", help="By whom: an account's id, cli or worker.")
@click.option("--correlation", "correlation_id", help="The id that an error page shows.")
@click.option("--since", type=inputs.moment, help="From this time on.")
@click.option("--until", type=inputs.moment, help="Before this time.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--all", "everything", is_flag=True, help="However many there are.")
@output.json_option
def audit_list(
    events: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    limit: int,
    everything: bool,
    as_json: bool,
    **equal: str | None,
) -> None:
    """List what happened, the newest first.

    Examples:
      idp audit list --limit 20
      idp audit list --event sign_in_refused --since 2026-11-23
      idp audit list --correlation 3f9a1c2be07d4456 --json
    """
    query = select(*(getattr(AuditEvent, name) for name in ALL)).order_by(AuditEvent.id.desc())
    if events:
        query = query.where(AuditEvent.event.in_(events))
    if since is not None:
        query = query.where(AuditEvent.at >= since)
    if until is not None:
        query = query.where(AuditEvent.at < until)
    for name, value in equal.items():
        if value is not None:
            query = query.where(getattr(AuditEvent, name) == value)
    rows = output.limited(_in_pieces(query), None if everything else limit, "--limit, or --all")
    output.stream(rows, COLUMNS, as_json)


def _in_pieces(query: Any) -> Iterator[dict[str, Any]]:
    """A thousand at a time: of a year there are millions."""
    before = query
    while piece := db.session.execute(before.limit(PIECE)).all():
        yield from (dict(row._mapping) for row in piece)
        before = query.where(AuditEvent.id < piece[-1].id)
