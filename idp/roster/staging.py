"""Writes a file's records to the staging tables: streaming, some thousands at a time."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import select

from idp.database import db, opaque_id, transaction
from idp.people.names import email_key
from idp.roster import bulk, cells, concerned
from idp.roster.concerned import Person
from idp.roster.models import (
    RosterClass,
    RosterGuardian,
    RosterIdentity,
    RosterLink,
    RosterMatch,
    RosterPair,
    RosterPreview,
    RosterPupil,
    RosterRejection,
)
from idp.roster.question_models import RosterAnswer, RosterQuestion
from idp.roster.records import (
    Guardian,
    Link,
    Noticed,
    Pupil,
    Reading,
    Record,
    Rejected,
    SchoolClass,
)

STAGED: Final = (
    *(RosterPupil, RosterGuardian, RosterLink, RosterClass, RosterMatch, RosterPair),
    *(RosterRejection, RosterPreview, RosterQuestion, RosterAnswer),
)
MOST_REJECTIONS: Final = 10_000
"""Rejected rows that are kept to be shown; the rest is counted."""
SAMPLES: Final = 5
_pupil_id, _subject_id, _link_id = opaque_id("p"), opaque_id("k"), opaque_id("w")

_PUPIL: Final = (
    *("run_id", "number", "school_id", "sourced_id", "line", "given_name", "family_name"),
    *("name_key", "class_name", "pupil_number", "present", "lists_agents"),
    *("keeps_guardians", "twin_of", "new_child_id", "new_subject_id"),
)
_GUARDIAN: Final = (
    *("run_id", "number", "sourced_id", "line", "given_name", "family_name", "name_key"),
    *("email", "email_key", "relationship", "present", "lists_agents", "disabled"),
)
_LINK: Final = (
    *("run_id", "number", "pupil_sourced_id", "guardian_sourced_id", "relationship"),
    "new_guardianship_id",
)


class StagingWriter:
    """Takes records of one run and writes them, a transaction for every few thousand.

    Short transactions: on SQLite, parents who sign in meanwhile want to write too.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.rejected: Counter[str] = Counter()
        self.noticed: dict[str, list[str]] = {}
        self.notices: Counter[str] = Counter()
        self._cases: dict[str, dict[str, None]] = {}
        self._classes: dict[tuple[str, str], str] = {}
        self._seen: dict[str, set[Any]] = {"pupil": set(), "guardian": set()}
        self._numbers: Counter[str] = Counter()
        self._rows: dict[str, list[tuple[Any, ...]]] = {"p": [], "g": [], "l": []}
        self._rejections: list[RosterRejection] = []
        self._shown: frozenset[str] = frozenset()
        self._header: list[str] = []
        self._keeps: set[tuple[str, str]] = set()

    def fill(self, reading: Reading) -> None:
        """Read the whole file into the staging tables."""
        self._shown = reading.shown
        self._header = list(reading.facts.get("shown", ()))
        for record in reading.records:
            self._take(record)
            if sum(map(len, self._rows.values())) >= bulk.CHUNK:
                self._write()
        self._write()
        with transaction():
            titles = ((self.run_id, *key, title) for key, title in self._classes.items())
            bulk.insert_rows(RosterClass, ("run_id", "school_id", "sourced_id", "title"), titles)
            bulk.execute_many(
                "UPDATE roster_pupils SET keeps_guardians = TRUE"
                " WHERE run_id = :run AND school_id = :school AND sourced_id = :pupil",
                (
                    {"run": self.run_id, "school": school, "pupil": pupil}
                    for school, pupil in sorted(self._keeps)
                ),
            )
            cases = {code: map(Person, samples) for code, samples in self._cases.items()}
            concerned.remember(self.run_id, "", cases)
            bulk.analyse(*STAGED)

    def _take(self, record: Record) -> None:
        match record:
            case Pupil():
                self._pupil(record)
            case Guardian():
                self._guardian(record)
            case Link():
                row = (record.pupil, record.guardian, record.relationship, _link_id())
                self._rows["l"].append((self.run_id, self._number("l"), *row))
            case SchoolClass():
                self._classes[record.school_id, record.sourced_id] = record.title
            case Rejected():
                self._reject(record)
            case Noticed():
                self.notice(record.code, record.sample)

    def notice(self, code: str, sample: str) -> None:
        """Count something that looks wrong and keep some samples."""
        self.notices[code] += 1
        samples = self.noticed.setdefault(code, [])
        if len(samples) < SAMPLES and sample not in samples:
            samples.append(sample)
        cases = self._cases.setdefault(code, {})
        if len(cases) < MOST_REJECTIONS:
            cases[sample] = None

    def _pupil(self, pupil: Pupil) -> None:
        key = (pupil.school_id, pupil.sourced_id)
        if key in self._seen["pupil"]:
            return  # a row for each guardian: the first tells who the pupil is
        self._seen["pupil"].add(key)
        self._rows["p"].append(
            (
                *(self.run_id, self._number("p"), pupil.school_id, pupil.sourced_id, pupil.line),
                *(pupil.given_name, pupil.family_name),
                cells.name_key(pupil.given_name, pupil.family_name),
                *(pupil.class_name, pupil.pupil_number, pupil.present, pupil.lists_agents),
                *(False, pupil.twin_of, _pupil_id(), _subject_id()),
            )
        )

    def _guardian(self, guardian: Guardian) -> None:
        if guardian.sourced_id in self._seen["guardian"]:
            return
        self._seen["guardian"].add(guardian.sourced_id)
        self._rows["g"].append(
            (
                *(self.run_id, self._number("g"), guardian.sourced_id, guardian.line),
                *(guardian.given_name, guardian.family_name),
                cells.name_key(guardian.given_name, guardian.family_name),
                guardian.email,
                email_key(guardian.email) if guardian.email else None,
                *(guardian.relationship, guardian.present, guardian.lists_agents),
                guardian.disabled,
            )
        )

    def _reject(self, rejected: Rejected) -> None:
        self.rejected[rejected.code] += 1
        self._keeps.update(rejected.keeps)
        if self.rejected.total() > MOST_REJECTIONS:
            return
        row = rejected.row
        names = self._header or [name for name in row.cells if name in self._shown]
        shown = [row.cells.get(name, "") for name in names]
        self._rejections.append(
            RosterRejection(
                run_id=self.run_id,
                number=self.rejected.total(),
                file=(f"{row.file} – {row.sheet}" if row.sheet else row.file)[:80],
                line=row.line,
                code=rejected.code,
                about=rejected.about[:80],
                # SQL text holds no NUL; the export quotes the rest
                cells=[cell.replace("\0", "\ufffd")[:200] for cell in shown[:60]],
            )
        )

    def _number(self, kind: str) -> int:
        self._numbers[kind] += 1
        return self._numbers[kind]

    def _write(self) -> None:
        with transaction() as writes:
            bulk.insert_rows(RosterPupil, _PUPIL, self._rows["p"])
            bulk.insert_rows(RosterGuardian, _GUARDIAN, self._rows["g"])
            bulk.insert_rows(RosterLink, _LINK, self._rows["l"])
            writes.add_all(self._rejections)
        self._rows = {"p": [], "g": [], "l": []}
        self._rejections = []


def clear(run_id: str, *, but_rejections: bool = False) -> None:
    """Forget what was read from the file: nothing of it is kept once the run is over."""
    for model in STAGED:
        if but_rejections and model is RosterRejection:
            continue
        with transaction():
            bulk.execute(
                f"DELETE FROM {model.__tablename__} WHERE run_id = :run",
                run=run_id,
            )


def known_people(school_ids: list[str]) -> Callable[[], dict[str, tuple[str, tuple[str, ...]]]]:
    """Who earlier imports of these schools called by which id; read once, when asked."""
    cached: dict[str, tuple[str, tuple[str, ...]]] = {}
    roles = {"pupil": "student", "guardian": "guardian"}

    def load() -> dict[str, tuple[str, tuple[str, ...]]]:
        if not cached:
            with transaction():  # a cursor on the server lives in one
                for school_id, kind, sourced_id, _ in _identities(school_ids, tuple(roles)):
                    schools = cached.get(sourced_id, ("", ()))[1]
                    cached[sourced_id] = (roles[kind], (*schools, school_id))
        return cached

    return load


def known_classes(school_ids: list[str]) -> Callable[[], dict[str, tuple[str, str]]]:
    """The titles of classes that earlier imports brought, with their school."""

    def load() -> dict[str, tuple[str, str]]:
        with transaction():
            return {
                sourced_id: (label, school_id)
                for school_id, _, sourced_id, label in _identities(school_ids, ("class",))
                if label
            }

    return load


def _identities(school_ids: list[str], kinds: tuple[str, ...]) -> Iterator[Any]:
    query = select(
        RosterIdentity.school_id,
        RosterIdentity.kind,
        RosterIdentity.sourced_id,
        RosterIdentity.label,
    ).where(RosterIdentity.school_id.in_(school_ids), RosterIdentity.kind.in_(kinds))
    yield from db.session.execute(query, execution_options={"yield_per": bulk.CHUNK})
