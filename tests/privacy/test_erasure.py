"""R16: after somebody was erased, no dump of the database says who they were."""

import re

import pytest
from flask import Flask
from sqlalchemy import Column, func, select

from idp.audit.models import AuditEvent
from idp.backup import erasures
from idp.database import db, transaction, update_all
from idp.people.models import Account, Child, Guardianship
from idp.purge import belongings, erasing
from idp.roster.models import RosterRun
from tests.privacy.dumps import dumped, stand_in
from tests.privacy.whole_family import CHILD, GUARDIAN, Family

pytestmark = pytest.mark.long_on("sqlite")

# Names of columns by which a person may be meant although no foreign key says so
MEANS_SOMEBODY = re.compile(
    r"(^|_)(account|child|guardian|pupil|parent)_id$|(^|_)(actor|by)$|^owner_id$"
)


@pytest.fixture
def family(app: Flask) -> Family:
    return Family()


def refers_to_a_person(column: Column[object]) -> bool:
    owners = {str(key.column) for key in column.foreign_keys} & {"accounts.id", "children.id"}
    is_flag = column.table.name == "email_changes" and column.name == "by_school"
    return bool(owners or MEANS_SOMEBODY.search(column.name)) and not is_flag


def test_r16_every_column_that_refers_to_a_person_has_its_rule(app: Flask) -> None:
    ruled = (
        *(*belongings.OF_ACCOUNT, *belongings.OF_CHILD),
        *(*belongings.EMPTIED, *belongings.IDS_KEPT),
    )
    has_rule = {f"{each.class_.__tablename__}.{each.key}" for each in ruled}
    refer = {
        str(column)
        for table in db.metadata.sorted_tables
        for column in table.c
        if refers_to_a_person(column)
    }
    assert refer - has_rule == set(), "say in idp/purge/belongings.py what becomes of it"
    assert has_rule - refer == {"accounts.id", "children.id"}


def test_the_family_is_kept_wherever_somebody_is(family: Family, database_url: str) -> None:
    """Else the tests below would search for what never was there."""
    for values in (GUARDIAN, CHILD):
        dump = dumped(database_url)
        assert stand_in(dump, list(values.values())).keys() == set(values.values())


def test_r16_after_a_guardian_is_erased_no_dump_says_who_it_was(
    family: Family, database_url: str
) -> None:
    assert erasing.erase(accounts=[family.account.id], why="asked") == 1
    erasing.scrub()
    db.session.remove()
    assert stand_in(dumped(database_url), list(GUARDIAN.values())) == {}
    assert db.session.get(Account, family.account.id) is None


def test_r16_after_a_child_is_erased_no_dump_says_who_it_was(
    family: Family, database_url: str
) -> None:
    assert erasing.erase(children=[family.child.id], why="asked") == 1
    erasing.scrub()
    db.session.remove()
    assert stand_in(dumped(database_url), list(CHILD.values())) == {}
    assert db.session.get(Child, family.child.id) is None


def test_others_keep_what_is_theirs(family: Family) -> None:
    family_of_two = select(func.count()).where(Guardianship.account_id == family.other.id)
    before = db.session.scalar(family_of_two)
    erasing.erase(accounts=[family.account.id], why="asked")
    assert db.session.get(Account, family.other.id) is not None
    assert db.session.get(Child, family.child.id) is not None
    assert db.session.scalar(family_of_two) == before


def test_l3_what_happened_stays_with_ids_that_lead_nowhere(family: Family) -> None:
    mine = select(AuditEvent).where(AuditEvent.account_id == family.account.id)
    before = {row.id: (row.at, row.event) for row in db.session.scalars(mine)}
    erasing.erase(accounts=[family.account.id], why="asked")
    db.session.expire_all()
    after = {row.id: row for row in db.session.scalars(mine)}
    assert {number: (row.at, row.event) for number, row in after.items() if number in before} == (
        before
    )
    assert {row.address for row in after.values()} == {None}
    assert [row.event for row in after.values() if row.id not in before] == ["account_erased"]


def test_r16_who_is_gone_is_erased_again_without_harm(family: Family) -> None:
    ids = {"accounts": [family.account.id], "children": [family.child.id]}
    assert erasing.erase(**ids, why="asked") == 2
    assert erasing.erase(**ids, why="asked") == 0
    with transaction() as session:  # what backups remember
        erased = {who for who, _ in erasures.erased_of(session.connection())}
    assert erased == {family.account.id, family.child.id}
    assert erasing.erase_again(erased) == 0


def test_of_whom_half_is_left_the_rest_is_erased(family: Family, database_url: str) -> None:
    """An id alone is enough, whatever of the person is there."""
    erasing.erase(children=[family.child.id, family.sister.id], why="asked")
    erasing.erase(accounts=[family.account.id], why="asked")
    erasing.scrub()
    db.session.remove()
    values = [*GUARDIAN.values(), *CHILD.values()]
    assert stand_in(dumped(database_url), values) == {}


@pytest.mark.parametrize("status", ["applying", "reading"])
def test_r16_an_import_that_is_at_work_goes_on_without_the_person(
    family: Family, database_url: str, status: str
) -> None:
    update_all(RosterRun, RosterRun.id == family.run_id, status=status)
    erasing.erase(accounts=[family.account.id], children=[family.child.id], why="asked")
    erasing.scrub()
    db.session.expire_all()
    assert db.session.get_one(RosterRun, family.run_id).status == status
    assert stand_in(dumped(database_url), [*GUARDIAN.values(), *CHILD.values()]) == {}
