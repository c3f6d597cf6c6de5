"""Reports what a run does at each school: samples while it is planned, numbers afterwards."""

from dataclasses import dataclass, field
from typing import Any, Final

from idp.errors import Conflict
from idp.people import schools
from idp.roster import findings
from idp.roster.findings import Finding
from idp.roster.models import RosterRun, RosterRunSchool
from idp.roster.planning import Plan
from idp.roster.undoing import Undone


@dataclass(frozen=True)
class SchoolReport:
    """What a run does, or did, at one school."""

    school_id: str
    school: str
    state: str
    counts: dict[str, int]
    findings: list[Finding]
    share_ending: float = 0.0
    """The greater share of pupils and of guardianships that would end."""
    invited: int = 0
    samples: dict[str, list[str]] = field(default_factory=dict)
    """Kind of change → the names of a few."""
    questions: list[dict[str, Any]] = field(default_factory=list)
    """About whom the file alone is not believed; see ``questions.list_questions``."""
    open_questions: int = 0
    """How many of them wait for an answer."""
    fields: dict[str, int] = field(default_factory=dict)
    """« kind.field » → how many people it changes for; see ``concerned``."""
    moves: list[list[Any]] = field(default_factory=list)
    """Former class, new class, how many pupils."""
    people: list[dict[str, Any]] = field(default_factory=list)
    """Everybody, where that was asked for; see ``concerned``."""
    share_readdressed: float = 0.0
    """The share of guardians with another address, where these are many."""
    other_addresses: int = 0
    """How many that are, few or many."""

    @property
    def share_at_once(self) -> float:
        """What is confirmed: the greatest of the shares."""
        return max(self.share_ending, self.share_readdressed)


@dataclass(frozen=True)
class UndoReport:
    """What an undo did at one school; ``obstacle``: why it did nothing."""

    school_id: str
    school: str
    undone: Undone | None
    obstacle: Conflict | None = None


def planned(row: RosterRunSchool, plan: Plan, problems: list[Finding]) -> SchoolReport:
    """What the plan does, and what looks wrong, with samples."""
    return SchoolReport(
        *(row.school_id, school_name(row.school_id), row.state, plan.counts, problems),
        plan.share_ending,
        open_questions=plan.open_questions,
        share_readdressed=plan.share_readdressed,
        other_addresses=plan.other_addresses,
    )


def as_json(report: SchoolReport) -> dict[str, Any]:
    """A report of a dry run, to be looked at later."""
    return {
        "counts": report.counts,
        "findings": [[each.code, each.count, list(each.samples)] for each in report.findings],
        "share_ending": report.share_ending,
        "share_readdressed": report.share_readdressed,
        "other_addresses": report.other_addresses,
        "samples": report.samples,
        "questions": report.questions,
        "asked": report.open_questions,
        "fields": report.fields,
        "moves": report.moves,
    }


def from_json(row: RosterRunSchool, document: dict[str, Any], school: str) -> SchoolReport:
    """The report that ``as_json`` kept."""
    listed = [Finding(code, count, tuple(samples)) for code, count, samples in document["findings"]]
    return _read(row, document, school, listed)


def kept(row: RosterRunSchool) -> SchoolReport:
    """What is kept of it: numbers."""
    listed = [
        Finding(code, count, ())
        for code, count in row.report.get("findings", {}).items()
        if code not in findings.OPERATORS_ONLY
    ]
    return _read(row, row.report, school_name(row.school_id), listed)


def _read(
    row: RosterRunSchool, document: dict[str, Any], school: str, listed: list[Finding]
) -> SchoolReport:
    return SchoolReport(
        *(row.school_id, school, row.state, document.get("counts", {}), listed),
        document.get("share_ending", 0.0),
        invited=document.get("invited", 0),
        samples=document.get("samples", {}),
        questions=document.get("questions", []),
        open_questions=document.get("asked", 0),
        fields=document.get("fields", {}),
        moves=document.get("moves", []),
        share_readdressed=document.get("share_readdressed", 0.0),
        other_addresses=document.get("other_addresses", 0),
    )


OPERATORS_COUNTS: Final = frozenset({"account_changed", "account_revived"})


def visible_findings(problems: list[Finding], *, operator: bool) -> list[Finding]:
    """What a school, or the operator, may know of what was found (security rule C3)."""
    return [each for each in problems if operator or each.code not in findings.OPERATORS_ONLY]


def visible_counts(counts: dict[str, int], *, operator: bool) -> dict[str, int]:
    """The counts that a school may know: not of accounts that change or open again, which they
    do only where no other school has them (security rule C3).
    """
    return {
        kind: count for kind, count in counts.items() if operator or kind not in OPERATORS_COUNTS
    }


def of_file(run: RosterRun) -> list[Finding]:
    """What looked wrong while the file was read."""
    return [
        Finding(code, each["count"], tuple(each["samples"]))
        for code, each in run.reading.get("noticed", {}).items()
    ]


def school_name(school_id: str) -> str:
    """The school's name, or its id."""
    school = schools.find_school(school_id)
    return school.name if school else school_id
