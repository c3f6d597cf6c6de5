"""``idp roster map``: which column of a list is what."""

from pathlib import Path
from typing import Any

import click

from idp.cli import output
from idp.cli.roster import options, reporting
from idp.cli.roster.noun import command
from idp.roster import mapping, reading


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
    shown = reading.show(file, school_id, options.layout(**layout))
    header, chosen = shown.look.header, shown.guess.mapping
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
        output.one({**facts, **shown.look.facts(), "problems": problems, "saved": save}, as_json)
        return
    output.rows(rows, ("column", "target", "new"), as_json)
    reporting.how_read(shown.look.facts(), shown.names)
    for problem in problems:
        click.echo(f"! {problem}")
