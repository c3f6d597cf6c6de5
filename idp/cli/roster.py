"""``idp roster``: pupils and guardians from a school's file; the rules are ``idp.roster``'s."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from threading import Event, Thread
from typing import Any

import click
from flask_babel import force_locale

from idp import agreement, settings
from idp.audit import continuity
from idp.cli import application, output, schools
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.roster import layout as layouts
from idp.roster import mapping, reading, reasons, service, work
from idp.roster.accounting import PASSED, UNREAD
from idp.roster.archives import opened
from idp.roster.encodings import CHOICES
from idp.roster.layout import Layout
from idp.roster.models import RosterRun
from idp.roster.question_models import ANSWERS
from idp.roster.reports import SchoolReport
from idp.settings import LOCALES

PER_HOUR = 200

log = logging.getLogger(__name__)

COUNTS = {
    "child_made": "pupils new",
    "child_changed": "pupils changed",
    "child_returned": "pupils back",
    "child_left": "pupils leaving",
    "account_made": "guardians new",
    "account_changed": "guardians changed",
    "account_revived": "guardians enabled again",
    "guardianship_made": "guardianships new",
    "guardianship_changed": "guardianships changed",
    "guardianship_ended": "guardianships ending",
    "identity_moved": "numbers of somebody else",
}


QUESTIONS = {
    "pupil": "the pupil of this number was somebody else: the same, renamed?",
    "guardian": "the guardian of this number was somebody else: the same, renamed?",
    "renumbered": "people of the same name, class and family come with other numbers: the same?",
    "twin": "a second row of one name and class: the same pupil?",
    "disabled": "switched off in the school's software (enabledUser): guardians all the same?",
}


class _InEnglish(Noun):
    """The import's sentences are those of the console; a terminal reads them in English."""

    def command(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Command]:
        def decorate(function: Callable[..., Any]) -> click.Command:
            @wraps(function)
            def in_english(*given: Any, **options: Any) -> Any:
                with force_locale("en"):
                    return function(*given, **options)

            return Noun.command(self, *args, **kwargs)(in_english)

        return decorate


command = _InEnglish("roster", help="Import pupils and guardians from a file.")

_FILE = click.Path(path_type=Path, exists=True)


_LAYOUT = (
    click.option(
        "--encoding", type=click.Choice(CHOICES), help="Of a CSV file. Default: by its content."
    ),
    click.option(
        "--header-row", default="", help="The header's line: 4, or 3-4 for one of two lines."
    ),
    click.option("--sheet", "sheets", multiple=True, help="A workbook's sheet; repeatable."),
    click.option("--single-names", is_flag=True, help="People with one name only are taken over."),
)


_OWN_NUMBERS = click.option(
    "--own-numbers",
    is_flag=True,
    help="Numbers that count 1, 2, 3… are the school's own all the same.",
)


def _layout_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (*_LAYOUT, _OWN_NUMBERS):
        function = option(function)
    return function


def _reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--school",
            "schools",
            multiple=True,
            help="A school's name or id, or SCHOOL=ORG with the file's own id of it; repeatable.",
        ),
        click.option("--delta", is_flag=True, help="The file holds changes only."),
        click.option(
            "--column", "columns", multiple=True, help='"Header=target"; see `idp roster map`.'
        ),
        click.option("--usernames", help='Pattern of user names, such as "{given}.{family}".'),
        click.option(
            "--link-same-people",
            is_flag=True,
            help="Who has name and address of a guardian elsewhere is that guardian.",
        ),
        click.option(
            "--rejected",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Where rejected rows go. Default: rejected-<run>.csv.",
        ),
        click.option(
            "--language",
            type=click.Choice(LOCALES),
            default="en",
            show_default=True,
            help="Of the reasons in that file.",
        ),
        output.json_option,
    ):
        function = option(function)
    return _layout_options(function)


@command.command("check")
@click.argument("file", type=_FILE)
@_reading_options
def roster_check(file: Path, rejected: Path | None, language: str, **wish: Any) -> None:
    r"""Say what an import would do, and what looks wrong; nothing changes.

    Examples:
      idp roster check oneroster.zip --school s_4vXb…
      idp roster check pupils.xlsx --school s_4vXb… --language fr
    """
    as_json = wish.pop("as_json")
    run = _stage(file, _wish(**wish), as_json)
    reports = service.look(run.id, operator=True)
    written = _write_rejected(run.id, rejected, language)
    _print(run, reports, written, as_json)
    if not as_json:
        click.echo(f"\nNothing has changed. To do it: idp roster import --run {run.id}")


@command.command("import")
@click.argument("file", type=_FILE, required=False)
@click.option("--run", "run_id", help="What `idp roster check` has read, in place of a file.")
@click.option(
    "--confirm-large-change", is_flag=True, help="Even if more than 10 % of a school would end."
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
@_reading_options
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
    as_json = wish.pop("as_json")
    if (file is None) == (run_id is None):
        raise BadInput("name either a file or --run")
    run = service.get(run_id) if run_id else _stage(_given(file), _wish(**wish), as_json)
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
    written = _write_rejected(run.id, rejected, language)
    service.forget_rejections(run.id)
    _print(run, reports, written, as_json)
    held = [each for each in reports if each.state == "held_back"]
    if held:
        raise BadInput(_held_back(run, held))


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
            "reason": each.reason,
        }
        for each in reports
    ]
    output.rows(rows, ("school", "undone", "left", "reason"), as_json)
    if all(each.undone is None for each in reports):
        raise BadInput(f"nothing was undone: {reports[0].reason}")


@command.command("list")
@click.option("--school", "school_id", help="Of this school.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@output.json_option
def roster_list(school_id: str | None, limit: int, as_json: bool) -> None:
    """List imports, the newest first.

    Example:
      idp roster list --school s_4vXb…
    """
    rows = [_run(each) for each in service.list_runs(school_id=school_id, limit=limit)]
    output.rows(rows, ("id", "status", "format", "delta", "created_at", "finished_at"), as_json)


@command.command("show")
@click.argument("run_id")
@output.json_option
def roster_show(run_id: str, as_json: bool) -> None:
    """Show what an import did at each school, in numbers.

    Example:
      idp roster show j_9fQk…
    """
    run = service.get(run_id)
    _print(run, service.kept(run_id), None, as_json)


@command.command("map")
@click.argument("file", type=_FILE)
@click.option("--school", "school_id", required=True, help="The school's name or id.")
@click.option("--column", "columns", multiple=True, help='"Header=target"; "Header=-": not read.')
@click.option("--save", is_flag=True, help="Keep it for this school's next files.")
@output.json_option
@_layout_options
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
    shown = reading.show(file, school_id, _layout(**layout))
    header, chosen = shown.look.header, shown.guess.mapping
    if columns:
        chosen = mapping.changed(chosen, _columns(columns), header)
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
        told = {**chosen.as_json(), "new": sorted(new), "names": shown.names}
        output.one({**told, **shown.look.facts(), "problems": problems, "saved": save}, as_json)
        return
    output.rows(rows, ("column", "target", "new"), as_json)
    _print_facts(shown.look.facts(), shown.names)
    for problem in problems:
        click.echo(f"! {problem}")


@command.command("work")
@click.option("--once", is_flag=True, help="Do what waits and stop.")
@click.option(
    "--pause",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two looks when nothing waits.",
)
def roster_work(once: bool, pause: float) -> None:
    """Read, check, carry out and undo what the console asks for, until stopped (Ctrl-C or SIGTERM).

    Several may run; each machine that serves the console needs one, beside its spool folder.

    Examples:
      idp roster work
      idp roster work --once
    """
    application.speak(settings.current().log_level)
    agreement.join()
    if once:
        continuity.refuse_other_history()
        count = 0
        while work.work_once():
            count += 1
        click.echo(f"{count} tasks done.")
        return
    stop = Event()
    # In a thread of its own: a handler runs between two steps of this one, which may hold the lock
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: Thread(target=stop.set).start())
    log.info("the import worker is at work")
    work.work(stop, pause)


@command.command("discard")
@click.argument("run_id")
def roster_discard(run_id: str) -> None:
    """Forget what `idp roster check` has read. It is forgotten after a day anyhow.

    Example:
      idp roster discard j_9fQk…
    """
    service.discard(run_id)
    click.echo(f"{run_id} is forgotten.")


def _wish(
    schools: tuple[str, ...],
    delta: bool,
    columns: tuple[str, ...],
    usernames: str | None,
    link_same_people: bool,
    **layout: Any,
) -> service.Wish:
    if not schools:
        raise BadInput("--school is missing: which school is the file for?")
    return service.Wish(
        by_operator=True,
        schools=tuple(_choice(text) for text in schools),
        delta=delta,
        link_same_people=link_same_people,
        username_pattern=usernames,
        mapping=_columns(columns),
        layout=_layout(**layout),
    )


def _layout(
    encoding: str | None,
    header_row: str,
    sheets: tuple[str, ...],
    single_names: bool,
    own_numbers: bool,
) -> Layout:
    told = layouts.told(encoding or "", header_row, sheets, single=single_names)
    return replace(told, own_numbers=own_numbers)


def _choice(text: str) -> service.Choice:
    school, _, org = text.partition("=")
    return service.Choice(schools.named(school), org or None)


def _columns(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, target = text.rpartition("=")
        if not sign:
            raise BadInput(f"{text[:60]!r} is not written as Header=target")
        found[name] = target
    return found


def _decided(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        key, _, said = text.partition("=")
        if not key or said not in ANSWERS:
            raise BadInput(f"{text[:40]!r} is not written as KEY=same or KEY=another")
        found[key] = said
    return found


def _given(file: Path | None) -> Path:
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
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8-sig", newline="") as stream:
        # Names of families: for the user who ran the command alone, also where a file was there
        os.fchmod(stream.fileno(), 0o600)
        reasons.write(run_id, stream, language)
    return path


def _held_back(run: RosterRun, held: list[SchoolReport]) -> str:
    schools = ", ".join(f"{each.school} ({each.share_ending:.0%})" for each in held[:5])
    return (
        f"more than 10 % would end at {len(held)} of the schools, which were left as they are:"
        f" {schools}. If that is right: idp roster import --run {run.id} --confirm-large-change"
    )


def _run(run: RosterRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": run.status,
        "format": run.format,
        "delta": run.delta,
        "actor": run.actor,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }


def _print(
    run: RosterRun, reports: list[SchoolReport], rejected: Path | None, as_json: bool
) -> None:
    read = {name: value for name, value in run.reading.items() if name != "noticed"}
    if as_json:
        schools = [_school(each) for each in reports]
        file = str(rejected) if rejected else None
        output.one(
            {**_run(service.get(run.id)), "read": read, "rejected_file": file, "schools": schools},
            as_json,
        )
        return
    output.one({**_run(service.get(run.id)), "rows": read.get("rows", 0)}, as_json)
    _print_facts(read, service.accented(run.id))
    _print_account(read.get("accounting", {}))
    if read.get("rejected"):
        listed = ", ".join(f"{count} {code}" for code, count in read["rejected"].items())
        click.echo(f"rejected      {listed}{f' → {rejected}' if rejected else ''}")
    for each in reports:
        _print_school(each)


def _print_account(account: dict[str, Any]) -> None:
    for each in account.get("files", ()):
        passed = [f"{count} {PASSED[why]}" for why, count in each["passed"].items()]
        told = "".join(f"; {reason}" for reason in passed)
        click.echo(
            output.shown(
                f"read          {each['name']}: {each['rows']} rows, {each['taken']} taken"
            )
            + told
        )
    for each in account.get("unread", ()):
        click.echo(output.shown(f"not read      {each['name']}: ") + str(UNREAD[each["why"]]))


def _print_facts(facts: dict[str, Any], names: list[str]) -> None:
    """How a list was read: what a person can see to be wrong."""
    if facts.get("encoding"):
        seen = f" ({output.shown(', '.join(names))})" if names else ""
        click.echo(f"encoding      {facts['encoding']}{seen}")
    if facts.get("header"):
        first, last = facts["header"]
        click.echo(f"header        line {first if first == last else f'{first}-{last}'}")
    for sheet in facts.get("sheets", ()):
        told = "read" if sheet["read"] else f"not read, {_WHY_NO_SHEET[sheet['why']]}"
        click.echo(f"sheet         {output.shown(sheet['name'])}: {told}")
    for key, told in (("new", "new columns"), ("unread", "not read")):
        if facts.get(key):
            click.echo(f"{told:<13} {output.shown(', '.join(facts[key]))}")


_WHY_NO_SHEET = {
    "empty": "it holds no table",
    "hidden": "it is hidden (--sheet reads it)",
    "other": "its header is another (--sheet reads it)",
}


def _print_school(report: SchoolReport) -> None:
    click.echo(f"\n{output.shown(report.school)} – {report.state.replace('_', ' ')}")
    told = [
        {"what": words, "how many": report.counts[kind]}
        for kind, words in COUNTS.items()
        if report.counts.get(kind)
    ]
    if report.invited:
        told.append({"what": "invitations queued", "how many": report.invited})
    if told:
        click.echo(output.table(("what", "how many"), [list(row.values()) for row in told]))
    else:
        click.echo("nothing to change")
    for finding in report.findings:
        samples = f" – {output.shown('; '.join(finding.samples))}" if finding.samples else ""
        hint = " (--link-same-people)" if finding.code == "same_person" else ""
        click.echo(f"! {finding.count} × {finding.sentence.rstrip('.')}{hint}{samples}")
    for question in report.questions:
        _print_question(question)
    if report.asked:
        click.echo(
            f"? {report.asked} questions are open: whom they are about stays as they are."
            " Answer with --decide KEY=same or KEY=another."
        )


def _print_question(question: dict[str, Any]) -> None:
    said = question["answer"] or "open"
    click.echo(f"? {question['key']} [{said}] {QUESTIONS[question['kind']]}")
    people = question.get("people", [question])
    for each in people:
        who = [_person(each[side]) for side in ("old", "new") if each[side]]
        click.echo(output.shown(f"    line {each['line']}: {' → '.join(who)}"))
    if question.get("other"):
        click.echo(output.shown(f"    another: {_person(question['other'])}"))
    if len(people) < question["count"] and "people" in question:
        click.echo(f"    and {question['count'] - len(people)} more")


def _person(told: dict[str, Any]) -> str:
    detail = [told["place"], told["number"], *told["with"]]
    claimed = " – has made the account theirs" if told.get("claimed") else ""
    return f"{told['name']} ({', '.join(filter(None, detail)) or '–'}{claimed})"


def _school(report: SchoolReport) -> dict[str, Any]:
    return {
        "school": report.school,
        "school_id": report.school_id,
        "state": report.state,
        "counts": report.counts,
        "invited": report.invited,
        "share_ending": round(report.share_ending, 4),
        "asked": report.asked,
        "questions": report.questions,
        "findings": [
            {
                "code": each.code,
                "count": each.count,
                "sentence": each.sentence,
                "samples": list(each.samples),
            }
            for each in report.findings
        ],
    }
