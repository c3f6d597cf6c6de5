"""The directory equals a rebuilt one, whatever was done to people, in whichever order."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from idp.database import db, transaction
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.search import search
from idp.lifecycle import email_change, endings
from idp.people import accounts as guardians
from idp.people import children, guardianships, linking, search_index
from idp.people.models import Account, Child, School
from idp.people.search_index import DirectoryEntry
from tests import factories
from tests.cli.conftest import Run
from tests.roster.conftest import Import, JsonOf
from tests.roster.files import OneRoster

pytestmark = pytest.mark.long_on("postgresql")

GIVEN_NAMES = ("Lina", "Élodie", "Noah", "Зоя", "يوسف", "Jean-Luc")
FAMILY = ("Dubois", "D'Hondt", "Van den Berg", "Peeters", "Öztürk")
CLASSES = ("1A", "3B", "6 Latin")


@dataclass
class Walk:
    """People who come, change and go, by hand and by imports, at two schools."""

    chance: random.Random
    school: School
    elsewhere: School
    imported: Import
    json_of: JsonOf
    folder: Path
    runs: list[str] = field(default_factory=list)
    files: int = 0

    def name(self) -> tuple[str, str]:
        return self.chance.choice(GIVEN_NAMES), self.chance.choice(FAMILY)

    def any_account(self) -> Account:
        return self.chance.choice(list(db.session.scalars(select(Account))))

    def any_child(self) -> Child:
        return self.chance.choice(list(db.session.scalars(select(Child))))

    def create_account(self) -> None:
        given_name, family_name = self.name()
        number = self.chance.randrange(10**9)
        guardians.create_account(
            username=f"by.hand{number}",
            given_name=given_name,
            family_name=family_name,
            email=f"{number}@families.example",
        )

    def create_child(self) -> None:
        school = self.chance.choice((self.school, self.elsewhere))
        children.create_child(school.id, *self.name(), self.chance.choice(CLASSES))

    def link(self) -> None:
        linking.link_guardian(self.any_account().id, self.any_child().id)

    def end(self) -> None:
        account = self.any_account()
        for child, _ in guardianships.live_children(account.id)[:1]:
            endings.end_guardianship(account.id, child.id, "moved")

    def readdress(self) -> None:
        email = f"{self.chance.randrange(10**6)}@new.example"
        email_change.by_staff(self.any_account().id, email)

    def roster(self) -> None:
        """A whole file of other names, classes and guardians: some come, some leave."""
        file = OneRoster()
        file.school()
        for number in range(self.chance.randrange(1, 6)):
            agents = [f"g{self.chance.randrange(5)}" for _ in range(2)]
            file.pupil(f"p{number}", *self.name(), *agents, class_name=self.chance.choice(CLASSES))
        for number in range(5):
            file.guardian(
                f"g{number}", *self.name(), f"{self.chance.choice('abcd')}{number}@f.example"
            )
        self.files += 1
        path = file.zip(self.folder / f"{self.files}.zip")
        self.runs.append(self.imported(path, "--confirm-large-change")["run"])

    def undo(self) -> None:
        if self.runs:
            self.json_of("roster", "undo", self.runs.pop())

    def acts(self) -> list[Callable[[], None]]:
        """What may happen next; the imports, which touch most, more often."""
        by_hand = [self.create_account, self.create_child, self.link, self.link, self.end]
        return [*by_hand, self.readdress, self.roster, self.roster, self.undo]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_the_directory_always_equals_a_rebuilt_one(
    school: School, imported: Import, json_of: JsonOf, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    walk = Walk(chance, school, factories.school("Athénée"), imported, json_of, tmp_path)
    walk.create_account()
    walk.create_child()
    done = []
    for _ in range(14):
        act = chance.choice(walk.acts())
        done.append(act.__name__)
        act()
        assert search_index.rebuild().mended == 0, done
    assert_each_is_found()


def assert_each_is_found() -> None:
    """By the index of the database, too: triggers and all."""
    db.session.rollback()
    accounts = {each.id: each for each in db.session.scalars(select(Account))}
    for account in accounts.values():
        results = search.find(AT_TERMINAL, f"{account.full_name} {account.username}")
        assert account.id in [person.id for person in results.people], account.full_name


def test_a_rebuild_mends_what_is_wrong_missing_or_too_much(app: Flask, run: Run) -> None:
    school = factories.school()
    claire, (lina,) = factories.family(school, "Lina", username="claire")
    entries = {each.kind: each for each in db.session.scalars(select(DirectoryEntry))}
    elsewhere = factories.school("Athénée")
    with transaction() as writes:
        entries["guardian"].text = " somebody else "
        writes.delete(entries["pupil"])
        writes.add(
            DirectoryEntry(
                kind="guardian", account_id=claire.id, school_id=elsewhere.id, text=" zzz "
            )
        )
    assert search.find(AT_TERMINAL, "somebody else").total == 1

    assert search_index.rebuild() == search_index.Rebuilt(entries=2, mended=3)

    assert search.find(AT_TERMINAL, "somebody else").total == 0
    assert {each.id for each in search.find(AT_TERMINAL, "dubois").people} == {claire.id, lina.id}
    assert "2 lines" in run("directory", "rebuild").stdout
