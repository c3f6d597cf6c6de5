"""What a run did or would do, on a terminal and for programs."""

from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import click

from idp.cli import output, refusals
from idp.cli.output import counted
from idp.roster import planning, service
from idp.roster.accounting import PASSED, UNREAD
from idp.roster.models import RosterRun
from idp.roster.reports import SchoolReport, UndoReport

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

UNDONE = {
    "child_made": "new pupils who leave again",
    "child_changed": "pupils as before",
    "child_left": "pupils back again",
    "account_made": "new accounts closed",
    "account_changed": "guardians as before",
    "guardianship_made": "new guardianships ended",
    "guardianship_changed": "guardianships as before",
    "guardianship_ended": "ended guardianships live again",
    "identity_moved": "numbers of who had them before",
}
"""Kind of change → what its undoing did."""

FIELDS = {
    "child_changed.class": "of another class",
    "child_changed.name": "of another name",
    "child_changed.number": "of another number",
    "account_changed.name": "of another name",
    "account_changed.email": "of another address",
}

QUESTIONS = {
    "pupil": "what the file says of this pupil is another than what is known: the same pupil?",
    "guardian": "what the file says of this guardian is another than what is known: the same?",
    "renumbered": "people of the same name, class and family come with other numbers: the same?",
    "namesake": "the row may be about several pupils, or several rows about one: is it this one?",
    "twin": "a second row of one name and class: the same pupil?",
    "disabled": "switched off in the school's software (enabledUser): guardians all the same?",
    "address": "addresses that are another guardian's at the school: is the file right?",
}


def facts(run: RosterRun) -> dict[str, Any]:
    """What is told of a run itself."""
    names = ("id", "status", "format", "delta", "actor", "created_at", "finished_at")
    return output.fields(run, *names)


def print_run(
    run: RosterRun, reports: list[SchoolReport], rejected: Path | None, as_json: bool
) -> None:
    """Print a run, school by school; ``rejected``: where rejected rows were written."""
    read = {name: value for name, value in run.reading.items() if name != "noticed"}
    if as_json:
        summary = {
            "read": read,
            "rejected_file": str(rejected) if rejected else None,
            "schools": [_school(each) for each in reports],
        }
        output.one({**facts(service.get_run(run.id)), **summary}, as_json)
        return
    output.one({**facts(service.get_run(run.id)), "rows": read.get("rows", 0)}, as_json)
    how_read(read, planning.accented(run.id))
    _print_account(read.get("accounting", {}))
    if read.get("rejected"):
        listed = ", ".join(f"{count} {code}" for code, count in read["rejected"].items())
        click.echo(f"rejected      {listed}{f' → {rejected}' if rejected else ''}")
    for each in reports:
        _print_school(each)


def _print_account(account: dict[str, Any]) -> None:
    for each in account.get("files", ()):
        rows = counted(each["rows"], "row", "rows")
        passed = [f"{count} × {PASSED[why]}" for why, count in each["passed"].items()]
        reasons = "".join(f"; {reason}" for reason in passed)
        click.echo(
            output.shown(f"read          {each['name']}: {rows}, {each['taken']} taken") + reasons
        )
    for each in account.get("unread", ()):
        click.echo(output.shown(f"not read      {each['name']}: ") + str(UNREAD[each["why"]]))


def how_read(facts: dict[str, Any], names: list[str]) -> None:
    """How a list was read: what a person can see to be wrong."""
    if facts.get("encoding"):
        seen = f" ({output.shown(', '.join(names))})" if names else ""
        click.echo(f"encoding      {facts['encoding']}{seen}")
    if facts.get("header"):
        first, last = facts["header"]
        click.echo(f"header        line {first if first == last else f'{first}-{last}'}")
    for sheet in facts.get("sheets", ()):
        label = "read" if sheet["read"] else f"not read, {_WHY_NO_SHEET[sheet['why']]}"
        click.echo(f"sheet         {output.shown(sheet['name'])}: {label}")
    for key, label in (("new", "new columns"), ("unread", "not read")):
        if facts.get(key):
            click.echo(f"{label:<13} {output.shown(', '.join(facts[key]))}")


_WHY_NO_SHEET = {
    "empty": "it holds no table",
    "hidden": "it is hidden (--sheet reads it)",
    "other": "its header is another (--sheet reads it)",
}


def _print_school(report: SchoolReport) -> None:
    click.echo(f"\n{output.shown(report.school)} – {report.state.replace('_', ' ')}")
    changes = []
    for kind, words in COUNTS.items():
        if report.counts.get(kind):
            changes.append({"what": words, "how many": report.counts[kind]})
            changes += [
                {"what": f"  {words}", "how many": report.fields[field]}
                for field, words in FIELDS.items()
                if field.startswith(f"{kind}.") and report.fields.get(field)
            ]
    if report.invited:
        changes.append({"what": "invitations queued", "how many": report.invited})
    if changes:
        click.echo(output.table(("what", "how many"), [list(row.values()) for row in changes]))
    else:
        click.echo("nothing to change")
    if report.moves:
        moves = (f"{old or '–'} → {new or '–'}: {count}" for old, new, count in report.moves)
        click.echo(output.shown(f"classes: {'; '.join(moves)}"))
    for finding in report.findings:
        samples = f" – {output.shown('; '.join(finding.samples))}" if finding.samples else ""
        hint = " (--link-same-people)" if finding.code == "same_person" else ""
        click.echo(f"! {finding.count} × {finding.sentence.rstrip('.')}{hint}{samples}")
    for question in report.questions:
        _print_question(question)
    if report.open_questions:
        click.echo(
            f"? {counted(report.open_questions, _OPEN, _SEVERAL_OPEN)}"
            " Answer with --decide KEY=same or KEY=another."
        )
    _print_people(report.people)


def why_not(report: UndoReport) -> str:
    """Why nothing was undone; empty: it was."""
    return refusals.sentence(report.obstacle) if report.obstacle else ""


def undone(report: UndoReport) -> None:
    """Print what an undo did at a school, in the words of the table of an import."""
    click.echo(f"\n{output.shown(report.school)} – {why_not(report) or 'undone'}")
    if report.undone is None:
        return
    lines = [
        [UNDONE[kind], report.undone.counts.get(kind, 0), report.undone.left.get(kind, 0)]
        for kind in UNDONE
        if kind in report.undone.counts or kind in report.undone.left
    ]
    if lines:
        click.echo(output.table(("what", "undone", "left, changed since"), lines))
    else:
        click.echo("there was nothing to undo")


_OPEN = "question is open: whom it is about stays as they are."
_SEVERAL_OPEN = "questions are open: whom they are about stays as they are."


def _print_people(people: list[dict[str, Any]]) -> None:
    for kind, group in groupby(people, key=itemgetter("kind")):
        click.echo(f"\n{kind}:")
        for each in group:
            line = f"line {each['lines']}: " if each["lines"] else ""
            change = " → ".join(filter(None, (each["old"], each["new"])))
            arrow = "→ " if each["new"] and not each["old"] else ""
            detail = f" ({arrow}{change})" if change else ""
            click.echo(output.shown(f"  {line}{each['who']}{detail}"))


def _print_question(question: dict[str, Any]) -> None:
    answer = question["answer"] or "open"
    click.echo(f"? {question['key']} [{answer}] {QUESTIONS[question['kind']]}")
    people = question.get("people", [question])
    for each in people:
        who = [_person(each[side]) for side in ("old", "new") if each[side]]
        click.echo(output.shown(f"    line {each['line']}: {' → '.join(who)}"))
        if each["other"]:
            has = "has the address" if question["kind"] == "address" else "another"
            click.echo(output.shown(f"    {has}: {_person(each['other'])}"))
    if len(people) < question["count"] and "people" in question:
        click.echo(f"    and {question['count'] - len(people)} more")


def _person(person: dict[str, Any]) -> str:
    detail = [person["place"], person["number"], *person["with"]]
    claimed = " – has made the account theirs" if person.get("claimed") else ""
    return f"{person['name']} ({', '.join(filter(None, detail)) or '–'}{claimed})"


def _school(report: SchoolReport) -> dict[str, Any]:
    return {
        "school": report.school,
        "school_id": report.school_id,
        "state": report.state,
        "counts": report.counts,
        "invited": report.invited,
        "share_ending": round(report.share_ending, 4),
        "share_readdressed": round(report.share_readdressed, 4),
        "other_addresses": report.other_addresses,
        "fields": report.fields,
        "classes": [{"old": old, "new": new, "count": count} for old, new, count in report.moves],
        **({"people": report.people} if report.people else {}),
        "asked": report.open_questions,
        "questions": report.questions,
        "findings": [
            output.fields(each, "code", "count", "sentence", "samples") for each in report.findings
        ],
    }
