"""``idp roster undo``, ``list``, ``show`` and ``discard``: imports that were made."""

import click

from idp.cli import output
from idp.cli.errors import BadInput
from idp.cli.roster import options, reporting
from idp.cli.roster.noun import command
from idp.roster import service


@command.command("undo")
@click.argument("run_id")
@click.option("--school", "school_ids", multiple=True, help="Only at this school; repeatable.")
@output.json_option
def roster_undo(run_id: str, school_ids: tuple[str, ...], as_json: bool) -> None:
    """Take an import back, within 7 days; what somebody changed since is left and told.

    Example:
      idp roster undo j_9fQk…
    """
    reports = service.undo(run_id, list(school_ids) or None)
    rows = [
        {
            "school": each.school,
            "school_id": each.school_id,
            "undone": each.undone.counts if each.undone else {},
            "left": each.undone.left if each.undone else {},
            "reason": reporting.why_not(each),
        }
        for each in reports
    ]
    if as_json:
        output.rows(rows, (), as_json)
    else:
        for each in reports:
            reporting.undone(each)
    if all(each.undone is None for each in reports):
        raise BadInput(f"nothing was undone: {reporting.why_not(reports[0])}")


@command.command("list")
@click.option("--school", "school_id", help="Of this school.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@output.json_option
def roster_list(school_id: str | None, limit: int, as_json: bool) -> None:
    """List imports, the newest first.

    Example:
      idp roster list --school s_4vXb…
    """
    rows = [reporting.facts(each) for each in service.list_runs(school_id=school_id, limit=limit)]
    output.rows(rows, ("id", "status", "format", "delta", "created_at", "finished_at"), as_json)


@command.command("show")
@click.argument("run_id")
@options.PEOPLE
@output.json_option
def roster_show(run_id: str, people: bool, as_json: bool) -> None:
    r"""Show what an import did at each school, in numbers; whom it was about, for a week.

    Examples:
      idp roster show j_9fQk…
      idp roster show j_9fQk… --people --json
    """
    run, reports = service.get(run_id), service.kept(run_id)
    reporting.show(run, service.with_people(reports, run_id) if people else reports, None, as_json)


@command.command("discard")
@click.argument("run_id")
def roster_discard(run_id: str) -> None:
    """Forget what `idp roster check` has read. It is forgotten after a day anyhow.

    Example:
      idp roster discard j_9fQk…
    """
    service.discard(run_id)
    click.echo(f"{run_id} is forgotten.")
