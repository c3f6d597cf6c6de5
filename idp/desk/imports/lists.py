"""A list that was uploaded: how it lies in its file, and which column is what."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from flask_babel import gettext as _

from idp.desk.access.rights import Staff
from idp.desk.imports import service as imports
from idp.errors import Conflict
from idp.roster import jobs, layout, mapping, reading
from idp.roster.layout import Layout


def lay_out(staff: Staff, run_id: str, wanted: Layout) -> None:
    """Have a list opened anew: in this encoding, with this header, of these sheets.

    Raises ``NotFound`` and ``Conflict``.
    """
    with imports.act_on_import(staff, run_id) as on:
        job = on.it.job
        if job is None or job.state != "mapping":
            raise Conflict("not_now")
        how = {**job.how, "layout": wanted.as_json()}
        if not jobs.ask(run_id, "open", how, staff.account_id, after=("mapping",)):
            raise Conflict("not_now")


def name_columns(
    staff: Staff,
    run_id: str,
    columns: Mapping[str, str],
    *,
    keep: bool,
    single_names: bool = False,
    own_numbers: bool = False,
) -> list[str]:
    """Say which column of a list is what, and have it read; returns what is wrong with it.

    ``columns``: header → target, or ``-``. ``keep``: for the school's next lists.
    ``single_names``: people with one name only are no typing error. ``own_numbers``: numbers that
    count rows are the school's own all the same.
    Raises ``NotFound``, ``Conflict`` and ``Invalid``.
    """
    found = imports.of_theirs(staff, run_id)
    job = found.job
    if job is None or job.state != "mapping":
        raise Conflict("not_now")
    header: list[str] = job.result["header"]
    chosen = {name: columns.get(name, "-") for name in header}
    (part,) = found.parts
    base = mapping.Mapping(job.result["columns"], job.result.get("constants", {}))
    targets = Counter(target for target in chosen.values() if target != "-")
    if twice := [name for name, target in chosen.items() if targets[target] > 1]:
        named_twice = ", ".join(twice)[:200]
        return [
            str(_("These columns are read as the same thing: %(columns)s.", columns=named_twice))
        ]
    named = mapping.changed(base, chosen, header)
    if problems := named.problems():
        return problems
    laid = replace(
        layout.from_json(job.how.get("layout")), single_names=single_names, own_numbers=own_numbers
    )
    how = {**job.how, "mapping": chosen, "layout": laid.as_json()}
    with imports.act_on_import(staff, run_id):
        if keep:
            reading.save_mapping(part.row.school_id, named)
        if not jobs.mapped(run_id, how, staff.account_id):
            raise Conflict("not_now")
    return []
