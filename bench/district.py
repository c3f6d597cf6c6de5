"""``python -m bench.district``: a fictional district as OneRoster, and how long its import takes.

50 schools, 100,000 pupils and 160,000 guardians, all invented: a zip that is the same at each
call. The import runs as the real command in a process of its own, on SQLite and PostgreSQL,
and its time and greatest memory are printed: of all schools, of the same file again, and of a
delta that moves one pupil in a hundred.
"""

import argparse
import csv
import io
import os
import random
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from alembic import command

from bench import databases, processes
from bench.provider import environment
from idp import Settings, create_app
from idp.database import db, migrations
from idp.people.schools import create_school

PORT = 18600


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIVEN_NAMES = _words(
    "Lina Emma Louise Olivia Mila Juliette Alice Camille Elena Nora Noah Arthur Liam Louis Adam"
    " Lucas Jules Victor Gabriel Mohamed Yanis Inès Zoé Chloé Anaïs Fien Lars Wout Lotte Jonas"
    " Софія Олена Mehmet Ayşe Giulia Matteo Szymon Zofia Amina Youssef"
)
FAMILY = _words(
    "Dubois Lambert Peeters Janssens Maes Jacobs Mertens Willems Claes Goossens Wouters Simon"
    " Laurent Leroy Martin Dupont Lefèvre Moreau Benali El-Amrani D'Hondt N'Guessan Öztürk Kaya"
    " Rossi Ferrari Nowak Kowalska Шевченко Müller Schmitz Haddad Nguyen Traoré Diallo Santos"
)
PARTICLES = ("", "", "", "", "Van den ", "De ", "Vander ", "Le ")
CLASSES = tuple(f"{year}{letter}" for year in range(1, 7) for letter in "ABCDEFGH")


@dataclass(frozen=True)
class Size:
    """How large the district is."""

    schools: int = 50
    pupils: int = 100_000
    guardians: int = 160_000


def write(path: Path, size: Size, *, moved: bool = False) -> Path:
    """Write the district's zip; ``moved``: a delta in which one pupil in a hundred moved class."""
    chance = random.Random(1904)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        mode = "delta" if moved else "bulk"
        manifest = [["oneroster.version", "1.1"], ["file.users", mode], ["file.orgs", mode]]
        _table(archive, "manifest.csv", "propertyName value", manifest)
        _table(archive, "orgs.csv", "sourcedId status name type parentSourcedId", _orgs(size))
        _table(
            *(archive, "classes.csv", "sourcedId status title classType schoolSourcedId"),
            (
                [f"c{s}-{c}", "", c, "homeroom", f"org{s}"]
                for s in range(size.schools)
                for c in CLASSES
            ),
        )
        _table(
            *(archive, "enrollments.csv"),
            "sourcedId status classSourcedId schoolSourcedId userSourcedId role",
            _enrollments(size, moved),
        )
        header = "sourcedId status enabledUser orgSourcedIds role givenName familyName email"
        # Who moved is told by an enrolment alone
        people = [] if moved else _people(size, chance)
        _table(archive, "users.csv", f"{header} agentSourcedIds", people)
    return path


def main() -> int:
    """Make the files, import them, print what it took."""
    parser = argparse.ArgumentParser(prog="python -m bench.district", description=__doc__)
    parser.add_argument("--database", choices=(*databases.KINDS, "both"), default="both")
    parser.add_argument("--schools", type=int, default=Size.schools)
    parser.add_argument("--pupils", type=int, default=Size.pupils)
    parser.add_argument("--guardians", type=int, default=Size.guardians)
    parser.add_argument("--keep", type=Path, help="write the files here and import nothing")
    arguments = parser.parse_args()
    size = Size(arguments.schools, arguments.pupils, arguments.guardians)
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        write(arguments.keep / "district.zip", size)
        write(arguments.keep / "delta.zip", size, moved=True)
        return 0
    kinds = databases.KINDS if arguments.database == "both" else (arguments.database,)
    with tempfile.TemporaryDirectory(prefix="idp-district-") as name:
        folder = Path(name)
        whole = write(folder / "district.zip", size)
        delta = write(folder / "delta.zip", size, moved=True)
        print(
            f"{size.schools} schools, {size.pupils} pupils, {size.guardians} guardians; others"
            f" use {processes.busy():.1f} cores of {len(os.sched_getaffinity(0))}",
            flush=True,
        )
        for kind in kinds:
            with databases.fresh(kind, folder) as url:
                print(databases.described(url), flush=True)
                print(f"  {'':<32} {'passed':>9} {'of CPU':>9} {'memory':>9}", flush=True)
                _measure(url, folder, size, whole, delta)
    return 0


def imported(variables: dict[str, str], folder: Path, size: Size) -> tuple[float, float]:
    """Import a district of this size; returns seconds, and greatest memory (MB)."""
    whole = write(folder / "district.zip", size)
    taken = _timed(variables, ["roster", "import", str(whole), *_options(variables, size)])
    return taken[0], taken[2]


def _options(variables: dict[str, str], size: Size) -> list[str]:
    """The schools, made in a migrated database, as the import is told of them."""
    schools = _prepared(variables, size)
    return [
        word for number, each in enumerate(schools) for word in ("--school", f"{each}=org{number}")
    ]


def _measure(url: str, folder: Path, size: Size, whole: Path, delta: Path) -> None:
    variables = environment(folder, url, PORT)
    options = _options(variables, size)
    steps = (
        ("check", ["check", str(whole), *options]),
        ("import of what was checked", ["import", str(whole), *options]),
        ("the same file again", ["import", str(whole), *options]),
        ("a delta of one in a hundred", ["import", str(delta), *options]),
    )
    for label, verbs in steps:
        seconds, busy, megabytes = _timed(variables, ["roster", *verbs, "--json"])
        print(f"  {label:<32} {seconds:7.1f} s {busy:7.1f} s {megabytes:6.0f} MB", flush=True)


def _prepared(variables: dict[str, str], size: Size) -> list[str]:
    """A migrated database with the schools; returns their ids."""
    app = create_app(Settings.from_environment(variables))
    with app.app_context():
        command.upgrade(migrations.configuration(), "head")
        made = [create_school(f"School {number}").id for number in range(size.schools)]
        db.session.remove()
        db.engine.dispose()
    return made


def _timed(variables: dict[str, str], command: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of processor, and greatest resident memory (MB) of one command."""
    program = str(Path(sys.executable).with_name("idp"))
    with tempfile.TemporaryFile() as log:
        begun = monotonic()
        process = subprocess.Popen(
            [program, *command], env=variables, stdout=subprocess.DEVNULL, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise processes.Failed(log.read().decode("utf-8", "replace"))
    return monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _orgs(size: Size) -> Iterator[list[str]]:
    yield ["district", "", "Fictional district", "district", ""]
    for number in range(size.schools):
        yield [f"org{number}", "", f"School {number}", "school", "district"]


def _enrollments(size: Size, moved: bool) -> Iterator[list[str]]:
    for pupil in range(0, size.pupils, 100 if moved else 1):
        school = pupil % size.schools
        title = CLASSES[(pupil // size.schools + (1 if moved else 0)) % len(CLASSES)]
        row = [f"e{pupil}", "active" if moved else "", f"c{school}-{title}", f"org{school}"]
        yield [*row, f"p{pupil}", "student"]


def _people(size: Size, chance: random.Random) -> Iterator[list[str]]:
    """Pupils with one or two guardians; siblings share them, some at another school."""
    for pupil in range(size.pupils):
        family = _family(chance)
        first = 2 * pupil % size.guardians
        agents = f"g{first},g{(first + 1) % size.guardians}" if pupil % 10 else f"g{first}"
        org = f"org{pupil % size.schools}"
        yield [
            f"p{pupil}",
            "",
            "true",
            org,
            "student",
            chance.choice(GIVEN_NAMES),
            family,
            "",
            agents,
        ]
    for guardian in range(size.guardians):
        given_name, family = chance.choice(GIVEN_NAMES), _family(chance)
        # One in fifty has no address, one in forty shares the other parent's
        address = (
            "" if guardian % 50 == 0 else f"g{guardian - (guardian % 40 == 1)}@families.example"
        )
        yield [f"g{guardian}", "", "true", "district", "parent", given_name, family, address, ""]


def _family(chance: random.Random) -> str:
    return chance.choice(PARTICLES) + chance.choice(FAMILY)


def _table(
    archive: zipfile.ZipFile, name: str, header: str, rows: Iterator[list[str]] | list[list[str]]
) -> None:
    with archive.open(name, "w") as entry, _text(entry) as text:
        writer = csv.writer(text)
        writer.writerow(header.split())
        writer.writerows(rows)


@contextmanager
def _text(entry: object) -> Iterator[io.TextIOWrapper]:
    text = io.TextIOWrapper(entry, encoding="utf-8", newline="")  # type: ignore[type-var]
    yield text
    text.flush()
    text.detach()


if __name__ == "__main__":
    sys.exit(main())
