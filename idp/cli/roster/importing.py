"""``idp roster check`` and ``import``: what a file would do, and doing it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

from idp.cli import output
from idp.cli.errors import BadInput
from idp.cli.roster import options, reporting
from idp.cli.roster.noun import command
from idp.roster import rejected_files, service
from idp.roster.archives import opened
from idp.roster.models import RosterRun
from idp.roster.question_models import ANSWERS
from idp.roster.reports import SchoolReport

PER_HOUR = 200


@command.command("check")
@click.argument("file", type=options.FILE)
@options.reading_options
def roster_check(
    file: Path, rejected: Path | None, language: str, people: bool, **wish: Any
) -> None:
    r"""Say what an import would do, and what looks wrong; nothing changes.

    Examples:
      idp roster check oneroster.zip --school s_4vXb…
      idp roster check pupils.xlsx --school s_4vXb… --language fr
      idp roster check pupils.xlsx --school s_4vXb… --people --rejected to-correct.xlsx
    """
    as_json = wish.pop("as_json")
    run = _stage(file, options.wish_from_options(**wish), as_json)
    reports = service.dry_run(run.id, operator=True, everybody=people)
    written = _write_rejected(run.id, rejected, language)
    reporting.print_run(run, reports, written, as_json)
    if not as_json:
        click.echo(f"\nNothing has changed. To do it: idp roster import --run {run.id}")


@command.command("import")
@click.argument("file", type=options.FILE, required=False)
@click.option("--run", "run_id", help="What `idp roster check` has read, in place of a file.")
@click.option(
    "--confirm-large-change",
    is_flag=True,
    help="Even if more than 10 % of a school would end, or get another address.",
)
@click.option("--invite", is_flag=True, help="Queue invitations for the new guardians.")
@click.option(
    "--per-hour",
    type=click.IntRange(1, 100_000),
    default=PER_HOUR,
    show_default=True,
    help="Invitations that leave in an hour.",
)
@click.option(
    "--decide",
    "decisions",
    multiple=True,
    metavar="KEY=same|another",
    help="Answer a question of the check; repeatable.",
)
@options.reading_options
def roster_import(
    file: Path | None,
    run_id: str | None,
    confirm_large_change: bool,
    invite: bool,
    per_hour: int,
    decisions: tuple[str, ...],
    rejected: Path | None,
    language: str,
    **wish: Any,
) -> None:
    r"""Make the schools what the file says; each school in one transaction.

    Stopped half-way, the same command goes on where it was. The same file again changes nothing.

    Examples:
      idp roster import oneroster.zip --school s_4vXb… --invite --per-hour 300
      idp roster import --run j_9fQk… --confirm-large-change
      idp roster import --run j_9fQk… --decide g12=another --decide renumbered=same
    """
    as_json, people = wish.pop("as_json"), wish.pop("people")
    if (file is None) == (run_id is None):
        raise BadInput("name either a file or --run")
    run = (
        service.get_run(run_id)
        if run_id
        else _stage(_required(file), options.wish_from_options(**wish), as_json)
    )
    if decisions:
        service.answer(run.id, _decided(decisions))
    with _bar(len(service.kept(run.id)), "schools", as_json) as progress:
        reports = service.apply(
            run.id,
            confirm_large_change=confirm_large_change,
            link_same_people=wish["link_same_people"],
            invitations_per_hour=per_hour if invite else None,
            progress=progress,
        )
    if people:
        reports = service.with_people(reports, run.id)
    written = _write_rejected(run.id, rejected, language)
    service.forget_rejections(run.id)
    reporting.print_run(run, reports, written, as_json)
    held = [each for each in reports if each.state == "held_back"]
    if held:
        raise BadInput(_held_back(run, held))


def _decided(texts: Sequence[str]) -> dict[str, str]:
    answers = {}
    for text in texts:
        key, _, answer = text.partition("=")
        if not key or answer not in ANSWERS:
            raise BadInput(f"{text[:40]!r} is not written as KEY=same or KEY=another")
        answers[key] = answer
    return answers


def _required(file: Path | None) -> Path:
    assert file is not None
    return file


def _stage(file: Path, wish: service.Wish, as_json: bool) -> RosterRun:
    with opened(file) as source:
        size = source.size
    with _bar(size, "reading", as_json) as progress:
        return service.stage(file, wish, progress)


@contextmanager
def _bar(length: int, label: str, as_json: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; nothing for programs."""
    if as_json or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


def _write_rejected(run_id: str, path: Path | None, language: str) -> Path | None:
    if not service.rejections(run_id):
        return None
    path = path or Path(f"rejected-{run_id}.csv")
    with output.private_file(path) as stream:  # names of families
        if path.suffix.lower() == ".xlsx":
            rejected_files.write_xlsx(run_id, stream, language)
        else:
            with TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
                rejected_files.write_csv(run_id, text, language)
    return path


def _held_back(run: RosterRun, held: list[SchoolReport]) -> str:
    schools = ", ".join(f"{each.school} ({each.share_at_once:.0%})" for each in held[:5])
    return (
        f"more than 10 % would end, or get another address, at {len(held)} of the schools,"
        " which were left as they are:"
        f" {schools}. If that is right: idp roster import --run {run.id} --confirm-large-change"
    )
