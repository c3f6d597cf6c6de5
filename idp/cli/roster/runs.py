"""``idp roster undo``, ``list``, ``show``, ``discard``, ``map`` and ``work``: imports that were
made, how their lists are read, and who carries them out.
"""

from pathlib import Path
from typing import Any

import click

from idp.cli import output, workers
from idp.cli.errors import BadInput
from idp.cli.output import counted
from idp.cli.roster import options, reporting
from idp.cli.roster.noun import command
from idp.roster import mapping, reading, service, work


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
    run, reports = service.get_run(run_id), service.kept(run_id)
    reporting.print_run(
        run, service.with_people(reports, run_id) if people else reports, None, as_json
    )


@command.command("discard")
@click.argument("run_id")
def roster_discard(run_id: str) -> None:
    """Forget what `idp roster check` has read. It is forgotten after a day anyhow.

    Example:
      idp roster discard j_9fQk…
    """
    service.discard(run_id)
    click.echo(f"{run_id} is forgotten.")


@command.command("work")
@workers.options("Do what waits and stop.", "Seconds between two looks when nothing waits.")
def roster_work(once: bool, pause: float, heart: Path | None) -> None:
    """Read, check, carry out and undo what the desk asks for, until stopped (Ctrl-C or SIGTERM).

    Several may run; each machine that serves the desk needs one, beside its spool folder.

    Examples:
      idp roster work
      idp roster work --once
    """
    done = workers.run("import", work.work_once, work.work, None if once else pause, heart)
    if once:
        click.echo(f"{counted(done, 'task', 'tasks')} done.")


@command.command("map")
@click.argument("file", type=options.FILE)
@click.option("--school", "school_id", required=True, help="The school's name or id.")
@click.option("--column", "columns", multiple=True, help='"Header=target"; "Header=-": not read.')
@click.option("--save", is_flag=True, help="Keep it for this school's next files.")
@output.json_option
@options.layout_options
def roster_map(
    file: Path, school_id: str, columns: tuple[str, ...], save: bool, as_json: bool, **layout: Any
) -> None:
    r"""Show which column of a list is read as what; correct it, and keep it.

    Targets: pupil.given, pupil.prefix (« van den »), pupil.family, pupil.name (both in one cell),
    pupil.class, pupil.number, pupil.left_on; guardian.1.given, .prefix, .family, .name, .email,
    .relationship, .number; guardian.2 …

    Examples:
      idp roster map pupils.xlsx --school s_4vXb…
      idp roster map pupils.xlsx --school s_4vXb… --column "Courriel=guardian.1.email" --save
    """
    shown = reading.preview_list(file, school_id, options.layout(**layout))
    header, chosen = shown.list_header.header, shown.guess.mapping
    if columns:
        chosen = mapping.changed(chosen, options.columns_of(columns), header)
    new = set(shown.guess.new)
    rows = [
        {
            "column": name,
            "target": chosen.columns.get(name, ""),
            "new": "new" if name in new else "",
        }
        for name in header
        if name
    ]
    rows += [
        {"column": f"(always {word})", "target": target, "new": ""}
        for target, word in chosen.constants.items()
    ]
    problems = chosen.problems()
    if save:
        reading.save_mapping(school_id, chosen)
    if as_json:
        facts = {**chosen.as_json(), "new": sorted(new), "names": shown.names}
        output.one(
            {**facts, **shown.list_header.facts(), "problems": problems, "saved": save}, as_json
        )
        return
    output.rows(rows, ("column", "target", "new"), as_json)
    reporting.how_read(shown.list_header.facts(), shown.names)
    for problem in problems:
        click.echo(f"! {problem}")
