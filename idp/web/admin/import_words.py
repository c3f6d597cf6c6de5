"""An import in words: what it does, how far it is, what stands against it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from idp.desk.imports.runs import Import, Part
from idp.roster import concerned, refusals, runs
from idp.roster.accounting import PASSED, UNREAD
from idp.roster.findings import SENTENCES, Finding
from idp.roster.models import RosterJob, RosterRun

COUNTS: Final = {
    "child_made": _("New pupils"),
    "child_changed": _("Changed pupils"),
    "child_returned": _("Pupils who are back"),
    "child_left": _("Pupils who leave"),
    "account_made": _("New guardians"),
    "account_changed": _("Changed guardians"),
    "account_revived": _("Guardians who are back"),
    "guardianship_made": _("New links between guardian and pupil"),
    "guardianship_changed": _("Links with another relationship"),
    "guardianship_ended": _("Links that end"),
    "identity_moved": _("Numbers that mean somebody else from now on"),
}
"""Kind of change → what it is called, before as well as afterwards."""

FIELDS: Final = {
    "child_changed.class": _("Pupils with another class"),
    "child_changed.name": _("Pupils with another name"),
    "child_changed.number": _("Pupils with another number"),
    "account_changed.name": _("Guardians with another name"),
    "account_changed.email": _("Guardians with another e-mail address"),
}
"""What a change is about: « kind.field »."""

DIFFERING: Final = _(
    "Guardians of whom the file has another name or address; whoever has made the account theirs"
    " keeps it."
)
QUESTION_PREFIX: Final = "asked_"

SECTIONS: Final = (
    ("made", _("New"), ("child_made", "account_made", "guardianship_made")),
    (
        "changed",
        _("Changed"),
        (
            *("child_changed", "child_returned", "account_changed"),
            *("account_revived", "guardianship_changed", "identity_moved"),
        ),
    ),
    ("ended", _("Ending"), ("child_left", "guardianship_ended")),
)

TASKS: Final = {
    "open": _("The file is being opened"),
    "read": _("The file is being read"),
    "look": _("The file is being compared with what is stored"),
    "apply": _("The import is being carried out"),
    "undo": _("The import is being undone"),
    "drop": _("The import is being forgotten"),
}

STATUSES: Final = {
    "reading": _("Waits for its turn"),
    "checked": _("Checked, waits for your decision"),
    "applying": _("Carried out in part"),
    "applied": _("Carried out"),
    "undone": _("Undone"),
    "refused": _("Not carried out"),
}

SCHOOL_STATES: Final = {
    "waiting": _("Nothing has changed yet"),
    "held_back": _("Held back: too much would end or change"),
    "applied": _("Carried out"),
    "undone": _("Undone"),
}

TARGETS: Final = (
    ("-", _("Not read")),
    ("pupil.given", _("Pupil: given name")),
    ("pupil.prefix", _("Pupil: prefix of the family name")),
    ("pupil.family", _("Pupil: family name")),
    ("pupil.name", _("Pupil: both names in one cell")),
    ("pupil.class", _("Pupil: class")),
    ("pupil.number", _("Pupil: the school's number")),
    ("pupil.left_on", _("Pupil: last day")),
)
OF_GUARDIAN: Final = {
    "given": _("Guardian %(number)d: given name"),
    "prefix": _("Guardian %(number)d: prefix of the family name"),
    "family": _("Guardian %(number)d: family name"),
    "name": _("Guardian %(number)d: both names in one cell"),
    "email": _("Guardian %(number)d: e-mail"),
    "relationship": _("Guardian %(number)d: relationship"),
    "number": _("Guardian %(number)d: the school's number"),
}
QUESTIONS: Final = {
    "pupil": _("The file says otherwise of this pupil than what is known: is it the same pupil?"),
    "guardian": _(
        "The file says otherwise of this guardian than what is known: is it the same person?"
    ),
    "renumbered": _("Are these the same people with other numbers?"),
    "namesake": _("One name, and several pupils or rows: is the row about this pupil?"),
    "twin": _("Two rows of one name and class: is it one pupil?"),
    "disabled": _("Switched off in the school's software (enabledUser): are these guardians?"),
    "address": _(
        "The file gives guardians an e-mail address that is another guardian's: is it right?"
    ),
}
_ANSWERS: Final = {
    "pupil": (_("Yes, the same pupil"), _("No, another pupil")),
    "guardian": (_("Yes, the same person"), _("No, another person")),
    "renumbered": (_("Yes, the same people"), _("No, other people: the former ones leave")),
    "namesake": (_("Yes, this pupil"), _("No, not this pupil")),
    "twin": (_("Yes, one pupil with more guardians"), _("No, two pupils of one name")),
    "disabled": (_("Yes, they have access"), _("No, they get no access, and theirs ends")),
    "address": (
        _("Yes, the addresses of the file are right"),
        _("No, everybody keeps the address they have; somebody new gets none"),
    ),
}
_KNOWN: Final = {
    "pupil": _("No, it is the pupil who is known already"),
    "guardian": _("No, it is the person who is known already"),
}


def answers(question: dict[str, Any]) -> list[tuple[str, LazyString]]:
    """What can be said to a question: its value, and its words."""
    same, another = _ANSWERS[question["kind"]]
    if question.get("other") and question["kind"] in _KNOWN:
        another = _KNOWN[question["kind"]]
    return [("same", same), ("another", another), ("", _("Not decided yet"))]


REMARKS: Final = {
    "private": _("Is never stored"),
    "counted": _("Counts the rows: not the pupil's number"),
    "new": _("New in this list"),
}
SHEETS_LEFT_OUT: Final = {
    "": _("The sheet %(name)s is not read: it was not chosen."),
    "empty": _("The sheet %(name)s is not read: it holds no table."),
    "hidden": _("The sheet %(name)s is not read: it is hidden."),
    "other": _("The sheet %(name)s is not read: its columns are others."),
}
UNDOING: Final = {
    "child_made": _("Pupils who leave again"),
    "account_made": _("New accounts that are closed"),
    "guardianship_made": _("New links between guardian and pupil that end"),
    "child_left": _("Pupils who are back"),
    "guardianship_ended": _("Ended links that are live again"),
    "child_changed": _("Pupils who have their former name or class again"),
    "account_changed": _("Guardians who have their former name or address again"),
    "guardianship_changed": _("Links with their former relationship again"),
    "identity_moved": _("Numbers that mean their former holder again"),
}
"""Kind of change → what its undoing does."""
FORMATS: Final = {"csv": "CSV", "xlsx": "XLSX"}


@dataclass(frozen=True)
class Line:
    """One kind of change: how many, and a few names."""

    kind: str
    label: LazyString
    count: int
    samples: list[str]
    parts: tuple["Line", ...] = ()
    """What of it is about which field."""


def lines(part: Part, kinds: tuple[str, ...]) -> list[Line]:
    """What the import does, or did, at a school, of these kinds."""
    if part.report is None:
        return []
    counts, samples = part.report.counts, part.report.samples
    return [
        Line(kind, COUNTS[kind], counts[kind], samples.get(kind, []), _by_field(part, kind))
        for kind in kinds
        if counts.get(kind)
    ]


def _by_field(part: Part, kind: str) -> tuple[Line, ...]:
    fields = part.report.fields if part.report else {}
    return tuple(
        Line(name, FIELDS[name], fields[name], [])
        for name in FIELDS
        if name.startswith(f"{kind}.") and fields.get(name)
    )


def kind_of_people(kind: str) -> str:
    """What people are listed under, in words."""
    if kind == concerned.GUARDIAN_DIFFERS:
        return str(DIFFERING)
    if kind.startswith(QUESTION_PREFIX):
        return str(
            _("Held back: %(question)s", question=QUESTIONS[kind.removeprefix(QUESTION_PREFIX)])
        )
    return str(COUNTS.get(kind) or FIELDS.get(kind) or SENTENCES[kind])


def passed(counts: dict[str, int]) -> list[tuple[LazyString, int]]:
    """Why rows of a file were passed over, and how many."""
    return [(PASSED[why], count) for why, count in counts.items()]


def unread(why: str) -> LazyString:
    """Why a file or a sheet was not read."""
    return UNREAD[why]


def undoing(roster_import: Import) -> list[Line]:
    """What an undo would do at the schools that it is for, in numbers."""
    total: Counter[str] = Counter()
    for part in roster_import.parts:
        if part.can_undo and part.report:
            total.update(part.report.counts)
    return [Line(kind, UNDOING[kind], total[kind], []) for kind in UNDOING if total[kind]]


def undone(counts: dict[str, int]) -> list[Line]:
    """What an undo did, in numbers."""
    return [Line(kind, UNDOING[kind], counts[kind], []) for kind in UNDOING if counts.get(kind)]


def counted(counts: dict[str, int]) -> list[Line]:
    """Bare numbers of an import's changes that stay."""
    return [Line(kind, COUNTS[kind], counts[kind], []) for kind in COUNTS if counts.get(kind)]


def state(run: RosterRun, job: RosterJob | None) -> str:
    """Where an import stands."""
    if run.status in {"reading", "checked"} and runs.is_too_late(run):
        return str(_("Too old: choose the file again"))
    if job is not None and job.state in {"waiting", "working"}:
        return str(TASKS[job.task])
    if job is not None and job.state == "mapping":
        return str(_("Waits for you to name the columns"))
    return str(STATUSES[run.status])


def tone(run: RosterRun, job: RosterJob | None) -> str:
    """The class of that word's tag."""
    if run.status == "applied":
        return "tag-good"
    bad = run.status == "refused" or (job is not None and job.state == "failed")
    return "tag-bad" if bad else ""


def trouble(roster_import: Import) -> str:
    """Why the last thing that was asked for did not work; empty: it did."""
    job = roster_import.job
    if job is None or job.state != "failed" or not roster_import.whole or job.trouble is None:
        return ""
    return refusals.sentence(job.trouble)


def percent(job: RosterJob) -> int | None:
    """How far a worker is; None where it can't tell."""
    if not job.total or not job.done:
        return None
    return min(99, job.done * 100 // job.total)


def kind_of_file(run: RosterRun) -> str:
    """« OneRoster 1.2 », « XLSX »."""
    name = run.format.replace("oneroster-", "OneRoster ")
    return FORMATS.get(name, name)


def targets(most: int) -> list[tuple[str, str]]:
    """What a column can be, with as many guardians."""
    choices = [(value, str(label)) for value, label in TARGETS]
    for number in range(1, most + 1):
        choices += [
            (f"guardian.{number}.{what}", str(label) % {"number": number})
            for what, label in OF_GUARDIAN.items()
        ]
    return choices


def strange(findings: list[Finding]) -> list[Finding]:
    """What looks wrong, without what has a place of its own on the page."""
    return [each for each in findings if each.code not in {"large_change", "many_addresses"}]
